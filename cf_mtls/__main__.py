"""`python -m cf_mtls` and the `cf-mtls` script are the same program.

Rules of this file:
- `--version` is answered here, before anything else is imported.
- Garbage is looked for rarely: a run makes hundreds of modules and models at its start, and all of them stay.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program on this process's arguments, and end the process with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from cf_mtls import __version__

        sys.stdout.write(f"cf-mtls {__version__}\n")
        raise SystemExit(0)
    import gc

    gc.set_threshold(200_000, 20, 20)
    from cf_mtls.cli.main import run

    code = run(sys.argv[1:])
    gc.freeze()  # the interpreter's last collection would walk all that for nothing
    raise SystemExit(code)


if __name__ == "__main__":
    main()
