"""`cf-mtls demo`: the whole story on the emulator, without an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo() -> int:
    """Tell the whole story on the emulator: open, plan, apply, 403, 200, and a change behind our back.

    Needs no account, leaves nothing behind. Exit codes: 0 as told, 1 otherwise.
    """
    from cf_mtls.story import tell

    tell(console.out)
    console.out(
        "\nThat was an emulator on this machine. With your own account: write a plan file, then run\n"
        "    cf-mtls plan plans/NAME.yaml"
    )
    return Exit.OK
