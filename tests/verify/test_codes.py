"""Every code of proofs is documented."""

from __future__ import annotations

import re
from pathlib import Path

from cf_mtls.cli import options, proof
from cf_mtls.diagnostics import Code
from cf_mtls.pki import pkcs12
from cf_mtls.verify import connect, proofs


def test_every_code_of_proofs_is_documented() -> None:
    """DIAGNOSTICS.md has each with its severity and summary, and no others of those families."""
    text = (Path(__file__).parents[2] / ".github" / "DIAGNOSTICS.md").read_text("utf-8")
    rows = re.findall(r"^\| `((?:verify|pkcs12)\.[a-z0-9-]+)` \| (\w+) \| ([^|]+) \|", text, re.MULTILINE)
    modules = (options, proof, pkcs12, connect, proofs)
    found = {c for m in modules for c in vars(m).values() if isinstance(c, Code)}
    families = {
        (c.code, c.severity.value, c.summary) for c in found if c.code.startswith(("verify.", "pkcs12."))
    }
    assert sorted(rows) == sorted(families)
