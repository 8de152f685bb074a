"""`cf-mtls explain`: who can get in at a URL, and why."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import account, asked, now
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity
from cf_mtls.model.asked import NOBODY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cf_mtls.access.explain import Explanation
    from cf_mtls.declare.resolve import Stack
    from cf_mtls.model.people import Asker
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State
    from cf_mtls.planning.foreign import Weakening
    from cf_mtls.workflow import Views

BAD_URL = Code("explain.url", Severity.ERROR, Fault.INVOCATION, "that is not a URL to explain")
NEEDS_PLAN = Code("explain.needs-plan", Severity.ERROR, Fault.INVOCATION, "a plan file is needed for that")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("explain")(explain)


def explain(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="https://host/path, or host/path.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="FILE", help="Also: how it would be once this plan file is applied."),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--client", metavar="FILE", help="A client certificate: does it get in? Needs --plan."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every URL that the plan file declares, as a table.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="From the plan file alone, without the account.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """Who can get in at a URL, which application and policy decide, which CAs count. Only reads."""
    from cf_mtls import workflow
    from cf_mtls.access.explain import explain as explained
    from cf_mtls.planning.foreign import weakenings
    from cf_mtls.report.explain_text import explain_json, explain_text, table

    if not plan and (client or every or offline):
        raise Failure([NEEDS_PLAN.found("--client, --all and --offline ask about what a file declares.",
                                        "Add: --plan FILE")], Exit.USAGE)  # fmt: skip
    stack = workflow.validate(Path(plan), now(), console.variables()) if plan else None
    paint = console.paint_for(sys.stdout)
    urls = [t.url for t in stack.targets] if every and stack else [url]
    places = [(u or "", *place(u)) for u in urls]
    host = next((host for _, host, _ in places), "")
    where = account()
    views = workflow.states_to_explain(stack, where, host, offline=offline)
    whom = NOBODY if offline else asked(where)
    who = _asker(client, stack, views.moved) if client and stack else None
    data: dict[str, Any] = {}
    for title, state in views.states.items():
        weak = tuple(weakenings(state, views.ours))
        unknown = _unknown(state, views)
        found = [
            (u, _seen(views, weak, explained(state, host, path, who, unknown))) for u, host, path in places
        ]
        data[title] = [explain_json(one) for _, one in found]
        if not as_json:
            console.out(f"{paint.bold(title)}:" if len(views.states) > 1 else "")
            text = table(found, state, paint) if every else explain_text(found[0][1], state, paint)
            console.out(text)
    console.show(views.notes)
    if as_json:
        shown = data if every else {k: v[0] for k, v in data.items()}
        console.data(json.dumps({**shown, "asked": whom.data()}, indent=2))
    else:
        console.whom(whom)
    return Exit.OK


def _unknown(state: State, views: Views) -> frozenset[Address]:
    """The CAs of a state whose contents neither it nor the file knows."""
    from cf_mtls.model.resources import CaCertificate

    declared = {a for a, ca in views.ours.items() if isinstance(ca, CaCertificate) and ca.pem}
    return frozenset(a for a, ca in state.of(CaCertificate) if not ca.pem and a not in declared)


def _seen(views: Views, weak: Sequence[Weakening], found: Explanation) -> Explanation:
    """The explanation with what plan and drift report on its host, and whether a zone holds the host."""
    from cf_mtls.access.match import covers
    from cf_mtls.model.resources import host_of
    from cf_mtls.model.state import State
    from cf_mtls.planning.ownership import pins

    said = (f"{w.culprit}: {w.warning.detail}" for w in weak if covers(host_of(w.domain), found.host, "/"))
    nowhere = views.beside is not None and not views.beside.holds(found.host)
    return replace(
        found, weakened=tuple(dict.fromkeys(said)), is_in_no_zone=nowhere, pinned=pins(State(views.ours))
    )


def place(url: str | None) -> tuple[str, str]:
    """Host and path of a URL, the scheme left out or https; the host as Access knows it: lower case, in its xn-- form,
    without a dot at its end. Raises Failure (usage) otherwise.
    """
    text = url if url and "://" in url else f"https://{url or ''}"
    try:
        parts = urlsplit(text)
        host = ascii_host(parts.hostname or "")
    except ValueError as error:
        raise Failure(
            [BAD_URL.found(f"{url}: {error}.", "Write its hostname in ASCII.")], Exit.USAGE
        ) from None
    if parts.scheme != "https" or "." not in host:
        raise Failure(
            [BAD_URL.found(f"{url or 'Nothing'} is not https://host/path.", "Access covers https only.")],
            Exit.USAGE,
        )
    return host, parts.path or "/"


DEVIATING = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")
"""Characters that the two versions of international names read differently: RFC 5894, 7.2."""


def ascii_host(host: str) -> str:
    """A hostname as it is asked for: an international one in its xn-- form (RFC 3490), no dot at the end.

    Raises ValueError for what is no hostname, and for characters of which only the older standard is certain.
    """
    if any(character in DEVIATING for character in host):
        message = "standards differ about a character in its hostname; write the xn-- form"
        raise ValueError(message)
    try:
        return host.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        message = "its hostname is none: a label is empty or too long"
        raise ValueError(message) from None


def _asker(file: str, stack: Stack, moved: Mapping[Address, Address]) -> Asker:
    """The client of a certificate file, valid under those of the stack's CAs that accept it.

    moved: declared address to the account's; both count, so that one asker fits every state.
    """
    from cf_mtls.declare.clients import asker_of
    from cf_mtls.declare.files import read_bytes

    data = read_bytes(Path(file))
    if isinstance(data, Diagnostic):
        raise Failure([data])
    asker = asker_of(data, stack.state, now())
    return replace(asker, trusted_by=asker.trusted_by | {moved.get(a, a) for a in asker.trusted_by})
