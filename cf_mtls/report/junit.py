"""A proof as JUnit XML, for the test pages of CI systems: a suite for each URL, a case for each request.

Rules of this file:
- What could not be told is `skipped`, with the reason: it is neither a failure nor a pass.
- Text passes through `harmless` first: XML has no way to write control characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cf_mtls.model.evidence import Outcome
from cf_mtls.report.proof_text import by_url, got, who
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.evidence import Verdict

TAGS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "skipped"}


def junit(verdicts: Sequence[Verdict]) -> str:
    """The XML as text."""
    root = ET.Element("testsuites", _counts(verdicts), name="cf-mtls verify")
    for url, group in by_url(verdicts).items():
        suite = ET.SubElement(root, "testsuite", _counts(group), name=harmless(url))
        for verdict in group:
            _case(suite, verdict)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(verdicts: Sequence[Verdict]) -> dict[str, str]:
    outcomes = [verdict.outcome for verdict in verdicts]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(Outcome.FAIL)),
        "errors": "0",
        "skipped": str(outcomes.count(Outcome.INCONCLUSIVE)),
    }


def _case(suite: ET.Element, verdict: Verdict) -> None:
    probe, evidence = verdict.probe, verdict.evidence
    case = ET.SubElement(
        suite,
        "testcase",
        classname=harmless(probe.url),
        name=harmless(f"{probe.proof} {who(verdict)}: {probe.expected.value}"),
        time=f"{evidence.ms / 1000:.3f}",
    )
    if verdict.outcome in TAGS:
        said = harmless(verdict.why)
        ET.SubElement(case, TAGS[verdict.outcome], message=said).text = (
            f"{said}\nexpected: {probe.expected.value}\ngot: {harmless(got(verdict))}"
            f"\nray: {harmless(evidence.header('cf-ray') or '-')}"
        )
