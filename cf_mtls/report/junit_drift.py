"""A drift report as JUnit XML: what GitLab, Azure and Jenkins show by themselves.

Rules of this file:
- A stack is a suite, a finding a case; a clean stack has one case that passed.
- Of findings alike the first twenty have a case each, the rest one together.
- An alarm is a failure, what could not be checked an error, a waived finding skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.planning.drift import Class, Status
from cf_mtls.report.drift_text import WORDS, Rest, alike, undecided
from cf_mtls.report.safe import xml

if TYPE_CHECKING:
    from collections.abc import Iterator


def drift_junit(data: dict[str, Any]) -> str:
    """The report as an XML document."""
    suites = [line for stack in data["stacks"] for line in _suite(stack)]
    return (
        "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suites, "</testsuites>"]) + "\n"
    )


def _suite(stack: dict[str, Any]) -> Iterator[str]:
    shown, rest = alike(stack["findings"])
    cases = [_case(found, stack) for found in shown] or [_nothing_found(stack)]
    cases += [_rest(left, stack) for left in rest]
    counts = {word: sum(f"<{word} " in case for case in cases) for word in ("failure", "error")}
    skipped = sum("<skipped " in case for case in cases)
    yield (
        f'<testsuite name="{xml(stack["file"])}" tests="{len(cases)}" failures="{counts["failure"]}" '
        f'errors="{counts["error"]}" skipped="{skipped}">'
    )
    told = [("asked", stack["asked"])] if stack.get("asked") else []
    told += [("not decided", left.removeprefix("; not decided: "))] if (left := undecided(stack)) else []
    told += [("note", note) for note in stack["notes"]]
    if told:
        inner = "".join(f'<property name="{name}" value="{xml(value)}"/>' for name, value in told)
        yield f"<properties>{inner}</properties>"
    yield from cases
    yield "</testsuite>"


def _nothing_found(stack: dict[str, Any]) -> str:
    """The case of a stack without findings: it passed only where that was decided."""
    head = f'<testcase classname="{xml(stack["file"])}" name="{xml(WORDS[Status(stack["status"])])}"'
    if stack["status"] == Status.CLEAN.value:
        return f"{head}/>"
    return f'{head}><error message="not everything could be checked"></error></testcase>'


def _rest(left: Rest, stack: dict[str, Any]) -> str:
    """One case for the findings of a kind that are only counted: it ends as each of them would."""
    head = f'<testcase classname="{xml(stack["file"])}" name="{xml(str(left))}"'
    says = xml(str(left))
    if left.kind == Class.UNCHECKED.value:
        return f'{head}><error message="{says}"></error></testcase>'
    if left.is_alarm:
        return f'{head}><failure message="{says}"></failure></testcase>'
    return f'{head}><skipped message="{says}"/></testcase>' if left.is_waived else f"{head}/>"


def _case(found: dict[str, Any], stack: dict[str, Any]) -> str:
    text = "\n".join(xml(line) for line in (*found["says"].splitlines(), *found["diff"]))
    head = f'<testcase classname="{xml(stack["file"])}" name="{xml(found["class"] + " " + found["address"])}"'
    says = xml(found["says"].partition("\n")[0])
    if found["class"] == Class.UNCHECKED.value:
        return f'{head}><error message="{says}">{text}</error></testcase>'
    if found["alarm"]:
        return f'{head}><failure message="{says}">{text}</failure></testcase>'
    if found["waiver"]:
        return f'{head}><skipped message="{xml(found["waiver"]["reason"])}"/></testcase>'
    return f"{head}><system-out>{text}</system-out></testcase>"
