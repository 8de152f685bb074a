"""Accounts to measure with: as the emulator loads them, and the plan file of a small stack inside.

Rules of this file:
- Nothing here is random but keys; the sizes are arguments.
- The full account is the one of the design: 50 CAs, 500 applications, 100 reusable policies, 50 groups.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.pki.authority import root

if TYPE_CHECKING:
    from pathlib import Path

ZONE = "jeann.net"
FULL = {"cas": 50, "apps": 500, "policies": 100, "groups": 50}
SERVICE_AUTH = {"name": "valid", "decision": "non_identity", "include": [{"certificate": {}}]}


def state(cas: int, apps: int, policies: int, groups: int) -> dict[str, Any]:
    """An account of that size, by other hands: every CA on its own hostnames, a reusable policy on every app."""
    now = datetime.now(UTC)
    ids = [f"00000000-0000-4000-8000-{n:012x}" for n in range(max(policies, groups))]
    hosts = [f"h{n}.{ZONE}" for n in range(apps)]
    return {
        "zones": [ZONE],
        "groups": [
            {"id": ids[n], "name": f"group {n}", "include": [{"email": {"email": f"u{n}@{ZONE}"}}]}
            for n in range(groups)
        ],
        "policies": [
            {"id": ids[n], **SERVICE_AUTH, "name": f"policy {n}", "require": [{"group": {"id": ids[n % groups]}}]}
            for n in range(policies)
        ],
        "certificates": [
            {
                "name": f"ca {n}",
                "certificate": root(f"CA {n}", now=now).chain.pem,
                "associated_hostnames": hosts[n::cas],
            }
            for n in range(cas)
        ],
        "apps": [
            {
                "name": f"app {n}",
                "type": "self_hosted",
                "domain": f"{hosts[n]}/a",
                "policies": [{"id": ids[n % policies], "precedence": 1}],
            }
            for n in range(apps)
        ],
    }  # fmt: skip


def small_stack(folder: Path) -> Path:
    """The example of the README with its certificates and a client's key; the path of the plan file."""
    now = datetime.now(UTC)
    clients = root("Georgetown Root CA", now=now).intermediate("Georgetown Clients CA", now=now)
    jean = clients.issue("jean", now=now)
    certs = folder / "plans" / "certs"
    certs.mkdir(parents=True)
    (folder / "plans" / "georgetown.yaml").write_text(GEORGETOWN, "utf-8")
    (certs / "certchain.pem").write_text(clients.chain.pem, "ascii")
    (certs / "clientcert.pem").write_text(jean.certificate_pem, "ascii")
    (certs / "clientcert.key").write_text(jean.key_pem, "ascii")
    (certs / "clientcert.key").chmod(0o600)
    return folder / "plans" / "georgetown.yaml"
