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
from cf_mtls.access.reach import askers_at
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.plan import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.doors import Doorway
    from cf_mtls.model.plan import Allowed, Plan

UNVOUCHED = Code(
    "plan.losses-not-approved", Severity.ERROR, Fault.INVOCATION, "nobody approved who loses access"
)
NOT_COUNTED = Code(
    "plan.allowed-not-approved", Severity.NOTE, Fault.INVOCATION, "what was allowed was not approved"
)

HOW = "Apply it with the digest that plan printed:\n    cf-mtls apply PLANFILE --expect DIGEST"


def losses(made: Plan) -> Iterator[Diagnostic]:
    """A refusal that names every URL at which somebody gets in now and would not afterwards; nothing without one."""
    urls = [way.url for way in made.doors if _takes(made, way)]
    if urls:
        listed = "\n".join(f"    {url}" for url in urls)
        detail = (
            f"Somebody gets in now and would not afterwards at:\n{listed}\n"
            "Which clients must get in is written in the saved plan, and counts only with its digest."
        )
        yield UNVOUCHED.found(detail, HOW)


def _takes(made: Plan, way: Doorway) -> bool:
    host, path = way.before.host, way.before.path
    before, after = (decider(state, host, path) for state in (made.actual, made.desired))
    return any(
        before(asker).outcome.lets_in and not after(asker).outcome.lets_in
        for asker in askers_at((made.actual, made.desired), host, path)
    )


def not_counted(written: Allowed, counted: Allowed) -> Iterator[Diagnostic]:
    """A note when something that the saved plan says was allowed was left out of account."""
    either = written | counted
    left = [f.name for f in fields(NOTHING) if getattr(either, f.name) != getattr(counted, f.name)]
    if left:
        detail = f"The saved plan was made with: {', '.join(left)}. That counts only with its digest."
        yield NOT_COUNTED.found(detail, HOW)
