"""`cf-mtls init`: a first plan file, from three answers. No network; nothing is overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console
from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity, has_errors

if TYPE_CHECKING:
    from cf_mtls.bring.first import First

UNANSWERED = Code("init.unanswered", Severity.ERROR, Fault.INVOCATION, "a question cannot be asked here")
EXISTS = Code("init.exists", Severity.ERROR, Fault.INVOCATION, "a plan file is there already")

IGNORED = ("*.key", "*.p12", "*.pfx")
"""What must never be committed."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("init")(init)


def init(
    url: Annotated[
        str | None, typer.Option("--url", metavar="HOST/PATH", help="What shall be protected.")
    ] = None,
    chain: Annotated[
        str | None, typer.Option("--chain", metavar="FILE", help="PEM file of the CA whose clients get in.")
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--client", metavar="FILE", help="A client's PEM file, its key beside it; '' for none."),
    ] = None,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="The stack's name; else made of the URL.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="The plan file; else plans/STACK.yaml.")
    ] = None,
) -> int:
    """Write a first plan file. Asks for what no flag answers, on a terminal only."""
    url = _answer(url, "--url", "What shall be protected? HOST/PATH: ")
    chain = (
        _answer(chain, "--chain", "PEM file of the CA whose clients get in [pki/chain.pem]: ")
        or "pki/chain.pem"
    )
    client = _answer(client, "--client", "PEM file of a client that verify may send [none]: ")
    first, path = _first(url, chain, client, stack, out)
    _write(first, path)
    _tell(path, Path(chain))
    return Exit.OK


def _answer(given: str | None, flag: str, question: str) -> str:
    if given is not None:
        return given
    if not console.interactive():
        detail = f"There is no terminal to ask at, and {flag} was not given."
        fix = (
            "For example:\n    cf-mtls init --url api.example.com/partners --chain pki/chain.pem --client ''"
        )
        raise Failure([UNANSWERED.found(detail, fix)])
    return console.ask(question)


def _first(url: str, chain: str, client: str, stack: str | None, out: str | None) -> tuple[First, Path]:
    """What the file will say, and where it will be."""
    from cf_mtls.bring.entries import slug
    from cf_mtls.bring.first import First, domain_of

    domain = domain_of(url)
    name = stack or slug(domain, "first")
    path = Path(out or f"plans/{name}.yaml")
    key = str(Path(client).with_suffix(".key")) if client else ""
    chain_there, client_there, key_there = (_relative(f, path) if f else "" for f in (chain, client, key))
    called = slug(Path(client).stem, "client")
    return First(name, domain, chain_there, client_there, key_there, called), path


def _relative(file: str, plan: Path) -> str:
    if Path(file).is_absolute() or file.startswith("~"):
        return file
    return Path(os.path.relpath(file, plan.parent)).as_posix()


def _write(first: First, path: Path) -> None:
    """Write plan file, schema and .gitignore where they are not yet. Raises Failure before the first byte."""
    from cf_mtls.bring.first import text
    from cf_mtls.declare import schema
    from cf_mtls.pki import vault

    made = text(first)
    _check(made, path)
    if os.path.lexists(path):
        fix = f"Choose another file with --out, or go on with this one:\n    cf-mtls validate {path}"
        raise Failure([EXISTS.found(f"{path} was not touched.", fix)])
    ignored = "# Private keys are never committed.\n" + "\n".join(IGNORED) + "\n"
    files = {path: made, path.parent / schema.FILE: schema.text(), Path(".gitignore"): ignored}
    new = [vault.File(p, content.encode("utf-8")) for p, content in files.items() if not os.path.lexists(p)]
    vault.write(new)
    for file in new:
        console.out(f"wrote {file.path}")


def _check(made: str, path: Path) -> None:
    """Raises Failure when what was answered cannot be a plan file."""
    from cf_mtls.declare import yaml_text
    from cf_mtls.declare.border import document

    reading = yaml_text.read(made, str(path))
    document(reading)
    if has_errors(reading.diagnostics):
        raise Failure(reading.diagnostics)


def _tell(path: Path, chain: Path) -> None:
    ignore = Path(".gitignore").read_text("utf-8", errors="replace").split()
    missing = [line for line in IGNORED if line not in ignore]
    if missing:
        console.say(f"Add to .gitignore, so that no key is committed: {' '.join(missing)}")
    if not chain.is_file():
        console.say(
            f"There is no {chain} yet. Put the CA's chain there, or make a CA and clients of your own:"
        )
        console.say("    cf-mtls pki ca NAME")
        return
    console.say(f"Next:\n    cf-mtls doctor {path}")
