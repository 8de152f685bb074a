"""From readings to findings: what is well, what is not, and what to do about it.

Rules of this file:
- Pure. A check is a row; its name is stable and documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.remote import account_checks, host_checks

if TYPE_CHECKING:
    from cf_mtls.remote.doctor import Readings
    from cf_mtls.remote.findings import Declared, Finding

CHECKS = {**account_checks.CHECKS, **host_checks.CHECKS}


def diagnose(readings: Readings, declared: Declared) -> tuple[Finding, ...]:
    """Every finding, in the order of the checks."""
    return tuple(finding for check in CHECKS.values() for finding in check(readings, declared))
