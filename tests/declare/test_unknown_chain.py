"""`chain: unknown`: a CA that is in the account and whose PEM nobody has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls.declare.files import load
from cf_mtls.declare.resolve import Stack, resolve
from cf_mtls.diagnostics import Failure
from cf_mtls.model.resources import CaCertificate
from cf_mtls.remote.wire import certificate_create
from tests.conftest import Pki

ENTRY = """\
version: 1
stack: s
certificates:
  old:
    chain: unknown
    fingerprint: "MD5 Fingerprint=2C:1E:80:0F:D0:F2:4C:02:B1:A7:A3:D8:C0:D5:EE:11"
    expires_on: 2030-01-01T02:00:00+02:00
    associated_hostnames: [a.net]
    id: ca-1
"""


def stack(tmp_path: Path, text: str, at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Stack:
    (tmp_path / "plan.yaml").write_text(text, "utf-8")
    return resolve(load(tmp_path / "plan.yaml"), at)


def test_it_is_what_was_recorded(tmp_path: Path) -> None:
    """No file is read; fingerprint and end are normalised, the id is the pin."""
    found = stack(tmp_path, ENTRY)
    assert not [d for d in found.diagnostics if d.is_error]
    (ca,) = found.state.values()
    assert isinstance(ca, CaCertificate)
    assert (ca.fingerprints, ca.pem, ca.id) == (("2c1e800fd0f24c02b1a7a3d8c0d5ee11",), None, "ca-1")
    assert ca.expires_on == datetime(2030, 1, 1, tzinfo=UTC)


def test_it_can_never_be_uploaded(tmp_path: Path) -> None:
    """There is no body of a create for a CA without its PEM."""
    (ca,) = stack(tmp_path, ENTRY).state.values()
    assert isinstance(ca, CaCertificate)
    with pytest.raises(ValueError, match="no PEM to upload"):
        certificate_create(ca)


@pytest.mark.parametrize("line", ["    id: ca-1\n", "    expires_on: 2030-01-01T02:00:00+02:00\n"])
def test_it_needs_all_that_was_recorded(tmp_path: Path, line: str) -> None:
    """Without id or end the entry says nothing that could be compared."""
    with pytest.raises(Failure, match="needs id, fingerprint and expires_on"):
        stack(tmp_path, ENTRY.replace(line, ""))


def test_a_known_chain_has_no_record_beside_it(tmp_path: Path) -> None:
    """Two sources of one fact would disagree one day."""
    with pytest.raises(Failure, match="stand only beside"):
        stack(tmp_path, ENTRY.replace("chain: unknown", "chain: certs/x.pem"))


def test_the_same_unknown_ca_twice_is_said(tmp_path: Path) -> None:
    """By its id: two CAs of the account may show one MD5 and one end, and hold different bundles."""
    again = ENTRY.partition("certificates:\n")[2].replace("  old:", "  older:")
    assert [d.code.code for d in stack(tmp_path, ENTRY + again).diagnostics] == ["certificate.same-chain"]
    other = [d.code.code for d in stack(tmp_path, ENTRY + again.replace("ca-1", "ca-2")).diagnostics]
    assert "certificate.same-chain" not in other


def test_a_client_of_an_unknown_ca_is_no_cause_for_alarm(tmp_path: Path, pki: Pki) -> None:
    """It fits no chain in hand, so it is taken for one of the CA whose chain nobody has: expected in, not refused."""
    (tmp_path / "jean.pem").write_text(pki.jean.certificate_pem, "ascii")
    (tmp_path / "jean.key").write_text(pki.jean.key_pem, "ascii")
    more = """\
applications:
  app: {domain: a.net}
clients:
  jean: {certificate: jean.pem, key: jean.key}
"""
    found = stack(tmp_path, ENTRY + more, datetime.now(UTC))
    assert found.diagnostics == ()
    assert found.askers["jean"].trusted_by == set(found.state) & {a for a, _ in found.state.of(CaCertificate)}
