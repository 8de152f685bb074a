"""The program: its verbs, and the one place where exceptions become exit codes.

Rules of this file:
- A verb is a row in `VERBS`; its file imports nothing heavy at the top, so that `--help` stays fast.
- Verbs return their exit code. Typer's own usage errors (2) become 64: 2 means differences, nothing else.
- A traceback is never shown, unless CF_MTLS_TRACEBACK asks for it (`console.bug`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from cf_mtls.cli import (
    apply,
    ci,
    completion,
    console,
    demo,
    doctor,
    drift,
    emulate,
    explain,
    importer,
    init,
    pki,
    plan,
    schema,
    show,
    stacks,
    validate,
    verify,
    version,
)
from cf_mtls.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HELP = """Cloudflare Access mutual TLS, declared, applied and proven.

Exit codes: 0 fine, 1 error or could not tell, 2 differences, 3 verification failed,
4 refused, 64 usage, 130 interrupted."""

VERBS: tuple[Callable[[typer.Typer], None], ...] = (
    demo.register,
    init.register,
    importer.register,
    doctor.register,
    validate.register,
    plan.register,
    apply.register,
    verify.register,
    drift.register,
    stacks.register,
    ci.register,
    show.register,
    explain.register,
    pki.register,
    emulate.register,
    schema.register,
    completion.register,
    version.register,
)
"""What each verb's file offers as `register`, in the order that help shows."""


def application() -> typer.Typer:
    """The Typer application with every verb registered."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root() -> None:
        pass  # one verb or many, the program's shape is the same

    for register in VERBS:
        register(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """The exit code of running the program on these arguments; every failure has been shown on stderr."""
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
