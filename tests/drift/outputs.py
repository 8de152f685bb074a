"""Everything that a check says, in every form: what each of them claims, by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from cf_mtls.ci.github import Post
from cf_mtls.ci.issue import Deed, Run, body, deeds
from cf_mtls.ci.outputs import annotated, outputs
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.junit_drift import drift_junit
from cf_mtls.report.markdown import drift_markdown
from cf_mtls.report.terminal import Paint

GOOD = "good"
"""What a form says when nothing is to be done."""
ALARM = "alarm"
UNTOLD = "could not check"


def said(data: dict[str, Any]) -> dict[str, str]:
    """What each form of a report of one stack comes to; of forms that say nothing of it what they leave open."""
    (stack,) = data["stacks"]
    words = outputs(data, {})
    return {
        "status": {"clean": GOOD, "drift": ALARM, "error": UNTOLD}[data["status"]],
        "complete": _complete(data["complete"], stack),
        "text": _first(drift_text(data, Paint()).splitlines()[-1]),
        "markdown": _markdown(drift_markdown(data["stacks"])),
        "junit": _junit(drift_junit(data)),
        "output status": {"clean": GOOD, "drift": ALARM, "error": UNTOLD}[words["status"]],
        "output drift": {"false": GOOD, "true": ALARM, "": UNTOLD}[words["drift"]],
        "summary": _first(words["summary"].partition("1 ")[2].replace("checked: ", "")),
        "annotations": _annotations([*annotated(data)], stack),
        "issue": _issue(stack),
    }


def _complete(whole: bool, stack: dict[str, Any]) -> str:
    """Whole with an alarm is one; whole without is good; not whole is never good."""
    alarms = any(f["alarm"] for f in stack["findings"])
    return ALARM if alarms else GOOD if whole else UNTOLD


def _first(line: str) -> str:
    words = {
        "clean": GOOD,
        "drift": ALARM,
        "drifted": ALARM,
        "could not check": UNTOLD,
        "could not be checked": UNTOLD,
    }
    return next(
        kind for word, kind in sorted(words.items(), reverse=True) if word in line.partition(", stack")[0]
    )


def _markdown(text: str) -> str:
    if "Nothing to report" in text or "cf-mtls: clean" in text:
        return GOOD
    return ALARM if "### cf-mtls: drift" in text else UNTOLD


def _junit(text: str) -> str:
    root = ET.fromstring(text)  # noqa: S314 - our own
    if root.findall(".//failure"):
        return ALARM
    return UNTOLD if root.findall(".//error") else GOOD


def _annotations(lines: list[str], stack: dict[str, Any]) -> str:
    if not lines:
        return GOOD
    return ALARM if any(f["alarm"] for f in stack["findings"]) else UNTOLD


def _issue(stack: dict[str, Any]) -> str:
    """What becomes of an issue that an earlier drift opened: closed is good, edited or left alone is not."""
    run = Run("2026-01-01T00:00:00Z", "", "bot", ("cf-mtls",))
    earlier = {**stack, "fingerprint": "0" * 64}
    post = Post(1, "bot", body(earlier, None, run), is_open=True)
    done = deeds(stack, post)
    if Deed.CLOSE in done or Deed.SAY_RESOLVED in done:
        return GOOD
    return ALARM if Deed.EDIT in done else UNTOLD


def worst(kinds: list[str]) -> str:
    """The worst of what was said."""
    return next(kind for kind in (ALARM, UNTOLD, GOOD) if kind in kinds)


def from_files(folder: Path) -> dict[str, Any]:
    """The report that `ci check` left."""
    data: dict[str, Any] = json.loads((folder / "cf-mtls-report/report.json").read_text("utf-8"))
    return data
