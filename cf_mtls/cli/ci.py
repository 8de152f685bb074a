"""`cf-mtls ci`: what a CI job does around a drift check; the action's steps are these and nothing else.

Rules of this file:
- `check` and `plan` use Cloudflare's token, `issue` and `comment` GitHub's; no verb runs where both are held.
- Between them are files: report.json is the interface, on GitHub, GitLab or in a crontab.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls.cli import console, drift
from cf_mtls.cli.ci_run import plan, verify
from cf_mtls.cli.ci_step import (
    FOLDER,
    Annotate,
    Files,
    Folder,
    Summary,
    begun,
    kept_out,
    listed,
    one_side,
    output,
    repository,
    summarised,
)
from cf_mtls.cli.options import now, witness
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity
from cf_mtls.report.terminal import harmless, plural

if TYPE_CHECKING:
    from cf_mtls.ci.github import GitHub

BAD_KEY = Code("ci.key", Severity.ERROR, Fault.INVOCATION, "a comment's key cannot be used")
NO_TEXT = Code("ci.nothing-to-say", Severity.ERROR, Fault.INVOCATION, "there is nothing to comment")

Reports = Annotated[list[str], typer.Argument(metavar="REPORT...", help="report.json of one or more checks.")]
Bot = Annotated[str, typer.Option("--bot", metavar="LOGIN", help="Whose issues and comments are ours.")]

BOT = "github-actions[bot]"

REPORTS = {"report-path": "report.json", "summary-path": "report.md", "junit-path": "report.xml"}
"""What a check leaves, by the outputs that say where."""


def register(app: typer.Typer) -> None:
    """Add the verb's sub-verbs."""
    ci = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Drift checks inside a CI job.")
    for verb in (check, plan, verify, gate, issue, comment):
        ci.command(verb.__name__)(one_side(verb))
    app.add_typer(ci, name="ci")


def check(
    files: Files = None,
    folder: Folder = FOLDER,
    verify: Annotated[
        bool, typer.Option("--verify", envvar="CF_MTLS_VERIFY", help="Also real requests.")
    ] = False,
    alarm: Annotated[
        list[str] | None, typer.Option("--alarm", metavar="CLASS", envvar="CF_MTLS_ALARM")
    ] = None,
    applied: Annotated[
        list[str] | None,
        typer.Option("--applied", metavar="PLANFILE", help="As for drift; else CF_MTLS_APPLIED, one a line."),
    ] = None,
    confirm: Annotated[
        float | None,
        typer.Option(
            "--confirm", metavar="SECONDS", min=0, help="As for drift; else CF_MTLS_CONFIRM, else 10."
        ),
    ] = None,
    summary: Summary = True,
    annotate: Annotate = True,
) -> int:
    """Check for drift and leave report.json, report.md and report.xml; outputs, summary and annotations too.

    Exit code 0 whatever was found, so that the steps after it run; `gate` says it with an exit code.
    """
    paths = begun(folder, REPORTS)
    asking = witness("httpx", None, None) if verify else None
    data, _ = drift.checked(
        listed(files, "CF_MTLS_FILES"),
        asking,
        listed(applied, "CF_MTLS_APPLIED"),
        timedelta(days=30),
        drift.classes(alarm or []),
        kept_out(),
        confirm=confirm,
    )
    json_path, md_path, xml_path = map(str, paths.values())
    drift.written(data, {"json": json_path, "markdown": md_path, "junit": xml_path})
    drift.say(data)
    _tell(data, {name: str(path) for name, path in paths.items()}, summary=summary, annotate=annotate)
    return Exit.OK


def _tell(data: dict[str, Any], paths: dict[str, str], *, summary: bool, annotate: bool) -> None:
    """Outputs, job summary and annotations, where GitHub's environment asks for them."""
    from cf_mtls.ci.outputs import annotated, outputs
    from cf_mtls.report.markdown import drift_markdown

    output(outputs(data, paths))
    if summary:
        summarised(drift_markdown(data["stacks"]))
    if annotate and console.environment("GITHUB_ACTIONS"):
        for line in annotated(data):
            console.command(line)


