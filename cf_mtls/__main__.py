"""`python -m cf_mtls` and the `cf-mtls` script are the same program.

`--version` is answered here, before anything else is imported.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program on this process's arguments, and end the process with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from cf_mtls import __version__

        sys.stdout.write(f"cf-mtls {__version__}\n")
        raise SystemExit(0)
    from cf_mtls.cli.main import run

    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
