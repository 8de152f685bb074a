"""The environment of the programs that this one starts: named, small, and without any token.

Rules of this file:
- Every child gets what `environment` returns and nothing else; a test reads the code for calls without it.
- Passed on are the names in the tables below. No proxy: every probe client asks the edge directly, as httpx does.
  No folder of PATH that is relative, which would be one of the checkout.
  No LD_*, no NODE_OPTIONS, no GIT_*, no SSLKEYLOGFILE: they change what a program does or write down secrets.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVERYWHERE = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")
"""What every child gets, where it is set."""

SERVERS_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Which CAs servers are judged by: curl must use those that httpx uses."""

CONFIGURATION = ("HOME", "XDG_CONFIG_HOME")
"""Where git's `safe.directory` of this user is; without it git refuses a checkout that somebody else owns."""

PYTHON = ("PYTHONPATH",)
"""How an interpreter finds the packages that this one found."""

DRIVER = (*PYTHON, "PLAYWRIGHT_NODEJS_PATH")
"""As PYTHON, and the Node.js of a Playwright that comes without one."""


def environment(
    also: Sequence[str] = (), more: Mapping[str, str] | None = None, held: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables for a child: EVERYWHERE and `also` as far as they are held, then `more` with its own values.

    held: this process's environment.
    """
    passed = {name: held[name] for name in (*EVERYWHERE, *also) if name in held}
    if "PATH" in passed:
        passed["PATH"] = _absolute(passed["PATH"])
    return {**passed, **(more or {})}


def which(name: str, held: Mapping[str, str] = os.environ) -> str | None:
    """The path of a program, None when it is in no folder of PATH. A folder below this one does not count."""
    return shutil.which(name, path=_absolute(held.get("PATH", os.defpath)))


def _absolute(path: str) -> str:
    """PATH without its empty and relative entries: they are folders of the checkout that a job stands in."""
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if entry.startswith("/"))
