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
    yield f"  who gets in   {who_words(found, state)}"
    yield from _client(found)
    if found.governor:
        app = found.governor.application
        yield f"  decided by    {found.governor.address}, {_owned(app.name, app.id, found)}"
        yield from (
            f"  {'policies' if place == 1 else '':<13} {policy_words(place, policy)}"
            for place, policy in enumerate(found.order, 1)
        )
        if found.governor.is_public:
            yield "  override      this path skips Access altogether"
        if found.lets_options_through:
            yield "  OPTIONS       every OPTIONS request goes to the origin: options_preflight_bypass is on"
    for address, ca in found.certificates:
        yield f"  CA            {address}, {_owned(ca.name, ca.id, found)}"
    for address, ca in found.by_wildcard:
        yield f"  not known     whether {address}, {_owned(ca.name, ca.id, found)}, counts: it has a wildcard of it"
    for address, domain in found.shadowed:
        yield f"  shadowed      {address} by {domain}: less specific, not asked, nothing of it is inherited"
    if found.is_disputed:
        yield "  not known     whether a longer path on a wildcard host beats an exact host; path first is assumed"
    yield from (f"  opened by     {said}" for said in found.weakened)
    if (said := advice(found)) and not found.is_in_no_zone:
        yield f"  next          {said}"


def who_words(found: Explanation, state: State) -> str:
    """Who gets in, in one line; that it is not known where no zone holds the hostname."""
    words = door_words(found.door, state, found.pinned)
    if not found.is_in_no_zone:
        return words
    return f"not known: no zone that this token sees holds {found.host}; if Access covers it, {words}"


def _client(found: Explanation) -> Iterator[str]:
    """What happens to the client that was asked about."""
    if found.client and not found.is_client_known:
        yield "  this client   not known: a CA whose contents are not known may vouch for it, or not"
    elif found.client:
        outcome = "gets in" if found.client.outcome.lets_in else "is refused"
        policy = f", by {found.client.policy.name}" if found.client.policy else ""
        yield f"  this client   {outcome}: {found.client.outcome.value}{policy}"


def _owned(name: str, identifier: str | None, found: Explanation) -> str:
    whose = "" if stack_of(name) else ", pinned by the file" if identifier in found.pinned else ", foreign"
    return f"{shown(name)} ({f'id {identifier}' if identifier else 'not made yet'}{whose})"


def explain_json(found: Explanation) -> dict[str, Any]:
    """The explanation as data."""
    return {
        "url": f"https://{found.host}{found.path}",
        "reach": None if found.is_in_no_zone else WORDS[found.door.reach],
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
        "associated_by_wildcard": [str(a) for a, _ in found.by_wildcard],
        "shadowed": [{"address": str(a), "domain": domain} for a, domain in found.shadowed],
        "disputed": found.is_disputed,
        "client": None
        if found.client is None
        else {
            "gets_in": found.client.outcome.lets_in if found.is_client_known else None,
            "outcome": found.client.outcome.value if found.is_client_known else "not known",
            "policy": found.client.policy.name if found.client.policy and found.is_client_known else None,
        },
        "options_let_through": found.lets_options_through,
        "opened_by": list(found.weakened),
        "next": advice(found),
    }


def table(found: Sequence[tuple[str, Explanation]], state: State, paint: Paint) -> str:
    """One line a URL: who gets in, and the application that decides."""
    lines = []
    for url, one in found:
        by: Address | str = one.governor.address if one.governor else "no application"
        lines.append(f"{paint.bold(harmless(url))}\n  {harmless(who_words(one, state))}, {harmless(str(by))}")
    return "\n".join(lines)
