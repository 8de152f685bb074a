"""Uploads that an account refuses beside what is there: known from what it said, and never a gap without a way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.diagnostics import Diagnostic
from cf_mtls.model.marks import certificate_name
from cf_mtls.model.plan import Action, Allowed, Change, Phase, Plan
from cf_mtls.model.resources import Address, CaCertificate, Contents, Kind, Resource, Scope
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.pki.pem import Chain
from cf_mtls.planning.duplicates import not_told, refusals, rivals
from cf_mtls.workflow import planned
from tests.planning.things import HOLDERS, app, app_at
from tests.planning.worlds import END

NOW = datetime.now(UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")


def bundle(sha256: str, *blocks: str, hosts: tuple[str, ...] = ("a.net",)) -> CaCertificate:
    name = certificate_name("c", sha256 * 64, "s")
    ends = END * len(blocks)
    return CaCertificate(name, hosts, blocks, ends, sha256 * 64, "PEM", contents=Contents.KNOWN)


def at(ca: CaCertificate) -> Address:
    return Address(Kind.CERTIFICATE, ca.id or str(ca.sha256))


OLD = replace(bundle("a", "i1", "i2", "root"), id="old")
NEW, OTHER, STRANGE = bundle("b", "i1", "root"), bundle("c", "i3", "root"), bundle("d", "x", "y")


def plan(there: CaCertificate, *declared: CaCertificate, twins: str = "", shut: str = "") -> Plan:
    app_there = replace(app("a.net", HOLDERS), id="app")
    actual = State({at(there): there, app_at("a.net"): app_there})
    wanted: dict[Address, Resource] = {at(ca): ca for ca in declared}
    allowed = Allowed(
        twins=frozenset({twins} if twins else ()), lockout=frozenset({shut} if shut else ()), delete=9
    )
    return planned("s", SCOPE, State({**wanted, app_at("a.net"): app("a.net", HOLDERS)}), actual, allowed)


def errors(made: Plan) -> list[Diagnostic]:
    return [d for d in made.diagnostics if d.is_error]


def codes(made: Plan) -> list[str]:
    return [d.code.code for d in errors(made)]


@pytest.mark.parametrize(
    ("new", "twins", "refused"),
    [
        (NEW, "", False), (NEW, "first", True), (NEW, "any", True), (NEW, "whole", False),
        (OTHER, "first", False), (OTHER, "any", True), (OTHER, "whole", False),
        (bundle("e", "i2"), "first", False), (bundle("e", "i2"), "any", True),
        (STRANGE, "any", False), (replace(OLD, id=None, name="x"), "whole", True),
    ],
)  # fmt: skip
def test_what_an_account_refuses_beside_what_is_there(new: CaCertificate, twins: str, refused: bool) -> None:
    """Its first certificate, any of them, or the whole bundle."""
    made = plan(OLD, STRANGE)
    create = replace(made.changes[0], address=at(new), before=None, after=new)
    found = rivals([create], State({at(OLD): OLD}), [twins] if twins else [])
    assert bool(found) is refused


def test_of_a_bundle_whose_pem_is_here_every_certificate_counts() -> None:
    """The account shows one of them, and not which: the PEM under its name says what the others are."""
    one, two = (root(name, now=NOW) for name in ("One", "Two"))
    held, wanted = Chain((one.certificate, two.certificate)), Chain((one.certificate,))
    old = replace(OLD, fingerprints=(two.certificate.md5,), pem=held.pem)
    new = bundle("b", *wanted.md5s)
    create = replace(plan(OLD, STRANGE).changes[0], address=at(new), before=None, after=new)
    for known, twin, refused in ((old, "any", True), (replace(old, pem=None), "any", False)):
        assert bool(rivals([create], State({at(old): known}), [twin])) is refused
    first = rivals([create], State({at(old): old}), ["first"])
    assert bool(first) is (held.md5s[0] == one.certificate.md5)


def test_a_ca_that_is_there_and_only_changes_its_hosts_is_no_upload() -> None:
    """Nothing is refused beside it that is not there already."""
    create = plan(STRANGE, OLD).changes[0]
    moved = replace(create, address=at(NEW), before=replace(NEW, id="new"), after=NEW)
    assert rivals([moved], State({at(OLD): OLD}), ["any"]) == {}


def test_the_old_one_goes_first_only_through_a_gap_that_was_typed() -> None:
    """Without the flag new comes first; with it no order is found; allowed, the old one is gone before."""
    beside = [step.phase for step in plan(OLD, NEW).steps]
    assert beside == [Phase.UPLOAD, Phase.NARROW, Phase.DELETE]
    refused = plan(OLD, NEW, twins="any")
    assert codes(refused) == ["plan.no-glitch-free-order"]
    assert "    --allow-lockout a.net" in errors(refused)[0].fix
    assert "put back" in errors(refused)[0].detail
    allowed = plan(OLD, NEW, twins="any", shut="a.net")
    assert codes(allowed) == []
    assert [step.phase for step in allowed.steps] == [Phase.NARROW, Phase.DELETE, Phase.UPLOAD, Phase.WIDEN]


def test_a_gap_reaches_across_hosts() -> None:
    """The two share no hostname, only a certificate: they are ordered together all the same."""
    elsewhere = replace(NEW, associated_hostnames=("b.net",))
    phases = [step.phase for step in plan(OLD, elsewhere, twins="any", shut="a.net").steps]
    assert phases.index(Phase.DELETE) < phases.index(Phase.UPLOAD)


@pytest.mark.parametrize("contents", [Contents.RECORDED, Contents.UNKNOWN])
def test_what_could_not_be_put_back_is_never_taken_first(contents: Contents) -> None:
    """No flag opens that gap."""
    pem = "PEM" if contents is Contents.RECORDED else None
    doubtful = replace(OLD, contents=contents, pem=pem)
    assert "plan.no-way-back" in codes(plan(doubtful, NEW, twins="any", shut="a.net"))


def test_only_what_leaves_and_can_be_put_back_makes_a_way() -> None:
    """Deleted and its PEM here: nothing to refuse. Its PEM elsewhere, or it only leaves some hosts: refused."""
    create = replace(plan(STRANGE, NEW).changes[0], address=at(NEW), before=None, after=NEW)
    delete = replace(create, address=at(OLD), before=OLD, after=None)
    moved = replace(delete, after=replace(OLD, associated_hostnames=("b.net",)))
    rows = {
        delete: [],
        replace(delete, before=replace(OLD, pem=None)): ["plan.no-way-back"],
        moved: ["plan.duplicate-stays"],
    }
    for change, told in rows.items():
        found = rivals([create, change], State({at(OLD): OLD}), ["any"])
        assert [
            d.code.code for d in refusals(found, [create, change], State({at(OLD): OLD, at(NEW): NEW}))
        ] == told


def test_two_that_stay_cannot_stand_beside_each_other() -> None:
    """One that stays, and two that are new: said of each."""
    kept = bundle("a", "i1", "i2", "root")
    assert codes(plan(OLD, kept, NEW, twins="any", shut="a.net"))[0] == "plan.duplicate-stays"
    assert codes(plan(replace(STRANGE, id="old"), NEW, OTHER, twins="any", shut="a.net")).count(
        "plan.duplicate-stays"
    ) == 2  # fmt: skip


@pytest.mark.parametrize(
    ("there", "twins", "told"),
    [
        (replace(STRANGE, id="x", contents=Contents.UNKNOWN), "any", False),
        (replace(STRANGE, id="x", contents=Contents.RECORDED), "first", False),
        (replace(STRANGE, id="x", contents=Contents.UNKNOWN), "", True),
        (replace(STRANGE, id="x"), "any", True),
        (replace(NEW, id="x", contents=Contents.UNKNOWN), "any", True),
    ],
)
def test_what_only_the_upload_can_tell_is_said(there: CaCertificate, twins: str, told: bool) -> None:
    """A CA of unknown contents beside the new one, where the account refuses anything twice; a known rival is told."""
    actual = State({at(there): there})
    create = Change(
        at(OTHER), Action.CREATE, None, replace(OTHER, fingerprints=(*OTHER.fingerprints, "i1")), ()
    )
    typed = frozenset({twins} if twins else ())
    found = list(not_told([create], actual, typed, rivals([create], actual, typed)))
    assert [d.code.code for d in found] == ([] if told else ["plan.duplicate-not-told"])
