"""Whose things are whose: ours change, foreign ones never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.diagnostics import has_errors
from cf_mtls.model.frozen import EMPTY, freeze_object
from cf_mtls.model.marks import application_name, certificate_name, digits_of, shown, stack_of, without_digits
from cf_mtls.model.plan import Action
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Contents,
    HostnameSettings,
    Kind,
    Rule,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.planning.diff import diff
from cf_mtls.planning.ownership import merge

END = datetime(2030, 1, 1, tzinfo=UTC)
LATER = datetime(2031, 1, 1, tzinfo=UTC)
SHA = "ab" * 32
DECLARED = CaCertificate(
    certificate_name("c", SHA, "s"),
    ("a.net",),
    ("11", "22"),
    (END, LATER),
    SHA,
    "PEM",
    contents=Contents.KNOWN,
)
AT = Address(Kind.CERTIFICATE, SHA)
BY_ID = Address(Kind.CERTIFICATE, "1")
POLICY = AccessPolicy("p", "non_identity", (Rule("certificate"),))
APP = AccessApplication(application_name("a", "s"), (public("a.net"),), (POLICY,))
APP_AT = Address(Kind.APPLICATION, "a.net")


def there(
    fingerprint: str, expires: datetime, name: str = DECLARED.name, identifier: str = "1"
) -> CaCertificate:
    return CaCertificate(name, ("a.net",), (fingerprint,), (expires,), id=identifier)


def account(*cas: CaCertificate) -> State:
    return State((Address(Kind.CERTIFICATE, str(ca.id)), ca) for ca in cas)


def test_a_ca_of_ours_is_found_by_its_digits_whichever_block_the_account_shows() -> None:
    """Which block Cloudflare hashes is not known, so either fingerprint agrees; then its contents are known."""
    for fingerprint, expires in (("11", END), ("22", LATER)):
        actual = account(there(fingerprint, expires))
        merged = merge(State({AT: DECLARED}), actual, "s")
        assert diff(actual, merged.desired) == ()
        assert merged.moved == {AT: BY_ID}
        found = merged.desired[BY_ID]
        assert isinstance(found, CaCertificate)
        assert (found.contents, found.pem) == (Contents.KNOWN, "PEM")


def bundle(
    label: str, sha256: str, *fingerprints: str, at: str | None = None
) -> tuple[Address, CaCertificate]:
    name = certificate_name(label, sha256, "s")
    ends = (END,) * len(fingerprints)
    ca = CaCertificate(name, ("a.net",), fingerprints, ends, sha256, "PEM", at, contents=Contents.KNOWN)
    return Address(Kind.CERTIFICATE, sha256), ca


@pytest.mark.parametrize("shown", ["i1", "i2", "root"])
@pytest.mark.parametrize("label", ["c", "renamed"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("i1", "i2", "root"), ("i1", "root")),
        (("i1", "root"), ("i1", "i2", "root")),
        (("i1", "i2", "root"), ("i2", "i1", "root2")),
        (("root",), ("root", "i1")),
    ],
)  # fmt: skip
def test_a_bundle_that_differs_in_any_certificate_is_another_ca(
    old: tuple[str, ...], new: tuple[str, ...], label: str, shown: str
) -> None:
    """Made beside, and the old one deleted; never a rename, whatever certificate the account shows of either."""
    _, before = bundle("c", "ab" * 32, *old)
    address, after = bundle(label, "cd" * 32, *new)
    actual = account(
        replace(before, fingerprints=(shown,), expirations=(END,), sha256=None, pem=None, id="1")
    )
    changes = diff(actual, merge(State({address: after}), actual, "s").desired)
    assert [(c.action, c.address) for c in changes] == [(Action.DELETE, BY_ID), (Action.CREATE, address)]


def test_eight_equal_digits_are_not_enough() -> None:
    """A partner makes its issuing CA as often as it likes until eight digits fit; 32 it never meets."""
    _, before = bundle("c", "abababab" + "0" * 56, "i1", "root")
    address, after = bundle("c", "abababab" + "1" * 56, "i1", "root")
    actual = account(
        replace(before, fingerprints=("root",), expirations=(END,), sha256=None, pem=None, id="1")
    )
    assert len(diff(actual, merge(State({address: after}), actual, "s").desired)) == 2


def test_a_name_with_our_digits_on_another_content_is_not_believed() -> None:
    """Anybody can write a name; MD5 and expiry must agree, else the bundle is uploaded and the liar goes."""
    for fingerprint, expires in (("99", END), ("11", datetime(2029, 1, 1, tzinfo=UTC))):
        actual = account(there(fingerprint, expires))
        changes = diff(actual, merge(State({AT: DECLARED}), actual, "s").desired)
        assert [c.action for c in changes] == [Action.DELETE, Action.CREATE]


def test_a_changed_label_is_a_rename_of_the_same_bundle() -> None:
    """The digits stay: the content is as well known as before."""
    wanted = replace(DECLARED, name=certificate_name("other", SHA, "s"))
    actual = account(there("11", END))
    (change,) = diff(actual, merge(State({AT: wanted}), actual, "s").desired)
    assert (change.action, change.attributes) == (Action.UPDATE, ("name",))
    assert isinstance(change.after, CaCertificate)
    assert (digits_of(change.after.name), change.after.contents) == (SHA[:32], Contents.KNOWN)


def test_an_equal_fingerprint_with_another_expiry_is_another_ca() -> None:
    """MD5 is a name and not a seal; the expiry must agree before anything is taken for a candidate."""
    actual = account(there("11", datetime(2029, 1, 1, tzinfo=UTC), name="somebody's"))
    merged = merge(State({AT: DECLARED}), actual, "s")
    assert [c.action for c in diff(actual, merged.desired)] == [Action.CREATE]
    assert not merged.diagnostics


def test_another_stacks_digits_say_that_it_is_another_bundle() -> None:
    """Two partners below one root: what the account shows is the same, what was uploaded is not."""
    theirs = there("22", LATER, name=certificate_name("x", "cd" * 32, "other"))
    merged = merge(State({AT: DECLARED}), account(theirs), "s")
    assert not merged.diagnostics
    assert [c.action for c in diff(account(theirs), merged.desired)] == [Action.CREATE]


@pytest.mark.parametrize("by", [BY_ID, AT])
def test_an_adopted_ca_is_marked_without_digits(by: Address) -> None:
    """Nobody saw what was uploaded, so its name claims nothing; found again by what the account shows."""
    actual = account(there("11", END, name="by hand"))
    unsealed = merge(State({AT: DECLARED}), actual, "s", {by})
    assert [d.code.code for d in unsealed.diagnostics] == ["ownership.not-recorded"]
    assert unsealed.diagnostics[0].fix.endswith(f"    sha256: {SHA}")
    recorded = replace(DECLARED, contents=Contents.RECORDED)
    refused = merge(State({AT: recorded}), actual, "s")
    assert "--adopt certificate/1" in refused.diagnostics[0].fix
    assert diff(actual, refused.desired) == ()
    adopted = merge(State({AT: recorded}), actual, "s", {by}).desired
    (change,) = diff(actual, adopted)
    assert isinstance(change.after, CaCertificate)
    assert (change.after.name, change.after.contents) == ("c (cf-mtls s)", Contents.RECORDED)
    again = account(there("11", END, name=change.after.name))
    assert merge(State({AT: DECLARED}), again, "s").diagnostics[0].code.code == "ownership.not-recorded"
    merged = merge(State({AT: recorded}), again, "s")
    assert diff(again, merged.desired) == ()
    assert merged.desired[BY_ID] == replace(change.after, id="1")


def test_an_adopted_ca_that_may_be_two_bundles_is_not_guessed() -> None:
    """What the account shows is in both; taking it for the new one would say that the new one is there."""
    both = (bundle("c", "ab" * 32, "i1", "root"), bundle("c", "cd" * 32, "i2", "root"))
    declared = State((a, replace(ca, contents=Contents.RECORDED)) for a, ca in both)
    actual = account(CaCertificate("c (cf-mtls s)", ("a.net",), ("root",), (END,), id="1"))
    merged = merge(declared, actual, "s")
    assert [d.code.code for d in merged.diagnostics] == ["ownership.ambiguous"]
    assert "    id: 1" in merged.diagnostics[0].fix
    pinned = State([bundle("c", "ab" * 32, "i1", "root", at="1"), bundle("c", "cd" * 32, "i2", "root")])
    assert not merge(pinned, actual, "s").diagnostics
    known = CaCertificate(certificate_name("c", "cd" * 32, "s"), ("a.net",), ("root",), (END,), id="2")
    assert not merge(declared, account(*(r for _, r in actual.of(CaCertificate)), known), "s").diagnostics


def test_a_pin_beside_digits_of_another_bundle_is_refused() -> None:
    """The name says what was uploaded, so a pin on it cannot make it something else."""
    _, before = bundle("c", "ab" * 32, "i1", "i2", "root")
    pin, after = bundle("c", "cd" * 32, "i1", "root", at="1")
    actual = account(
        replace(before, fingerprints=("root",), expirations=(END,), sha256=None, pem=None, id="1")
    )
    merged = merge(State({pin: after}), actual, "s")
    assert [d.code.code for d in merged.diagnostics] == ["ownership.pin-content"]


def test_foreign_things_are_never_changed() -> None:
    """Whatever carries no mark, or another stack's, is equal in desired and actual."""
    actual = State(
        {
            BY_ID: there("99", END, "by hand"),
            Address(Kind.APPLICATION, "b.net"): replace(
                APP, name=application_name("x", "other"), destinations=(public("b.net"),)
            ),
            Address(Kind.SETTINGS, "b.net"): HostnameSettings("b.net", client_certificate_forwarding=True),
        }
    )
    merged = merge(State({AT: DECLARED}), actual, "s")
    assert {a: merged.desired[a] for a in actual} == dict(actual)
    assert [c.address for c in diff(actual, merged.desired)] == [AT]


