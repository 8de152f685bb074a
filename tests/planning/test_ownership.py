"""Whose things are whose: ours change, foreign ones never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cf_mtls.diagnostics import has_errors
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.marks import application_name, certificate_name, digits_of, stack_of
from cf_mtls.model.plan import Action
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
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
DECLARED = CaCertificate(certificate_name("c", SHA, "s"), ("a.net",), ("11", "22"), (END, LATER), SHA, "PEM")
AT = Address(Kind.CERTIFICATE, "11")
POLICY = AccessPolicy("p", "non_identity", (Rule("certificate"),))
APP = AccessApplication(application_name("a", "s"), (public("a.net"),), (POLICY,))
APP_AT = Address(Kind.APPLICATION, "a.net")


def there(
    fingerprint: str, expires: datetime, name: str = DECLARED.name, identifier: str = "1"
) -> CaCertificate:
    return CaCertificate(name, ("a.net",), (fingerprint,), (expires,), id=identifier)


def test_a_ca_is_found_by_any_block_of_its_chain() -> None:
    """Which block Cloudflare hashes is not known, so either fingerprint is the same CA and nothing changes."""
    for fingerprint, expires in (("11", END), ("22", LATER)):
        actual = State({Address(Kind.CERTIFICATE, fingerprint): there(fingerprint, expires)})
        assert diff(actual, merge(State({AT: DECLARED}), actual, "s").desired) == ()


def test_an_equal_fingerprint_with_another_expiry_is_another_ca() -> None:
    """MD5 is a name and not a seal; the expiry must agree before anything is called ours."""
    other = there("11", datetime(2029, 1, 1, tzinfo=UTC), name="somebody's")
    actual = State({Address(Kind.CERTIFICATE, "11#1"): other})
    merged = merge(State({AT: DECLARED}), actual, "s")
    assert [c.action for c in diff(actual, merged.desired)] == [Action.CREATE]


def test_two_chains_of_ours_that_share_a_root_are_told_apart_by_name() -> None:
    """If Cloudflare hashes the root, only the digits in the name tell two chains apart."""
    sibling = replace(
        DECLARED, name=certificate_name("d", "cd" * 32, "s"), fingerprints=("33", "22"), sha256="cd" * 32
    )
    declared = State({AT: DECLARED, Address(Kind.CERTIFICATE, "33"): sibling})
    actual = State(
        {
            Address(Kind.CERTIFICATE, "22"): there("22", LATER, sibling.name, "1"),
            Address(Kind.CERTIFICATE, "22#2"): there("22", LATER, DECLARED.name, "2"),
        }
    )
    assert diff(actual, merge(declared, actual, "s").desired) == ()


def test_foreign_things_are_never_changed() -> None:
    """Whatever carries no mark, or another stack's, is equal in desired and actual."""
    actual = State(
        {
            Address(Kind.CERTIFICATE, "99"): there("99", END, "by hand"),
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
    actual = State({AT: there("11", END), APP_AT: replace(APP, id="2")})
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
    actual = State({at: HostnameSettings("a.net", client_certificate_forwarding=True)})
    assert [c.action for c in diff(actual, merge(declared, actual, "s").desired)] == [Action.DELETE]


def test_a_mark_is_read_back_from_a_name() -> None:
    """Label, digits and stack survive; a name without a mark has none."""
    name = certificate_name("penang clients", SHA, "s-1")
    assert (stack_of(name), digits_of(name)) == ("s-1", "abababab")
    assert (stack_of("by hand"), digits_of("by hand")) == (None, None)
    assert stack_of("x (cf-mtls s) ") is None
    assert len(application_name("x" * 400, "s")) == 350


UNKNOWN = CaCertificate("c", ("a.net",), ("11",), (END,), id="1")
"""Declared with `chain: unknown`: no PEM, pinned by its id."""


def test_a_pinned_ca_without_its_pem_is_managed_for_its_hostnames() -> None:
    """Its name stays; another hostname is one update of that alone."""
    actual = State({AT: there("11", END, name="by hand")})
    assert diff(actual, merge(State({AT: UNKNOWN}), actual, "s").desired) == ()
    wider = replace(UNKNOWN, associated_hostnames=("a.net", "b.net"))
    (change,) = diff(actual, merge(State({AT: wider}), actual, "s").desired)
    assert (change.action, change.attributes) == (Action.UPDATE, ("associated_hostnames",))


def test_a_pin_on_another_ca_is_an_error_and_not_no_changes() -> None:
    """A CA's content cannot be changed in place, so a pin beside another chain would promise what never happens."""
    actual = State({AT: there("11", END)})
    for wanted in (replace(UNKNOWN, fingerprints=("99",)), replace(UNKNOWN, expirations=(LATER,))):
        merged = merge(State({Address(Kind.CERTIFICATE, wanted.fingerprints[0]): wanted}), actual, "s")
        assert [d.code.code for d in merged.diagnostics] == ["ownership.pin-content"]


def test_an_absent_pin_without_a_pem_cannot_be_made_anew() -> None:
    """The way out does not say to take the id out: there is nothing to upload."""
    (found,) = merge(State({AT: UNKNOWN}), State(), "s").diagnostics
    assert found.code.code == "ownership.pin-absent"
    assert "cannot be made anew" in found.fix
