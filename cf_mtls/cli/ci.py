"""`cf-mtls ci`: what a CI job does around a drift check; the action's steps are these and nothing else.

Rules of this file:
- `check` is the only one that uses Cloudflare's token; `issue` and `comment` the only ones that use GitHub's.
- Between them are files: report.json is the interface, on GitHub, GitLab or in a crontab.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls.cli import console, drift
from cf_mtls.cli.options import now, witness
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from cf_mtls.ci.github import GitHub

BOTH_TOKENS = Code("ci.both-tokens", Severity.ERROR, Fault.INVOCATION, "one step holds both tokens")
BAD_KEY = Code("ci.key", Severity.ERROR, Fault.INVOCATION, "a comment's key cannot be used")
NO_TEXT = Code("ci.nothing-to-say", Severity.ERROR, Fault.INVOCATION, "there is nothing to comment")

Reports = Annotated[list[str], typer.Argument(metavar="REPORT...", help="report.json of one or more checks.")]
Bot = Annotated[str, typer.Option("--bot", metavar="LOGIN", help="Whose issues and comments are ours.")]

BOT = "github-actions[bot]"


def register(app: typer.Typer) -> None:
    """Add the verb's sub-verbs."""
    ci = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Drift checks inside a CI job.")
    for name, verb in (("check", check), ("gate", gate), ("issue", issue), ("comment", comment)):
        ci.command(name)(verb)
    app.add_typer(ci, name="ci")


def check(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Else CF_MTLS_FILES, one a line.")
    ] = None,
    folder: Annotated[
        str, typer.Option("--folder", metavar="FOLDER", help="Where reports go.")
    ] = "cf-mtls-report",
    verify: Annotated[
        bool, typer.Option("--verify", envvar="CF_MTLS_VERIFY", help="Also real requests.")
    ] = False,
    alarm: Annotated[
        list[str] | None, typer.Option("--alarm", metavar="CLASS", envvar="CF_MTLS_ALARM")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary/--no-summary", envvar="CF_MTLS_SUMMARY")] = True,
    annotate: Annotated[bool, typer.Option("--annotate/--no-annotate", envvar="CF_MTLS_ANNOTATE")] = True,
) -> int:
    """Check for drift and leave report.json, report.md and report.xml; outputs, summary and annotations too.

    Exit code 0 whatever was found, so that the steps after it run; `gate` says it with an exit code.
    """
    _one_token("GITHUB_TOKEN", "CLOUDFLARE_API_TOKEN")
    _output({"status": "error", "drift": ""})  # what stands there when this step dies
    paths = _emptied(Path(folder))
    named = files or (console.environment("CF_MTLS_FILES") or "").split("\n")
    asking = witness("httpx", None, None) if verify else None
    data, _ = drift.checked(
        [n.strip() for n in named if n.strip()], asking, [], timedelta(days=30), drift.classes(alarm or [])
    )
    json_path, md_path, xml_path = map(str, paths.values())
    drift.written(data, {"json": json_path, "markdown": md_path, "junit": xml_path})
    console.out(drift.text(data))
    _tell(data, {name: str(path) for name, path in paths.items()}, summary=summary, annotate=annotate)
    return Exit.OK


def _emptied(where: Path) -> dict[str, Path]:
    """Where the reports go, by their outputs' names; those of an earlier run are gone, so that none is believed."""
    names = {"report-path": "report.json", "summary-path": "report.md", "junit-path": "report.xml"}
    try:
        where.mkdir(parents=True, exist_ok=True)
        for name in names.values():
            (where / name).unlink(missing_ok=True)
    except OSError as error:
        raise Failure([drift.UNWRITABLE.found(f"{where}: {error.strerror}.")]) from None
    return {output: where / name for output, name in names.items()}


def _tell(data: dict[str, Any], paths: dict[str, str], *, summary: bool, annotate: bool) -> None:
    """Outputs, job summary and annotations, where GitHub's environment asks for them."""
    from cf_mtls.ci.outputs import annotated, outputs
    from cf_mtls.report.markdown import drift_markdown

    _output(outputs(data, paths))
    target = console.environment("GITHUB_STEP_SUMMARY")
    if summary and target:
        drift.write(Path(target), drift_markdown(data["stacks"]), append=True)
    if annotate and console.environment("GITHUB_ACTIONS"):
        for line in annotated(data):
            console.out(line)


def _output(values: dict[str, str]) -> None:
    from cf_mtls.ci.outputs import output_text

    target = console.environment("GITHUB_OUTPUT")
    if target:
        drift.write(Path(target), output_text(values, secrets.token_hex(16)), append=True)


def gate(
    reports: Reports,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift/--no-fail-on-drift", envvar="CF_MTLS_FAIL_ON_DRIFT")
    ] = True,
) -> int:
    """Turn reports into an exit code: 0 clean, 2 drift, 1 could not check.

    --no-fail-on-drift lets drift pass, but never what could not be checked.
    """
    from cf_mtls.planning.drift import EXITS, Status, worst

    stacks = _stacks(reports)
    states = [Status(stack["status"]) for stack in stacks]
    if not fail_on_drift:
        states = [Status.CLEAN if stack["complete"] else Status.ERROR for stack in stacks]
    state = worst(states) if states else Status.ERROR
    console.say(f"{len(stacks)} checked: {state.value}")
    return EXITS[state]


def issue(
    reports: Reports,
    labels: Annotated[
        str, typer.Option("--labels", envvar="CF_MTLS_LABELS", help="By commas; the first finds the issues.")
    ] = "cf-mtls,drift",
    bot: Bot = BOT,
    most_new: Annotated[int, typer.Option("--most-new", metavar="NUMBER", min=0)] = 10,
) -> int:
    """Open, update, reopen or close one issue a stack. Uses GITHUB_TOKEN; no token of Cloudflare may be here."""
    from cf_mtls.ci.issue import Run, sync

    stacks = _stacks(reports)
    named = tuple(label.strip() for label in labels.split(",") if label.strip())
    run = Run(f"{now():%Y-%m-%dT%H:%M:%SZ}", _run_url(), bot, named or ("cf-mtls",))
    with _github() as github:
        done = sync(github, stacks, run, most_new)
    for line in done or ["nothing to do"]:
        console.out(_logged(line))
    urls = [line.rpartition(" ")[2] for line in done if "https://" in line]
    _output({"issue-url": urls[0] if len(set(urls)) == 1 else ""})
    return Exit.OK


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

    _one_token("CLOUDFLARE_API_TOKEN", "GITHUB_TOKEN")
    return GitHub(
        console.environment("GITHUB_TOKEN") or "",
        console.environment("GITHUB_API_URL") or "https://api.github.com",
        console.environment("GITHUB_REPOSITORY") or "",
    )


def _one_token(other: str, mine: str) -> None:
    """Refuse to run in a step that holds both: what leaks from one must not reach with the other."""
    if console.environment(other) and console.environment(mine):
        detail = f"{other} is set beside {mine}."
        fix = "Give each step its own token; between them are files."
        raise Failure([BOTH_TOKENS.found(detail, fix)], Exit.REFUSED)


def _run_url() -> str:
    server, repository = console.environment("GITHUB_SERVER_URL"), console.environment("GITHUB_REPOSITORY")
    run = console.environment("GITHUB_RUN_ID")
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _logged(line: str) -> str:
    from cf_mtls.report.safe import logged

    return logged(line)
