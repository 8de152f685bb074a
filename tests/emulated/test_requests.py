"""How many requests: a whole account is read with few, side by side; counted by the emulator, never timed."""

from __future__ import annotations

import json
from pathlib import Path

from cf_mtls.emulator.server import Options, running
from tests.bench.accounts import FULL, state
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN, seen

MOST = 8


def test_a_full_account_is_planned_with_eight_reads(folder: Path) -> None:
    """50 CAs, 500 applications, 100 reusable policies and 50 groups: one request a list, and the zone's own two."""
    account = state(**FULL)
    for table in ("apps", "certificates"):
        account[table].pop()  # room for what the plan adds
    with running(Options(state=account)) as emulator:
        ready = emulator.ready
        held = lever(ready, "state")
        planned = run(folder, ready, "plan", PLAN, "--json")
        made = seen(ready)
    assert planned.returncode == 0, planned.stderr
    assert [len(held[t]) for t in ("certificates", "apps", "policies", "groups")] == [49, 499, 100, 50]
    assert {r["method"] for r in made} == {"GET"}
    assert len(made) == len({r["path"] for r in made}) <= MOST
    assert len(json.loads(planned.stdout)["resource_changes"]) == 3
