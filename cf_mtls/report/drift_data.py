"""A drift check as data: the one shape from which text, Markdown, JUnit, annotations and issues are made.

Rules of this file:
- No times and no counters of days outside of `says`, so that a report can be compared with yesterday's.
- Everything is scrubbed here, before any renderer sees it.
- Reports are read again by steps without a token, so the shape is checked on the way in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls import __version__
from cf_mtls.model.asked import NOBODY, Asked
from cf_mtls.planning.drift import Class, worst
from cf_mtls.report.plan_text import attributes
from cf_mtls.report.safe import scrubbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cf_mtls.model.coverage import Coverage
    from cf_mtls.model.plan import Change
    from cf_mtls.model.waiver import Waiver
    from cf_mtls.planning.drift import Checked, Finding

SCHEMA = 1

Json = dict[str, Any]


def drift_data(
    checked: Sequence[Checked],
    now: datetime,
    secrets: tuple[str, ...],
    whom: Asked = NOBODY,
    files: Json | None = None,
) -> Json:
    """The whole report. now: aware UTC, for words about what ends; secrets: never shown; whom: whom it asked.

    files: the account of the folders that were searched, when any were.
    """
    made = {
        "cf_mtls": {"schema": SCHEMA, "version": __version__, "kind": "drift"},
        "status": worst(c.status for c in checked).value,
        "complete": all(c.is_whole for c in checked),
        "asked": whom.data(),
        "stacks": [{**_stack(c, now), "asked": str(whom)} for c in checked],
        **({"files": files} if files and files["folders"] else {}),
    }
    scrubbed_data: Json = scrubbed(made, secrets)
    return scrubbed_data


def _stack(checked: Checked, now: datetime) -> Json:
    return {
        "file": checked.file,
        "stack": checked.stack,
        "scope": checked.scope,
        "status": checked.status.value,
        "complete": checked.is_whole,
        "coverage": _coverage(checked.coverage),
        "fingerprint": checked.fingerprint,
        "counts": {kind.value: sum(f.kind is kind for f in checked.findings) for kind in Class},
        "findings": [_finding(f, checked, now) for f in checked.findings],
        "unused_waivers": [_waiver(w) for w in checked.unused],
        "notes": [f"{d.code.summary} [{d.code.code}]: {d.detail}" for d in checked.notes],
    }


def _coverage(coverage: Coverage) -> Json:
    """What was read, what the claim rests on and was not, and what nobody asked for, by name."""
    return {
        "read": sorted(coverage.read - coverage.unread.keys()),
        "missing": list(coverage.missing),
        "unread": sorted(coverage.unread),
        "not_asked": sorted(coverage.not_asked),
    }


def _finding(finding: Finding, checked: Checked, now: datetime) -> Json:
    place = finding.place
    return {
        "class": finding.kind.value,
        "address": finding.address,
        "action": finding.change.action.value if finding.change else "",
        "says": finding.says,
        "digest": finding.digest,
        "alarm": checked.is_alarm(finding),
        "diff": list(_lines(finding.change, now)) if finding.change else [],
        "file": place.file if place else checked.file,
        "line": place.line if place else 0,
        "column": place.column if place else 0,
        "waiver": _waiver(finding.waiver) if finding.waiver else None,
        "expired_waiver": _waiver(finding.expired) if finding.expired else None,
    }


def _waiver(waiver: Waiver) -> Json:
    return {
        "address": waiver.address,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "until": waiver.until.isoformat(),
        "line": waiver.place.line if waiver.place else 0,
    }


def _lines(change: Change, now: datetime) -> Iterator[str]:
    """The difference as lines: `-` what the account has, `+` what the file declares."""
    before = dict(attributes(change.before, now)) if change.before else {}
    after = dict(attributes(change.after, now)) if change.after else {}
    for name in [n for n in {**before, **after} if n in change.attributes]:
        old, new = before.get(name, []), after.get(name, [])
        yield f"  {name}:"
        yield from (f"-   {line}" for line in old if line not in new)
        yield from (f"+   {line}" for line in new if line not in old)
        if sorted(old) == sorted(new):
            yield from (f"!   {line}" for line in new)
