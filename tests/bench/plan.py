"""What a plan of a small account takes: whole processes on loopback, the emulator in another process.

Beside it stand the bare import of the SDK, and the same lists read through the SDK's typed resources.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.accounts import small_stack
from tests.bench.rehearsal import rehearsing
from tests.bench.rounds import PYTHON, Program, interleaved
from tests.bench.table import Ask, Figure, Measured

BARE = 'python -c "import cloudflare"'
TYPED = "the same reads by the SDK's typed resources"
STRETCH = "cf-mtls plan, wall (a stretch)"
ROWS = (
    Ask("cf-mtls plan, wall", BARE, most=1.6),
    Ask("cf-mtls plan, CPU", BARE),
    Ask("cf-mtls plan, peak memory", BARE, "MB", most=1.6),
    Ask(STRETCH, TYPED, most=0.1),
)

TYPED_READS = """
import os
from cloudflare import Cloudflare
client, account = Cloudflare(), os.environ["CLOUDFLARE_ACCOUNT_ID"]
access = client.zero_trust.access
for listing in (access.certificates, access.applications, access.policies, access.groups):
    list(listing.list(account_id=account))
list(access.certificates.settings.get(account_id=account))
for zone in client.zones.list(account={"id": account}):
    list(access.certificates.list(zone_id=zone.id))
    list(access.applications.list(zone_id=zone.id))
"""


def measure(rounds: int = 15) -> Measured:
    """Wall and CPU time and peak memory of whole processes, the best of the rounds."""
    with tempfile.TemporaryDirectory() as folder, rehearsing() as emulator:
        file = small_stack(Path(folder))
        taken = interleaved(
            {
                BARE: Program([PYTHON, "-c", "import cloudflare"]),
                TYPED: Program([PYTHON, "-c", TYPED_READS], emulator.env),
                "plan": Program([PYTHON, "-m", "cf_mtls", "plan", str(file)], emulator.env),
            },
            rounds,
        )
    plan, bare, typed = taken["plan"], taken[BARE], taken[TYPED]
    return {
        "cf-mtls plan, wall": Figure(plan.wall_ms, bare.wall_ms),
        "cf-mtls plan, CPU": Figure(plan.cpu_ms, bare.cpu_ms),
        "cf-mtls plan, peak memory": Figure(plan.peak_mb, bare.peak_mb),
        STRETCH: Figure(plan.wall_ms, typed.wall_ms),
    }
