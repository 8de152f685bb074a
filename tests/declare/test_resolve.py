"""A plan file with its certificates becomes a desired state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from cf_mtls.declare.applications import DEFAULT_POLICY
from cf_mtls.declare.example import GEORGETOWN, URL
from cf_mtls.declare.files import choose, load
from cf_mtls.declare.resolve import Stack, resolve
from cf_mtls.diagnostics import Failure
from cf_mtls.model.people import Expected
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, HostnameSettings, Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Pki

PLAN = "plans/georgetown.yaml"


def resolved(folder: Path, text: str = GEORGETOWN) -> Stack:
    (folder / PLAN).write_text(text, "utf-8")
    return resolve(load(folder / PLAN), datetime.now(UTC))


def codes(stack: Stack) -> list[str]:
    return [d.code.code for d in stack.diagnostics]


def test_the_example_becomes_three_resources(folder: Path, pki: Pki) -> None:
    """A CA by content, settings by hostname, an application by domain; names carry the mark."""
    stack = resolved(folder)
    chain = pki.clients.chain
    ca = stack.state[Address(Kind.CERTIFICATE, chain.sha256)]
    app = stack.state[Address(Kind.APPLICATION, "jeann.net/georgetown-penang-malaysia")]
    assert isinstance(ca, CaCertificate)
    assert isinstance(app, AccessApplication)
    assert ca.name == f"penang-clients {chain.sha256[:32]} (cf-mtls georgetown)"
    assert ca.associated_hostnames == ("jeann.net",)
    assert app.name == "georgetown (cf-mtls georgetown)"
    assert app.policies == (DEFAULT_POLICY,)
    assert HostnameSettings("jeann.net", client_certificate_forwarding=True) in stack.state.values()
    assert not stack.diagnostics


def test_the_order_of_blocks_in_a_chain_file_means_nothing(folder: Path, pki: Pki) -> None:
    """Root first or intermediate first, the desired state is the same."""
    before = resolved(folder).state
    blocks = [c.pem for c in pki.clients.chain.certificates]
    (folder / "plans/certs/certchain.pem").write_text("".join(reversed(blocks)), "ascii")
    assert before == resolved(folder).state


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "file.missing"),
        ("", "pem.empty"),
        ("hello\n", "pem.not-pem"),
        ("key", "pem.private-key"),
        ("leaf", "chain.no-ca"),
    ],
)
def test_a_bad_chain_file_is_refused_at_its_line(
    folder: Path, pki: Pki, content: str | None, code: str
) -> None:
    """Missing, empty, not PEM, a private key, only a leaf: each its own code, at the line that names the file."""
    text = {"key": pki.clients.chain.pem + pki.jean.key_pem, "leaf": pki.jean.certificate_pem}
    path = folder / "plans/certs/certchain.pem"
    if content is None:
        path.unlink()
    else:
        path.write_text(text.get(content, content), "ascii")
    found = [d for d in resolved(folder).diagnostics if d.is_error]
    assert [code] == [d.code.code for d in found]
    assert found[0].place
    assert (found[0].place.line, found[0].place.path) == (8, "certificates.penang-clients.chain")


def test_a_private_key_is_never_echoed(folder: Path, pki: Pki) -> None:
    """No line of the key appears in what is said about it."""
    (folder / "plans/certs/certchain.pem").write_text(pki.jean.key_pem, "ascii")
    said = repr(resolved(folder).diagnostics)
    assert not [line for line in pki.jean.key_pem.splitlines()[1:-1] if line in said]


def test_an_application_without_a_ca_on_its_hostname_is_told(folder: Path) -> None:
    """Only the account can say whether another CA is there: a warning here, decided by plan."""
    text = GEORGETOWN.replace("associated_hostnames: [jeann.net]", "associated_hostnames: [other.net]")
    found = resolved(folder, text).diagnostics
    assert "application.host-without-certificate" in [d.code.code for d in found]
    assert not any(d.is_error for d in found)


def test_an_application_that_demands_no_certificate_needs_no_ca(folder: Path) -> None:
    """A policy of identities alone has nothing to do with a CA."""
    text = "version: 1\nstack: s\napplications:\n  a:\n    domain: x.example\n    policies:\n"
    assert (
        codes(
            resolved(folder, text + "      - {name: n, decision: allow, include: [{email: a@x.example}]}\n")
        )
        == []
    )


def test_the_same_domain_and_the_same_chain_twice_are_refused(folder: Path) -> None:
    """Two resources at one address cannot both be meant."""
    text = GEORGETOWN.replace(
        "applications:", "applications:\n  twin: {domain: jeann.net/georgetown-penang-malaysia}"
    ).replace(
        "hostname_settings:",
        "  twin: {chain: certs/certchain.pem, associated_hostnames: [a.net]}\n\nhostname_settings:",
    )
    assert sorted(codes(resolved(folder, text))) == ["application.same-domain", "certificate.same-chain"]


def test_a_client_whose_key_is_not_here_is_a_warning(folder: Path) -> None:
    """Plan and apply do not need a client's key; verify will say what it could not try."""
    (folder / "plans/certs/clientcert.key").unlink()
    stack = resolved(folder)
    assert codes(stack) == ["client.key-absent"]
    assert not stack.diagnostics[0].is_error
    assert not stack.clients[0].is_here


