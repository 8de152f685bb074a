"""Declared clients as Access would see them: under which CAs, and what their own faults mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.declare.clients import asker_of, shown_by
from cf_mtls.declare.files import load
from cf_mtls.declare.resolve import Stack, resolve
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.pki.identity import Identity
from tests.conftest import Pki
from tests.planning.things import ca, ca_at

NOW = datetime.now(UTC)
KNOWN = "  known: {chain: c.pem, associated_hostnames: [a.net]}\n"
UNKNOWN = f"""\
  unknown:
    {{chain: unknown, fingerprint: {"ab" * 16}, expires_on: 2035-01-01T00:00:00Z, associated_hostnames: [a.net], id: x}}
"""
APPLICATION = "applications:\n  app: {domain: a.net}\n"


def stack(folder: Path, pki: Pki, client: Identity, *trust: str, expect: str = "", key: bool = True) -> Stack:
    (folder / "c.pem").write_text(pki.clients.chain.pem, "ascii")
    (folder / "client.pem").write_text(client.certificate_pem, "ascii")
    if key:
        (folder / "client.key").write_text(client.key_pem, "ascii")
    line = f"clients:\n  jean: {{certificate: client.pem, key: client.key{expect}}}\n"
    text = f"version: 1\nstack: s\ncertificates:\n{''.join(trust)}{APPLICATION}{line}"
    (folder / "p.yaml").write_text(text, "utf-8")
    return resolve(load(folder / "p.yaml"), NOW)


def trusted(found: Stack) -> int:
    """Under how many declared CAs the client is taken for valid."""
    return len(found.askers["jean"].trusted_by)


def warned(found: Stack) -> set[str]:
    return {d.code.code for d in found.diagnostics}


FAULTS: dict[str, dict[str, Any]] = {
    "expired": {"not_before": NOW - timedelta(9), "not_after": NOW - timedelta(2)},
    "not yet valid": {"not_before": NOW + timedelta(2), "not_after": NOW + timedelta(9)},
    "may not sign": {"key_usages": ("keyEncipherment",)},
    "for servers": {"extended_key_usages": ("serverAuth",)},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("trust", [(KNOWN,), (UNKNOWN,), (KNOWN, UNKNOWN)])
def test_a_faulty_client_is_valid_under_no_ca_not_even_an_unknown_one(
    tmp_path: Path, pki: Pki, fault: dict[str, Any], trust: tuple[str, ...]
) -> None:
    """No CA whatever its content would let it in: said as a warning, and never counted on."""
    client = pki.clients.issue("jean", now=NOW, **fault)
    found = stack(tmp_path, pki, client, *trust)
    assert trusted(found) == 0
    assert warned(found) & {"client.would-be-refused", "client.no-client-auth", "client.no-signing"}
    assert not any(d.is_error for d in found.diagnostics)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_a_faulty_client_shows_has_its_fault(pki: Pki, fault: dict[str, Any]) -> None:
    """In words, for the plan; one without a fault has none."""
    assert shown_by(pki.clients.issue("jean", now=NOW, **fault), NOW).fault
    assert shown_by(pki.jean, NOW).fault == ""


def test_a_client_is_asked_for_under_the_cas_that_accept_it(pki: Pki) -> None:
    """Each by its own chain; of a CA without its PEM nobody can say so."""
    other = root("Another Root", now=NOW)
    cas = {
        ca_at(key): ca(key, "a.net", pem=pem)
        for key, pem in (("1", pki.clients.chain.pem), ("2", other.chain.pem), ("3", None))
    }
    asker = asker_of(pki.jean.certificate_pem.encode(), State(cas), NOW)
    assert asker.trusted_by == {ca_at("1")}


def test_a_client_of_a_known_ca_is_valid_under_that_one_alone(tmp_path: Path, pki: Pki) -> None:
    """Also beside an unknown one."""
    for trust in ((KNOWN,), (KNOWN, UNKNOWN)):
        assert trusted(stack(tmp_path, pki, pki.jean, *trust)) == 1


def test_a_stranger_is_valid_under_no_known_ca(tmp_path: Path, pki: Pki) -> None:
    """The same subject and issuer, another key: refused, and said."""
    found = stack(tmp_path, pki, pki.stranger, KNOWN)
    assert trusted(found) == 0
    assert "client.would-be-refused" in warned(found)
    assert "client.would-be-refused" not in warned(stack(tmp_path, pki, pki.stranger, KNOWN, UNKNOWN))


def test_of_a_client_that_is_to_be_refused_nothing_is_said(tmp_path: Path, pki: Pki) -> None:
    """That is what its fault is for."""
    over = pki.clients.issue("jean", now=NOW, **FAULTS["expired"])
    assert "client.would-be-refused" not in warned(
        stack(tmp_path, pki, over, KNOWN, expect=", expect: refused")
    )
    assert "client.would-be-refused" in warned(stack(tmp_path, pki, over, KNOWN, expect=", expect: allowed"))


def test_a_client_without_its_key_cannot_be_sent(tmp_path: Path, pki: Pki) -> None:
    """A warning: plan and apply need no client's key."""
    found = stack(tmp_path, pki, pki.jean, KNOWN, key=False)
    assert "client.key-absent" in warned(found)
    assert [c.is_here for c in found.clients] == [False]
    (tmp_path / "client.key").write_text(pki.jean.key_pem, "ascii")
    assert [c.is_here for c in stack(tmp_path, pki, pki.jean, KNOWN).clients] == [True]


def test_intermediates_that_a_client_sends_count(tmp_path: Path, pki: Pki) -> None:
    """A client of an issuing CA that is not in the bundle, below a root that is: valid when it sends that along."""
    top = root("Top", now=NOW)
    below = top.intermediate("Below", now=NOW)
    client = below.issue("jean", now=NOW)
    for sent, valid in (((), 0), ((below.certificate,), 1)):
        who = replace(client, sent=sent)
        assert trusted(stack(tmp_path, Pki(top, top, who, who), who, KNOWN)) == valid
