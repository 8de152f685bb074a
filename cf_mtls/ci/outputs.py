"""What a step of GitHub Actions leaves behind: outputs, a job summary, annotations.

Rules of this file:
- Pure: texts come out, `cli/` writes them where the environment says.
- `drift` is empty when it could not be told: never "false".
- A value of several lines ends at 128 random bits that nobody could put into it beforehand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.planning.drift import Class, Status
from cf_mtls.report.safe import command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHOWN = 9
"""Annotations of one kind: GitHub keeps ten a step and drops the rest without a word; one says how many more."""


ACTIONS = {"add": "create", "change": "update", "delete": "delete"}
"""Outputs that count what an apply would do, and the actions they count."""


def outputs(data: dict[str, Any], paths: Mapping[str, str]) -> dict[str, str]:
    """The outputs of a check. paths: further outputs, such as `report-path`."""
    status = Status(data["status"])
    findings = [f for stack in data["stacks"] for f in stack["findings"]]
    prints = [s["fingerprint"] for s in data["stacks"] if s["fingerprint"]]
    return {
        "status": status.value,
        "drift": {Status.DRIFT: "true", Status.CLEAN: "false", Status.ERROR: ""}[status],
        "complete": str(data["complete"]).lower(),
        "changes": str(sum(bool(f["action"]) for f in findings)),
        **{word: str(sum(f["action"] == action for f in findings)) for word, action in ACTIONS.items()},
        "alarms": str(sum(f["alarm"] for f in findings)),
        "fingerprint": prints[0] if len(prints) == 1 else _together(prints),
        "summary": summary(data),
        **paths,
    }


def _together(prints: list[str]) -> str:
    import hashlib

    return hashlib.sha256("\n".join(sorted(prints)).encode("ascii")).hexdigest() if prints else ""


def summary(data: dict[str, Any]) -> str:
    """One line for people, without any name in it."""
    states = [stack["status"] for stack in data["stacks"]]
    words = {Status.DRIFT: "drifted", Status.ERROR: "could not be checked", Status.CLEAN: "clean"}
    counts = [f"{states.count(s.value)} {words[s]}" for s in words if states.count(s.value)]
    return f"{len(states)} checked: {', '.join(counts)}" if states else "nothing to check"


def output_text(values: Mapping[str, str], delimiter: str) -> str:
    """The values as GITHUB_OUTPUT takes them. delimiter: 128 random bits in hex, in none of the values.

    Raises ValueError when the delimiter is in a value: it was not random.
    """
    if any(delimiter in value for value in values.values()):
        message = "the delimiter is in a value"
        raise ValueError(message)
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def annotated(data: dict[str, Any]) -> Iterator[str]:
    """A workflow command for each alarm and each thing that could not be checked, the rest counted."""
    found = [f for stack in data["stacks"] for f in stack["findings"] if _is_shown(f)]
    for finding in found[:SHOWN]:
        where = {"file": finding["file"], "line": _number(finding["line"]), "col": _number(finding["column"])}
        title = f"cf-mtls: {finding['class']} {finding['address']}"
        yield command("error", {**where, "title": title}, finding["says"])
    if len(found) > SHOWN:
        yield command("error", {"title": "cf-mtls"}, f"and {len(found) - SHOWN} more: see the job summary")


def _is_shown(finding: dict[str, Any]) -> bool:
    return bool(finding["alarm"]) or finding["class"] == Class.UNCHECKED.value


def _number(value: int) -> str:
    return str(value) if value else ""
