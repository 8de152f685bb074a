"""How an apply ended: what was done, and what was proven of it afterwards.

Rules of this file:
- The last line, the JSON, the journal and the exit code come from one claim: *applied and not proven* is never taken
  for *not applied*.
- Without the proof nothing is called proven, and that is said.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from cf_mtls import output_file
from cf_mtls.cli import console, proof
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.model.asked import NOBODY, Asked
from cf_mtls.quick import dataclass
from cf_mtls.report.terminal import plural

if TYPE_CHECKING:
    from pathlib import Path

    from cf_mtls.cli.journal import Journal
    from cf_mtls.model.evidence import Dossier
    from cf_mtls.model.plan import Plan
    from cf_mtls.planning.saved import Saved
    from cf_mtls.proving import Subject
    from cf_mtls.remote.pace import Pace
    from cf_mtls.verify.claim import Claim
    from cf_mtls.verify.witness import Witness

UNRECORDED = Code(
    "apply.record", Severity.ERROR, Fault.INVOCATION, "what was applied cannot be recorded there"
)
UNVERIFIED = "not verified"


@dataclass(frozen=True, slots=True)
class Ran:
    """What an apply did before it proves anything. steps: None when there was nothing to do."""

    steps: int | None
    path: Path
    journal: Journal
    as_json: bool = False
    whom: Asked = NOBODY
    lost: bool = False
    """Whether what was applied was to be recorded and could not be."""

    @property
    def done(self) -> str:
        """`Applied` or `Nothing to do`."""
        return "Nothing to do" if self.steps is None else "Applied"

    def end(self, outcome: str, code: Exit, why: str, found: Dossier | None = None) -> int:
        """The exit code, after everything that tells how it ended. outcome: as in `proven`; why: one sentence."""
        code = Exit.ERROR if self.lost and code is Exit.OK else code
        self.journal.write("proof", outcome=outcome, why=why)
        self.journal.outcome = outcome
        if self.as_json:
            console.data(json.dumps(self._data(outcome, code, found), indent=2))
        else:
            console.out(console.paint_for(sys.stdout).bold(f"{self.done}, {outcome}."))
        return code

    def _data(self, outcome: str, code: Exit, found: Dossier | None) -> dict[str, Any]:
        from cf_mtls.report.proof_json import proof_json

        ran = {"applied": True, "steps": self.steps or 0, "outcome": outcome, "exit_code": int(code)}
        return {**ran, "asked": self.whom.data(), "proof": proof_json(found) if found else None}


def record(made: Plan, saved: Saved | None, file: Path) -> bool:
    """Write what was applied, whole, as a saved plan; whether that failed, which is said and undoes nothing.

    saved: the plan as it was saved, of which an earlier run may have done a part.
    """
    from cf_mtls.planning.planfile import saved_of, text, written

    try:
        output_file.write(file, text(written(saved or saved_of(made))).encode("utf-8"), UNRECORDED)
    except Failure as failure:
        console.show(failure.diagnostics)
        return True
    console.say(f"What was applied is recorded in {file}.")
    return False


def not_applied(*, as_json: bool) -> None:
    """Say in JSON, when that was asked for, that the run ended before everything was done."""
    if as_json:
        console.data(json.dumps({"applied": False, "outcome": "not applied", "proof": None}, indent=2))


def unproven(ran: Ran) -> int:
    """The end of a run whose proof was left out with --no-verify."""
    console.say(
        f"--no-verify: no request was made, so nothing is proven. To prove it:\n    cf-mtls verify {ran.path}"
    )
    return ran.end(UNVERIFIED, Exit.OK, "--no-verify")


def prove(ran: Ran, asked: Subject, asking: Witness, pace: Pace, deadline_s: float) -> int:
    """The end of a run whose proof is made now, again and again until nothing fails or the deadline passes."""
    from cf_mtls import proving
    from cf_mtls.model.evidence import Dossier, Proof
    from cf_mtls.report.proof_text import sentence
    from cf_mtls.verify.claim import claim

    if not asked.probes:
        return ran.end("nothing to prove", Exit.OK, "no application is declared, and none was removed")
    live = proof.live_line()
    verdicts = proving.verify_until(asked, asking, proof.patience(pace, deadline_s, live))
    live.end()
    found = Dossier(verdicts, notes=asked.notes, extent=asked.extent, asked=ran.whom)
    if not ran.as_json:
        console.out()
        proof.Reports().give([Proof("", found)])
    made = claim(found)
    return ran.end(words(made), made.exit, sentence(found), found)


def words(made: Claim) -> str:
    """`proven`, `not proven` or `not enforced as declared`, with the number of URLs that are open."""
    if made.exit is Exit.OK:
        return "proven"
    if made.exit is Exit.VERIFY_FAILED:
        return "not enforced as declared"
    urls = {gap.url for gap in made.gaps}
    return f"not proven at {plural(len(urls), 'URL')}" if urls else "not provable here"
