"""A draft is proven before it is written: its plan is empty, and everything left out has its reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cf_mtls.bring.draft import Draft, draft, heading, settle
from cf_mtls.bring.entries import slug
from cf_mtls.bring.select import Wish, select
from cf_mtls.declare import yaml_text
from cf_mtls.diagnostics import Failure
from cf_mtls.model.frozen import EMPTY, Record, freeze_object
from cf_mtls.model.marks import application_name
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
    Scope,
    public,
)
from cf_mtls.model.state import State

AT = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2030, 1, 1, tzinfo=UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
MD5 = "ab" * 16
CA = CaCertificate("Fleet CA", ("a.net",), (MD5,), (END,), id="ca-1")
ASKS = AccessPolicy("p", "non_identity", (Rule("certificate"),), id="p-1")
OPEN = AccessPolicy("p", "bypass", (Rule("everyone"),), id="p-2")


def app(
    name: str = "App", uri: str = "a.net/x", policy: AccessPolicy = ASKS, fields: Record = EMPTY
) -> AccessApplication:
    return AccessApplication(name, (public(uri),), (policy,), fields, f"id-{uri}")


def state(*things: Resource) -> State:
    found: dict[Address, Resource] = {}
    for thing in things:
        match thing:
            case CaCertificate():
                found[Address(Kind.CERTIFICATE, thing.fingerprints[0])] = thing
            case HostnameSettings():
                found[Address(Kind.SETTINGS, thing.hostname)] = thing
            case AccessApplication():
                found[Address(Kind.APPLICATION, thing.domain or f"id:{thing.id}")] = thing
            case AccessPolicy():
                found[Address(Kind.POLICY, thing.id or "")] = thing
            case AccessGroup():
                found[Address(Kind.GROUP, thing.id)] = thing
    return State(found)


PLAIN = Wish("s")


def bring(actual: State, wish: Wish = PLAIN) -> Draft:
    made = draft(select(actual, wish), {}, heading(wish.stack, SCOPE, AT))
    return settle(made, actual, wish.stack, AT)


def addresses(made: Draft) -> list[str]:
    return [str(entry.address) for entry in made.entries]


def why(made: Draft) -> dict[str, str]:
    return {str(skipped.address): skipped.why for skipped in made.skipped}


def test_a_whole_small_account_reads_as_a_person_would_write_it() -> None:
    """Ids pinned, defaults left out, short forms, one line where it fits, the account's names as comments."""
    policy = AccessPolicy(
        "fleet only", "allow", (Rule("email_domain", freeze_object({"domain": "a.net"})),),
        (Rule("certificate"), Rule("common_name", freeze_object({"common_name": "fleet"}))),
        fields=freeze_object({"session_duration": "24h"}), id="p-9",
    )  # fmt: skip
    fields = freeze_object({"type": "self_hosted", "session_duration": "6h", "app_launcher_visible": True})
    made = bring(state(CA, HostnameSettings("a.net", True), app("Fleet", policy=policy, fields=fields)))
    assert (
        made.text
        == f"""\
# yaml-language-server: $schema=cf-mtls.schema.json
# Imported on 2026-06-01 from the account below; nothing in it was changed.
# id: pins what was there already: it is managed in place and keeps its name. It carries no mark, so that
# it leaves this file cannot be seen. To retire it, take its entry out and write its id at the left edge:
# removed: [{{id: ..., destroy: true}}] (false: it stays and is no longer managed).
# apply --destroy deletes what is pinned here and puts back the hostname settings declared here.
version: 1
stack: s
account_id: {SCOPE.id}

certificates:
  # The PEM was not found, so only hostnames are managed. To finish: put the chain beside this
  # file and write chain: certs/NAME.pem in place of chain, fingerprint and expires_on;
  # plan then says which sha256: to write beside it.
  fleet-ca:  # Fleet CA, expires 2030-01-01
    chain: unknown
    fingerprint: {MD5}
    expires_on: 2030-01-01T00:00:00Z
    associated_hostnames: [a.net]
    id: ca-1

hostname_settings:
  a.net: {{client_certificate_forwarding: true}}

applications:
  fleet:  # Fleet
    domain: a.net/x
    id: id-a.net/x
    policies:
      - name: fleet only
        decision: allow
        include: [{{email_domain: a.net}}]
        require: [{{certificate: {{}}}}, {{common_name: fleet}}]
    session_duration: 6h
"""
    )


def test_the_default_policy_is_not_written() -> None:
    """An application that asks what the file means by saying nothing says nothing."""
    default = AccessPolicy("valid certificate", "non_identity", (Rule("certificate"),), id="p")
    assert "policies" not in bring(state(CA, app(policy=default))).entries[-1].members


