"""`cf-mtls plan` of many files: planned side by side, shown one after the other, a verdict line each.

Rules of this file:
- One pace and one budget of requests for all; a file that fails is shown and hides no other.
- The worst code wins: an error, then a refusal, then differences.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.cli.options import account, now
from cf_mtls.diagnostics import Exit, Failure, has_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cf_mtls.model.plan import Plan
    from cf_mtls.workflow import Allowed

AT_ONCE = 4

WORST_FIRST = (Exit.ERROR, Exit.REFUSED, Exit.DIFFERENCES, Exit.OK)


def plan_many(paths: Sequence[Path], allowed: Allowed, *, destroy: bool, detailed: bool) -> int:
    """The exit code of planning all of these files; each plan and each failure has been shown."""
    from concurrent.futures import ThreadPoolExecutor

    from cf_mtls import workflow

    here, moment = account(), now()

    def made(path: Path) -> Plan | Failure:
        try:
            return workflow.plan(workflow.validate(path, moment), here, allowed, destroy=destroy)
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(zip(paths, pool.map(made, paths), strict=True))
    codes = [_shown(path, result) for path, result in results]
    for (path, result), code in zip(results, codes, strict=True):
        console.out(_verdict(path, result, code))
    worst = next(code for code in WORST_FIRST if code in codes)
    return Exit.OK if worst is Exit.DIFFERENCES and not detailed else worst


def _shown(path: Path, result: Plan | Failure) -> Exit:
    """What one file comes to, once it was shown."""
    from cf_mtls.report.plan_text import plan_text

    paint = console.paint_for(sys.stdout)
    if isinstance(result, Failure):
        console.show(result.diagnostics)
        return result.exit_code
    console.out(f"{paint.bold(f'== {path}')}\n{plan_text(result, paint, now())}\n")
    console.show(result.diagnostics)
    if has_errors(result.diagnostics):
        return Exit.REFUSED
    return Exit.OK if result.is_empty else Exit.DIFFERENCES


def _verdict(path: Path, result: Plan | Failure, code: Exit) -> str:
    from cf_mtls.report.plan_text import summary

    words = {Exit.OK: "no changes", Exit.DIFFERENCES: "changes", Exit.REFUSED: "refused", Exit.ERROR: "error"}
    counts = "" if isinstance(result, Failure) or result.is_empty else f": {summary(result)}"
    return f"{words[code]}: {path}{counts}"
