"""Each proof against a right edge and against one that is broken in just that way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cf_mtls import proving
from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.emulator import sessions
from cf_mtls.emulator.edge import Edge
from cf_mtls.emulator.http import Answer, Request
from cf_mtls.emulator.peer import Peer
from cf_mtls.model.evidence import Got, Outcome
from cf_mtls.model.people import Expected
from cf_mtls.pki.keys import generate, pkcs8
from cf_mtls.verify import proofs
from cf_mtls.verify.ca_keys import authorities
from cf_mtls.verify.expect import WRONG
from tests.verify.stage import Broken, Stage, let_in, resuming

PLAIN = "https://jeann.net/plain"
PINNED = "https://api.jeann.net/"


def test_a_right_edge_passes_every_proof_of_every_policy_shape(stage: Stage) -> None:
    """Service Auth, a pinned name, a login, 401, a deny page and a bypass: all proofs are planned, all pass."""
    verdicts = stage.verdicts()
    assert {v.outcome for v in verdicts} == {Outcome.PASS}, [
        (v.probe.url, v.probe.who, v.why) for v in verdicts if v.outcome is not Outcome.PASS
    ]
    assert {v.probe.proof for v in verdicts} == proofs.ALL
    assert {v.got for v in verdicts} == {
        Got.ORIGIN, Got.FORBIDDEN, Got.UNAUTHORIZED, Got.LOGIN, Got.DENY_PAGE
    }  # fmt: skip


def when(fools: Callable[[Request, Peer], bool]) -> Broken:
    """An edge that lets in whoever fools it."""

    async def answer(edge: Edge, request: Request, peer: Peer) -> Answer:
        return await (let_in(edge, request, peer) if fools(request, peer) else edge.answer(request, peer))

    return answer


def leaf(peer: Peer) -> x509.Certificate | None:
    return x509.load_der_x509_certificate(peer.leaf) if peer.leaf else None


def names_the_ca(peer: Peer) -> bool:
    found = leaf(peer)
    return found is not None and "Georgetown" in found.issuer.rfc4514_string()


def is_over(peer: Peer) -> bool:
    found = leaf(peer)
    return found is not None and found.not_valid_after_utc < datetime.now(UTC)


def is_for_servers(peer: Peer) -> bool:
    found = leaf(peer)
    if found is None:
        return False
    usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return ExtendedKeyUsageOID.SERVER_AUTH in list(usages)


def vouches_for_itself(peer: Peer) -> bool:
    found = leaf(peer)
    return found is not None and found.issuer == found.subject


async def nobody_gets_in(edge: Edge, request: Request, peer: Peer) -> Answer:
    return await edge.answer(request, replace(peer, leaf=None))


async def asks_by_prefix(edge: Edge, request: Request, peer: Peer) -> Answer:
    """An application that covers everything whose path begins like its own."""
    path = "/plain" if request.target.startswith("/plain") else request.target
    return await edge.answer(replace(request, target=path), peer)


def has_cookie(request: Request, _: Peer) -> bool:
    return sessions.COOKIE in (request.header("cookie") or "")


MUTANTS: list[tuple[str, int, Broken, set[int]]] = [
    ("no certificate is asked for", 1, when(lambda _, peer: peer.leaf is None), {1, 7, 8, 9}),
    ("good certificates are refused", 2, nobody_gets_in, {2}),
    ("CAs are known by name", 3, when(lambda _, p: names_the_ca(p) and not is_over(p) and not is_for_servers(p)), {3}),
    ("dates are not looked at", 4, when(lambda _, peer: is_over(peer)), {4}),
    ("who vouches is not looked at", 5, when(lambda _, peer: vouches_for_itself(peer)), {5}),
    ("the usage is not looked at", 6, when(lambda _, peer: is_for_servers(peer)), {6}),
    ("a session is worth a certificate", 7, when(has_cookie), {7}),
    ("a slash opens", 8, when(lambda request, _: request.path.endswith("n/")), {8}),
    ("paths are compared by their beginning", 8, asks_by_prefix, {8}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("proof", "broken", "fails"), [row[1:] for row in MUTANTS], ids=[row[0] for row in MUTANTS]
)
def test_an_edge_that_is_broken_in_just_this_way_fails_just_this_proof(
    stage: Stage, proof: int, broken: Broken, fails: set[int]
) -> None:
    """A proof that cannot fail proves nothing; one that fails for another's reason misleads."""
    with stage.broken(broken):
        verdicts = stage.verdicts(PLAIN, PINNED)
    found = {v.probe.proof for v in verdicts if v.outcome is Outcome.FAIL and v.probe.target.url == PLAIN}
    assert proof in found
    assert found == fails


def test_an_edge_that_resumes_across_hostnames_fails_proof_9(stage: Stage) -> None:
    """The session that jean opened on one hostname shows his certificate on the other."""
    with resuming(stage):
        verdicts = stage.verdicts(PLAIN, PINNED)
    failed = [v for v in verdicts if v.outcome is Outcome.FAIL]
    assert [(v.probe.proof, v.probe.url) for v in failed] == [(9, PLAIN)]


async def any_name(edge: Edge, request: Request, peer: Peer) -> Answer:
    """Every client of the CA gets in, whatever it is called."""
    valid = edge.verdict("api.jeann.net", peer)
    return await (let_in(edge, request, peer) if valid and valid.ok else edge.answer(request, peer))


