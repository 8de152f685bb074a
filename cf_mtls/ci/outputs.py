"""What a step of GitHub Actions leaves behind: outputs, a job summary, annotations.

Rules of this file:
- Pure: texts come out, `cli/` writes them where the environment says.
- What could not be told is empty, never "false" and never 0; nor does the summary say a number of it.
- A value of several lines ends at 128 random bits that nobody could put into it beforehand.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cf_mtls.ci.event import FORK
from cf_mtls.diagnostics import Exit, Place
from cf_mtls.planning.drift import Class, Status
from cf_mtls.report.plan_text import no_changes
from cf_mtls.report.proof_many import sentence, together, worst
from cf_mtls.report.proof_text import numbers
from cf_mtls.report.safe import command, redacted
from cf_mtls.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.evidence import Proof
    from cf_mtls.model.plan import Plan

SHOWN = 9
"""Annotations of one kind: GitHub keeps ten a step and drops the rest without a word; one says how many more."""


ACTIONS = {"add": "create", "change": "update", "delete": "delete"}
"""Outputs that count what an apply would do, and the actions they count."""


def outputs(data: dict[str, Any], paths: Mapping[str, str]) -> dict[str, str]:
    """The outputs of a check. paths: further outputs, such as `report-path`.

    Beside a drift the counts are of what was found; `complete` says whether there may be more.
    """
    status = Status(data["status"])
    findings = [
        f for stack in data["stacks"] for f in stack["findings"] if f["class"] != Class.UNCHECKED.value
    ]
    prints = [s["fingerprint"] for s in data["stacks"] if s["fingerprint"]]
    told = {
        "changes": str(sum(bool(f["action"]) for f in findings)),
        **{word: str(sum(f["action"] == action for f in findings)) for word, action in ACTIONS.items()},
        "alarms": str(sum(f["alarm"] for f in findings)),
        "fingerprint": prints[0] if len(prints) == 1 else _together(prints),
    }
    return {
        **_states(status),
        **(dict.fromkeys(told, "") if status is Status.ERROR else told),
        "complete": str(data["complete"]).lower(),
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
    return f"{plural(len(states), 'plan file')}: {', '.join(counts)}" if states else "nothing to check"


def plan_outputs(plans: Sequence[Plan], code: Exit, files: int) -> dict[str, str]:
    """The outputs of plans. code: the worst; neither an error nor a refusal can tell whether there are changes.

    files: how many were to be planned.
    """
    from cf_mtls.planning.planfile import digest_of

    count = Counter(change.action.value for plan in plans for change in plan.changes)
    status = {Exit.OK: Status.CLEAN, Exit.DIFFERENCES: Status.DRIFT}.get(code, Status.ERROR)
    if status is Status.CLEAN and not all(plan.left_out or no_changes(plan) for plan in plans):
        status = Status.ERROR  # nothing differs in what could be read, and not everything could be
    counts = {word: str(count[action]) for word, action in ACTIONS.items()}
    if status is Status.ERROR:
        word = "refused" if code is Exit.REFUSED else "could not be told"
        said = f"{word}: {plural(files, 'plan file')}, of which {len(plans)} could be planned"
        return {**_states(status), **dict.fromkeys(("changes", *counts, "fingerprint"), ""), "summary": said}
    prints = [digest_of(plan) for plan in plans if not plan.is_empty]
    listed = ", ".join(f"{n} to {word}" for word, n in counts.items())
    return {
        **_states(status),
        "changes": str(count.total()),
        **counts,
        "fingerprint": prints[0] if len(prints) == 1 else _together(prints),
        "summary": f"{plural(count.total(), 'change')}: {listed}",
    }


def proof_outputs(proofs: Sequence[Proof]) -> dict[str, str]:
    """The outputs of proofs: `drift` when a request was treated otherwise than declared."""
    status = {Exit.OK: Status.CLEAN, Exit.VERIFY_FAILED: Status.DRIFT}.get(worst(proofs), Status.ERROR)
    told = sentence(proofs) if status is Status.ERROR else numbers(together(proofs).verdicts)
    return {**_states(status), "summary": told}


def _states(status: Status) -> dict[str, str]:
    drift = {Status.DRIFT: "true", Status.CLEAN: "false", Status.ERROR: ""}[status]
    return {"status": status.value, "drift": drift}


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
        kind = "notice" if finding["address"] == FORK.code else "error"
        yield command(kind, {**where, "title": title}, finding["says"])
    if len(found) > SHOWN:
        yield command("error", {"title": "cf-mtls"}, f"and {len(found) - SHOWN} more: see the job summary")


def annotated_problems(found: Sequence[Diagnostic]) -> Iterator[str]:
    """A workflow command for each diagnostic, the rest counted."""
    for problem in found[:SHOWN]:
        place = problem.place or Place("")
        where = {"file": redacted(place.file, ()), "line": _number(place.line), "col": _number(place.column)}
        said = redacted(" ".join(problem.detail.split()), ())
        yield command("error", {**where, "title": f"cf-mtls: {problem.code.summary}"}, said)
    if len(found) > SHOWN:
        yield command("error", {"title": "cf-mtls"}, f"and {len(found) - SHOWN} more: see the log")


def _is_shown(finding: dict[str, Any]) -> bool:
    return bool(finding["alarm"]) or finding["class"] == Class.UNCHECKED.value


def _number(value: int) -> str:
    return str(value) if value else ""
