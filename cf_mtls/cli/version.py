"""`cf-mtls version`: which program this is and what it stands on. No network."""

from __future__ import annotations

import json
import platform
from typing import Annotated

import typer

from cf_mtls import __version__
from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit

PACKAGES = (
    "cloudflare",
    "cryptography",
    "h2",
    "httpcore",
    "httpx",
    "pydantic",
    "pyOpenSSL",
    "PyYAML",
    "typer",
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("version")(version)


def version(
    as_json: Annotated[bool, typer.Option("--json", help="With what it stands on, as JSON.")] = False,
) -> int:
    """Print the version."""
    if not as_json:
        console.out(f"cf-mtls {__version__}")
        return Exit.OK
    from importlib.metadata import version as of

    packages = {name: of(name) for name in PACKAGES}
    console.out(
        json.dumps(
            {"version": __version__, "python": platform.python_version(), "packages": packages}, indent=2
        )
    )
    return Exit.OK
