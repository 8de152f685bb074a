"""The program: its verbs, and the one place where exceptions become exit codes.

Rules of this file:
- A verb is a row in `VERBS`; its file is imported when the verb is asked for, and no other, so that start is fast.
- Verbs return their exit code. Typer's own usage errors (2) become 64: 2 means differences, nothing else.
- A traceback is never shown, unless CF_MTLS_TRACEBACK asks for it (`console.bug`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HELP = """Cloudflare Access mutual TLS, declared, applied and proven.

Exit codes: 0 fine, 1 error or could not tell, 2 differences, 3 verification failed,
4 refused, 64 usage, 130 interrupted."""

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "Tell the whole story on the emulator."),
    "init": ("init", "Write a first plan file."),
    "import": ("importer", "Write a plan file for what the account holds."),
    "doctor": ("doctor", "Find what stands in the way, before anything is tried."),
    "validate": ("validate", "Check a plan file and its certificates."),
    "plan": ("plan", "Show what apply would change."),
    "apply": ("apply", "Do what plan shows, then verify it with real requests."),
    "verify": ("verify", "Ask every declared URL with and without certificates."),
    "drift": ("drift", "Compare the account with what is declared, by class."),
    "stacks": ("stacks", "List the plan files below a folder."),
    "ci": ("ci", "Check for drift inside a CI job."),
    "show": ("show", "Show what the account holds, or a saved plan."),
    "explain": ("explain", "Say who can get in at a URL, and why."),
    "pki": ("pki", "Judge, inspect, make and export certificates."),
    "emulate": ("emulate", "Run a small Cloudflare to rehearse against."),
    "schema": ("schema", "Print the JSON Schema of a plan file."),
    "completion": ("completion", "Print a completion script for a shell."),
    "version": ("version", "Print the version."),
}
"""Verb to the file of this folder that offers it as `register`, and its line in the help; help shows this order."""

PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}


class Verbs(Mapping[str, Any]):
    """Each verb's Typer command, imported and built when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        """The command. Raises KeyError when there is no such verb."""
        file, _ = VERBS[name]
        alone = typer.Typer(**PLAIN)
        alone.callback()(_root)
        import_module(f"cf_mtls.cli.{file}").register(alone)
        return typer.main.get_group(alone).commands[name]

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of help."""
        return iter(VERBS)

    def __len__(self) -> int:
        """How many verbs there are."""
        return len(VERBS)


class Program(TyperGroup):
    """The program's group of verbs; it prints its help without importing any."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.commands = Verbs()  # type: ignore[assignment]  # Typer only reads it

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the shape is Typer's
        """The verbs with a line each."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


def _root() -> None:
    pass  # one verb or many, the program's shape is the same


def application() -> typer.Typer:
    """The Typer application with every verb."""
    app = typer.Typer(cls=Program, help=HELP, no_args_is_help=True, **PLAIN)
    app.callback()(_root)
    return app


def run(arguments: Sequence[str]) -> int:
    """The exit code of running the program on these arguments; every failure has been shown on stderr."""
    console.plain_where_needed()
    try:
        result = application()(args=list(arguments), standalone_mode=False, prog_name="cf-mtls")
        return result if isinstance(result, int) else Exit.OK
    except Failure as failure:
        console.show(failure.diagnostics)
        return failure.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.say("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has left; nothing more can be said
        return Exit.ERROR
    except Exception as error:  # noqa: BLE001 - the last door: nothing may end in a traceback
        return _usage(error) if hasattr(error, "show") else _bug(error)


def _usage(error: Any) -> int:
    error.show()
    return Exit.USAGE if error.exit_code in {1, 2} else int(error.exit_code)


def _bug(error: Exception) -> int:
    console.show([console.bug(error)])
    return Exit.ERROR
