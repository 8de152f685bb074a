"""`cf-mtls schema`: the JSON Schema of a plan file, for editors. No network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("schema")(schema)


def schema() -> int:
    """Print the JSON Schema (draft-07) of a plan file. init and import write it beside the plan."""
    from cf_mtls.declare.schema import text

    console.data(text().rstrip("\n"))
    return Exit.OK
