"""A proof as JUnit XML, for the test pages of CI systems: a suite for each URL, a case for each request.

Rules of this file:
- A file that could not be asked, of several, is a suite with one `error`.
- What could not be told is `skipped`, with the reason: it is neither a failure nor a pass.
- Text passes through `harmless` first: XML has no way to write control characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cf_mtls.model.evidence import Outcome
from cf_mtls.report.proof_many import together
from cf_mtls.report.proof_text import got, sentence, who
from cf_mtls.report.terminal import alike, harmless
from cf_mtls.verify.claim import by_url, claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.evidence import Proof, Verdict

TAGS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "skipped"}


def junit(proofs: Sequence[Proof]) -> str:
    """The XML as text. Of several files each suite is called after its file too."""
    verdicts = together(proofs).verdicts
    broken = [proof for proof in proofs if proof.problems]
    root = ET.Element("testsuites", _counts(verdicts, len(broken)), name="cf-mtls verify")
    for proof in proofs:
        prefix = f"{proof.file}: " if len(proofs) > 1 else ""
        for url, group in by_url(proof.found.verdicts).items():
            suite = ET.SubElement(root, "testsuite", _counts(group), name=harmless(prefix + url))
            _claimed(suite, proof, url)
            for verdict in group:
                _case(suite, verdict, prefix)
        if proof.problems:
            _broken(root, proof)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(verdicts: Sequence[Verdict], errors: int = 0) -> dict[str, str]:
    outcomes = [verdict.outcome for verdict in verdicts]
    return {
        "tests": str(len(outcomes) + errors),
        "failures": str(outcomes.count(Outcome.FAIL)),
        "errors": str(errors),
        "skipped": str(outcomes.count(Outcome.INCONCLUSIVE)),
    }


def _claimed(suite: ET.Element, proof: Proof, url: str) -> None:
    """What may be said of the file and of this URL, as properties of the suite."""
    made = claim(proof.found)
    said = {
        "claim": sentence(proof.found),
        "asked": str(proof.found.whom),
        "here": "; ".join(gap.why for gap in made.gaps if gap.url == url)
        or ("declared, not provable here" if url in made.elsewhere else ""),
    }
    listed = ET.SubElement(suite, "properties")
    for name, value in said.items():
        if value:
            ET.SubElement(listed, "property", name=name, value=harmless(value))


def _broken(root: ET.Element, proof: Proof) -> None:
    """A suite with one case for a file that could not be asked."""
    file = harmless(proof.file)
    suite = ET.SubElement(root, "testsuite", _counts((), 1), name=file)
    case = ET.SubElement(suite, "testcase", classname=file, name="could not be asked", time="0.000")
    shown, rest = alike(proof.problems)
    said = [f"{p.code.summary} [{p.code.code}]: {p.detail}" for p in shown]
    lines = [harmless(line) for text in (*said, *rest) for line in text.splitlines()]
    ET.SubElement(case, "error", message=lines[0]).text = "\n".join(lines)


def _case(suite: ET.Element, verdict: Verdict, prefix: str) -> None:
    probe, evidence = verdict.probe, verdict.evidence
    case = ET.SubElement(
        suite,
        "testcase",
        classname=harmless(prefix + probe.url),
        name=harmless(f"{probe.proof} {who(verdict)}: {probe.expected.value}"),
        time=f"{evidence.ms / 1000:.3f}",
    )
    if verdict.outcome in TAGS:
        said = harmless(verdict.why)
        ET.SubElement(case, TAGS[verdict.outcome], message=said).text = (
            f"{said}\nexpected: {probe.expected.value}\ngot: {harmless(got(verdict))}"
            f"\nray: {harmless(evidence.header('cf-ray') or '-')}"
        )
