"""Whom a report asked: an emulator is called one, Cloudflare never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.asked import EMULATOR_HEADER, OWN_EDGE, Asked, is_loopback
from cf_mtls.model.evidence import Dossier, Evidence, Outcome
from cf_mtls.report.proof_json import proof_json
from cf_mtls.report.proof_text import proof_text
from cf_mtls.report.terminal import Paint
from tests.verify.test_reports import verdict

REAL = Asked("https://api.cloudflare.com/client/v4", OWN_EDGE)


def test_the_real_one_is_named_and_is_no_emulator() -> None:
    """API and edge in one line, and nothing in large letters."""
    seen = Dossier((verdict(Outcome.PASS),), asked=REAL)
    said = proof_text(seen, Paint())
    assert "Asked: API https://api.cloudflare.com/client/v4, edge at the hostnames' own addresses." in said
    assert "EMULATOR" not in said
    assert proof_json(seen)["asked"]["emulator"] is False


def test_an_answer_of_the_emulator_says_so_wherever_it_came_from() -> None:
    """By its header, also behind an address that is not this machine's."""
    evidence = Evidence(403, "HTTP/2", (("cf-ray", "1"), (EMULATOR_HEADER, "1")))
    seen = Dossier((replace(verdict(Outcome.PASS), evidence=evidence),), asked=REAL)
    assert "EMULATOR" in proof_text(seen, Paint())
    assert proof_json(seen)["asked"]["emulator"] is True


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8787/client/v4", True),
        ("http://[::1]:8787", True),
        ("http://localhost/client/v4", True),
        ("https://api.cloudflare.com/client/v4", False),
        ("https://127.0.0.1.example.com", False),
    ],
)
def test_a_url_on_this_machine_is_known(url: str, near: bool) -> None:
    """By its host alone."""
    assert is_loopback(url) is near
