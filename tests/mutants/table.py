"""All mutants, by room."""

from __future__ import annotations

from tests.mutants import ci, declare, findings, planning, proof, remote, usecases, verify

MUTANTS = (
    *planning.MUTANTS,
    *findings.MUTANTS,
    *remote.MUTANTS,
    *declare.MUTANTS,
    *ci.MUTANTS,
    *verify.MUTANTS,
    *proof.MUTANTS,
    *usecases.MUTANTS,
)