def test_a_missing_plan_file_is_said_with_its_name(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(Failure, match=r"nothing\.yaml"):
        load(tmp_path / "nothing.yaml")


def test_the_plan_file_is_found_only_where_one_stands(folder: Path) -> None:
    """One file in plans/ needs no name; two do, and none is searched for above."""
    assert str(choose(None, folder)) == PLAN
    (folder / "plans/second.yaml").write_text(GEORGETOWN, "utf-8")
    with pytest.raises(Failure, match="several"):
        choose(None, folder)
    with pytest.raises(Failure, match=r"no cf-mtls\.yaml"):
        choose(None, folder / "plans" / "certs")


def test_a_probe_says_what_verify_asks_for(folder: Path) -> None:
    """Path, method and status of the probe; the plain path otherwise."""
    text = GEORGETOWN.replace(
        "malaysia\n\nclients",
        "malaysia\n    probe: {path: /health, method: HEAD, expect_status: 204}\n\nclients",
    )
    target = resolved(folder, text).targets[0]
    assert (target.url, target.method, target.expect_status) == ("https://jeann.net/health", "HEAD", 204)


def test_a_chain_that_openssl_would_not_accept_cannot_be_planned(folder: Path, pki: Pki) -> None:
    """An intermediate without its root is an error at the line that names the file."""
    (folder / "plans/certs/certchain.pem").write_text(pki.clients.certificate.pem, "ascii")
    found = [d for d in resolved(folder).diagnostics if d.is_error]
    assert [d.code.code for d in found] == ["chain.missing-root"]
    assert found[0].place
    assert found[0].place.line == 8


def test_a_declared_client_that_would_be_refused_is_a_warning(folder: Path, pki: Pki) -> None:
    """A stranger's certificate is said at its place and stops nobody from changing the account."""
    (folder / "plans/certs/clientcert.pem").write_text(pki.stranger.certificate_pem, "ascii")
    (folder / "plans/certs/clientcert.key").write_text(pki.stranger.key_pem, "ascii")
    warnings = resolved(folder).diagnostics
    assert {d.code.code for d in warnings} == {"client.would-be-refused", "application.no-client-gets-in"}
    assert not any(d.is_error for d in warnings)
    refused = GEORGETOWN.replace("expect: allowed", "expect: refused")
    assert resolved(folder, refused).diagnostics == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("allowed", Expected.ALLOWED),
        ("refused", Expected.REFUSED),
        (f"{{{URL}: refused}}", Expected.REFUSED),
        (f"{{'{URL.replace('jeann', 'JEANN')}/': allowed}}", Expected.ALLOWED),
        ("{}", None),
    ],
)
def test_what_a_client_must_get_may_be_said_by_url(
    folder: Path, written: str, expected: Expected | None
) -> None:
    """Everywhere, or at the URLs that are named; host in any case, with or without a slash at the end."""
    stack = resolved(folder, GEORGETOWN.replace("expect: allowed", f"expect: {written}"))
    assert not stack.diagnostics
    assert stack.clients[0].expected_at(URL) is expected
    assert stack.clients[0].expected_at("https://other.net/") is (
        expected if written in {"allowed", "refused"} else None
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{https://jeann.net/else: allowed}", f"is no URL of this file. Its URLs are:\n    {URL}"),
        (f"{{{URL}: allowed, {URL}/: refused}}", "is named twice"),
    ],
)
def test_a_demand_at_no_url_of_the_file_is_refused(folder: Path, written: str, said: str) -> None:
    """A demand that nothing would ever check is an error at its place."""
    (found,) = resolved(folder, GEORGETOWN.replace("expect: allowed", f"expect: {written}")).diagnostics
    assert (found.code.code, found.is_error) == ("client.other-url", True)
    assert said in found.detail
    assert found.place
    assert found.place.line == 19


