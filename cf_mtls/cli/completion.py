"""`cf-mtls completion SHELL`: a script that completes commands and options.

Rules of this file:
- The script holds everything: a TAB starts no Python.
- It is made from the program's own commands, so it cannot fall behind them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("completion")(completion)


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]
) -> int:
    """Print a completion script. In bash: eval "$(cf-mtls completion bash)"."""
    levels = tuple(_levels(context.find_root().command, ()))
    console.out(SCRIPTS[shell](levels).rstrip("\n"))
    return Exit.OK


@dataclass(frozen=True, slots=True)
class Level:
    """What may follow some commands: further commands or the words of an argument, and options, with their help."""

    path: tuple[str, ...]
    commands: Mapping[str, str]
    options: Mapping[str, str]

    @property
    def words(self) -> dict[str, str]:
        """Commands, then options."""
        return {**self.commands, **self.options}


def _levels(command: Any, path: tuple[str, ...]) -> Iterator[Level]:
    inner = {n: c for n, c in getattr(command, "commands", {}).items() if not c.hidden}
    options = {
        name: _short(getattr(p, "help", None))
        for p in command.params
        for name in (*p.opts, *p.secondary_opts)
        if name.startswith("--")
    }
    words = {
        str(word): ""
        for p in command.params
        for word in getattr(p.type, "choices", ())
        if p.opts[0][0] != "-"
    }
    commands = {n: _short(c.help) for n, c in inner.items()}
    yield Level(path, {**commands, **words}, {**options, "--help": "Show help."})
    for name, found in inner.items():
        yield from _levels(found, (*path, name))


def _short(text: str | None) -> str:
    """The first sentence of a help text, without what a shell could misread."""
    first = (text or "").strip().partition("\n")[0].partition(". ")[0]
    return "".join(c for c in first if c.isalnum() or c in " ,.;()/-=_")


def _cases(levels: tuple[Level, ...], line: Callable[[Level], str]) -> str:
    return "\n".join(f"    '{' '.join(level.path)}') {line(level)} ;;" for level in levels)


def _known(levels: tuple[Level, ...]) -> str:
    return "|".join(f"'{' '.join(level.path)}'" for level in levels if level.path)


def _bash(levels: tuple[Level, ...]) -> str:
    return f"""\
_cf_mtls() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" at="" next="" word="" words=""
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    next="${{at:+$at }}$word"
    case "$next" in {_known(levels)}) at="$next" ;; esac
  done
  case "$at" in
{_cases(levels, lambda level: f"words='{' '.join(level.words)}'")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _cf_mtls cf-mtls
"""


def _zsh(levels: tuple[Level, ...]) -> str:
    def listed(level: Level) -> str:
        return "found=(" + " ".join(f"'{name}:{said}'" for name, said in level.words.items()) + ")"

    return f"""\
#compdef cf-mtls
_cf_mtls() {{
  local at="" next="" word=""
  local -a found
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    next="${{at:+$at }}$word"
    case "$next" in ({_known(levels)}) at="$next" ;; esac
  done
  case "$at" in
{_cases(levels, listed)}
  esac
  _describe 'cf-mtls' found || _files
}}
compdef _cf_mtls cf-mtls
"""


def _fish(levels: tuple[Level, ...]) -> str:
    lines = [
        "function __cf_mtls_at",
        "  set -l at ''",
        "  for word in (commandline -opc)[2..-1]",
        '    set -l next (string trim "$at $word")',
        "    switch $next",
        f"      case {_known(levels).replace('|', ' ')}",
        "        set at $next",
        "    end",
        "  end",
        '  test "$at" = "$argv[1]"',
        "end",
    ]
    for level in levels:
        when = f"complete -c cf-mtls -n \"__cf_mtls_at '{' '.join(level.path)}'\""
        lines += [f"{when} -f -a {name} -d '{said}'" for name, said in level.commands.items()]
        lines += [f"{when} -l {name.removeprefix('--')} -d '{said}'" for name, said in level.options.items()]
    return "\n".join(lines) + "\n"


SCRIPTS: Mapping[Shell, Callable[[tuple[Level, ...]], str]] = {
    Shell.BASH: _bash,
    Shell.ZSH: _zsh,
    Shell.FISH: _fish,
}
