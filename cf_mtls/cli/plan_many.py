"""`cf-mtls plan` of many files: planned side by side, shown one after the other, a verdict line each.

Rules of this file:
- One pace and one budget of requests for all; a file that fails is shown and hides no other.
- The worst code wins: an error, then a refusal, then differences.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cf_mtls.cli import console, many
from cf_mtls.cli.options import account, asked, now
from cf_mtls.diagnostics import Exit, Failure, has_errors
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from pathlib import Path

    from cf_mtls.declare.search import Found
    from cf_mtls.model.plan import Allowed, Plan
    from cf_mtls.workflow import Account

WORST_FIRST = (Exit.ERROR, Exit.REFUSED, Exit.DIFFERENCES, Exit.OK)


def plan_many(found: Found, allowed: Allowed, *, destroy: bool, detailed: bool) -> int:
    """The exit code of planning all of these files; each plan and each failure has been shown."""
    here = account()
    results = planned(found, here, allowed, destroy=destroy)
    codes = [shown(path, result) for path, result in results]
    console.whom(asked(here))
    for (path, result), code in zip(results, codes, strict=True):
        console.out(harmless(verdict(path, result, code)))
    many.account_for(found)
    if detailed:
        codes = [_detailed(result, code) for (_, result), code in zip(results, codes, strict=True)]
    worst = many.worst(codes, WORST_FIRST)
    return Exit.OK if worst is Exit.DIFFERENCES and not detailed else worst


def _detailed(result: Plan | Failure, code: Exit) -> Exit:
    return code if isinstance(result, Failure) or code is Exit.REFUSED else ends(result)


def ends(made: Plan) -> Exit:
    """What a plan that was not refused comes to: 2 changes, 0 none, 1 where that could not be decided."""
    from cf_mtls.report.plan_text import no_changes

    if not made.is_empty:
        return Exit.DIFFERENCES
    return Exit.OK if made.left_out or no_changes(made) else Exit.ERROR


def planned(
    found: Found, here: Account, allowed: Allowed, *, destroy: bool
) -> list[tuple[Path, Plan | Failure]]:
    """Each file with its plan, or why there is none."""
    from cf_mtls import workflow

    moment, refused = now(), many.refused(found)

    def made(path: Path) -> Plan:
        if path in refused:
            raise refused[path]
        return workflow.plan(
            workflow.validate(path, moment, console.variables()), here, allowed, destroy=destroy
        )

    return list(zip(found.paths, many.side_by_side(found.paths, made), strict=True))


def shown(path: Path, result: Plan | Failure) -> Exit:
    """What one file comes to, once it was shown."""
    from cf_mtls.report.plan_text import plan_text

    paint = console.paint_for(sys.stdout)
    if isinstance(result, Failure):
        console.show(result.diagnostics)
        return result.exit_code
    console.out(f"{paint.bold(f'== {harmless(str(path))}')}\n{plan_text(result, paint, now())}\n")
    console.show(result.diagnostics)
    if has_errors(result.diagnostics):
        return Exit.REFUSED
    return Exit.OK if result.is_empty else Exit.DIFFERENCES


def verdict(path: Path, result: Plan | Failure, code: Exit) -> str:
    """`plans/a.yaml: Plan: 1 to add, 0 to change, 0 to destroy.`, behind the path `refused` or `error` where it is."""
    from cf_mtls.report.plan_text import verdict as verdict_of

    words = {Exit.OK: "", Exit.DIFFERENCES: "", Exit.REFUSED: "refused"}
    said = "" if isinstance(result, Failure) else verdict_of(result)
    return ": ".join(filter(None, (str(path), words.get(code, "error"), said)))
