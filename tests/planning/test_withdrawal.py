"""An issuing CA taken out of a bundle is called withdrawn only where no root above it stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.model.resources import Address, CaCertificate, Contents, Kind
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.pem import Chain
from cf_mtls.planning.check import Known, said_of_contents
from cf_mtls.planning.withdrawal import withdrawals

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


OLD = bundle(ONE, TWO, TOP)


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
    assert {d.code.code for d in found} == ({"certificate.still-vouched"} if taken else set())
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