def test_an_edge_that_does_not_look_at_names_fails_proof_10(stage: Stage) -> None:
    """Only the declared client may enter; a certificate that the CA itself made for somebody else gets in too."""
    one = replace(stage.wallet, clients=tuple(c for c in stage.wallet.clients if c.name == "fleet"))
    with replace(stage, wallet=one).broken(any_name):
        verdicts = replace(stage, wallet=one).verdicts(PINNED)
    assert {v.probe.proof for v in verdicts if v.outcome is Outcome.FAIL} == {proofs.OTHER_NAME}


def test_a_name_is_tried_only_where_the_key_of_a_ca_is_here_and_names_count(
    stage: Stage, tmp_path: Path
) -> None:
    """Not where every client of the CA gets in; not without its key, nor with an encrypted or another one."""
    tried = [p.target.url for p in stage.subject(chosen=frozenset({proofs.OTHER_NAME})).probes]
    assert tried == [PINNED, "https://jeann.net/staff"]
    assert authorities([tmp_path], stage.stack.state) == ()
    stranger = generate("ec256")
    for number, text in enumerate((pkcs8(stranger), stage.folder.joinpath("ca.key").read_text("ascii"))):
        (tmp_path / f"{number}.key").write_text(text, "ascii")
        assert len(authorities([tmp_path], stage.stack.state)) == number


def test_curl_and_httpx_agree_on_the_whole_matrix(stage: Stage) -> None:
    """Every probe of every policy shape: the same shape of answer and the same verdict."""
    binary = shutil.which("curl")
    if not binary:
        pytest.skip("curl is not installed")
    curl = stage.curl(binary)
    asked = stage.subject(chosen=curl.can)
    pairs = zip(proving.verify(asked, stage.httpx()), proving.verify(asked, curl), strict=True)
    told = [((a.probe.url, a.probe.who), (a.got, a.outcome), (b.got, b.outcome)) for a, b in pairs]
    assert len(told) > 40
    assert [t for t in told if t[1] != t[2]] == []


@pytest.mark.parametrize("http2", [True, False])
def test_both_versions_of_http_are_spoken(stage: Stage, http2: bool) -> None:
    """What was spoken is in the evidence."""
    seen = proving.verify(stage.subject(PLAIN, chosen=frozenset({1, 2})), stage.httpx(http2=http2))
    assert {v.evidence.http_version for v in seen} == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert {v.outcome for v in seen} == {Outcome.PASS}


def test_the_wrong_certificates_are_wrong_in_one_thing_only(stage: Stage) -> None:
    """Subject of the welcome client, name of the real issuer, and not one that the declared chain accepts."""
    asked = stage.subject(PINNED)
    shown = {
        p.proof: asked.identities[p.shows].certificate for p in asked.probes if p.proof in WRONG and p.shows
    }
    assert {c.subject for c in shown.values()} == {"CN=fleet"}
    assert {n for n, c in shown.items() if c.issuer == "CN=Georgetown Clients CA"} == {3, 4, 6}
    now = datetime.now(UTC)
    assert {n for n, c in shown.items() if c.not_after < now} == {4}


def test_the_handshake_of_a_hostname_is_recorded(stage: Stage) -> None:
    """Whether a certificate was asked for, and of which CAs, for hosts with trust and without."""
    found = proving.verify_all(stage.subject(chosen=frozenset({1})), (stage.httpx(),), stage.mappings)
    assert {(h.host, h.asked) for h in found.handshakes} == {("jeann.net", True), ("api.jeann.net", True)}
    assert "CN=Georgetown Clients CA" in found.handshakes[0].names
    from cf_mtls.verify.handshake import look

    assert look("other.jeann.net", stage.mappings).asked is False


def test_what_a_witness_cannot_ask_is_said(stage: Stage) -> None:
    """No way has curl to offer a session, and a bypass hands out no cookie: both are sentences."""
    asked = stage.subject("https://jeann.net/open", PINNED)
    found = proving.verify_all(asked, (stage.curl("/nonexistent"),)[:0] or (stage.httpx(),))
    assert any("Proof 7" in note for note in found.notes)
    curl = stage.curl(shutil.which("curl") or "curl")
    assert 9 not in curl.can


@pytest.mark.parametrize(
    ("text", "found"), [(None, proofs.ALL), ("1,3,7", {1, 2, 3, 7}), ("1-3", {1, 2, 3}), ("2 9", {1, 2, 9})]
)
def test_proofs_are_chosen_by_number(text: str | None, found: set[int]) -> None:
    """Numbers with commas, spaces and ranges, the required ones added; all when none is named."""
    assert proofs.chosen(text) == found


@pytest.mark.parametrize("text", ["0", "11", "a", "", "1,", "1-99", "3-1", "-1", "²"])
def test_other_proofs_are_a_usage_error(text: str) -> None:
    """Nothing is silently left out; a trailing comma alone is forgiven."""
    if text == "1,":
        assert proofs.chosen(text) == proofs.REQUIRED
        return
    with pytest.raises(Failure) as caught:
        proofs.chosen(text)
    assert caught.value.exit_code is Exit.USAGE


def test_an_explicit_expectation_of_the_plan_wins(stage: Stage) -> None:
    """`expect: refused` for a client that the policies let in makes the proof fail: the file said otherwise."""
    clients = tuple(replace(c, expect=Expected.REFUSED) for c in stage.wallet.clients)
    wallet = replace(stage.wallet, clients=clients)
    target = [t for t in stage.stack.targets if t.url == PLAIN]
    asked = proving.subject(target, wallet, stage.stack.state, datetime.now(UTC), frozenset({1, 2}))
    outcomes = {v.probe.who: v.outcome for v in proving.verify(asked, stage.httpx())}
    assert outcomes["jean"] is Outcome.FAIL