def gate(
    reports: Reports,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift/--no-fail-on-drift", envvar="CF_MTLS_FAIL_ON_DRIFT")
    ] = True,
) -> int:
    """Turn reports into an exit code: 0 clean, 2 drift, 1 could not check.

    --no-fail-on-drift lets drift pass, but never what could not be checked. Valid files of a fork's pull request,
    which cannot be checked there by anybody, end with 0; `status` stays `error`.
    """
    from cf_mtls.ci.event import is_only_kept_out
    from cf_mtls.ci.reading import gated
    from cf_mtls.planning.drift import EXITS
    from cf_mtls.report.drift_text import WORDS

    stacks = _stacks(reports)
    if stacks and all(map(is_only_kept_out, stacks)):
        console.say(
            f"{plural(len(stacks), 'plan file')} valid, and not checked: a fork's pull request has no token"
        )
        return Exit.OK
    state = gated(stacks, fail_on_drift=fail_on_drift)
    console.say(f"{plural(len(stacks), 'plan file')}: {WORDS[state]}")
    return EXITS[state]


def issue(
    reports: Reports,
    labels: Annotated[
        str, typer.Option("--labels", envvar="CF_MTLS_LABELS", help="By commas; the first finds the issues.")
    ] = "cf-mtls,drift",
    bot: Bot = BOT,
    most_new: Annotated[int, typer.Option("--most-new", metavar="NUMBER", min=0)] = 10,
) -> int:
    """Open, update, reopen or close one issue a stack. Uses GITHUB_TOKEN; no token of Cloudflare may be here.

    REPORT: of `ci check` or `drift --out`, and what `stacks --out` left. Exit code 1 when GitHub refused something; the
    next run does what is left.
    """
    from cf_mtls.ci.issue import Run, sync
    from cf_mtls.ci.reading import report, told

    read = [report(_bytes(name), name, ("drift", "stacks")) for name in reports]
    named = tuple(label.strip() for label in labels.split(",") if label.strip())
    run = Run(f"{now():%Y-%m-%dT%H:%M:%SZ}", _run_url(), bot, named or ("cf-mtls",))
    with _github() as github:
        done = sync(github, told(read, repository()), run, most_new)
    for line in done.lines or ["nothing to do"]:
        console.out(harmless(line))
    urls = [line.rpartition(" ")[2] for line in done.lines if "https://" in line]
    output({"issue-url": urls[0] if len(set(urls)) == 1 else ""})
    console.show(done.problems)
    return Exit.ERROR if done.problems else Exit.OK


def comment(
    number: Annotated[int, typer.Option("--number", metavar="NUMBER", help="Of the pull request.")],
    key: Annotated[str, typer.Option("--key", metavar="KEY", help="One comment for each key.")] = "drift",
    report: Annotated[str | None, typer.Option("--report", metavar="FILE", help="A report.json.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="FILE", help="Plain text, such as a plan's.")
    ] = None,
    bot: Bot = BOT,
) -> int:
    """Write a comment on a pull request, or update it in place. Uses GITHUB_TOKEN."""
    from cf_mtls.ci.comment import KEY, of_text, upsert
    from cf_mtls.report.markdown import LONGEST, drift_markdown

    if not KEY.fullmatch(key):
        raise Failure([BAD_KEY.found("--key takes a-z, 0-9 and hyphens.")], Exit.USAGE)
    if report:
        body = drift_markdown(_stacks([report]), LONGEST - 200)
    elif text:
        body = of_text(_bytes(text).decode("utf-8", "replace"))
    else:
        raise Failure([NO_TEXT.found("Neither --report nor --text was given.")], Exit.USAGE)
    with _github() as github:
        console.out(upsert(github, number, key, body, bot))
    return Exit.OK


def _stacks(names: list[str]) -> list[dict[str, Any]]:
    from cf_mtls.ci.reading import report

    return [stack for name in names for stack in report(_bytes(name), name)["stacks"]]


def _bytes(name: str) -> bytes:
    from cf_mtls.declare.files import read_bytes

    raw = read_bytes(Path(name))
    if isinstance(raw, Diagnostic):
        raise Failure([raw])
    return raw


def _github() -> GitHub:
    from cf_mtls.ci.github import GitHub

    return GitHub(
        console.environment("GITHUB_TOKEN") or "",
        console.environment("GITHUB_API_URL") or "https://api.github.com",
        console.environment("GITHUB_REPOSITORY") or "",
    )


def _run_url() -> str:
    server, repository = console.environment("GITHUB_SERVER_URL"), console.environment("GITHUB_REPOSITORY")
    run = console.environment("GITHUB_RUN_ID")
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
