"""Of findings alike the first twenty are shown in full in every form that people read, and the rest counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.model.evidence import Dossier, Outcome, Proof
from cf_mtls.planning.drift import Checked, Class, Finding
from cf_mtls.report.drift_data import drift_data
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.html import page
from cf_mtls.report.junit import junit
from cf_mtls.report.junit_drift import drift_junit
from cf_mtls.report.markdown import drift_markdown
from cf_mtls.report.proof_text import proof_text
from cf_mtls.report.terminal import MOST_ALIKE, Paint
from tests.verify.test_reports import verdict

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FORMS: dict[str, Callable[[dict[str, Any]], str]] = {
    "text": lambda data: drift_text(data, Paint()),
    "markdown": lambda data: drift_markdown(data["stacks"], 10**9),
    "junit": drift_junit,
}


def report(counts: dict[Class, int], notes: int = 0) -> dict[str, Any]:
    """A report with so many findings of each class, each at an address of its own."""
    findings = [
        Finding(kind, f"thing/{kind.value}-{n}-", f"says {n}", str(n))
        for kind, count in counts.items()
        for n in range(count)
    ]
    said = tuple(NOTE.found(f"noted {n}.") for n in range(notes))
    return drift_data([Checked("f.yaml", "s", "account:1", tuple(findings), notes=said)], NOW, ())


NOTE = Code("x.noted", Severity.NOTE, Fault.ACCOUNT, "something is noted")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [0, 1, MOST_ALIKE, MOST_ALIKE + 1, 500])
def test_twenty_alike_are_shown_and_the_rest_counted(form: str, count: int) -> None:
    """Of each class by itself, whatever else there is; the data lists them all."""
    counts = {Class.DRIFT: count, Class.UNMANAGED: 3, Class.UNCHECKED: count}
    data = report(counts)
    assert len(data["stacks"][0]["findings"]) == sum(counts.values())
    text = FORMS[form](data)
    for kind, many in counts.items():
        shown = {n for n in range(many) if f"thing/{kind.value}-{n}-" in text}
        assert shown == set(range(min(many, MOST_ALIKE))), kind
        assert (f"{many - MOST_ALIKE} more of: {kind.value}" in text) is (many > MOST_ALIKE), kind
    assert len(text) < 100_000


@pytest.mark.parametrize("kind", [Class.DRIFT, Class.UNCHECKED, Class.UNMANAGED])
def test_the_rest_of_a_suite_ends_as_its_findings_do(kind: Class) -> None:
    """A failure for alarms, an error for what could not be checked, a case that passed for what only informs."""
    suite = ET.fromstring(drift_junit(report({kind: MOST_ALIKE + 5})))[0]  # noqa: S314 - our own XML
    cases = [case for case in suite if case.tag == "testcase"]
    assert len(cases) == int(suite.attrib["tests"]) == MOST_ALIKE + 1
    ends = [{child.tag for child in case} - {"system-out"} for case in cases]
    assert ends == [ends[0]] * len(cases)
    assert ends[0] == {Class.DRIFT: {"failure"}, Class.UNCHECKED: {"error"}, Class.UNMANAGED: set()}[kind]


def test_notes_alike_are_counted_too() -> None:
    """By their code."""
    text = FORMS["text"](report({}, notes=50))
    assert len(re.findall("noted [0-9]+", text)) == MOST_ALIKE
    assert "30 more of: something is noted [x.noted]" in text


def test_problems_alike_of_a_file_that_could_not_be_asked_are_counted() -> None:
    """In JUnit as on a terminal; each code by itself."""
    other = Code("x.other", Severity.ERROR, Fault.FILE, "something else")
    wrong = Code("x.wrong", Severity.ERROR, Fault.FILE, "something is wrong")
    problems: list[Diagnostic] = [wrong.found(f"wrong {n}.") for n in range(500)]
    text = junit([Proof("p.yaml", Dossier(()), (*problems, other.found("Once.")))])
    assert len(re.findall("wrong [0-9]+", text)) == MOST_ALIKE + 1  # the first is the message too
    assert "480 more of: something is wrong [x.wrong]" in text
    assert "Once." in text


@pytest.mark.parametrize(
    "form", [lambda d: proof_text(d, Paint()), lambda d: page([Proof("p.yaml", d)], NOW)]
)
def test_reasons_alike_of_a_proof_are_counted(form: Callable[[Dossier], str]) -> None:
    """The same sentence at five hundred URLs; another one beside them is not lost among them."""
    one = verdict(Outcome.FAIL)
    urls = [f"https://a.net/{n}" for n in range(500)]
    made = [
        replace(one, probe=replace(one.probe, target=replace(one.probe.target, url=url)), why="it is open")
        for url in urls
    ]
    text = " ".join(form(Dossier((*made, replace(made[0], why="something else")))).split())
    assert text.count(": it is open") == MOST_ALIKE + 1
    assert "480 more URLs: it is open" in text
    assert "something else" in text
