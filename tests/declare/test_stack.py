"""A plan file as a stack: what is declared, where it is asked for, and what cannot be meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cf_mtls.declare.files import load
from cf_mtls.declare.resolve import Stack, resolve
from cf_mtls.model.people import Target
from cf_mtls.model.resources import AccessApplication, CaCertificate, Contents, HostnameSettings
from tests.conftest import Pki

HEAD = """\
version: 1
stack: s
certificates:
  fleet: {chain: CHAIN, associated_hostnames: [a.net]}
"""
NOW = datetime.now(UTC)


@pytest.fixture
def chain(tmp_path: Path, pki: Pki) -> Path:
    (tmp_path / "c.pem").write_text(pki.clients.chain.pem, "ascii")
    return tmp_path


def stack(folder: Path, text: str = "", chain: str = "c.pem", head: str = HEAD) -> Stack:
    (folder / "p.yaml").write_text(head.replace("CHAIN", chain) + text, "utf-8")
    return resolve(load(folder / "p.yaml"), NOW)


def codes(found: Stack) -> list[str]:
    return [d.code.code for d in found.diagnostics if d.is_error]


def applications(*lines: str) -> str:
    return "applications:\n" + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("x: {domain: a.net}", []),
        ("x: {domains: [a.net/x, a.net/y]}", []),
        ("x: {}", ["application.domains"]),
        ("x: {domain: a.net, domains: [a.net/y]}", ["application.domains"]),
        ("x: {domain: b.net}", []),
        ("x: {domains: [a.net, b.net]}", []),
        ("x: {domain: b.net, policies: [{name: n, decision: allow, include: [everyone: {}]}]}", []),
        ("x: {domain: a.net, policies: [{id: r}, {name: n, include: [certificate: {}]}]}",
         ["application.mixed-policies"]),
        ("x: {domain: a.net, policies: [{id: r}, {id: q}]}", []),
    ],
)  # fmt: skip
def test_an_application_says_where_it_stands_and_whom_it_asks(
    chain: Path, line: str, found: list[str]
) -> None:
    """One domain or several, never both; policies all written out or all referred to; a CA on each of its hosts."""
    assert codes(stack(chain, applications(line))) == found


def test_two_applications_on_one_domain_cannot_both_be_meant(chain: Path) -> None:
    """The account keeps it unique."""
    found = stack(chain, applications("x: {domain: a.net/x}", "y: {domain: a.net/x/}"))
    assert codes(found) == ["application.same-domain"]


def test_what_is_left_out_is_not_declared_and_false_is(chain: Path) -> None:
    """Only what the file says is managed; a value that reads as nothing is said all the same."""
    found = stack(chain, applications("x: {domain: a.net, app_launcher_visible: false, tags: []}"))
    (app,) = (a for _, a in found.state.of(AccessApplication))
    assert dict(app.fields) == {"app_launcher_visible": False, "tags": ()}


def test_include_require_and_exclude_are_what_they_are_called(chain: Path) -> None:
    """Each list in its own place."""
    rules = "{name: n, include: [certificate: {}], require: [common_name: in], exclude: [common_name: out]}"
    found = stack(chain, applications(f"x: {{domain: a.net, policies: [{rules}]}}"))
    (app,) = (a for _, a in found.state.of(AccessApplication))
    (policy,) = app.policies
    kinds = [[str(r.value) for r in part] for part in (policy.require, policy.exclude)]
    assert ["in" in kinds[0][0], "out" in kinds[1][0], policy.include[0].kind] == [True, True, "certificate"]


@pytest.mark.parametrize(
    ("line", "targets"),
    [
        ("x: {domain: a.net}", [("https://a.net/", "GET", None)]),
        ("x: {domain: a.net/p}", [("https://a.net/p", "GET", None)]),
        ("x: {domain: a.net/p, probe: {path: /health, method: HEAD, expect_status: 204}}",
         [("https://a.net/health", "HEAD", 204)]),
        ("x: {domains: [a.net/p, a.net/q]}", [("https://a.net/p", "GET", None), ("https://a.net/q", "GET", None)]),
    ],
)  # fmt: skip
def test_each_domain_is_asked_for_as_the_file_says(
    chain: Path, line: str, targets: list[tuple[str, str, int | None]]
) -> None:
    """The plain URL, or the probe's path, method and status."""
    expected = tuple(Target(url, "x", method, status) for url, method, status in targets)
    assert stack(chain, applications(line)).targets == expected


