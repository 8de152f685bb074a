"""Options and environment that several verbs share, and how they become values.

Rules of this file:
- Flags win over the environment; a token comes only from the environment or a file, never from a flag.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from cf_mtls import input_file
from cf_mtls.cli import console
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from cf_mtls.declare.search import Found
    from cf_mtls.model.asked import Asked
    from cf_mtls.model.plan import Allowed
    from cf_mtls.model.resources import Address
    from cf_mtls.verify.connect import ConnectTo as Mapping
    from cf_mtls.verify.witness import Witness
    from cf_mtls.workflow import Account

TOKEN_FILE = Code("token.file", Severity.ERROR, Fault.INVOCATION, "the token's file cannot be read")
NO_CURL = Code("verify.no-curl", Severity.ERROR, Fault.INVOCATION, "there is no curl")
NO_BROWSER = Code("verify.no-browser", Severity.ERROR, Fault.INVOCATION, "there is no browser to ask with")
BAD_WITNESS = Code("verify.unknown-witness", Severity.ERROR, Fault.INVOCATION, "a witness is not known")
NO_CACERT = Code("verify.cacert", Severity.ERROR, Fault.INVOCATION, "the --cacert file cannot be read")
BAD_ADDRESS = Code("address.malformed", Severity.ERROR, Fault.INVOCATION, "an address cannot be read")

PlanFile: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="[FILE]", help="Plan file; else cf-mtls.yaml, else the only YAML file in plans/."),
]
PlanFiles: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE]...", help="Plan files or folders of them; else as [FILE] elsewhere."),
]
ConnectTo: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--connect-to",
        metavar="HOST1:PORT1:HOST2:PORT2",
        help="As in curl. Else CF_MTLS_CONNECT_TO, by spaces.",
    ),
]
CaCert: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--cacert", metavar="FILE", help="As in curl: judge the server by these. Else CF_MTLS_CACERT."
    ),
]
WitnessName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--witness",
        metavar="NAMES",
        help="Who asks: httpx, curl (prints its commands) or browser; verify takes several, with commas, or all.",
    ),
]


Destroy: TypeAlias = Annotated[
    bool, typer.Option("--destroy", help="Plan the end of everything that carries this stack's mark.")
]
Adopt: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--adopt", metavar="ADDRESS", help="Take over what stands there without our mark."),
]
AllowLockout: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-lockout",
        metavar="HOST|CLIENT@URL",
        help="This host may be shut for a moment; or this declared client may lose its access there.",
    ),
]
AllowUnproven: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-unproven", metavar="HOST", help="Old trust may go here before new trust is proven."
    ),
]
AllowDelete: TypeAlias = Annotated[
    int | None, typer.Option("--allow-delete", metavar="NUMBER", help="So many objects may be deleted.")
]
AllowClearedSecrets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-cleared-secrets",
        metavar="ADDRESS",
        help="The secrets in this, which nobody can read, may be cleared: they will be set again.",
    ),
]
OneCa: TypeAlias = Annotated[
    bool,
    typer.Option("--one-ca-per-hostname", help="This account takes a hostname on one CA only."),
]
WildcardHostnames: TypeAlias = Annotated[
    bool,
    typer.Option("--wildcard-hostnames", help="This account takes a wildcard as the hostname of a CA."),
]
HostElsewhere: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--host-elsewhere",
        metavar="HOST",
        help="This host is in no zone that the token sees, and meant. Else CF_MTLS_HOST_ELSEWHERE, by spaces.",
    ),
]

RefusedTwice: TypeAlias = Annotated[
    Literal["first", "any", "whole"] | None,
    typer.Option(
        "--refuse-duplicate-certificate",
        metavar="first|any|whole",
        help="This account refuses a CA whose first, any or every certificate is there already.",
    ),
]


Target: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="ADDRESS", help="Change only this; the plan is then partial."),
]


AllowWeaken: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--allow-weaken", metavar="URL", help="More kinds of people may get in at this URL."),
]


def gates(
    *,
    adopt: list[str] | None,
    lockout: list[str] | None,
    unproven: list[str] | None,
    weaken: list[str] | None,
    delete: int | None,
    cleared: list[str] | None,
    target: list[str] | None,
    one_ca: bool,
    twins: str | None,
    wildcards: bool,
    elsewhere: list[str] | None,
) -> Allowed:
    """What was typed out on the command line."""
    from cf_mtls.model.plan import Allowed

    return Allowed(
        adopt=addresses(adopt),
        lockout=frozenset(typed if "@" in typed else typed.lower() for typed in lockout or []),
        unproven=frozenset(host.lower() for host in unproven or []),
        weaken=frozenset(weaken or []),
        delete=delete,
        cleared=addresses(cleared),
        one_ca_per_hostname=one_ca,
        twins=frozenset({twins} if twins else ()),
        wildcard_hostnames=wildcards,
        targets=addresses(target),
        elsewhere=hosts_elsewhere(elsewhere),
    )


def hosts_elsewhere(typed: list[str] | None) -> frozenset[str]:
    """The hosts that are meant although no zone is seen to hold them, from the option or the environment."""
    texts = typed or (console.environment("CF_MTLS_HOST_ELSEWHERE") or "").split()
    return frozenset(host.lower().rstrip(".") for host in texts)


def typed(context: typer.Context, but: Collection[str]) -> list[str]:
    """The options of the command under way as words, those that were not given left out, in the order of the help.

    but: the names of parameters to leave out.
    """
    words: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in but or value in (None, False, [], ()):
            continue
        flag = max(parameter.opts, key=len)
        if value is True:
            words.append(flag)
        else:
            words += [word for one in _each(value) for word in (flag, str(one))]
    return words


def _each(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)


def plan_file(named: str | None) -> Path:
    """The plan file to use: the argument, CF_MTLS_CONFIG, or what lies here."""
    from cf_mtls.declare.files import choose

    return _said(choose(named or console.environment("CF_MTLS_CONFIG"), Path()))


LARGE = 300_000
"""Bytes of a plan file from which reading it takes more than a second or two."""


def _said(path: Path) -> Path:
    """The path, after it was said that reading a large file takes a while."""
    try:
        size = path.stat().st_size if path.is_file() else 0
    except (OSError, ValueError):
        size = 0
    if size > LARGE:
        console.say(f"Reading {harmless(str(path))}, {size / 1_000_000:.1f} MB: that may take some seconds.")
    return path


def plan_files(named: list[str] | None) -> Found:
    """The plan files to use, folders searched, each once. Raises Failure when there are none."""
    from cf_mtls.declare import search

    found = search.plan_files(named) if named else search.Found((plan_file(None),))
    for path in found.paths if named else ():
        _said(path)
    return found


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def account(stopping: Callable[[], bool] = lambda: False) -> Account:
    """What the environment says about the account; waits are said on stderr.

    stopping: whether somebody wants the run to end.
    """
    from cf_mtls.remote.gateway import DEFAULT_BASE_URL
    from cf_mtls.remote.pace import Pace
    from cf_mtls.workflow import Account

    base_url = console.environment("CLOUDFLARE_BASE_URL") or console.environment("CLOUDFLARE_API_BASE_URL")
    return Account(
        _token(),
        (base_url or DEFAULT_BASE_URL).rstrip("/"),
        console.environment("CLOUDFLARE_ACCOUNT_ID"),
        console.environment("CLOUDFLARE_ZONE_ID"),
        Pace(say=console.say, stopping=stopping),
    )


def _token() -> str | None:
    name = console.environment("CLOUDFLARE_API_TOKEN_FILE")
    if console.environment("CLOUDFLARE_API_TOKEN") or not name:
        return console.environment("CLOUDFLARE_API_TOKEN")
    found = input_file.read(Path(name), input_file.LARGEST_SECRET, pipes=True)
    try:
        if isinstance(found, bytes):
            return found.decode("utf-8").strip()
        why = f"{found.code.summary}: {found.detail}"
    except UnicodeDecodeError:
        why = f"{name} is no text."
    fix = "Mend the path, or put the token into CLOUDFLARE_API_TOKEN."
    raise Failure([TOKEN_FILE.found(f"CLOUDFLARE_API_TOKEN_FILE names {name}: {why}", fix)])


def addresses(texts: list[str] | None) -> frozenset[Address]:
    """Addresses as typed, such as `application/jeann.net/path`. Raises Failure (usage) for any other form."""
    from cf_mtls.model.resources import Address, Kind

    found = set()
    for text in texts or []:
        kind, slash, key = text.partition("/")
        if kind not in set(Kind) or not slash or not key:
            fix = f"Write it as the plan shows it: KIND/KEY, where KIND is one of {', '.join(Kind)}."
            raise Failure([BAD_ADDRESS.found(f"{text} is not an address.", fix)], Exit.USAGE)
        found.add(Address(Kind(kind), key))
    return frozenset(found)


def witness(name: str, connect_to: list[str] | None, cacert: str | None) -> Witness:
    """The witness of that name. Raises Failure (usage) when it is unknown or its options cannot be used."""
    routes = mappings(connect_to)
    trusted = cacert or console.environment("CF_MTLS_CACERT")
    if trusted and not input_file.is_there(Path(trusted)):
        raise Failure(
            [
                NO_CACERT.found(
                    f"There is no file {trusted}.", "Leave it out to judge servers by the usual CAs."
                )
            ],
            Exit.USAGE,
        )
    if name == "httpx":
        from cf_mtls.verify.httpx_probe import HttpxWitness

        return HttpxWitness(routes, trusted)
    if name == "curl":
        from cf_mtls.verify import curl_probe

        binary = curl_probe.found()
        if binary is None:
            raise Failure([NO_CURL.found("--witness curl runs the real curl.", "Install curl.")])
        return curl_probe.CurlWitness(binary, _connect_texts(connect_to), trusted)
    if name == "browser":
        return _browser(routes, trusted)
    fix = "Known: httpx, curl, browser, and all."
    raise Failure([BAD_WITNESS.found(f"There is no witness {name}.", fix)], Exit.USAGE)


def _browser(routes: tuple[Mapping, ...], trusted: str | None) -> Witness:
    from cf_mtls.verify import browser_probe

    program = browser_probe.found()
    if program is None:
        raise Failure([NO_BROWSER.found("No Chromium is installed.", "Install chromium or Google Chrome.")])
    if not browser_probe.has_driver():
        fix = "Install the extra that drives it:\n    pip install 'cf-mtls[browser]'"
        raise Failure([NO_BROWSER.found("Playwright is not installed.", fix)])
    return browser_probe.BrowserWitness(program, routes, trusted)


def mappings(connect_to: list[str] | None) -> tuple[Mapping, ...]:
    """Where connections go, from the option or the environment. Raises Failure (usage)."""
    from cf_mtls.verify.connect import parse

    return tuple(map(parse, _connect_texts(connect_to)))


def asked(where: Account | None = None, connect_to: list[str] | None = None, *, edge: bool = False) -> Asked:
    """Whom a report asked until now. where: None when no API was; edge: whether requests were made too."""
    from dataclasses import replace

    from cf_mtls.model.asked import NOBODY, OWN_EDGE

    whom = where.asked if where else NOBODY
    return replace(whom, edge=" ".join(_connect_texts(connect_to)) or OWN_EDGE) if edge else whom


def _connect_texts(connect_to: list[str] | None) -> tuple[str, ...]:
    return tuple(connect_to or (console.environment("CF_MTLS_CONNECT_TO") or "").split())
