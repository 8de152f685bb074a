"""Whom a report asked: an emulator is called one, Cloudflare never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.asked import EMULATOR_HEADER, OWN_EDGE, Asked, of_api
from cf_mtls.model.evidence import Dossier, Evidence, Got, Outcome
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


MARK = (EMULATOR_HEADER, "1")


@pytest.mark.parametrize(
    ("answers", "emulated"),
    [
        ([], False),
        ([(Got.UNREACHABLE, None, False)], False),
        ([(Got.ORIGIN, 200, True)], True),
        ([(Got.ORIGIN, 200, True), (Got.ORIGIN, 200, False)], False),
        ([(Got.ORIGIN, 200, True), (Got.FORBIDDEN, 403, False)], False),
        ([(Got.ORIGIN, 200, True), (Got.LOGIN, 302, False), (Got.TIMEOUT, None, False)], False),
        ([(Got.ORIGIN, 200, False), (Got.FORBIDDEN, 403, True)], True),
        ([(Got.FORBIDDEN, 403, False), (Got.UNAUTHORIZED, 401, True)], True),
        ([(Got.DENY_PAGE, 302, True)], True),
    ],
)
def test_an_origin_cannot_make_the_real_edge_an_emulator(
    answers: list[tuple[Got, int | None, bool]], emulated: bool
) -> None:
    """What Access itself answers decides; where it answered nothing, every answer must say so."""
    verdicts = tuple(
        replace(verdict(Outcome.PASS), got=got, evidence=Evidence(status, headers=(MARK,) if says else ()))
        for got, status, says in answers
    )
    assert Dossier(verdicts, asked=REAL).whom.is_emulator is emulated


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://api.cloudflare.com/client/v4", "https://api.cloudflare.com/client/v4"),
        ("https://me:s3cret@gateway.example.com:8443/cf", "https://gateway.example.com:8443/cf"),
        ("https://tok@n@gateway.example.com", "https://gateway.example.com"),
    ],
)
def test_an_api_is_named_without_what_is_secret_in_its_url(url: str, said: str) -> None:
    """A name and a password are for the gateway alone."""
    assert of_api(url, emulated=False).api == said
