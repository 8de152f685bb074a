"""A drift report read again by a step that has no token of Cloudflare.

Rules of this file:
- The report may have travelled as an artifact: its shape is checked whole, and it is scrubbed once more.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Failure, Fault, Place, Severity
from cf_mtls.planning.drift import Class, Status, worst
from cf_mtls.quick import dataclass
from cf_mtls.report.drift_data import SCHEMA
from cf_mtls.report.safe import scrubbed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOT_A_REPORT = Code("ci.report", Severity.ERROR, Fault.FILE, "the file is not a report of drift")

FIX = "Make one with:\n    cf-mtls drift --out drift.json"

STACK: dict[str, type | tuple[type, ...]] = {
    "file": str, "stack": str, "scope": str, "status": str, "complete": bool, "fingerprint": str,
    "counts": dict, "findings": list, "unused_waivers": list, "notes": list,
}  # fmt: skip
FINDING: dict[str, type | tuple[type, ...]] = {
    "class": str, "address": str, "action": str, "says": str, "digest": str, "alarm": bool, "diff": list,
    "file": str, "line": int, "column": int, "waiver": (dict, type(None)), "expired_waiver": (dict, type(None)),
}  # fmt: skip
WAIVER: dict[str, type | tuple[type, ...]] = {
    "address": str, "reason": str, "owner": str, "until": str, "line": int,
}  # fmt: skip

FINGERPRINT = re.compile(r"(?:[0-9a-f]{64})?")
LONGEST_NUMBER = 18
"""Digits of a number in a report: places and counts."""


def gated(stacks: Sequence[Mapping[str, Any]], *, fail_on_drift: bool = True) -> Status:
    """The state of these stacks of reports together; without fail_on_drift only whether all could be checked."""
    if fail_on_drift:
        return worst(Status(stack["status"]) for stack in stacks)
    return worst(Status.CLEAN if stack["complete"] else Status.ERROR for stack in stacks)


def report(raw: bytes, file: str, kinds: tuple[str, ...] = ("drift",)) -> dict[str, Any]:
    """The report in a file. Raises Failure when it is none, or of another version.

    file: the name to show. kinds: `drift`, and `stacks` for the account of folders that `cf-mtls stacks` leaves.
    """
    try:
        data = scrubbed(json.loads(raw, parse_int=_whole), ())
        _check(data, kinds)
    except RecursionError:
        raise Failure([NOT_A_REPORT.found(f"{file}: it nests too deep.", FIX, Place(file))]) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Failure([NOT_A_REPORT.found(f"{file}: {error}.", FIX, Place(file))]) from None
    found: dict[str, Any] = data
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What the reports of one run say together."""

    stacks: tuple[dict[str, Any], ...]
    """Each with its `repository`, by id or name, and its `path` in it."""
    covered: tuple[tuple[str, str], ...] = ()
    """Repository and folder: every plan file below was read and is in one of the reports, by name and scope."""

    def covers(self, repository: str, file: str) -> bool:
        """Whether a plan file at this path would have been found."""
        return any(
            place == repository and (folder == "" or file.startswith(f"{folder}/"))
            for place, folder in self.covered
        )


def told(reports: Sequence[dict[str, Any]], repository: str) -> Told:
    """The stacks of all the reports, and the folders that they cover together. repository: of reports that name none.

    A folder is covered only when no file of it, and no stack of the run, remained unknown; a run over named files
    covers none.
    """
    stacks = [
        {**stack, "repository": _repository(data, repository), "path": _path(data, stack["file"])}
        for data in reports
        for stack in data.get("stacks", [])
    ]
    found = {(s["repository"], s["path"]) for s in stacks}
    if not all(stack["stack"] and stack["scope"] for stack in stacks):
        return Told(tuple(stacks))
    covered = [
        (place, folder)
        for data in reports
        for place in [_repository(data, repository)]
        if data.get("files", {}).get("whole")
        and all((place, _path(data, file)) in found for file in data["files"]["plan_files"])
        for folder in [_path(data, name) for name in data["files"]["folders"]]
        if not folder.startswith(("/", ".."))
    ]
    return Told(tuple(stacks), tuple(dict.fromkeys(covered)))


def _repository(data: dict[str, Any], usual: str) -> str:
    return data.get("where", {}).get("repository") or usual


def _path(data: dict[str, Any], name: str) -> str:
    """A path as of the repository's root, '' for the root itself; what lies outside begins with `/` or `..`."""
    path = posixpath.normpath(posixpath.join(data.get("where", {}).get("directory", ""), name))
    return "" if path == "." else path


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        message = f"a number has {len(digits)} digits"
        raise ValueError(message)
    return int(digits)


def _check(data: Any, kinds: tuple[str, ...]) -> None:
    if data["cf_mtls"]["schema"] != SCHEMA or data["cf_mtls"]["kind"] not in kinds:
        message = f"this program reads drift reports of schema {SCHEMA}"
        raise ValueError(message)
    if "where" in data:
        _typed(data["where"], {"repository": str, "directory": str})
    if "files" in data:
        _typed(data["files"], {"whole": bool, "folders": list, "plan_files": list, "says": str})
        _all([*data["files"]["folders"], *data["files"]["plan_files"]], str)
    if data["cf_mtls"]["kind"] == "drift":
        _typed(data, {"complete": bool, "stacks": list})
        Status(data["status"])
        _check_stacks(data["stacks"])


def _check_stacks(stacks: list[Any]) -> None:
    for stack in stacks:
        _typed(stack, STACK)
        if Status(stack["status"]) is Status.CLEAN and not stack["complete"]:
            message = "a stack is clean and not complete"
            raise ValueError(message)
        _typed(stack.get("coverage", {}), {})
        _all((name for names in stack.get("coverage", {}).values() for name in names), str)
        if not FINGERPRINT.fullmatch(stack["fingerprint"]):
            message = "a fingerprint is not one"
            raise ValueError(message)
        _all(stack["counts"].values(), int)
        _all(stack["notes"], str)
        for waiver in stack["unused_waivers"]:
            _typed(waiver, WAIVER)
        for finding in stack["findings"]:
            _typed(finding, FINDING)
            Class(finding["class"])
            _all(finding["diff"], str)
            for waiver in (finding["waiver"], finding["expired_waiver"]):
                _typed(waiver, WAIVER if waiver else {})


def _all(values: Iterable[Any], kind: type) -> None:
    for value in values:
        _typed({"an item": value}, {"an item": kind})


def _typed(found: Any, shape: dict[str, type | tuple[type, ...]]) -> None:
    for name, kind in shape.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if type(found[name]) not in kinds:
            message = f"{name} is not a {kinds[0].__name__}"
            raise TypeError(message)
