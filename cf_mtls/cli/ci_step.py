"""What the steps of a CI job share: outputs, a folder for reports, one token each, text that is no command.

Rules of this file:
- One step never holds both tokens: what leaks from one must not reach with the other.
- Reports of an earlier run are gone before anything is done, so that none is believed.
"""

from __future__ import annotations

import errno
import json
import secrets
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls import input_file, output_file
from cf_mtls.cli import console
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cf_mtls.diagnostics import Diagnostic

BOTH_TOKENS = Code("ci.both-tokens", Severity.ERROR, Fault.INVOCATION, "one step holds both tokens")
UNWRITABLE = Code("drift.out", Severity.ERROR, Fault.INVOCATION, "a report cannot be written there")

Files = Annotated[
    list[str] | None, typer.Argument(metavar="[FILE]...", help="Else CF_MTLS_FILES, one a line.")
]
Folder = Annotated[str, typer.Option("--folder", metavar="FOLDER", help="Where reports go.")]
Summary = Annotated[bool, typer.Option("--summary/--no-summary", envvar="CF_MTLS_SUMMARY")]
Annotate = Annotated[bool, typer.Option("--annotate/--no-annotate", envvar="CF_MTLS_ANNOTATE")]

FOLDER = "cf-mtls-report"


CLOUDFLARES = (
    "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN_FILE", "CLOUDFLARE_API_KEY", "CLOUDFLARE_API_USER_SERVICE_KEY",
    "CF_API_TOKEN", "CF_API_KEY",
)  # fmt: skip
"""Where a credential of Cloudflare stands, for this program or for others in the same step."""

GITHUBS = ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_ENTERPRISE_TOKEN")
"""Where one of GitHub stands. Not ACTIONS_ID_TOKEN_REQUEST_TOKEN: it writes nothing at GitHub, no step can take it out
of its environment, and it is how a job gets Cloudflare's token from a store."""


def one_side(verb: Callable[..., int]) -> Callable[..., int]:
    """The verb, refused (4) in a step that holds credentials of both sides, before it does anything."""

    @wraps(verb)
    def guarded(*words: Any, **more: Any) -> int:
        cloudflares, githubs = (
            [n for n in names if console.environment(n)] for names in (CLOUDFLARES, GITHUBS)
        )
        if cloudflares and githubs:
            detail = f"{', '.join(githubs)} beside {', '.join(cloudflares)}."
            fix = "Give each step its own token, and set the other to nothing; between them are files."
            raise Failure([BOTH_TOKENS.found(detail, fix)], Exit.REFUSED)
        return verb(*words, **more)

    return guarded


def listed(named: list[str] | None, variable: str) -> list[str]:
    """The names given as arguments, else those in an environment variable, one a line."""
    names = named or (console.environment(variable) or "").split("\n")
    return [name.strip() for name in names if name.strip()]


def begun(folder: str, names: Mapping[str, str]) -> dict[str, Path]:
    """Where the reports go, by their outputs' names; the outputs say `error`, as they must if this step dies."""
    output({"status": "error", "drift": ""})
    return cleared(folder, names)


def cleared(folder: str, names: Mapping[str, str]) -> dict[str, Path]:
    """Where reports go, by their outputs' names, with none of an earlier run there. Raises Failure."""
    where = Path(folder)
    try:
        where.mkdir(parents=True, exist_ok=True)
        if where.is_symlink():
            raise OSError(errno.ELOOP, "the folder of the reports is a symbolic link")
        for name in names.values():
            (where / name).unlink(missing_ok=True)
    except OSError as error:
        raise Failure([UNWRITABLE.found(f"{where}: {error.strerror}.")]) from None
    return {name: where / file for name, file in names.items()}


def repository() -> str:
    """Where the checkout comes from: the id that outlives a new name, else owner/name, '' when nobody says it."""
    return console.environment("GITHUB_REPOSITORY_ID") or console.environment("GITHUB_REPOSITORY") or ""


def where() -> dict[str, str]:
    """`repository`, and `directory`, this folder's path in it, '' at its root and where there is none."""
    here = Path.cwd()
    named = console.environment("GITHUB_WORKSPACE")
    roots = [Path(named).resolve()] if named else [p for p in (here, *here.parents) if (p / ".git").exists()]
    inside = [root for root in roots if here.is_relative_to(root)][:1]
    path = here.relative_to(inside[0]).as_posix() if inside else "."
    return {"repository": repository(), "directory": "" if path == "." else path}


def output(values: Mapping[str, str]) -> None:
    """Set outputs of the step, where GitHub's environment asks for them."""
    from cf_mtls.ci.outputs import output_text

    target = console.environment("GITHUB_OUTPUT")
    if target:
        write(Path(target), output_text(values, secrets.token_hex(16)), append=True)


def summarised(markdown: str) -> None:
    """Add to the job summary, where there is one."""
    target = console.environment("GITHUB_STEP_SUMMARY")
    if target:
        write(Path(target), markdown, append=True)


def write(path: Path, said: str, *, append: bool = False) -> None:
    """Write or append to a file. Raises Failure when that cannot be done."""
    raw = said.encode("utf-8", "backslashreplace")  # a file's name need not be text
    if append:
        with output_file.appending(path, UNWRITABLE) as stream:
            stream.write(raw)
    else:
        output_file.write(path, raw, UNWRITABLE)


def kept_out() -> Diagnostic | None:
    """Why this job must not ask the account: it has no token because its pull request is a fork's; else None."""
    from cf_mtls.ci import event

    held = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN_FILE")
    file = console.environment("GITHUB_EVENT_PATH")
    if any(map(console.environment, held)) or not file:
        return None
    raw = input_file.read(Path(file), input_file.LARGEST_REPORT)
    try:
        found = json.loads(raw) if isinstance(raw, bytes) else None
    except (RecursionError, ValueError):
        return None
    return event.kept_out() if event.is_from_fork(found) else None
