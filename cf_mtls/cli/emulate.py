"""`cf-mtls emulate`: a small Cloudflare on this machine, to rehearse against.

Rules of this file:
- Export lines go to stdout; the banner goes to stderr.
- The ready file is written at once and whole, when it really serves, readable by its owner only.
"""

from __future__ import annotations

import json
import shlex
from enum import Enum
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls import input_file, output_file
from cf_mtls.cli import console
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from cf_mtls.emulator.server import Options, Ready

UNUSABLE = Code("emulate.unusable", Severity.ERROR, Fault.INVOCATION, "the emulator cannot start like this")
UNREADABLE = Code("emulate.unreadable", Severity.ERROR, Fault.FILE, "the emulator's file cannot be read")
PORT_TAKEN = Code("emulate.port", Severity.ERROR, Fault.INVOCATION, "the emulator cannot listen there")


class EdgeKind(Enum):
    """The edges to choose from."""

    embedded = "embedded"
    nginx = "nginx"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(emulate)


def emulate(
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write where it serves, as JSON, once it does.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the API; 0 is a free one.", min=0, max=65535)] = 0,
    edge_port: Annotated[
        int, typer.Option(help="Port of the TLS edge; 0 is a free one.", min=0, max=65535)
    ] = 0,
    zone: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A zone of the account; repeatable. [jeann.net]")
    ] = None,
    for_: Annotated[
        list[Path] | None,
        typer.Option("--for", metavar="PLANFILE", help="Rehearse this plan's hostnames, in its account."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start from this account (JSON).")
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Misbehave by these rules (JSON).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Replay the run that printed this seed.")] = None,
    switch: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Turn a switch; repeatable.")
    ] = None,
    lifelike: Annotated[
        bool, typer.Option("--lifelike", help="Be as slow as Cloudflare is said to be.")
    ] = False,
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="What stands behind the edge: http://127.0.0.1:PORT.")
    ] = None,
    edge: Annotated[
        EdgeKind, typer.Option(help="What speaks TLS: this program, or a real nginx.")
    ] = EdgeKind.embedded,
    switches: Annotated[
        bool, typer.Option("--switches", help="List the switches and their sources, and stop.")
    ] = False,
) -> int:
    """Run a small, loopback-only Cloudflare to rehearse against, until Ctrl-C."""
    if switches:
        _list_switches()
        return Exit.OK
    from cf_mtls.emulator.server import Options, Unusable, serve
    from cf_mtls.emulator.switches import lifelike as slow
    from cf_mtls.emulator.switches import read_all

    try:
        turned = (slow() if lifelike else {}) | read_all(switch or [])
    except ValueError as error:
        raise _unusable(error) from error
    account_id, hostnames = _rehearsed(for_ or [])
    options = Options(
        zones=tuple(zone or ([] if hostnames else ["jeann.net"])), hostnames=hostnames, account_id=account_id,
        api_port=port, edge_port=edge_port, seed=seed, switches=turned,
        state=_json(state) if state else None, faults=tuple(_rules(_json(faults))) if faults else (),
        origin=origin, edge=edge.value,
    )  # fmt: skip
    if ready_file:
        ready_file.unlink(missing_ok=True)  # whoever waits for it must not find the last run's
    try:
        serve(options, lambda ready: _announce(ready, ready_file, options))
    except Unusable as error:
        raise _unusable(error) from error
    except OSError as error:
        raise Failure(
            [PORT_TAKEN.found(str(error), "Leave --port and --edge-port out: free ones are taken.")]
        ) from error
    console.say("stopped")
    return Exit.OK


def _rehearsed(plans: list[Path]) -> tuple[str | None, tuple[str, ...]]:
    """The account that plan files name, None when they name none, and every hostname in them."""
    from cf_mtls.declare.files import load
    from cf_mtls.model.resources import host_of

    documents = [load(path).document for path in plans]
    hosts = {h for d in documents for c in d.certificates.values() for h in c.associated_hostnames}
    hosts |= {h for d in documents for h in d.hostname_settings}
    hosts |= {
        host_of(domain)
        for d in documents
        for a in d.applications.values()
        for domain in (a.domains or [a.domain or ""])
    }
    account = next((d.account_id for d in documents if d.account_id), None)
    return account, tuple(sorted(h for h in hosts if h and "*" not in h))


def _unusable(error: ValueError) -> Failure:
    return Failure([UNUSABLE.found(str(error), "`cf-mtls emulate --switches` lists the switches.")])


def _json(path: Path) -> Any:
    try:
        return json.loads(input_file.needed(path, input_file.LARGEST_REPORT, pipes=True))
    except (RecursionError, ValueError) as error:
        raise Failure(
            [UNREADABLE.found(f"{path}: {error}", "It must be a JSON file that you can read.")]
        ) from error


def _rules(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _announce(ready: Ready, ready_file: Path | None, options: Options) -> None:
    for name, value in ready.exports().items():
        console.command(f"export {name}={shlex.quote(value)}")  # the shell wants it as it is
    for line in _banner(ready, options):
        console.say(line)
    if ready_file:
        _write(ready_file, {
            "api_base_url": ready.api_base_url, "edge": ready.edge, "edge_ca": ready.edge_ca,
            "account_id": ready.account_id, "token": ready.token, "read_token": ready.read_token,
            "seed": ready.seed, "zones": list(ready.zones), "management": ready.management,
            "exports": ready.exports(),
        })  # fmt: skip


def _banner(ready: Ready, options: Options) -> list[str]:
    turned = ", ".join(f"{k}={v}" for k, v in options.switches.items())
    return [
        "cf-mtls emulator: NOT Cloudflare. Loopback only, new keys each start, nothing is kept.",
        f"  API   {ready.api_base_url}   management {ready.management}",
        f"  edge  https://{ready.edge}   zones {', '.join(ready.zones)}",
        f"  seed  {ready.seed}" + (f"   switches {turned}" if turned else ""),
        "Paste the export lines above into another terminal. Ctrl-C stops it.",
    ]


def _write(path: Path, content: dict[str, Any]) -> None:
    output_file.write(path, json.dumps(content, indent=1).encode("ascii"), private=True)


def _list_switches() -> None:
    from cf_mtls.emulator.switches import SWITCHES, spoken

    for row in SWITCHES:
        life = f", lifelike {spoken(row.lifelike)}" if row.lifelike is not None else ""
        console.out(f"{row.name}={spoken(row.default)}  ({row.allowed()}{life})")
        console.out(f"    {row.says} [{row.source}]")
