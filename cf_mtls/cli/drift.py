"""`cf-mtls drift`: has anything changed that nobody declared? Only reads."""

from __future__ import annotations

import json
import re
import secrets
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls import output_file
from cf_mtls.cli import console, proof
from cf_mtls.cli.ci_step import UNWRITABLE, where, write
from cf_mtls.cli.options import (
    CaCert,
    ConnectTo,
    HostElsewhere,
    PlanFiles,
    WitnessName,
    account,
    asked,
    hosts_elsewhere,
    now,
    plan_files,
    witness,
)
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity
from cf_mtls.model.asked import NOBODY

if TYPE_CHECKING:
    from cf_mtls.planning.drift import Class, Status

BAD_CLASS = Code("drift.unknown-class", Severity.ERROR, Fault.INVOCATION, "a class of findings is not known")
BAD_CONFIRM = Code(
    "drift.confirm", Severity.ERROR, Fault.INVOCATION, "the time after which alarms are confirmed is none"
)
BAD_DATE = Code("drift.until", Severity.ERROR, Fault.INVOCATION, "a date cannot be read")
NO_OWNER = Code("drift.no-owner", Severity.ERROR, Fault.INVOCATION, "a waiver needs an owner")

WAIVED_DAYS = 30
"""How long the waivers of an onboarding hold."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("drift")(drift)


def drift(
    files: PlanFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="The JSON into a file.")] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE", help="Also as Markdown.")
    ] = None,
    junit: Annotated[str | None, typer.Option("--junit", metavar="FILE", help="Also as JUnit XML.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Also prove with real requests.")] = False,
    connect_to: ConnectTo = None,
    cacert: CaCert = None,
    witness_name: WitnessName = "httpx",
    applied: Annotated[
        list[str] | None,
        typer.Option(
            "--applied",
            metavar="PLANFILE",
            help="The plan that was applied last, saved; or a folder. Without it nothing is pending.",
        ),
    ] = None,
    confirm: Annotated[
        float | None,
        typer.Option(
            "--confirm",
            metavar="SECONDS",
            min=0,
            help="Read an alarm again after this time; 0: never. Else CF_MTLS_CONFIRM, else 10 in CI and 0 elsewhere.",
        ),
    ] = None,
    host_elsewhere: HostElsewhere = None,
    expiring_within: Annotated[
        int,
        typer.Option(
            "--expiring-within",
            metavar="DAYS",
            help="Report what ends sooner; within 7, always.",
            min=0,
            max=36500,
        ),
    ] = 30,
    alarm: Annotated[
        list[str] | None,
        typer.Option("--alarm", metavar="CLASS", help="Exit 2 for this class too, such as pending."),
    ] = None,
    write_waivers: Annotated[
        bool,
        typer.Option("--write-waivers", help="Put today's alarms into the file as waivers; see --owner."),
    ] = False,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="NAME", help="Who answers for them.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Their last day; else in 30 days.")
    ] = None,
) -> int:
    """Compare the account with what is declared, by class. Only reads.

    Alarms: drift, weakened, unenforced, and what ends within 7 days. The rest informs.

    Exit codes: 0 clean, 2 drift, 1 could not check; of several files the worst: 2, then 1, then 0.
    """
    if write_waivers and not owner:
        raise Failure([NO_OWNER.found("--write-waivers was given without --owner NAME.")], Exit.USAGE)
    last = _date(until)
    for name in filter(None, (out, markdown, junit)):
        output_file.check(Path(name), UNWRITABLE)
    asking = witness(witness_name, connect_to, cacert) if verify else None
    data, status = checked(
        files,
        asking,
        applied or [],
        timedelta(days=expiring_within),
        classes(alarm or []),
        confirm=confirm,
        elsewhere=host_elsewhere,
        connect_to=connect_to,
    )
    written(data, {"json": out, "markdown": markdown, "junit": junit})
    if as_json:
        console.data(json.dumps(data, indent=2, sort_keys=True))
    else:
        say(data)
    if write_waivers and owner:
        from cf_mtls.cli.waivers import waive

        waive(data["stacks"], owner, last)
    return exit_of(status)


def checked(
    files: list[str] | None,
    asking: Any,
    applied: list[str],
    within: timedelta,
    alarming: frozenset[Class],
    kept_out: Diagnostic | None = None,
    *,
    confirm: float | None = None,
    elsewhere: list[str] | None = None,
    connect_to: list[str] | None = None,
) -> tuple[dict[str, Any], Status]:
    """The report on these files (folders are searched), and its state.

    kept_out: why the account must not be asked; the files are read all the same. connect_to: where the edge is.
    """
    from cf_mtls import checking
    from cf_mtls.cli import applied_plans
    from cf_mtls.cli.history import declared_before
    from cf_mtls.planning.drift import Status
    from cf_mtls.report.drift_data import drift_data
    from cf_mtls.report.safe import scrubbed

    searched = plan_files(files)  # none of them would not be clean, but a failure
    here, moment = account(), now()
    plans, said = applied_plans.read(applied)
    wanted = checking.Asked(
        moment,
        within,
        alarming,
        plans,
        declared_before(moment),
        asking,
        proof.open_what_can_be,
        console.bug,
        kept_out,
        seconds_to_confirm(confirm),
        here.pace.clock.sleep,
        hosts_elsewhere(elsewhere),
        lambda: here.pace.run.heard(0, emulated=True),
        proof.given_passphrase,
        searched.is_whole,
        searched.unread,
        said,
        console.variables(),
    )
    found = [applied_plans.none_for(c, applied, plans) for c in checking.check(searched.paths, here, wanted)]
    whom = NOBODY if kept_out else asked(here, connect_to, edge=asking is not None)
    data = drift_data(found, moment, (here.token,) if here.token else (), whom, searched.data)
    data["where"] = scrubbed(where(), ())
    return data, Status(data["status"])


CONFIRM_S = 10.0
"""Seconds after which an alarm is read again in CI."""


def seconds_to_confirm(typed: float | None) -> float:
    """After how long an alarm is read again: as typed, as the environment says, else in CI alone."""
    if typed is not None:
        return typed
    named = console.environment("CF_MTLS_CONFIRM")
    if named is None:
        return CONFIRM_S if console.environment("CI") else 0.0
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", named):
        fix = "Write seconds, such as CF_MTLS_CONFIRM=10, or 0 for no second read."
        raise Failure([BAD_CONFIRM.found(f"CF_MTLS_CONFIRM is {named[:40]}.", fix)], Exit.USAGE)
    return float(named)


def exit_of(status: Status) -> int:
    """The exit code of a state."""
    from cf_mtls.planning.drift import EXITS

    return EXITS[status]


def say(data: dict[str, Any]) -> None:
    """Print the report; in GitHub Actions between words that stop commands, besides what `console` does."""
    from cf_mtls.report.drift_text import drift_text

    word = secrets.token_hex(16) if console.environment("GITHUB_ACTIONS") else ""
    if word:
        console.command(f"::stop-commands::{word}")
    console.out(drift_text(data, console.paint_for(sys.stdout)))
    if word:
        console.command(f"::{word}::")


def written(data: dict[str, Any], names: dict[str, str | None]) -> None:
    """Write the report in the named forms. Raises Failure when a file cannot be written."""
    from cf_mtls.report.junit_drift import drift_junit
    from cf_mtls.report.markdown import drift_markdown

    forms = {
        "json": lambda: json.dumps(data, indent=2, sort_keys=True) + "\n",
        "markdown": lambda: drift_markdown(data["stacks"]),
        "junit": lambda: drift_junit(data),
    }
    for form, name in names.items():
        if name:
            write(Path(name), forms[form]())


def classes(names: list[str]) -> frozenset[Class]:
    """The classes that alarm: these besides the usual ones. Raises Failure (usage) for an unknown one."""
    from cf_mtls.planning.drift import ALARMING, Class

    known = set(Class) - {Class.UNCHECKED}
    for name in names:
        if name not in known:
            fix = f"Known: {', '.join(sorted(known))}."
            raise Failure([BAD_CLASS.found(f"{name} is not a class.", fix)], Exit.USAGE)
    return ALARMING | {Class(name) for name in names}


def _date(until: str | None) -> date:
    try:
        return date.fromisoformat(until) if until else (now() + timedelta(days=WAIVED_DAYS)).date()
    except ValueError:
        raise Failure([BAD_DATE.found(f"{until} is not a date such as 2027-01-31.")], Exit.USAGE) from None
