"""A drift report for a terminal or a log: findings by stack, one verdict line a stack last.

Rules of this file:
- It reads report data only; whatever comes from an account is made harmless for logs as well.
- The verdicts come last and say the state first: clean, drift, could not check.
- Of findings alike the first twenty are shown in every form that people read, and the rest counted. The JSON report
  lists every one: a machine reads it, and `counts` says how many there are.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cf_mtls.planning.drift import Status
from cf_mtls.quick import dataclass
from cf_mtls.report.remedies import remedies
from cf_mtls.report.safe import logged
from cf_mtls.report.terminal import MOST_ALIKE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.report.terminal import Paint

WORDS = {Status.CLEAN: "clean", Status.DRIFT: "drift", Status.ERROR: "could not check"}


def drift_text(data: dict[str, Any], paint: Paint) -> str:
    """The findings of every stack, then the verdicts, then what the folders hold that were searched."""
    blocks = ["\n".join(_block(stack, paint)) for stack in data["stacks"]]
    verdicts = "\n".join(_verdict(stack, paint) for stack in data["stacks"])
    whom = "\n".join(dict.fromkeys(logged(stack["asked"]) for stack in data["stacks"] if stack.get("asked")))
    files = data.get("files", {}).get("says", "")
    last = f"{_coloured(Status(data['status']), paint)}: {logged(files)}" if files else ""
    return "\n\n".join([*filter(None, blocks), "\n".join(filter(None, [whom, verdicts, last]))])


@dataclass(frozen=True, slots=True)
class Rest:
    """How many findings of one kind are not shown."""

    kind: str
    is_alarm: bool
    is_waived: bool
    count: int

    def __str__(self) -> str:
        """`480 more of: drift, waived; the JSON report lists them`."""
        return f"{self.count} more of: {self.kind}{', waived' * self.is_waived}; the JSON report lists them"


def alike(findings: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Rest]]:
    """The first `MOST_ALIKE` of each kind, in their order, and what is left of the kinds with more.

    A kind is a class, whether it alarms, and whether it is waived.
    """
    counts: Counter[tuple[str, bool, bool]] = Counter()
    shown = []
    for found in findings:
        kind = (found["class"], bool(found["alarm"]), bool(found["waiver"]))
        counts[kind] += 1
        if counts[kind] <= MOST_ALIKE:
            shown.append(found)
    return shown, [Rest(*kind, n - MOST_ALIKE) for kind, n in counts.items() if n > MOST_ALIKE]


def _notes(stack: dict[str, Any]) -> Iterator[str]:
    """The notes of a stack, those of one code as `alike`."""
    codes = Counter(note.partition(": ")[0] for note in stack["notes"])
    shown: Counter[str] = Counter()
    for note in stack["notes"]:
        code = note.partition(": ")[0]
        shown[code] += 1
        if shown[code] <= MOST_ALIKE:
            yield note
    yield from (f"{n - MOST_ALIKE} more of: {code}" for code, n in codes.items() if n > MOST_ALIKE)


def _block(stack: dict[str, Any], paint: Paint) -> Iterator[str]:
    shown, rest = alike(stack["findings"])
    for found in shown:
        word = paint.red(found["class"]) if found["alarm"] else paint.yellow(found["class"])
        yield f"{word} {paint.bold(logged(found['address']))} ({found['digest']})"
        yield from (f"  {logged(line)}" for line in found["says"].splitlines())
        yield f"  {logged(place(found))}"
        yield from (f"    {_colour(line, paint)}" for line in found["diff"])
        yield from (f"  {logged(line)}" for line in waiver_lines(found))
    yield from (str(left) for left in rest)
    yield from (f"note: {logged(note)}" for note in _notes(stack))
    for waiver in stack["unused_waivers"]:
        address, owner = logged(waiver["address"]), logged(waiver["owner"])
        yield f"unused waiver for {address}, {owner}: {why_unused(waiver, stack)}"
    for sentence, commands in remedies(stack):
        yield sentence
        yield from (f"    {logged(command)}" for command in commands)


def why_unused(waiver: dict[str, Any], stack: dict[str, Any]) -> str:
    """Why a waiver covers nothing: what it was for is gone, or is another difference by now."""
    others = [found["digest"] for found in stack["findings"] if found["address"] == waiver["address"]]
    if others:
        return f"what is there is another difference ({', '.join(others)}) than the one that it names"
    return "there is nothing to waive; take it out"


def waiver_lines(found: dict[str, Any]) -> Iterator[str]:
    """What is said about a finding's waiver, if it has or had one."""
    for key, words in (("waiver", "waived until"), ("expired_waiver", "its waiver ended on")):
        if found[key]:
            waiver = found[key]
            yield f"{words} {waiver['until']} ({waiver['owner']}): {waiver['reason']}"


def place(found: dict[str, Any]) -> str:
    """`file:line:column` of a finding, or the file alone."""
    line = f":{found['line']}:{found['column']}" if found["line"] else ""
    return f"{found['file']}{line}"


def _colour(line: str, paint: Paint) -> str:
    shown = logged(line)
    colours = {"-": paint.red, "+": paint.green, "!": paint.yellow}
    return colours[line[0]](shown) if line[:1] in colours else shown


def _verdict(stack: dict[str, Any], paint: Paint) -> str:
    status = Status(stack["status"])
    return f"{_coloured(status, paint)}: {logged(stack['file'])}{counted(stack)}{undecided(stack)}"


def undecided(stack: dict[str, Any]) -> str:
    """`; not decided: …`, what the verdict leaves open beside the edge, of which `--verify` tells; '' for nothing."""
    names = [logged(name) for name in stack.get("coverage", {}).get("not_asked", []) if name != "the edge"]
    more = f" and {len(names) - MOST_ALIKE} more" if len(names) > MOST_ALIKE else ""
    return f"; not decided: {', '.join(names[:MOST_ALIKE])}{more}" if names else ""


def _coloured(status: Status, paint: Paint) -> str:
    colour = {Status.CLEAN: paint.green, Status.DRIFT: paint.red, Status.ERROR: paint.yellow}[status]
    return colour(WORDS[status])


def counted(stack: dict[str, Any]) -> str:
    """`, stack NAME (1 drift, 2 pending, 1 waived)`."""
    waived = sum(bool(found["waiver"]) for found in stack["findings"])
    counts = [f"{n} {kind}" for kind, n in stack["counts"].items() if n]
    listed = ", ".join([*counts, *([f"{waived} waived"] if waived else [])])
    name = f", stack {logged(stack['stack'])}" if stack["stack"] else ""
    return f"{name} ({listed})" if listed else name
