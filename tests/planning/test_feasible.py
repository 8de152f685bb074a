"""What Cloudflare must refuse is refused before any write: zones, trust and limits, each with its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.diagnostics import Place
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.planning.feasible import beyond_limits, in_no_zone, without_ca

APP_AT, CA_AT = Address(Kind.APPLICATION, "a.net/x"), Address(Kind.CERTIFICATE, "c")
APP = AccessApplication(
    "a", (public("a.net/x"),), (AccessPolicy("p", "non_identity", (Rule("certificate"),)),)
)
CA = CaCertificate("c", ("a.net",), ("11",), (datetime(2030, 1, 1, tzinfo=UTC),), id="c")
OPEN = replace(APP, policies=(AccessPolicy("p", "allow", (Rule("everyone"),)),))


@pytest.mark.parametrize(
    ("resource", "elsewhere", "told"),
    [
        (APP, set(), ["a.net"]),
        (CA, set(), ["a.net"]),
        (HostnameSettings("a.net"), set(), ["a.net"]),
        (APP, {"a.net"}, []),
        (APP, {"b.net"}, ["a.net"]),
        (replace(CA, associated_hostnames=("a.net", "b.net", "seen.net")), set(), ["a.net", "b.net"]),
        (replace(CA, associated_hostnames=("seen.net",)), set(), []),
    ],
)
def test_a_host_in_no_zone_is_refused_at_its_place(
    resource: Resource, elsewhere: set[str], told: list[str]
) -> None:
    """Of applications, CAs and settings, once a host, until the host is typed out."""
    place = Place("p.yaml", 3, 1, "x")
    found = [*in_no_zone(State({APP_AT: resource}), {APP_AT: place}, {"seen.net"}.__contains__, elsewhere)]
    assert [d.code.code for d in found] == ["plan.host-in-no-zone"] * len(told)
    assert all(d.place == place and d.is_error for d in found)
    assert [d.fix.splitlines()[-1].strip() for d in found] == [f"--host-elsewhere {host}" for host in told]


def test_of_two_things_on_one_host_the_first_is_named() -> None:
    """One refusal for the host, at the application, which comes before the CA."""
    places = {APP_AT: Place("p.yaml", 3, 1, "x"), CA_AT: Place("p.yaml", 9, 1, "y")}
    found = [*in_no_zone(State({CA_AT: CA, APP_AT: APP}), places, set().__contains__, ())]
    assert [(d.place, str(APP_AT) in d.detail) for d in found] == [(places[APP_AT], True)]


@pytest.mark.parametrize(
    ("app", "declared", "account", "refused"),
    [
        (APP, (), (), True),
        (APP, ("a.net",), (), False),
        (APP, (), ("a.net",), False),
        (APP, ("b.net",), ("b.net",), True),
        (APP, (), ("*.net",), False),
        (APP, (), ("*.a.net",), True),
        (OPEN, (), (), False),
    ],
)
def test_a_host_on_which_no_ca_will_stand_lets_nobody_in(
    app: AccessApplication, declared: tuple[str, ...], account: tuple[str, ...], refused: bool
) -> None:
    """A CA of the file or any of the account will do, also by a wildcard; without a certificate rule none is needed."""
    file = State({APP_AT: app, CA_AT: replace(CA, associated_hostnames=declared)})
    desired = State({APP_AT: app, CA_AT: replace(CA, associated_hostnames=account)})
    codes = [d.code.code for d in without_ca(file, {}, desired, {"a.net"})]
    assert codes == (["plan.host-without-ca"] if refused else [])
    already = [d.code.code for d in without_ca(file, {}, desired, {"b.net"})]
    assert already == (["plan.shut-already"] if refused else [])


@pytest.mark.parametrize(
    ("host", "fix"), [("a.net", "associated_hostnames"), ("*.a.net", "--wildcard-hostnames")]
)
def test_what_to_do_about_a_host_without_a_ca(host: str, fix: str) -> None:
    """A CA goes onto a hostname; onto a wildcard only where the account takes those."""
    file = State({APP_AT: replace(APP, destinations=(public(host),))})
    assert [fix in d.fix for d in without_ca(file, {}, file, {host})] == [True]


def cas(count: int, **more: str) -> dict[Address, Resource]:
    return {
        Address(Kind.CERTIFICATE, f"c{n}"): replace(CA, id=f"c{n}", **more)  # type: ignore[arg-type]
        for n in range(count)
    }


def step(phase: Phase, name: str, value: Resource | None, kind: Kind = Kind.CERTIFICATE) -> Step:
    return Step(phase, Address(kind, name), value, Address(kind, name))


@pytest.mark.parametrize(
    ("there", "steps", "refused"),
    [
        (cas(49), [step(Phase.UPLOAD, "new", CA)], False),
        (cas(50), [step(Phase.UPLOAD, "new", CA)], True),
        (cas(50), [step(Phase.WIDEN, "c1", CA)], False),
        (cas(51), [step(Phase.WIDEN, "c1", CA)], False),
        (cas(50), [step(Phase.DELETE, "c1", None), step(Phase.UPLOAD, "new", CA)], False),
        (cas(50), [step(Phase.UPLOAD, "new", CA), step(Phase.DELETE, "c1", None)], True),
        (cas(60, elsewhere="zone:1"), [step(Phase.UPLOAD, "new", CA)], False),
        (
            cas(49),
            [step(Phase.UPLOAD, "x", CA), step(Phase.UPLOAD, "y", CA), step(Phase.UPLOAD, "z", CA)],
            True,
        ),
        (
            {Address(Kind.APPLICATION, f"a{n}"): APP for n in range(500)},
            [step(Phase.DEMAND, "new", APP, Kind.APPLICATION)],
            True,
        ),
        (
            {Address(Kind.APPLICATION, f"a{n}"): APP for n in range(499)},
            [step(Phase.DEMAND, "new", APP, Kind.APPLICATION)],
            False,
        ),
    ],
)
def test_no_step_makes_more_than_an_account_may_hold(
    there: dict[Address, Resource], steps: list[Step], refused: bool
) -> None:
    """50 CAs, 500 applications, also for the moment of a rotation; told once; what lives elsewhere does not count."""
    codes = [d.code.code for d in beyond_limits(steps, State(there))]
    assert codes == (["plan.beyond-limit"] if refused else [])
