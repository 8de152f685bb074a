"""A drift report read again by a step that has no token of Cloudflare.

Rules of this file:
- The report may have travelled as an artifact: its shape is checked whole, and it is scrubbed once more.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Failure, Fault, Place, Severity
from cf_mtls.planning.drift import Class, Status
from cf_mtls.report.drift_data import SCHEMA
from cf_mtls.report.safe import scrubbed

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def report(raw: bytes, file: str) -> dict[str, Any]:
    """The report in a file. Raises Failure when it is none, or of another version.

    file: the name to show.
    """
    try:
        data = scrubbed(json.loads(raw, parse_int=_whole), ())
        _check(data)
    except RecursionError:
        raise Failure([NOT_A_REPORT.found(f"{file}: it nests too deep.", FIX, Place(file))]) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Failure([NOT_A_REPORT.found(f"{file}: {error}.", FIX, Place(file))]) from None
    found: dict[str, Any] = data
    return found


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        message = f"a number has {len(digits)} digits"
        raise ValueError(message)
    return int(digits)


def _check(data: Any) -> None:
    if (data["cf_mtls"]["schema"], data["cf_mtls"]["kind"]) != (SCHEMA, "drift"):
        message = f"this program reads drift reports of schema {SCHEMA}"
        raise ValueError(message)
    _typed(data, {"complete": bool, "stacks": list})
    Status(data["status"])
    for stack in data["stacks"]:
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
