"""Everything that a check says, in every form: what each of them claims, by its name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from cf_mtls.ci.github import Post
from cf_mtls.ci.issue import Run, sync
from cf_mtls.ci.outputs import annotated, outputs
from cf_mtls.ci.reading import Told, gated
from cf_mtls.planning.drift import Status
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.junit_drift import drift_junit
from cf_mtls.report.markdown import drift_markdown
from cf_mtls.report.terminal import Paint

GOOD = "good"
"""What a form says when nothing is to be done."""
ALARM = "alarm"
UNTOLD = "could not check"
BY_STATE = {Status.CLEAN: GOOD, Status.DRIFT: ALARM, Status.ERROR: UNTOLD}


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
        "gate": BY_STATE[gated(data["stacks"])],
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


class _Issues:
    """The issues of one repository, in memory, as `GitHub` has them."""

    def __init__(self) -> None:
        self.posts: dict[int, Post] = {}

    def issues(self, _: str) -> list[Post]:
        return list(self.posts.values())

    def create(self, _: str, text: str, __: list[str]) -> Post:
        self.posts[len(self.posts) + 1] = made = Post(len(self.posts) + 1, "bot", text)
        return made

    def edit(self, number: int, changes: dict[str, str]) -> None:
        old = self.posts[number]
        is_open = changes.get("state", "open" if old.is_open else "closed") == "open"
        self.posts[number] = replace(old, body=changes.get("body", old.body), is_open=is_open)

    def comments(self, _: int) -> list[Post]:
        return []

    def comment(self, _: int, __: str) -> None:
        pass


def _issue(stack: dict[str, Any]) -> str:
    """What becomes of an issue that an earlier drift opened: closed is good, edited or left alone is not."""
    github: Any = _Issues()
    here = {**stack, "repository": "1", "path": stack["file"]}
    for at, now in (("2026-01-01T00:00:00Z", {**here, "status": "drift", "fingerprint": "0" * 64}),
                    ("2026-01-02T00:00:00Z", here)):  # fmt: skip
        sync(github, Told((now,)), Run(at, "", "bot", ("cf-mtls",)), 1)
    (post,) = github.posts.values()
    return GOOD if not post.is_open else ALARM if "2026-01-02" in post.body else UNTOLD


def worst(kinds: list[str]) -> str:
    """The worst of what was said."""
    return next(kind for kind in (ALARM, UNTOLD, GOOD) if kind in kinds)


def from_files(folder: Path) -> dict[str, Any]:
    """The report that `ci check` left."""
    data: dict[str, Any] = json.loads((folder / "cf-mtls-report/report.json").read_text("utf-8"))
    return data
