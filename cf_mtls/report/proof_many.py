"""The proofs of many files together: a verdict line each, one sentence, one exit code.

Rules of this file:
- A file that could not be asked is "could not tell", like a probe that could not; it never counts as proven.
- The worst counts: not enforced, then could not tell, then proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Exit
from cf_mtls.model.asked import NOBODY
from cf_mtls.model.evidence import Dossier, Extent
from cf_mtls.report import proof_text
from cf_mtls.report.proof_text import numbers
from cf_mtls.report.terminal import harmless
from cf_mtls.verify.claim import claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.evidence import Proof
    from cf_mtls.report.terminal import Paint

WORDS = {Exit.VERIFY_FAILED: "not enforced", Exit.ERROR: "could not tell", Exit.OK: "proven"}
"""The worst first."""


def exit_of(proof: Proof) -> Exit:
    """3, 1 or 0, as the claim is; 1 for a file that could not be asked."""
    return Exit.ERROR if proof.problems else claim(proof.found).exit


def worst(proofs: Sequence[Proof]) -> Exit:
    """The worst of their exit codes; 1 when there are none, because then nothing is proven."""
    codes = set(map(exit_of, proofs)) or {Exit.ERROR}
    return next(code for code in WORDS if code in codes)


def said(proof: Proof) -> str:
    """What became of one file, in a few words."""
    if proof.problems:
        return f"it could not be asked: {proof.problems[0].code.summary}"
    return numbers(proof.found.verdicts) if proof.found.verdicts else "it declares no applications"


def verdict_line(proof: Proof, paint: Paint) -> str:
    """`proven: plans/a.yaml: 9 passed, 0 failed`."""
    code = exit_of(proof)
    colour = {Exit.OK: paint.green, Exit.VERIFY_FAILED: paint.red}.get(code, paint.yellow)
    return f"{colour(WORDS[code])}: {harmless(proof.file)}: {said(proof)}"


def sentence(proofs: Sequence[Proof]) -> str:
    """`3 files: 1 not enforced, 2 proven.`; of one file, its own."""
    if len(proofs) == 1 and not proofs[0].problems:
        return proof_text.sentence(proofs[0].found)
    codes = [exit_of(proof) for proof in proofs]
    counts = [f"{codes.count(code)} {word}" for code, word in WORDS.items() if code in codes]
    return f"{len(proofs)} files: {', '.join(counts)}."


def together(proofs: Sequence[Proof]) -> Dossier:
    """Everything that was found out, one file after the other; a note says whose it is."""
    found = [proof.found for proof in proofs]
    return Dossier(
        tuple(verdict for one in found for verdict in one.verdicts),
        tuple(dict.fromkeys(handshake for one in found for handshake in one.handshakes)),
        tuple(dict.fromkeys(expiry for one in found for expiry in one.expiries)),
        tuple(
            f"{proof.file}: {note}" if len(proofs) > 1 else note
            for proof in proofs
            for note in proof.found.notes
        ),
        found[0].extent if found else Extent.FILE,
        next((one.whom for one in found if one.whom != NOBODY), NOBODY),
    )