def test_settings_are_read_each_by_its_name(chain: Path) -> None:
    """One does not stand for the other."""
    text = (
        "hostname_settings:\n  a.net: {china_network: true}\n  b.net: {client_certificate_forwarding: true}\n"
    )
    assert {s for _, s in stack(chain, text).state.of(HostnameSettings)} == {
        HostnameSettings("a.net", china_network=True),
        HostnameSettings("b.net", client_certificate_forwarding=True),
    }


def test_every_hostname_of_a_file_is_one_of_its_hosts(chain: Path) -> None:
    """Of its applications and of its CAs: what is read beside an account hangs on them."""
    staff = "x: {domain: b.net/x, policies: [{name: n, decision: allow, include: [everyone: {}]}]}"
    assert {"a.net", "b.net"} <= stack(chain, applications(staff)).hosts


def test_a_stack_lives_in_one_scope(chain: Path) -> None:
    """An account or a zone."""
    scope = f"account_id: {'a' * 32}\nzone_id: {'b' * 32}\n"
    assert codes(stack(chain, scope)) == ["scope.both"]


def test_an_id_beside_a_list_says_nothing(chain: Path) -> None:
    """It cannot tell which of the chains it pins."""
    head = HEAD.replace("associated", "id: x, associated")
    assert codes(stack(chain, chain="[c.pem]", head=head)) == ["certificate.pin-in-list"]
    pinned = stack(chain, chain="[{file: c.pem, id: x}]")
    assert codes(pinned) == []
    assert "certificate.unrecorded" in [d.code.code for d in pinned.diagnostics]


def test_a_chain_file_beside_an_id_must_stay_what_was_recorded(chain: Path) -> None:
    """What a CA of the account holds cannot be changed: a changed file is an error, never the same CA."""
    recorded = stack(chain).state
    (ca,) = (ca for _, ca in recorded.of(CaCertificate))
    for form in ("[{{file: c.pem, id: x, sha256: {}}}]", "c.pem"):
        head = HEAD if "{" in form else HEAD.replace("associated", "id: x, sha256: {}, associated")
        same = stack(chain, chain=form.format(ca.sha256), head=head.replace("{}", str(ca.sha256)))
        assert codes(same) == []
        assert [(a.key, c.contents) for a, c in same.state.of(CaCertificate)] == [("x", Contents.RECORDED)]
        other = "a" * 64
        changed = stack(chain, chain=form.format(other), head=head.replace("{}", other))
        assert codes(changed) == ["certificate.other-chain"]
        assert "an entry of its own" in changed.diagnostics[0].fix


@pytest.mark.parametrize(("days", "overdue"), [(-1, True), (0, False), (1, False)])
def test_a_ca_is_overdue_once_its_day_has_passed(chain: Path, days: int, overdue: bool) -> None:
    """Not on the day itself."""
    until: date = (NOW + timedelta(days=days)).date()
    found = stack(chain, chain=f"[{{file: c.pem, until: {until}}}]")
    said = [d.code.code for d in found.diagnostics if d.code.code == "certificate.overdue"]
    assert said == (["certificate.overdue"] if overdue else [])


def test_warnings_about_who_gets_in_wait_for_a_file_without_errors(chain: Path) -> None:
    """What is not understood cannot be judged: the errors come first, alone."""
    wrong = stack(chain, applications("x: {}"))
    assert {d.code.severity.value for d in wrong.diagnostics} == {"error"}


@pytest.mark.parametrize(
    ("removed", "found"),
    [
        ("[{id: c-1, destroy: true}, {id: c-2, destroy: false}]", []),
        ("[{id: a-1, destroy: true}]", ["removed.pinned"]),
        ("[{id: a-1, destroy: false}]", ["removed.pinned"]),
        ("[{id: c-1, destroy: true}, {id: c-1, destroy: false}]", ["removed.twice"]),
    ],
)
def test_an_id_is_removed_once_and_by_a_file_that_no_longer_pins_it(
    chain: Path, removed: str, found: list[str]
) -> None:
    """What is retired or forgotten, each with its place; one that is pinned too or listed twice is refused there."""
    made = stack(chain, applications("x: {domain: a.net, id: a-1}") + f"removed: {removed}\n")
    assert codes(made) == found
    places = [d.place for d in made.diagnostics if d.is_error]
    assert all(place is not None and place.path.startswith("removed") for place in places)
    if not found:
        assert [(r.id, r.destroy) for r in made.removed] == [("c-1", True), ("c-2", False)]
