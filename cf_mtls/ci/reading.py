"""A drift report read again by a step that has no token of Cloudflare.

Rules of this file:
- The report may have travelled as an artifact: its shape is checked whole, and it is scrubbed once more.
"""

from __future__ import annotations

import json
from typing import Any

from cf_mtls.diagnostics import Code, Failure, Fault, Place, Severity
from cf_mtls.planning.drift import Class, Status
from cf_mtls.report.drift_data import SCHEMA
from cf_mtls.report.safe import scrubbed

NOT_A_REPORT = Code("ci.report", Severity.ERROR, Fault.FILE, "the file is not a report of drift")

STACK: dict[str, type] = {
    "file": str, "stack": str, "scope": str, "status": str, "complete": bool, "fingerprint": str,
    "counts": dict, "findings": list, "unused_waivers": list, "notes": list,
}  # fmt: skip
FINDING: dict[str, type] = {
    "class": str, "address": str, "action": str, "says": str, "digest": str, "alarm": bool, "diff": list,
    "file": str, "line": int, "column": int,
}  # fmt: skip


def report(raw: bytes, file: str) -> dict[str, Any]:
    """The report in a file. Raises Failure when it is none, or of another version.

    file: the name to show.
    """
    try:
        data = scrubbed(json.loads(raw), ())
        _check(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fix = "Make one with:\n    cf-mtls drift --out drift.json"
        raise Failure([NOT_A_REPORT.found(f"{file}: {error}.", fix, Place(file))]) from None
    found: dict[str, Any] = data
    return found


def _check(data: Any) -> None:
    if (data["cf_mtls"]["schema"], data["cf_mtls"]["kind"]) != (SCHEMA, "drift"):
        message = f"this program reads drift reports of schema {SCHEMA}"
        raise ValueError(message)
    Status(data["status"])
    for stack in data["stacks"]:
        _typed(stack, STACK)
        Status(stack["status"])
        for finding in stack["findings"]:
            _typed(finding, FINDING)
            Class(finding["class"])


def _typed(found: Any, shape: dict[str, type]) -> None:
    for name, kind in shape.items():
        if type(found[name]) is not kind:
            message = f"{name} is not a {kind.__name__}"
            raise TypeError(message)
