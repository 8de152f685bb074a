"""The certificates of the examples in plans/: made anew, under the names that the plans give them.

What is committed in plans/certs was made by `make` too; the keys were never kept.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cf_mtls.pki.authority import Authority, root

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC) - timedelta(minutes=5)
YEAR = 365.0
DEVICES = ("pump-1", "pump-2", "valve-1")


def _bank() -> dict[str, tuple[Authority, dict[str, str]]]:
    top = root("Bank Partner Root", now=NOW, days=30 * YEAR)
    issuing = top.intermediate("Bank Partner Issuing CA", now=NOW, days=20 * YEAR)
    return {"partner-bank-chain": (issuing, {
        "partner-bank-probe": "probe.bank.example", "partner-bank-former": "former.partner.example",
        "partner-bank-north": "north.partner.example",
    })}  # fmt: skip


def _fleet() -> dict[str, tuple[Authority, dict[str, str]]]:
    top = root("Fleet Root", now=NOW, days=30 * YEAR)
    sites = {
        site: top.intermediate(f"Fleet Site {site}", now=NOW, days=20 * YEAR) for site in ("penang", "bergen")
    }
    return {f"iot-fleet-{site}": (ca, _devices(site)) for site, ca in sites.items()}


def _devices(site: str) -> dict[str, str]:
    return {f"iot-fleet-{site}-{device}": f"{site}-{device}.fleet.example" for device in DEVICES}


def _rotation() -> dict[str, tuple[Authority, dict[str, str]]]:
    old, new = (root(f"Gateway Root {name}", now=NOW, days=30 * YEAR) for name in ("old", "new"))
    return {
        "rotation-old": (old, {"rotation-not-yet-moved": "gateway-2.rotation.example"}),
        "rotation-new": (new, {"rotation-moved": "gateway-1.rotation.example"}),
    }


EXAMPLES = {"partner-bank": _bank, "iot-fleet": _fleet, "rotation": _rotation}
UNDECLARED = frozenset({"partner-bank-north"})
"""A partner's own certificate: the plan never sends it."""


def make(name: str, certs: Path, *, keys: bool) -> None:
    """Write an example's chains and clients into a folder, with their private keys or without."""
    for chain, (authority, clients) in EXAMPLES[name]().items():
        (certs / f"{chain}.pem").write_text(authority.chain.pem, "ascii")
        for file, common_name in clients.items():
            identity = authority.issue(common_name, now=NOW, days=15 * YEAR)
            if keys or file not in UNDECLARED:
                (certs / f"{file}.pem").write_text(identity.certificate_pem, "ascii")
            if keys:
                (certs / f"{file}.key").write_text(identity.key_pem, "ascii")
