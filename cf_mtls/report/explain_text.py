"""An explanation for a person, and as data.

Rules of this file:
- The answer first, then the reason, then what is beside it, then what to do.
- Names are the account's and therefore untrusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.access.explain import advice
from cf_mtls.model.marks import shown, stack_of
from cf_mtls.report.door_text import WORDS, door_words
from cf_mtls.report.plan_text import policy_words
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.access.explain import Explanation
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State
    from cf_mtls.report.terminal import Paint


def explain_text(found: Explanation, state: State, paint: Paint) -> str:
    """Who gets in and why, line by line."""
    url = f"https://{found.host}{found.path}"
    return "\n".join([paint.bold(harmless(url)), *(harmless(line) for line in _lines(found, state))])


def _lines(found: Explanation, state: State) -> Iterator[str]:
    yield f"  who gets in   {door_words(found.door, state)}"
    if found.client:
        outcome = "gets in" if found.client.outcome.lets_in else "is refused"
        policy = f", by {found.client.policy.name}" if found.client.policy else ""
        yield f"  this client   {outcome}: {found.client.outcome.value}{policy}"
    if found.governor:
        app = found.governor.application
        yield f"  decided by    {found.governor.address}, {_owned(app.name, app.id)}"
        yield from (
            f"  {'policies' if place == 1 else '':<13} {policy_words(place, policy)}"
            for place, policy in enumerate(found.order, 1)
        )
        if found.governor.is_public:
            yield "  override      this path skips Access altogether"
    for address, ca in found.certificates:
        yield f"  CA            {address}, {_owned(ca.name, ca.id)}"
    for address, domain in found.shadowed:
        yield f"  shadowed      {address} by {domain}: less specific, not asked, nothing of it is inherited"
    if found.is_disputed:
        yield "  not known     whether a longer path on a wildcard host beats an exact host; path first is assumed"
    if said := advice(found):
        yield f"  next          {said}"


def _owned(name: str, identifier: str | None) -> str:
    stack = stack_of(name)
    return f"{shown(name)} ({f'id {identifier}' if identifier else 'not made yet'}{'' if stack else ', foreign'})"


def explain_json(found: Explanation) -> dict[str, Any]:
    """The explanation as data."""
    return {
        "url": f"https://{found.host}{found.path}",
        "reach": WORDS[found.door.reach],
        "certificates": sorted(map(str, found.door.certificates)),
        "common_names": None if found.door.common_names is None else sorted(found.door.common_names),
        "credentials": sorted(found.door.credentials),
        "needs_login": found.door.needs_login,
        "application": str(found.governor.address) if found.governor else None,
        "application_id": found.governor.application.id if found.governor else None,
        "policies": [policy.name for policy in found.order],
        "associated": [
            {"address": str(a), "id": ca.id, "name": ca.name, "stack": stack_of(ca.name)}
            for a, ca in found.certificates
        ],
        "shadowed": [{"address": str(a), "domain": domain} for a, domain in found.shadowed],
        "disputed": found.is_disputed,
        "client": None
        if found.client is None
        else {
            "gets_in": found.client.outcome.lets_in,
            "outcome": found.client.outcome.value,
            "policy": found.client.policy.name if found.client.policy else None,
        },
        "next": advice(found),
    }


def table(found: Sequence[tuple[str, Explanation]], state: State, paint: Paint) -> str:
    """One line a URL: who gets in, and the application that decides."""
    lines = []
    for url, one in found:
        by: Address | str = one.governor.address if one.governor else "no application"
        lines.append(
            f"{paint.bold(harmless(url))}\n  {harmless(door_words(one.door, state))}, {harmless(str(by))}"
        )
    return "\n".join(lines)
