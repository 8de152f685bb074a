"""`cf-mtls ci plan` and `ci verify`: the verbs of the same name, with outputs and files for the steps after them.

Rules of this file:
- `status` and `drift` say for a plan whether there are changes, for a proof whether a door is not as declared.
- The exit code is the verb's own; the outputs and files are there whatever it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cf_mtls.cli import console, many
from cf_mtls.cli import plan as plan_verb
from cf_mtls.cli import verify as verify_verb
from cf_mtls.cli.ci_step import (
    FOLDER,
    Annotate,
    Files,
    Folder,
    Summary,
    begun,
    kept_out,
    listed,
    output,
    summarised,
    write,
)
from cf_mtls.cli.options import account, asked, hosts_elsewhere, mappings, now, plan_files
from cf_mtls.cli.plan_many import WORST_FIRST, planned, shown, verdict
from cf_mtls.cli.proof import Reports, as_data, witnesses
from cf_mtls.cli.validate import valid
from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.model.plan import Allowed
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cf_mtls.declare.search import Found
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.evidence import Proof
    from cf_mtls.model.plan import Plan

PLAN_FILES = {"plan-json": "plan.json", "summary-path": "plan.md", "text-path": "plan.txt"}
PROOF_FILES = {
    "report-path": "verify.json", "summary-path": "verify.md", "text-path": "verify.txt", "junit-path": "verify.xml",
}  # fmt: skip


def plan(
    files: Files = None, folder: Folder = FOLDER, summary: Summary = True, annotate: Annotate = True
) -> int:
    """Plan, and leave plan.md and, of one file, plan.json for apply; outputs, summary and annotations too.

    Exit codes: 0 planned, whether there are changes or not; 1 error; 4 refused.
    """
    from cf_mtls.ci.outputs import plan_outputs

    paths = begun(folder, PLAN_FILES)
    named = plan_files(listed(files, "CF_MTLS_FILES"))
    barred = kept_out()
    if barred:
        return _kept_out(named, barred, annotate=annotate)
    here = account()
    results = planned(named, here, Allowed(elsewhere=hosts_elsewhere(None)), destroy=False)
    codes = [shown(path, result) for path, result in results]
    for (path, result), code in zip(results, codes, strict=True):
        console.out(harmless(verdict(path, result, code)))
    console.whom(asked(here))
    many.account_for(named)
    made = [result for _, result in results if not isinstance(result, Failure)]
    worst = many.worst(codes, WORST_FIRST)
    where = {name: str(path) for name, path in paths.items() if name != "plan-json"}
    if len(results) == 1 and worst in {Exit.OK, Exit.DIFFERENCES}:
        plan_verb.save(made[0], paths["plan-json"])
        where["plan-json"] = str(paths["plan-json"])
    _tell(_plan_texts(results, str(asked(here))), paths, summary=summary)
    output({**plan_outputs(made, worst, len(results)), **where})
    _annotate((d for _, result in results for d in result.diagnostics), annotate=annotate)
    return Exit.OK if worst is Exit.DIFFERENCES else worst


def verify(
    files: Files = None, folder: Folder = FOLDER, summary: Summary = True, annotate: Annotate = True
) -> int:
    """Prove with real requests, and leave verify.json, verify.md and verify.xml; outputs and summary too.

    Uses no token. Exit codes: 0 proven, 1 could not tell, 3 not enforced as declared.
    """
    from cf_mtls.ci.outputs import proof_outputs
    from cf_mtls.report.junit import junit
    from cf_mtls.report.proof_many import worst

    paths = begun(folder, PROOF_FILES)
    named = plan_files(listed(files, "CF_MTLS_FILES"))
    barred = kept_out()
    if barred:
        return _kept_out(named, barred, annotate=annotate)
    proofs = verify_verb.proven(named, witnesses("httpx", None, None), mappings(None))
    Reports(searched=named).give(proofs)
    write(paths["report-path"], json.dumps(as_data(proofs, named), indent=2) + "\n")
    write(paths["junit-path"], junit(proofs))
    _tell(_proof_texts(proofs), paths, summary=summary)
    output({**proof_outputs(proofs), **{name: str(path) for name, path in paths.items()}})
    _annotate((d for proof in proofs for d in proof.problems), annotate=annotate)
    return worst(proofs)


def _kept_out(named: Found, barred: Diagnostic, *, annotate: bool) -> int:
    """A fork's pull request: the files are validated; status stays `error`, and only a wrong file fails the job."""
    wrong = [d for result in valid(named) if isinstance(result, Failure) for d in result.diagnostics]
    console.show(wrong)
    console.say(f"Not asked: {barred.code.summary}. {barred.detail}\n{barred.fix}")
    _annotate(wrong, annotate=annotate)
    return Exit.ERROR if wrong else Exit.OK


def _plan_texts(results: Sequence[tuple[Path, Plan | Failure]], whom: str) -> Iterable[str]:
    from cf_mtls.report.plan_text import plan_text
    from cf_mtls.report.terminal import Paint, messages

    for path, result in results:
        said = "" if isinstance(result, Failure) else plan_text(result, Paint(), now())
        parts = [f"== {harmless(str(path))}", said, messages(result.diagnostics, Paint()), whom]
        yield "\n\n".join(filter(None, parts))


def _proof_texts(proofs: Sequence[Proof]) -> Iterable[str]:
    from cf_mtls.report.proof_text import proof_text
    from cf_mtls.report.terminal import Paint, messages

    for proof in proofs:
        said = messages(proof.problems, Paint()) if proof.problems else proof_text(proof.found, Paint())
        yield f"== {harmless(proof.file)}\n\n{said}"


def _tell(texts: Iterable[str], paths: Mapping[str, Path], *, summary: bool) -> None:
    """The texts into a file, and as one block of Markdown into another and the job summary; the token is in none."""
    from cf_mtls.ci.comment import of_text
    from cf_mtls.report.safe import redacted

    token = account().token
    text = redacted("\n\n\n".join(texts), (token,) if token else ())
    markdown = of_text(text) + "\n"
    write(paths["text-path"], text + "\n")
    write(paths["summary-path"], markdown)
    if summary:
        summarised(markdown)


def _annotate(found: Iterable[Any], *, annotate: bool) -> None:
    from cf_mtls.ci.outputs import annotated_problems

    if annotate and console.environment("GITHUB_ACTIONS"):
        for line in annotated_problems([d for d in found if d.is_error]):
            console.command(line)
