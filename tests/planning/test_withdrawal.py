"""An issuing CA taken out of a bundle is called withdrawn only where no root above it stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.model.marks import certificate_name
from cf_mtls.model.plan import Allowed
from cf_mtls.model.resources import Address, CaCertificate, Contents, Kind, Scope
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.pem import Chain
from cf_mtls.planning.admission import NO_PEOPLE
from cf_mtls.planning.check import Known, said_of_contents
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Saved
from cf_mtls.planning.withdrawal import withdrawals
from cf_mtls.workflow import planned

NOW = datetime.now(UTC)
TOP, OTHER = root("Top", now=NOW), root("Other", now=NOW)
ONE, TWO = (TOP.intermediate(name, now=NOW) for name in ("One", "Two"))
RENEWED = TOP.intermediate("Two", now=NOW, days=900, key=TWO.key)
CROSSED = OTHER.intermediate("Two", now=NOW, key=TWO.key)


def bundle(*authorities: Authority, hosts: tuple[str, ...] = ("a.net",)) -> tuple[Address, CaCertificate]:
    chain = Chain(tuple(a.certificate for a in authorities))
    ca = CaCertificate(
        "c", hosts, chain.md5s, chain.expirations, chain.sha256, chain.pem, contents=Contents.KNOWN
    )
    return Address(Kind.CERTIFICATE, chain.sha256), ca


FULL, TWO_HOSTS = (ONE, TWO, TOP), ("a.net", "b.net")
OLD = bundle(*FULL)


@pytest.mark.parametrize(
    ("after", "taken"),
    [
        ([bundle(ONE, TOP)], ["CN=Two"]),
        ([bundle(TOP)], ["CN=One", "CN=Two"]),
        ([bundle(ONE, OTHER)], []),
        ([bundle(ONE, RENEWED, TOP)], []),
        ([bundle(ONE, OTHER, CROSSED)], []),
        ([bundle(ONE, TOP, hosts=("b.net",))], []),
        ([OLD], []),
        ([OLD, bundle(ONE, TOP)], []),
        ([], []),
        ([bundle(OTHER), bundle(ONE, TOP)], ["CN=Two"]),
    ],
)
def test_who_may_get_in_all_the_same(after: list[tuple[Address, CaCertificate]], taken: list[str]) -> None:
    """Named where a root above it stays on the host; not where it is gone, or the key itself stays."""
    found = list(withdrawals(State([OLD]), State(after), NOW))
    warned = {("certificate.still-vouched", "warning")} if taken else set()
    assert {(d.code.code, d.code.severity.value) for d in found} == warned
    said = sorted(subject for subject in ("CN=One", "CN=Two") if any(subject in d.detail for d in found))
    assert said == taken
    assert all("exclude" in d.fix for d in found)


def test_what_a_ca_held_is_needed_to_tell() -> None:
    """Its PEM is not here, and another CA stays: it cannot be told, and that is said."""
    address, ca = OLD
    before = State({address: replace(ca, pem=None, contents=Contents.UNKNOWN)})
    found = list(withdrawals(before, State([bundle(ONE, TOP)]), NOW))
    assert [d.code.code for d in found] == ["certificate.withdrawal-unseen"]
    assert list(withdrawals(before, State(), NOW)) == []


def test_drift_says_it_after_the_files_last_commit() -> None:
    """What the file declared before is compared with what it declares now."""
    declared = State([bundle(ONE, TOP)])
    known = Known("p.yaml", "s", declared, before=State([OLD]))
    codes = [d.code.code for d in said_of_contents(known, State(), NOW)]
    assert codes == ["certificate.still-vouched"]
    assert said_of_contents(Known("p.yaml", "s", declared, before=declared), State(), NOW) == ()


SCOPE, NOTHING_THERE = Scope("account", "0" * 32), State()
NEW = bundle(ONE, TOP)


def in_account(found: tuple[Address, CaCertificate], *hosts: str) -> tuple[Address, CaCertificate]:
    """A bundle as the account shows it: by its id, its contents in its name alone."""
    _, ca = found
    name = certificate_name("c", ca.sha256 or "", "s")
    plain = replace(ca, name=name, pem=None, sha256=None, id="i", contents=Contents.UNKNOWN)
    plain = replace(plain, fingerprints=ca.fingerprints[:1], expirations=ca.expirations[:1])
    return Address(Kind.CERTIFICATE, "i"), replace(
        plain, associated_hostnames=hosts or ca.associated_hostnames
    )


def replaced(*, beside: bool) -> Saved:
    """The plan that put the new bundle in the place of the old one. beside: whether the old file still lay there."""
    people = replace(NO_PEOPLE, at=NOW, beside=(OLD[1].pem or "",) if beside else ())
    marked = State([(NEW[0], replace(NEW[1], name=certificate_name("c", NEW[0].key, "s")))])
    actual = State([in_account(OLD)])
    plan = planned("s", SCOPE, marked, actual, Allowed(delete=9, lockout=frozenset({"a.net"})), people)
    return saved_of(plan)


def codes(known: Known, actual: State = NOTHING_THERE) -> list[str]:
    return [d.code.code for d in said_of_contents(known, actual, NOW)]


@pytest.mark.parametrize(
    ("beside", "said"), [(True, ["certificate.still-vouched"]), (False, ["certificate.withdrawal-unseen"])]
)
def test_drift_says_it_after_the_plan_that_took_the_ca_out(beside: bool, said: list[str]) -> None:
    """Whatever was committed since: by the plan that was applied, once, or that it cannot be told."""
    known = Known("p.yaml", "s", State([NEW]), applied=(replaced(beside=beside),))
    assert codes(known) == said
    assert codes(replace(known, declared=State([bundle(ONE, OTHER)]))) == ([] if beside else said)


def test_drift_says_it_of_what_was_applied_and_is_to_go() -> None:
    """The applied plan has the old bundle, the file the new one: not applied yet, and no withdrawal when it is."""
    old = State([(OLD[0], replace(OLD[1], name=certificate_name("c", OLD[0].key, "s")))])
    known = Known(
        "p.yaml", "s", State([NEW]), applied=(saved_of(planned("s", SCOPE, old, State(), Allowed())),)
    )
    assert codes(known) == ["certificate.still-vouched"]
    assert codes(replace(known, declared=old)) == []


@pytest.mark.parametrize(
    ("actual", "beside", "said"),
    [
        (State([in_account(OLD)]), (OLD[1].pem or "",), ["certificate.still-vouched"]),
        (State([in_account(OLD)]), (), ["certificate.withdrawal-unseen"]),
        (State([in_account(OLD, "b.net")]), (OLD[1].pem or "",), []),
        (State([in_account(NEW)]), (OLD[1].pem or "",), []),
    ],
)
def test_drift_says_it_while_the_account_still_has_the_old_bundle(
    actual: State, beside: tuple[str, ...], said: list[str]
) -> None:
    """Without any evidence: its name says what it holds, and the file that was uploaded lies beside."""
    assert codes(Known("p.yaml", "s", State([NEW]), beside=beside), actual) == said


def test_a_bundle_that_stays_beside_another_is_not_taken_out() -> None:
    """The account has it by its id and the file by what it holds: the applied plan only gave it a hostname more."""
    marked = [
        (a, replace(ca, name=certificate_name("c", a.key, "s")))
        for a, ca in (bundle(*FULL, hosts=TWO_HOSTS), NEW)
    ]
    plan = planned("s", SCOPE, State(marked), State([in_account(OLD)]), Allowed(weaken=frozenset(TWO_HOSTS)))
    known = Known("p.yaml", "s", State(marked), applied=(saved_of(plan),))
    assert codes(known) == []
    assert codes(replace(known, declared=State(marked[1:]))) == ["certificate.still-vouched"]


def test_a_ca_that_stays_is_no_withdrawal_whatever_its_address() -> None:
    """The applied plan found it by its id and gave it one more hostname; the file has it by its content."""
    wider = replace(OLD[1], associated_hostnames=("a.net", "b.net"))
    both = State((a, replace(ca, name=certificate_name("c", a.key, "s"))) for a, ca in ((OLD[0], wider), NEW))
    people = replace(NO_PEOPLE, at=NOW, beside=(OLD[1].pem or "",))
    made = planned("s", SCOPE, both, State([in_account(OLD)]), Allowed(lockout=frozenset({"a.net"})), people)
    assert codes(Known("p.yaml", "s", both, applied=(saved_of(made),))) == []


def test_every_ca_that_stays_is_looked_at() -> None:
    """Each has the root of another one that was taken out."""
    three = OTHER.intermediate("Three", now=NOW)
    old = bundle(ONE, three, TOP, OTHER)
    found = list(withdrawals(State([old]), State([bundle(TOP), bundle(OTHER)]), NOW))
    assert {name for name in ("CN=One", "CN=Three") for d in found if name in d.detail} == {
        "CN=One",
        "CN=Three",
    }
