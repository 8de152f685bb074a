"""What cannot be decided for a saved plan whose digest nobody approved.

Rules of this file:
- Whoever can edit a saved plan can compute its digest again, so without an approved one it opens nothing: what it says
  was allowed does not count, and the clients that must get in may have been taken out of it.
- A loss that nobody can vouch for is therefore refused, whoever would suffer it, by one way: the digest.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from cf_mtls.access.decide import decider
from cf_mtls.access.doors import url
from cf_mtls.access.reach import askers_at, paths_at
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.plan import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.plan import Allowed, Plan
    from cf_mtls.model.state import State

UNVOUCHED = Code(
    "plan.losses-not-approved", Severity.ERROR, Fault.INVOCATION, "nobody approved who loses access"
)
NOT_COUNTED = Code(
    "plan.allowed-not-approved", Severity.NOTE, Fault.INVOCATION, "what was allowed was not approved"
)

MOST = 5
"""URLs that a refusal names."""

HOW = "Apply it with the digest that plan printed:\n    cf-mtls apply PLANFILE --expect DIGEST"


def losses(made: Plan) -> Iterator[Diagnostic]:
    """A refusal that names every URL at which somebody gets in now and would not afterwards; nothing without one."""
    ends = (made.actual, made.desired)
    hosts = sorted({way.before.host for way in made.doors})
    urls = [url(host, path) for host in hosts for path in paths_at(ends, host) if _takes(ends, host, path)]
    if urls:
        more = [f"and {len(urls) - MOST} more"] if urls[MOST:] else []
        listed = "\n".join(f"    {found}" for found in (*urls[:MOST], *more))
        detail = (
            f"Somebody gets in now and would not afterwards at:\n{listed}\n"
            "Which clients must get in is written in the saved plan, and counts only with its digest."
        )
        yield UNVOUCHED.found(detail, HOW)


def _takes(ends: tuple[State, State], host: str, path: str) -> bool:
    before, after = (decider(state, host, path) for state in ends)
    return any(
        before(asker).outcome.lets_in and not after(asker).outcome.lets_in
        for asker in askers_at(ends, host, path)
    )


def not_counted(written: Allowed, counted: Allowed) -> Iterator[Diagnostic]:
    """A note when something that the saved plan says was allowed was left out of account."""
    either = written | counted
    left = [f.name for f in fields(NOTHING) if getattr(either, f.name) != getattr(counted, f.name)]
    if left:
        detail = f"The saved plan was made with: {', '.join(left)}. That counts only with its digest."
        yield NOT_COUNTED.found(detail, HOW)
