"""What people and machines read: the table, JSON, JUnit and the page."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from cf_mtls.diagnostics import Exit
from cf_mtls.model.evidence import (
    Control,
    Dossier,
    Evidence,
    Expiry,
    Got,
    Handshake,
    Outcome,
    Probe,
    Proof,
    Verdict,
)
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.report.html import page
from cf_mtls.report.junit import junit
from cf_mtls.report.proof_json import proof_json
from cf_mtls.report.proof_text import proof_text
from cf_mtls.report.terminal import Paint
from cf_mtls.verify.claim import claim

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TARGET = Target("https://a.net/x", "a")
EVIL = '<script>alert(1)</script>\x1b[31m\u202e"&'
PNG = b"\x89PNG\r\n\x1a\npicture"


def verdict(outcome: Outcome, url: str = "https://a.net/x", **more: object) -> Verdict:
    jean = Client("jean", "c", "k")
    probe = Probe(
        replace(TARGET, url=url), jean, Expected.REFUSED, 1, "no certificate", control=Control.ANYONE
    )
    evidence = Evidence(403, "HTTP/2", (("cf-ray", "8a1b2c3d4e5f6071-AMS"),), ms=12, witness="httpx")
    return replace(Verdict(probe, evidence, Got.FORBIDDEN, outcome, "because"), **more)  # type: ignore[arg-type]


PASS, FAIL, UNSURE = (verdict(o) for o in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE))


def of(verdicts: tuple[Verdict, ...], file: str = "plans/a.yaml") -> Proof:
    return Proof(file, Dossier(verdicts))


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((PASS,), Exit.OK),
        ((PASS, UNSURE), Exit.ERROR),
        ((UNSURE,), Exit.ERROR),
        ((), Exit.ERROR),
        ((PASS, UNSURE, FAIL), Exit.VERIFY_FAILED),
    ],
)
def test_the_exit_code_comes_from_the_list(verdicts: tuple[Verdict, ...], code: Exit) -> None:
    """3 only on a real failure, 1 when anything could not be told, 0 only when everything passed."""
    assert claim(Dossier(verdicts)).exit is code
    assert proof_json(Dossier(verdicts))["exit_code"] == code


def test_what_could_not_be_told_is_printed_last() -> None:
    """After the table, the failures, and only before the sentence, whatever the order of asking was."""
    said = proof_text(Dossier((UNSURE, FAIL, PASS)), Paint())
    *_, fail, unsure, empty, sentence = said.splitlines()
    assert (fail[:5], unsure[:13], empty) == ("fail:", "inconclusive:", "")
    assert sentence == "Not enforced as declared (1 passed, 1 failed, 1 could not be told)."


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    """No line is wider, and every ray is there whole: nothing is cut off to make it fit."""
    long = replace(
        PASS, probe=replace(PASS.probe, who="no certificate, path begins alike", expected=Expected.UNDECLARED)
    )
    found = Dossier(
        (long, FAIL, UNSURE), (Handshake("a.net", True, ("CN=One", "CN=Two")),), notes=("A note. " * 9,)
    )
    said = proof_text(found, Paint(), width)
    lines = said.splitlines()
    if width >= 60:
        assert max(map(len, lines)) <= width
    assert said.count("8a1b2c3d4e5f6071-AMS") == 3
    assert said.count("12 ms") == (3 if width < 200 else 0)


def test_many_urls_that_pass_take_one_line_each() -> None:
    """What needs a look is not buried: of 30 URLs, 29 are one line, the failing one is a table."""
    found = [verdict(Outcome.PASS, f"https://a.net/{n}") for n in range(29)]
    lines = proof_text(Dossier((*found, verdict(Outcome.FAIL, "https://a.net/bad"))), Paint()).splitlines()
    assert sum(line.startswith("pass  https://a.net/") for line in lines) == 29
    assert lines[0] == "https://a.net/bad"


def test_the_same_reason_at_one_url_is_said_once() -> None:
    """An open door makes many proofs fail; the reason is one line with everybody in it."""
    other = replace(FAIL, probe=replace(FAIL.probe, who="expired"))
    said = proof_text(Dossier((FAIL, other)), Paint())
    assert "fail: https://a.net/x: no certificate; expired: because" in said


def test_the_json_has_its_promised_members() -> None:
    """verdicts: objects with these members; summary: three counts."""
    found = proof_json(Dossier((PASS, FAIL, UNSURE, FAIL)))
    assert found["summary"] == {"pass": 1, "fail": 2, "inconclusive": 1}
    members = {"url", "proof", "client", "expected", "got", "status", "verdict", "ray", "ms"}
    assert all(members <= v.keys() for v in found["verdicts"])
    first = found["verdicts"][0]
    assert (first["proof"], first["status"], first["verdict"], first["ray"], first["ms"]) == (
        1, 403, "pass", "8a1b2c3d4e5f6071-AMS", 12
    )  # fmt: skip


def test_junit_counts_and_tells_failures_from_the_untold() -> None:
    """Well-formed, a suite for each URL, the untold as skipped with its reason, control characters harmless."""
    odd = replace(FAIL, why=EVIL)
    root = ET.fromstring(junit([of((PASS, odd, UNSURE, verdict(Outcome.PASS, "https://b.net/")))]))  # noqa: S314 - our own
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "1", "1")
    assert [suite.get("name") for suite in root] == ["https://a.net/x", "https://b.net/"]
    failure, skipped = root.find(".//failure"), root.find(".//skipped")
    assert failure is not None
    assert "<script>" in (failure.get("message") or "")
    assert skipped is not None
    assert skipped.get("message") == "because"


class Reader(HTMLParser):
    """What a browser would load or run, headings and labels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def whole_page() -> str:
    evil = replace(
        FAIL, why=EVIL, probe=replace(FAIL.probe, who=EVIL, target=Target(f"https://a.net/{EVIL}", "a"))
    )
    seen = replace(PASS, evidence=replace(PASS.evidence, screenshot=PNG, command=f"curl {EVIL}"))
    ends = tuple(
        Expiry(kind, name, NOW, NOW + timedelta(days=days))
        for kind, name, days in (("client", EVIL, 9), ("CA", "CN=Root", 900), ("CA", "CN=Old", -1))
    )
    return page(
        [Proof(EVIL, Dossier((evil, seen, UNSURE), (Handshake("a.net", True, (EVIL,)),), ends, (EVIL,)))], NOW
    )