LEFT_OUT = [
    (app("bm", fields=freeze_object({"type": "bookmark"})), "type bookmark"),
    (app(policy=OPEN), "asks for a certificate"),
    (app(application_name("x", "other")), "mark of the stack other"),
    (AccessApplication("none", (), (ASKS,), id="n"), "no public hostname"),
    (app(policy=AccessPolicy("", "non_identity", (Rule("certificate"),))), "name"),
    (app(policy=AccessPolicy("p", "non_identity", (Rule("certificate"), Rule("new_kind")))), "new_kind"),
    (app(policy=AccessPolicy("p", "allow", (Rule("certificate"),), id="gone", reusable=True)), "does not have"),
    (app(uri="a.net:8443/x"), "without scheme, port or path"),
    (
        AccessApplication("o", (freeze_object({**dict(public("a.net/o")), "overrides": [{"behavior": "public"}]}),),
                          (ASKS,), id="o"),
        "its destinations cannot be said",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("thing", "reason"), LEFT_OUT, ids=[r for _, r in LEFT_OUT])
def test_what_cannot_be_said_is_left_out_with_its_reason(thing: AccessApplication, reason: str) -> None:
    """The rest is still brought, and the reason stands in the file."""
    made = bring(state(CA, thing))
    assert addresses(made) == [f"certificate/{MD5}"]
    (said,) = why(made).values()
    assert reason in said
    assert "# Not in this file, and so never touched:" in made.text


def test_a_ca_on_no_hostname_and_foreign_settings_are_left_out() -> None:
    """A plan file's CA has hostnames; settings come with the hosts of what is brought."""
    other = CaCertificate("Idle", (), ("cd" * 16,), (END,), id="ca-2")
    made = bring(state(CA, other, HostnameSettings("z.net", True)))
    assert addresses(made) == [f"certificate/{MD5}"]
    assert set(why(made)) == {f"certificate/{'cd' * 16}", "settings/z.net"}


def test_only_one_hostname_brings_what_is_on_it() -> None:
    """CAs, settings and applications of that host, wildcard applications included; the CA keeps its other hosts."""
    ca = CaCertificate("Two", ("a.net", "b.net"), (MD5,), (END,), id="ca-1")
    there = state(ca, app(), app("B", "b.net/y"), HostnameSettings("b.net", True))
    made = bring(there, Wish("s", frozenset({"a.net"})))
    assert sorted(addresses(made)) == ["application/a.net/x", f"certificate/{MD5}", "settings/b.net"]
    assert made.entries[-1].members["associated_hostnames"] == ["a.net", "b.net"]


def test_all_applications_brings_those_without_certificates_too() -> None:
    """And a rule inside a group counts as asking."""
    group = AccessGroup("g", (Rule("certificate"),), (), (), "g-1")
    by_group = AccessPolicy("p", "non_identity", (Rule("group", freeze_object({"id": "g-1"})),), id="p-3")
    there = state(CA, app(policy=OPEN), app("G", "a.net/g", by_group), group)
    assert "application/a.net/g" in addresses(bring(there))
    assert "application/a.net/x" in addresses(bring(there, Wish("s", all_applications=True)))


def test_a_mark_of_this_very_stack_is_always_brought() -> None:
    """Left out, the next plan would delete it: so filters do not hold it back, and what cannot be said refuses."""
    mine = app(application_name("mine", "s"), policy=OPEN)
    assert "application/a.net/x" in addresses(bring(state(CA, mine)))
    impossible = app(application_name("mine", "s"), "a.net:1/x")
    with pytest.raises(Failure, match="in the name of the stack s") as caught:
        bring(state(CA, impossible))
    assert [d.code.code for d in caught.value.diagnostics] == ["import.stack-taken"]


def test_a_draft_that_does_not_read_back_is_never_written() -> None:
    """An error that no entry is to blame for is a bug, and said as one."""
    for head in ("nonsense: 1\n", heading("Not A Label", SCOPE, AT)):
        with pytest.raises(Failure) as caught:
            settle(Draft(head, ()), State(), "s", AT)
        assert {d.code.code for d in caught.value.diagnostics} == {"import.not-read-back"}


NAMES = st.text(max_size=30) | st.sampled_from(["x\n    evil: 1", "# a", '"', "a: {b", "no"])


def called(name: str, index: int) -> AccessApplication:
    """An application whose own name, policy and rule are all this text."""
    rules = (Rule("certificate"), Rule("email", freeze_object({"email": name if name.strip() else "e"})))
    return app(name, f"a.net/{index}", AccessPolicy(name or "p", "allow", rules))


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5))
def test_no_name_of_an_account_breaks_out(names: list[str]) -> None:
    """Whatever applications, policies and CAs are called, the file declares just them and its plan is empty."""
    apps = [called(name, index) for index, name in enumerate(names)]
    made = bring(state(CaCertificate(names[0], ("a.net",), (MD5,), (END,), id="c"), *apps))
    assert len(made.entries) == len(names) + 1, why(made)
    data = yaml_text.read(made.text, "x").data
    assert data is not None
    assert list(data) == ["version", "stack", "account_id", "certificates", "applications"]
    assert len(data["applications"]) == len(names)


def test_labels_are_what_names_become() -> None:
    """Without the mark and the digits, in ASCII; something is always left."""
    assert slug("Penang Clients (2026)", "ca") == "penang-clients-2026"
    assert (
        slug("penang-clients 2c1e800fd0f24c02b1a7a3d8c0d5ee11 (cf-mtls georgetown)", "ca") == "penang-clients"
    )
    assert slug("Zürich", "ca") == "zurich"
    assert slug("客户", "ca") == "ca"
