"""`cf-mtls show`: what the account holds, or what a saved plan would do."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console
from cf_mtls.cli.options import account, asked
from cf_mtls.diagnostics import Diagnostic, Exit, Failure

if TYPE_CHECKING:
    from cf_mtls.planning.saved import Saved


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("show")(show)


def show(
    planfile: Annotated[
        str | None, typer.Argument(metavar="[PLANFILE]", help="A plan saved by plan --out; else the account.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """Show what the account (or zone) of the environment holds, whose it is and how long it lasts. Only reads.

    With PLANFILE: show a saved plan, without the network.
    """
    if planfile:
        return _show_plan(Path(planfile), as_json=as_json)
    from cf_mtls import workflow
    from cf_mtls.report.account_text import account_json, account_text

    where, now = account(), datetime.now(UTC)
    state = workflow.actual(where)
    if as_json:
        data = {**account_json(state, now), "asked": asked(where).data()}
        console.data(json.dumps(data, indent=2))
    else:
        console.out(account_text(state, console.paint_for(sys.stdout), now))
        console.whom(asked(where))
    return Exit.OK


def _show_plan(path: Path, *, as_json: bool) -> int:
    from cf_mtls.declare.files import read_bytes
    from cf_mtls.planning.planfile_reader import load

    raw = read_bytes(path)
    if isinstance(raw, Diagnostic):
        raise Failure([raw])
    saved = load(raw, str(path))
    if as_json:
        console.data(raw.decode("utf-8").rstrip("\n"))
    else:
        console.out(_text(saved))
        console.whom(saved.inputs.asked)
    return Exit.OK


def _text(saved: Saved) -> str:
    from cf_mtls.model.plan import Plan
    from cf_mtls.model.state import State
    from cf_mtls.report.plan_text import plan_text

    before = State((c.address, c.before) for c in saved.changes if c.before is not None)
    after = State((c.address, c.after) for c in saved.changes if c.after is not None)
    made = Plan(
        saved.stack,
        saved.scope,
        before,
        after,
        saved.changes,
        saved.steps,
        (),
        saved.promise,
        left_out=saved.left_out,
    )
    return f"{plan_text(made, console.paint_for(sys.stdout), datetime.now(UTC))}\nDigest {saved.digest}"
