"""What a CA of the account holds: known, recorded, or nobody knows; and never more than was seen is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cf_mtls.model.marks import application_name, certificate_name, digits_of
from cf_mtls.model.plan import Action
from cf_mtls.model.resources import CaCertificate, Contents, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.contents import agreement, doubts, taken_over
from cf_mtls.workflow import Allowed, planned
from tests.planning.things import END, ca_at

SHA, OTHER = "ab" * 32, "ab" * 4 + "cd" * 28
"""Two bundles whose first eight digits are the same."""
MARKED, PLAIN = certificate_name("c", SHA, "s"), application_name("c", "s")
DECLARED = CaCertificate(MARKED, ("a.net",), ("11", "22"), (END, END + timedelta(1)), SHA, "PEM")
UNKNOWN = replace(DECLARED, name=PLAIN, fingerprints=("22",), sha256=None, pem=None)
SCOPE = Scope("account", "0" * 32)


def there(name: str = MARKED, md5: str = "22", days: int = 1, identifier: str = "1") -> CaCertificate:
    """The account's CA: one MD5, one expiry, and a name."""
    return CaCertificate(name, ("a.net",), (md5,), (END + timedelta(days),), id=identifier)


@pytest.mark.parametrize(
    ("wanted", "shown", "contents"),
    [
        (DECLARED, there(), Contents.KNOWN),
        (DECLARED, there(md5="11", days=0), Contents.KNOWN),
        (DECLARED, there(certificate_name("d", SHA, "other")), Contents.KNOWN),
        (DECLARED, there(certificate_name("c", OTHER, "s")), None),
        (DECLARED, there(PLAIN), Contents.RECORDED),
        (DECLARED, there("by hand"), Contents.RECORDED),
        (DECLARED, there(md5="33"), None),
        (DECLARED, there(days=5), None),
        (DECLARED, there(PLAIN, md5="33"), None),
        (UNKNOWN, there(), Contents.UNKNOWN),
        (UNKNOWN, there("by hand"), Contents.UNKNOWN),
        (UNKNOWN, there(md5="33"), None),
    ],
)
def test_how_well_a_content_is_known(
    wanted: CaCertificate, shown: CaCertificate, contents: Contents | None
) -> None:
    """By all 32 digits, MD5 and expiry together; without digits recorded; another bundle is another CA."""
    assert agreement(wanted, shown) is contents


@pytest.mark.parametrize(
    ("wanted", "shown", "pinned", "name", "contents"),
    [
        (DECLARED, there(), False, MARKED, Contents.KNOWN),
        (DECLARED, there("by hand"), False, PLAIN, Contents.RECORDED),
        (DECLARED, there("by hand"), True, "by hand", Contents.RECORDED),
        (DECLARED, there(), True, MARKED, Contents.KNOWN),
        (UNKNOWN, there("by hand"), True, "by hand", Contents.UNKNOWN),
        (DECLARED, there("by hand", md5="33"), True, "by hand", Contents.UNKNOWN),
    ],
)
def test_a_name_never_claims_a_content_that_nobody_saw(
    wanted: CaCertificate, shown: CaCertificate, pinned: bool, name: str, contents: Contents
) -> None:
    """What is adopted gets our mark without digits; what is pinned keeps its name."""
    found = taken_over(wanted, shown, pinned=pinned)
    assert (found.name, found.contents, found.id) == (name, contents, "1")
    assert (digits_of(found.name) is None) or contents is Contents.KNOWN


def planned_for(declared: dict[str, CaCertificate], *actual: CaCertificate) -> tuple[list[Action], set[str]]:
    """What would be done, and the codes of what is refused about whose things are whose."""
    account = State({ca_at(ca.id or ""): ca for ca in actual})
    made = planned(
        "s", SCOPE, State({ca_at(k): ca for k, ca in declared.items()}), account, Allowed(delete=9)
    )
    refused = {d.code.code for d in made.diagnostics if d.code.code.startswith("ownership.")}
    return [c.action for c in made.changes], refused


def test_a_bundle_that_differs_in_any_certificate_is_another_ca() -> None:
    """Made beside and the old one retired: never a rename of what is there."""
    smaller = replace(DECLARED, name=certificate_name("c", OTHER, "s"), sha256=OTHER)
    actions, refused = planned_for({OTHER: smaller}, there())
    assert (sorted(a.value for a in actions), refused) == (["create", "delete"], set())
    assert planned_for({SHA: DECLARED}, there()) == ([], set())


def test_a_pin_on_another_content_is_an_error() -> None:
    """A CA's content cannot be changed in place: facts 1.5."""
    pinned = replace(DECLARED, id="1")
    assert planned_for({SHA: pinned}, there("by hand", md5="33"))[1] == {"ownership.pin-content"}
    assert planned_for({SHA: pinned}, there("by hand")) == ([], set())


def test_what_may_be_one_of_several_bundles_is_not_guessed() -> None:
    """Two declared bundles share the certificate that the account shows: the id must say which one it is."""
    sibling = replace(
        DECLARED, name=certificate_name("d", OTHER, "s"), fingerprints=("33", "22"), sha256=OTHER
    )
    both = {SHA: DECLARED, OTHER: sibling}
    assert "ownership.ambiguous" in planned_for(both, there(PLAIN))[1]
    assert planned_for({**both, SHA: replace(DECLARED, id="1")}, there(PLAIN))[1] == set()
    two = (there(), there(certificate_name("d", OTHER, "s"), identifier="2"))
    assert planned_for(both, *two) == ([], set())
    assert planned_for({SHA: DECLARED}, there(PLAIN))[1] == set()
    one_known = (there(), there(PLAIN, identifier="2"))
    assert planned_for(both, *one_known)[1] == set()


def test_each_declared_bundle_takes_its_own_home() -> None:
    """Of two that look alike the known one is taken first, and none twice."""
    twins = (there(PLAIN), there(identifier="2"))
    actions, refused = planned_for({SHA: DECLARED}, *twins)
    assert (actions, refused) == ([Action.DELETE], set())


def test_a_ca_of_another_scope_is_never_the_declared_one() -> None:
    """Whatever it holds."""
    beside = replace(there(), elsewhere="zone:1")
    assert planned_for({SHA: DECLARED}, beside) == ([Action.CREATE], set())


@pytest.mark.parametrize(
    ("contents", "code"),
    [
        (Contents.KNOWN, None),
        (Contents.RECORDED, "certificate.recorded"),
        (Contents.UNKNOWN, "certificate.unseen"),
    ],
)
def test_what_is_not_known_of_a_content_is_said_every_time(contents: Contents, code: str | None) -> None:
    """A note for each CA of ours whose content nobody saw; a known one needs none."""
    held = replace(DECLARED, id="1", contents=contents, pem=None if contents is Contents.UNKNOWN else "PEM")
    state = State({ca_at("1"): held})
    assert [d.code.code for d in doubts(state, {ca_at("1")})] == ([code] if code else [])
    assert [*doubts(state, {ca_at("2")})] == []
    assert [*doubts(State({ca_at("1"): replace(held, id=None)}), {ca_at("1")})] == []
