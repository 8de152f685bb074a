"""Clients as people have them: with and without intermediates, PEM and PKCS#12, encrypted and not, RSA and EC."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from cf_mtls import proving
from cf_mtls.model.evidence import Outcome, Verdict
from cf_mtls.model.people import Client
from cf_mtls.pki.identity import Identity
from cf_mtls.pki.keys import PrivateKey, generate
from cf_mtls.verify.wallet import open_all
from tests.conftest import Pki
from tests.verify.stage import Stage, resuming

SECRET = b"correct horse"
TWO_HOSTNAMES = {"https://jeann.net/plain", "https://api.jeann.net/"}


@cache
def key_of(kind: str) -> PrivateKey:
    return generate(kind)


def hidden(secret: bytes | None) -> BestAvailableEncryption | NoEncryption:
    return BestAvailableEncryption(secret) if secret else NoEncryption()


def pem(folder: Path, who: Identity, secret: bytes | None) -> Client:
    """Two PEM files, as `pki issue` writes them."""
    (folder / "c.pem").write_text(who.certificate_pem, "ascii")
    (folder / "c.key").write_bytes(who.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden(secret)))
    return Client("fleet", str(folder / "c.pem"), str(folder / "c.key"))


def p12(folder: Path, who: Identity, secret: bytes | None) -> Client:
    """One PKCS#12 file."""
    sent = [c.x509 for c in who.sent]
    (folder / "c.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"c", who.key, who.certificate.x509, sent, hidden(secret))
    )
    return Client("fleet", str(folder / "c.p12"))


FORMS = {"pem": pem, "p12": p12}
ROWS = list(product(("rsa2048", "ec256"), FORMS, (True, False), (SECRET, None)))


@pytest.mark.parametrize(
    ("key", "form", "sends", "secret"),
    ROWS,
    ids=[f"{k}-{f}-{'intermediate' if s else 'leaf'}-{'locked' if e else 'plain'}" for k, f, s, e in ROWS],
)
def test_every_proof_passes_with_every_form_of_client_in_a_plan_of_two_hostnames(
    stage: Stage, pki: Pki, tmp_path: Path, key: str, form: str, sends: bool, secret: bytes | None
) -> None:
    """On a right edge all nine pass; on one that resumes across hostnames the ninth fails, because it was resumed."""
    who = pki.clients.issue("fleet", now=datetime.now(UTC), key=key_of(key))
    who = replace(who, sent=(pki.clients.certificate,)) if sends else who
    client = FORMS[form](tmp_path, who, secret)
    wallet = open_all([client], lambda _: secret or b"")
    assert wallet.diagnostics == ()
    assert len(wallet.identities["fleet"].sent) == len(who.sent)
    targets = [t for t in stage.stack.targets if t.url in TWO_HOSTNAMES]
    asked = proving.subject(targets, wallet, stage.stack.state, datetime.now(UTC))

    def verdicts() -> tuple[Verdict, ...]:
        return proving.verify(asked, stage.httpx())

    right = verdicts()
    assert {v.outcome for v in right} == {Outcome.PASS}, [v.why for v in right]
    with resuming(stage):
        failed = [v.probe.proof for v in verdicts() if v.outcome is Outcome.FAIL]
    assert set(failed) == {9}