def test_the_page_loads_and_runs_nothing() -> None:
    """No script, no link to elsewhere, pictures inside, and a policy that would forbid the rest."""
    tags = Reader(whole_page()).tags
    assert {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in tags} == set()
    sources = [attributes.get("src") or "" for _, attributes in tags if "src" in attributes]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert [a for _, a in tags if any(name.startswith("on") for name in a)] == []
    assert all((a.get("href") or "#").startswith("#") for _, a in tags)
    assert any("default-src 'none'" in (a.get("content") or "") for _, a in tags)
    assert "url(" not in whole_page()
    assert "@import" not in whole_page()


def test_whatever_others_wrote_is_only_text_on_the_page() -> None:
    """Names, URLs, reasons and CA names with markup, escapes and bidi overrides stay words."""
    text = whole_page()
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("&lt;script&gt;") >= 5


def test_the_page_can_be_read_aloud() -> None:
    """A language, a title with the verdict, captions, scopes, alternative texts: no fact in colour alone."""
    tags = Reader(whole_page()).tags
    assert ("html", {"lang": "en"}) in tags
    assert all(a.get("alt") for tag, a in tags if tag == "img")
    assert all(a.get("scope") for tag, a in tags if tag == "th")
    assert sum(tag == "caption" for tag, _ in tags) == sum(tag == "table" for tag, _ in tags)
    squares = [a for tag, a in tags if tag == "span" and a.get("role") == "img"]
    assert {a.get("aria-label") for a in squares} >= {
        "no certificate: failed",
        "no certificate: could not be told",
    }
    assert "<title>Not enforced as declared" in whole_page()


def test_the_timeline_says_its_ends_in_words_too() -> None:
    """Days left, soonest first, those that are over marked as failed."""
    text = whole_page()
    rows = re.findall(r'<td class="(\w+)">((?:in \d+ days|\d+ days? ago))</td>', text)
    assert rows == [("fail", "1 day ago"), ("inconclusive", "in 9 days"), ("pass", "in 900 days")]


def test_nothing_to_prove_is_a_page_too() -> None:
    """No verdicts: the sentence says so, and the page stands."""
    assert "Nothing to prove" in page([of(())], NOW)
