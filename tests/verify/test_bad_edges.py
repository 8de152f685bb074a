"""Whatever the other side does, there is a verdict with a reason, and never a wrong pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cf_mtls import proving
from cf_mtls.model.evidence import Got, Outcome, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.verify.connect import parse
from cf_mtls.verify.curl_probe import CurlWitness
from cf_mtls.verify.handshake import look
from cf_mtls.verify.httpx_probe import HttpxWitness
from tests.conftest import Pki
from tests.verify.bad_edges import EDGES, HOST, Served, serving

TARGET = Target(f"https://{HOST}/x", "x")
JEAN = Client("jean", "jean.pem", "jean.key")
PASS, FAIL, UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE

CLOSED, SHUT, LATE = {Got.CLOSED}, {Got.CLOSED, Got.TLS_REFUSED}, {Got.TIMEOUT}
ODD = {Got.CONFUSED, Got.CLOSED}

TOLD: dict[str, tuple[set[Got], Outcome, set[Got], Outcome]] = {
    "demands the certificate in TLS 1.3": (SHUT, UNSURE, {Got.ORIGIN}, PASS),
    "demands the certificate in TLS 1.2": ({Got.TLS_REFUSED}, UNSURE, {Got.ORIGIN}, PASS),
    "never asks, and lets everybody in": ({Got.ORIGIN}, FAIL, {Got.ORIGIN}, PASS),
    "never asks, and refuses": ({Got.OTHER_REFUSAL}, UNSURE, {Got.OTHER_REFUSAL}, UNSURE),
    "resets": (CLOSED, UNSURE, CLOSED, FAIL),
    "hangs after the handshake": (LATE, UNSURE, LATE, UNSURE),
    "drips": (LATE, UNSURE, LATE, UNSURE),
    "sends 10 MB of headers": ({Got.CONFUSED}, UNSURE, {Got.CONFUSED}, UNSURE),
    "redirects in a ring": ({Got.ORIGIN}, FAIL, {Got.ORIGIN}, PASS),
    "has an expired certificate": ({Got.UNTRUSTED}, UNSURE, {Got.UNTRUSTED}, UNSURE),
    "answers 421": ({Got.MISDIRECTED}, UNSURE, {Got.MISDIRECTED}, UNSURE),
    "answers 429": ({Got.THROTTLED}, UNSURE, {Got.THROTTLED}, UNSURE),
    "speaks nonsense": ({Got.CONFUSED}, UNSURE, {Got.CONFUSED}, UNSURE),
    "says goodbye without an answer": (CLOSED, UNSURE, CLOSED, FAIL),
    "cuts the handshake": ({Got.TLS_REFUSED}, UNSURE, {Got.TLS_REFUSED}, FAIL),
    "is not Cloudflare": ({Got.OTHER_REFUSAL}, UNSURE, {Got.OTHER_REFUSAL}, UNSURE),
}
"""What the one without a certificate got, the verdict, and the same for jean who should get in."""


def witness(name: str, served: Served) -> proving.Witness:
    where = f"::{served.address}"
    if name == "httpx":
        return HttpxWitness((parse(where),), served.cacert, timeout_s=1.0)
    binary = shutil.which("curl")
    if not binary:
        pytest.skip("curl is not installed")
    return CurlWitness(binary, (where,), served.cacert, timeout_s=1.0)


@pytest.mark.parametrize("name", ["httpx", "curl"])
@pytest.mark.parametrize("behaviour", EDGES)
def test_a_bad_edge_gets_a_verdict_with_a_reason(behaviour: str, name: str, pki: Pki, tmp_path: Path) -> None:
    """No traceback, no wrong pass, the shape told apart; the same for both witnesses."""
    asked = proving.Subject(
        (
            Probe(TARGET, None, Expected.REFUSED, 1),
            Probe(TARGET, JEAN, Expected.ALLOWED, 2, "jean", shows="jean"),
        ),
        {"jean": pki.jean},
    )
    with serving(EDGES[behaviour], pki.clients, tmp_path) as served:
        bare, jean = proving.verify(asked, witness(name, served))
    got_bare, bare_outcome, got_jean, jean_outcome = TOLD[behaviour]
    assert (bare.got in got_bare, bare.outcome) == (True, bare_outcome), (bare.got, bare.why)
    assert (jean.got in got_jean, jean.outcome) == (True, jean_outcome), (jean.got, jean.why)
    assert bare.why
    assert jean.evidence.ms < 4000


@pytest.mark.parametrize("behaviour", EDGES)
def test_sessions_and_handshakes_survive_a_bad_edge(behaviour: str, pki: Pki, tmp_path: Path) -> None:
    """The two that look into TLS themselves never raise either."""
    probe = Probe(TARGET, JEAN, Expected.REFUSED, 9, shows="jean", other_host=HOST)
    with serving(EDGES[behaviour], pki.clients, tmp_path) as served:
        seen = look(HOST, (parse(f"::{served.address}"),), timeout_s=1.0)
        (verdict,) = proving.verify(proving.Subject((probe,), {"jean": pki.jean}), witness("httpx", served))
    assert seen.asked is EDGES[behaviour].demands
    assert verdict.outcome is not PASS


def test_a_host_that_is_not_there_is_inconclusive(tmp_path: Path) -> None:
    """Nobody listens: could not connect, which is neither a refusal nor a failure."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    asked = proving.Subject((Probe(TARGET, None, Expected.REFUSED, 1),))
    (verdict,) = proving.verify(asked, HttpxWitness((parse(f"::127.0.0.1:{port}"),), timeout_s=1.0))
    assert (verdict.got, verdict.outcome) == (Got.UNREACHABLE, UNSURE)
    assert look(HOST, (parse(f"::127.0.0.1:{port}"),)).failure
