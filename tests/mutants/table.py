"""All mutants, by room."""

from __future__ import annotations

from tests.mutants import declare, findings, planning, proof, remote, usecases, verify

MUTANTS = (
    *planning.MUTANTS,
    *findings.MUTANTS,
    *remote.MUTANTS,
    *declare.MUTANTS,
    *verify.MUTANTS,
    *proof.MUTANTS,
    *usecases.MUTANTS,
)
