"""A proof as data: `verdicts`, one object each, and `summary` with the counts.

Rules of this file:
- Members are added, never renamed. No cookie, key or passphrase is in what this is made from.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cf_mtls.model.evidence import Outcome
from cf_mtls.report import proof_many
from cf_mtls.report.proof_text import sentence
from cf_mtls.verify.claim import claim
from cf_mtls.verify.proofs import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.evidence import Dossier, Proof, Verdict


def proofs_json(proofs: Sequence[Proof]) -> dict[str, Any]:
    """Many files' proofs in the shape of one, each verdict with its `file`; and `stacks`, what became of each."""
    together = proof_json(proof_many.together(proofs))
    files = [proof.file for proof in proofs for _ in proof.found.verdicts]
    return {
        **together,
        "verdicts": [
            {**verdict, "file": file} for verdict, file in zip(together["verdicts"], files, strict=True)
        ],
        "verdict": proof_many.sentence(proofs),
        "exit_code": int(proof_many.worst(proofs)),
        "stacks": [_stack(proof) for proof in proofs],
    }


def _stack(proof: Proof) -> dict[str, Any]:
    return {
        "file": proof.file,
        "summary": summary(proof.found.verdicts),
        "claim": claim_json(proof.found),
        "verdict": proof_many.said(proof),
        "exit_code": int(proof_many.exit_of(proof)),
        "problems": [_problem(problem) for problem in proof.problems],
    }


def _problem(problem: Diagnostic) -> dict[str, Any]:
    place = problem.place
    return {
        "severity": problem.code.severity.value,
        "code": problem.code.code,
        "summary": problem.code.summary,
        "detail": problem.detail,
        "fix": problem.fix,
        "file": place.file if place else None,
        "line": place.line if place else 0,
        "column": place.column if place else 0,
    }


def proof_json(found: Dossier) -> dict[str, Any]:
    """The proof as JSON-ready values."""
    return {
        "verdicts": [_verdict(verdict) for verdict in found.verdicts],
        "summary": summary(found.verdicts),
        "verdict": sentence(found),
        "exit_code": int(claim(found).exit),
        "claim": claim_json(found),
        "asked": found.whom.data(),
        "handshakes": [
            {
                "host": h.host,
                "asked": h.asked,
                "ca_names": list(h.names),
                "tls_version": h.version or None,
                "failure": h.failure or None,
                "reached": h.reached,
            }
            for h in found.handshakes
        ],
        "expiries": [
            {"kind": e.kind, "name": e.name, "not_after": f"{e.not_after:%Y-%m-%dT%H:%M:%SZ}"}
            for e in found.expiries
        ],
        "notes": list(found.notes),
    }


def claim_json(found: Dossier) -> dict[str, Any]:
    """What may be said, URL by URL."""
    made = claim(found)
    return {
        "standing": made.standing.value,
        "looked_at": found.extent.value,
        "proven": list(made.proven),
        "open": [{"url": g.url, "client": g.who or None, "why": g.why} for g in made.gaps],
        "not_provable_here": list(made.elsewhere),
        "application_not_named": list(made.unnamed),
        "not_reached": list(made.unreached),
    }


def summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many passed, failed and could not be told."""
    count = Counter(verdict.outcome for verdict in verdicts)
    return {outcome.value: count[outcome] for outcome in Outcome}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    probe, evidence = verdict.probe, verdict.evidence
    return {
        "url": probe.url,
        "proof": probe.proof,
        "required": probe.proof in REQUIRED,
        "client": probe.who,
        "expected": probe.expected.value,
        "got": verdict.got.value,
        "status": evidence.status,
        "verdict": verdict.outcome.value,
        "ray": evidence.header("cf-ray"),
        "ms": evidence.ms,
        "why": verdict.why,
        "application": probe.target.application,
        "witness": evidence.witness,
        "command": evidence.command or None,
    }