def test_ours_that_is_no_longer_declared_is_deleted() -> None:
    """The mark is what makes deletion possible."""
    actual = State({BY_ID: there("11", END), APP_AT: replace(APP, id="2")})
    changes = diff(actual, merge(State(), actual, "s").desired)
    assert [c.action for c in changes] == [Action.DELETE, Action.DELETE]


def test_a_foreign_thing_in_our_place_is_refused_until_adopted() -> None:
    """Same domain or same content without our mark: refused with the way out, or taken over in place."""
    actual = State({APP_AT: replace(APP, name="by hand", id="2")})
    refused = merge(State({APP_AT: APP}), actual, "s")
    assert has_errors(refused.diagnostics)
    assert "--adopt application/a.net" in refused.diagnostics[0].fix
    assert diff(actual, refused.desired) == ()
    adopted = merge(State({APP_AT: APP}), actual, "s", adopt={APP_AT})
    (change,) = diff(actual, adopted.desired)
    assert (change.action, change.attributes) == (Action.UPDATE, ("name",))


def test_only_declared_fields_are_managed() -> None:
    """What the file leaves out keeps its actual value, and is sent back with it."""
    actual_app = replace(
        APP, id="2", fields=freeze_object({"session_duration": "6h", "unknown_to_us": {"x": 1}})
    )
    actual = State({APP_AT: actual_app})
    wanted = replace(APP, fields=freeze_object({"session_duration": "24h"}))
    (change,) = diff(actual, merge(State({APP_AT: wanted}), actual, "s").desired)
    assert change.attributes == ("session_duration",)
    assert isinstance(change.after, AccessApplication)
    assert change.after.fields == freeze_object({"session_duration": "24h", "unknown_to_us": {"x": 1}})


