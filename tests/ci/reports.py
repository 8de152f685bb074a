"""Report data by hand, as `drift --out` writes it."""

from __future__ import annotations

from typing import Any

from cf_mtls.planning.drift import Class

FILE = "plans/georgetown.yaml"
SCOPE = "account:0123456789abcdef0123456789abcdef"


def a_finding(kind: str = "drift", address: str = "application/jeann.net", **more: Any) -> dict[str, Any]:
    return {
        "class": kind, "address": address, "action": "update", "says": "is not as declared",
        "digest": "0123456789ab",
        "alarm": kind in {"drift", "weakened", "unenforced"}, "diff": ["  policies:", "-   old", "+   new"],
        "file": FILE, "line": 7, "column": 5, "waiver": None, "expired_waiver": None, **more,
    }  # fmt: skip


def a_stack(
    status: str = "drift", fp: str = "a", findings: list[Any] | None = None, **more: Any
) -> dict[str, Any]:
    usual = {"drift": [a_finding()], "error": [a_finding("could-not-check", "file.missing")], "clean": []}[
        status
    ]
    listed = usual if findings is None else findings
    return {
        "file": FILE, "stack": "georgetown", "scope": SCOPE, "status": status, "complete": status != "error",
        "fingerprint": fp * 64 if status == "drift" else "",
        "counts": {kind.value: sum(f["class"] == kind for f in listed) for kind in Class},
        "findings": listed, "unused_waivers": [], "notes": [], **more,
    }  # fmt: skip


def a_report(*stacks: dict[str, Any]) -> dict[str, Any]:
    states = {s["status"] for s in stacks}
    worst = next((s for s in ("drift", "error") if s in states), "clean")
    return {
        "cf_mtls": {"schema": 1, "version": "0", "kind": "drift"}, "status": worst,
        "complete": all(s["complete"] for s in stacks), "stacks": list(stacks),
    }  # fmt: skip
