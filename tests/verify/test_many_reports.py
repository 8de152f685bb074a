"""What people and machines read of many files' proofs: no file hides another, and none counts twice."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest

from cf_mtls.diagnostics import Code, Exit, Fault, Place, Severity
from cf_mtls.model.evidence import Dossier, Expiry, Handshake, Outcome, Proof
from cf_mtls.report.html import page
from cf_mtls.report.junit import junit
from cf_mtls.report.proof_json import proof_json, proofs_json
from cf_mtls.report.proof_many import sentence, verdict_line, worst
from cf_mtls.report.terminal import Paint
from tests.verify.test_reports import EVIL, FAIL, NOW, PASS, UNSURE, Reader, of, verdict

BROKEN = Proof(
    "plans/b.yaml",
    problems=(
        Code("x.y", Severity.ERROR, Fault.FILE, "it is broken").found(
            f"{EVIL}\nline", "Mend it.", Place("plans/b.yaml", 3, 1)
        ),
    ),
)
GOOD, BAD, EMPTY = of((PASS,)), of((PASS, FAIL), "plans/c.yaml"), of((), "plans/d.yaml")


@pytest.mark.parametrize(
    ("proofs", "code"),
    [
        ([GOOD], Exit.OK),
        ([GOOD, of((PASS,), "z")], Exit.OK),
        ([GOOD, BROKEN], Exit.ERROR),
        ([BROKEN, BAD, GOOD], Exit.VERIFY_FAILED),
        ([GOOD, EMPTY], Exit.ERROR),
        ([of((UNSURE,)), GOOD], Exit.ERROR),
        ([], Exit.ERROR),
    ],
)
def test_the_worst_file_counts(proofs: list[Proof], code: Exit) -> None:
    """3 for a door that stands open, else 1 for what could not be told or asked, 0 only when every file is proven."""
    assert worst(proofs) is code
    assert proofs_json(proofs)["exit_code"] == code


def test_each_file_has_a_line_that_begins_with_its_state() -> None:
    """Proven, not enforced, could not tell: with the numbers, or the reason; a hostile file name stays in its line."""
    lines = [verdict_line(p, Paint()) for p in (GOOD, BAD, BROKEN, EMPTY, of((PASS,), "a\nproven: b\x1b[2J"))]
    assert lines[:4] == [
        "proven: plans/a.yaml: 1 passed, 0 failed",
        "not enforced: plans/c.yaml: 1 passed, 1 failed",
        "could not tell: plans/b.yaml: it could not be asked: it is broken",
        "could not tell: plans/d.yaml: it declares no applications",
    ]
    assert lines[4].isprintable()
    assert sentence([GOOD, BAD, BROKEN]) == "3 files: 1 not enforced, 1 could not tell, 1 proven."


def test_the_json_of_one_file_keeps_its_shape_and_many_share_it() -> None:
    """Members are added, never renamed: what read one file's proof reads many; `stacks` tells them apart."""
    one, many = proofs_json([GOOD]), proofs_json([GOOD, BROKEN, BAD])
    plain = proof_json(GOOD.found)
    assert {k: v for k, v in one.items() if k not in {"stacks", "verdicts"}} == {
        k: v for k, v in plain.items() if k != "verdicts"
    }
    assert one["verdicts"] == [{**plain["verdicts"][0], "file": "plans/a.yaml"}]
    assert [v["file"] for v in many["verdicts"]] == ["plans/a.yaml", "plans/c.yaml", "plans/c.yaml"]
    assert many["summary"] == {"pass": 2, "fail": 1, "inconclusive": 0}
    assert many["verdict"].startswith("3 files")
    assert [(s["file"], s["exit_code"]) for s in many["stacks"]] == [
        ("plans/a.yaml", 0),
        ("plans/b.yaml", 1),
        ("plans/c.yaml", 3),
    ]
    (problem,) = many["stacks"][1]["problems"]
    assert (problem["code"], problem["fix"], problem["file"], problem["line"]) == (
        "x.y",
        "Mend it.",
        "plans/b.yaml",
        3,
    )


def test_junit_has_a_suite_for_each_file_and_url() -> None:
    """Two files with one URL stay two suites; a file that could not be asked is one error; the sums agree."""
    root = ET.fromstring(junit([GOOD, BROKEN, BAD]))  # noqa: S314 - our own
    assert [suite.get("name") for suite in root] == [
        "plans/a.yaml: https://a.net/x", "plans/b.yaml", "plans/c.yaml: https://a.net/x",
    ]  # fmt: skip
    for count in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(count) or 0) == sum(int(suite.get(count) or 0) for suite in root)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "1")
    error = root.find(".//error")
    assert error is not None
    assert "it is broken [x.y]" in (error.get("message") or "")


def many_page() -> str:
    ends = (Expiry("client", "jean", NOW, NOW),)
    seen = verdict(Outcome.PASS, evidence=PASS.evidence)
    found = Dossier((seen, FAIL), (Handshake("a.net", True),), ends, ("a note",))
    return page([Proof(EVIL, found), BROKEN, Proof("plans/e.yaml", found)], NOW)


def test_the_page_of_many_files_is_one_valid_page() -> None:
    """Each id once, each link to an id that is there, headings that go down one step at a time, nothing but text."""
    text = many_page()
    tags = Reader(text).tags
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {(a.get("href") or "")[1:] for tag, a in tags if tag == "a"} <= set(ids)
    levels = [int(tag[1]) for tag, _ in tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert "<script" not in text
    assert "<title>3 files: 2 not enforced, 1 could not tell.</title>" in text
    assert "it is broken" in text
    assert text.count("a note") == 2
