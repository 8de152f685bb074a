"""Today's alarms as waivers for a plan file: how checks begin on an account that has drifted already.

Rules of this file:
- Text to append; nothing of the file is rewritten, so its comments stay.
- Each waiver covers the one difference that was seen, and ends.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date


def waivers_yaml(
    stack: dict[str, Any], owner: str, reason: str, until: date, *, with_key: bool = True
) -> str:
    """The waivers as YAML, '' when there is no alarm. with_key: below a `waivers:` line."""
    rows = [
        f"  - address: {json.dumps(found['address'])}\n"
        f"    reason: {json.dumps(reason)}\n"
        f"    owner: {json.dumps(owner)}\n"
        f"    until: {until.isoformat()}\n"
        f"    finding: {json.dumps(found['digest'])}\n"
        for found in stack["findings"]
        if found["alarm"]
    ]
    return ("waivers:\n" if with_key else "") + "".join(rows) if rows else ""