def test_a_ca_that_expires_soon_is_a_warning(folder: Path) -> None:
    """Thirty days before the end, every validate and plan says so."""
    (folder / PLAN).write_text(GEORGETOWN, "utf-8")
    stack = resolve(load(folder / PLAN), datetime.now(UTC) + timedelta(days=1810))
    assert "chain.expiring" in codes(stack)


POLICIES = "    domain: jeann.net/georgetown-penang-malaysia\n    policies:\n"
BYPASSED = """\
      - {name: p, include: [{certificate: }]}
      - {name: open, decision: bypass, include: [{everyone: }]}
      - {name: late, include: [{common_name: jean}]}
"""
SEMANTICS = [
    ("certificate.not-demanded", "[jeann.net]", "[jeann.net, idle.jeann.net]", "", ""),
    ("policy.certificate-void", "", "", "      - {name: p, include: [{certificate: }, {everyone: }]}\n", ""),
    (
        "policy.unreachable",
        "",
        "",
        BYPASSED,
        "",
    ),
    ("policy.unknown-common-name", "", "", "      - {name: p, include: [{common_name: Jean}]}\n", ""),
    ("application.no-client-gets-in", "", "", "      - {name: p, include: [{common_name: fleet}]}\n", ""),
]


@pytest.mark.parametrize(("code", "old", "new", "policies", "_"), SEMANTICS, ids=[s[0] for s in SEMANTICS])
def test_what_the_file_alone_shows_is_said(
    folder: Path, code: str, old: str, new: str, policies: str, _: str
) -> None:
    """A CA that nothing demands, an OR beside the certificate, a policy behind a bypass, a name nobody has."""
    text = GEORGETOWN.replace(old, new) if old else GEORGETOWN
    if policies:
        text = text.replace("    domain: jeann.net/georgetown-penang-malaysia\n", POLICIES + policies)
    found = resolved(folder, text).diagnostics
    assert code in {d.code.code for d in found}
    assert not any(d.is_error for d in found)
    assert all(d.place for d in found)


def test_a_ca_that_should_be_gone_is_said_to_be_overdue(folder: Path) -> None:
    """After its `until` every plan says so; on the day itself not yet."""
    text = GEORGETOWN.replace("certs/certchain.pem ", "[{file: certs/certchain.pem, until: DAY}] ")
    today = datetime.now(UTC).date()
    assert "certificate.overdue" not in codes(resolved(folder, text.replace("DAY", str(today))))
    yesterday = text.replace("DAY", str(today - timedelta(days=1)))
    assert "certificate.overdue" in codes(resolved(folder, yesterday))


WAIVER = "waivers: [{address: ADDRESS, reason: r, owner: o, until: 2030-01-01}]\n"


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("application/a.net", True), ("policy/p", True), ("group/g", True), ("settings/a.net", True),
        ("ownership.foreign", True), ("'proof/https://a.net/ jean'", True), ("tokens", True),
        ("client/jean", False), ("token", False), ("certificate/aa", False), ("certificates.fleet.chain", False),
    ],
)  # fmt: skip
def test_a_waiver_that_can_cover_nothing_is_warned_of(folder: Path, address: str, warned: bool) -> None:
    """Without a difference it is for ends alone; with one it is for that."""
    text = GEORGETOWN + WAIVER.replace("ADDRESS", address)
    found = resolved(folder, text)
    assert ("waiver.no-finding" in codes(found)) is warned
    assert all("cf-mtls drift" in d.fix for d in found.diagnostics)
    assert codes(resolved(folder, text.replace("reason: r", 'reason: r, finding: "00aa11bb22cc"'))) == []
