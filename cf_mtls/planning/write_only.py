"""Members that can only be written: what an update of the thing that holds them may do to them.

Rules of this file:
- A password, a token or a client secret comes back empty and is never written back empty (second look 1.6); so an
  update leaves it out, and whether Cloudflare then keeps it is not known. What may be lost is refused until it is typed
  out.
- A name says whether a member is one: better a refusal too many than a secret lost in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.frozen import thaw
from cf_mtls.model.plan import Action
from cf_mtls.model.resources import AccessApplication
from cf_mtls.model.rules import is_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Address, Resource

CLEARED = Code("plan.may-clear-secret", Severity.ERROR, Fault.INVOCATION, "an update may clear a secret")


def may_clear(changes: Iterable[Change], allowed: Collection[Address]) -> Iterator[Diagnostic]:
    """One refusal for each thing that would be updated and holds secrets that read back empty.

    allowed: the things whose secrets somebody is ready to set again.
    """
    for change in changes:
        found = () if change.action is not Action.UPDATE else tuple(emptied(change.before))
        if found and change.address not in allowed:
            detail = (
                f"{change.address} holds {', '.join(found)}, which can be read by nobody. The update cannot send it,"
                " and whether Cloudflare keeps a secret that is left out is not known."
            )
            fix = (
                "Have the value at hand, and set it again in the dashboard after the apply; then:\n"
                f"    --allow-cleared-secrets {change.address}"
            )
            yield CLEARED.found(detail, fix)


def emptied(resource: Resource | None) -> Iterator[str]:
    """The paths of the secrets of an application that read back empty, its own policies' included."""
    if isinstance(resource, AccessApplication):
        yield from _emptied(thaw(resource.fields), "")
        for place, policy in enumerate(resource.policies):
            if not policy.reusable:
                yield from _emptied(thaw(policy.fields), f"policies.{place}")


def _emptied(value: Any, path: str) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                here = f"{path}.{name}".lstrip(".")
                if inner in ("", None) and is_secret(name):
                    yield here
                else:
                    yield from _emptied(inner, here)
        case list():
            for place, inner in enumerate(value):
                yield from _emptied(inner, f"{path}.{place}")