def test_settings_that_say_nothing_equal_no_settings() -> None:
    """Both false vanishes from the account's list, so it must not come back as a difference."""
    at = Address(Kind.SETTINGS, "a.net")
    declared = State({at: HostnameSettings("a.net")})
    assert diff(State(), merge(declared, State(), "s").desired) == ()
    on = HostnameSettings("a.net", client_certificate_forwarding=True)
    actual = State({at: on, AT: there("11", END, name=DECLARED.name)})
    declared = State({at: HostnameSettings("a.net"), AT: DECLARED})
    assert [c.action for c in diff(actual, merge(declared, actual, "s").desired)] == [Action.DELETE]


def test_a_mark_is_read_back_from_a_name() -> None:
    """Label, digits and stack survive; a name without a mark has none."""
    name = certificate_name("penang clients", SHA, "s-1")
    assert (stack_of(name), digits_of(name)) == ("s-1", "ab" * 16)
    assert shown(name) == "penang clients abababab… (cf-mtls s-1)"
    assert without_digits(name) == "penang clients (cf-mtls s-1)"
    for other in ("by hand", "ab" * 16, "penang abababab (cf-mtls s)"):
        assert digits_of(other) is None
        assert shown(other) == without_digits(other) == other
    assert stack_of("by hand") is None
    assert digits_of(certificate_name("x" * 400, SHA, "s")) == SHA[:32]
    assert len(certificate_name("x" * 400, SHA, "s")) == 350
    assert stack_of("x (cf-mtls s) ") is None
    assert len(application_name("x" * 400, "s")) == 350


UNKNOWN = CaCertificate("c", ("a.net",), ("11",), (END,), id="1")
"""Declared with `chain: unknown`: no PEM, pinned by its id."""


def test_a_pinned_ca_without_its_pem_is_managed_for_its_hostnames() -> None:
    """Its name stays; another hostname is one update of that alone."""
    actual = State({BY_ID: there("11", END, name="by hand")})
    assert diff(actual, merge(State({BY_ID: UNKNOWN}), actual, "s").desired) == ()
    wider = replace(UNKNOWN, associated_hostnames=("a.net", "b.net"))
    (change,) = diff(actual, merge(State({BY_ID: wider}), actual, "s").desired)
    assert (change.action, change.attributes) == (Action.UPDATE, ("associated_hostnames",))


def test_a_pin_on_another_ca_is_an_error_and_not_no_changes() -> None:
    """A CA's content cannot be changed in place, so a pin beside another chain would promise what never happens."""
    actual = State({BY_ID: there("11", END)})
    for wanted in (replace(UNKNOWN, fingerprints=("99",)), replace(UNKNOWN, expirations=(LATER,))):
        merged = merge(State({BY_ID: wanted}), actual, "s")
        assert [d.code.code for d in merged.diagnostics] == ["ownership.pin-content"]


def test_an_absent_pin_without_a_pem_cannot_be_made_anew() -> None:
    """The way out does not say to take the id out: there is nothing to upload."""
    (found,) = merge(State({BY_ID: UNKNOWN}), State(), "s").diagnostics
    assert found.code.code == "ownership.pin-absent"
    assert "cannot be made anew" in found.fix


def test_a_policy_with_another_name_keeps_what_the_file_leaves_out() -> None:
    """The same decision and rules under another name: the same policy, with its id and its other members."""
    fields = freeze_object({"approval_required": True, "session_duration": "6h"})
    there = replace(POLICY, name="old", id="p-1", fields=fields)
    other = replace(
        POLICY, name="other", id="p-2", decision="deny", fields=freeze_object({"mfa_config": {"x": 1}})
    )
    actual = State({APP_AT: replace(APP, id="2", policies=(other, there))})

    def after(*wanted: AccessPolicy) -> tuple[AccessPolicy, ...]:
        found = merge(State({APP_AT: replace(APP, policies=wanted)}), actual, "s").desired[APP_AT]
        assert isinstance(found, AccessApplication)
        return found.policies

    (renamed,) = after(replace(POLICY, name="new"))
    assert (renamed.id, renamed.fields) == ("p-1", fields)
    assert after(replace(POLICY, name="old"), replace(POLICY, name="new"))[1].id is None
    (new,) = after(replace(POLICY, name="new", decision="allow"))
    assert (new.id, new.fields) == (None, EMPTY)


def test_an_unknown_member_of_a_destination_is_kept() -> None:
    """What Cloudflare adds to a destination tomorrow is no difference, and is sent back; an override is one."""
    odd = public("a.net").merged(freeze_object({"new_member": {"x": 1}}))
    actual = State({APP_AT: replace(APP, id="2", destinations=(odd, public("b.net")))})
    wanted = replace(APP, destinations=(public("b.net"), public("a.net")))
    at = Address(Kind.APPLICATION, "b.net")
    found = merge(State({at: wanted}), actual, "s").desired[APP_AT]
    assert isinstance(found, AccessApplication)
    assert found.destinations == (public("b.net"), odd)
    same = merge(State({APP_AT: replace(APP, destinations=(public("a.net"), public("b.net")))}), actual, "s")
    assert diff(actual, same.desired) == ()
    opened = odd.merged(freeze_object({"overrides": [{"behavior": "public", "path_pattern": "/x"}]}))
    wider = State({APP_AT: replace(APP, id="2", destinations=(opened,))})
    (change,) = diff(wider, merge(State({APP_AT: APP}), wider, "s").desired)
    assert isinstance(change.after, AccessApplication)
    assert (change.attributes, change.after.destinations) == (("destinations",), (odd,))
