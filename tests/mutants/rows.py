"""What a row of the table is, and how it is put into a source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

HOUSE = Path("cf_mtls")


class Misplaced(Exception):
    """A row that fits its module no longer: its name or its text is not there, or is there twice."""


@dataclass(frozen=True)
class Mutant:
    """One fault. name: of the function, class or constant, inner ones after a dot."""

    module: str
    name: str
    text: str
    becomes: str
    tests: tuple[str, ...]
    """The nearest tests, as pytest takes them; at least one must fail."""
    equivalent: str = ""
    """Why nothing can tell it from the original; '' when a test must."""

    @property
    def path(self) -> Path:
        """Of the module, from the root of the tree."""
        return HOUSE / f"{self.module}.py"

    def __str__(self) -> str:
        """`planning/gates weaker: «x» becomes «y»`, in one line."""
        old, new = (" ".join(text.split()) for text in (self.text, self.becomes))
        return f"{self.module} {self.name}: «{old}» becomes «{new or 'nothing'}»"

    def put_into(self, source: str) -> str:
        """The source with the fault. Raises Misplaced when its place is not found, or not found once."""
        start, end = _extent(source, self.name)
        part = source[start:end]
        places = [*re.finditer(r"\s+".join(map(re.escape, self.text.split())), part)]
        if len(places) != 1:
            message = f"{self}: the text stands {len(places)} times in {self.name}"
            raise Misplaced(message)
        mutated = part[: places[0].start()] + self.becomes + part[places[0].end() :]
        return source[:start] + mutated + source[end:]


def meaning(source: str, name: str) -> str:
    """What a named thing of a source says, however it is laid out. Raises SyntaxError when that is no program."""
    return next(ast.dump(node) for qualified, node in _named(_parsed(source), "") if qualified == name)


def _extent(source: str, name: str) -> tuple[int, int]:
    """Where a named thing begins and ends in a source, decorators not included."""
    found = [node for qualified, node in _named(_parsed(source), "") if qualified == name]
    if len(found) != 1:
        message = f"{name} stands {len(found)} times"
        raise Misplaced(message)
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    start, end = (
        starts[found[0].lineno - 1] + found[0].col_offset,
        starts[(found[0].end_lineno or 0) - 1] + (found[0].end_col_offset or 0),
    )
    return len(source.encode()[:start].decode()), len(source.encode()[:end].decode())


@lru_cache(maxsize=2)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _named(tree: ast.AST, inside: str) -> Iterator[tuple[str, ast.stmt]]:
    """Every function, class and constant with its name, inner ones after a dot."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield inside + node.name, node
            yield from _named(node, f"{inside}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not (inside and inside[0].islower()):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((inside + ast.unparse(target), node) for target in targets)
        elif isinstance(node, ast.stmt):
            yield from _named(node, inside)


Fault = tuple[str, str, str] | tuple[str, str, str, str]
"""name, text, becomes; then other tests than the group's, or `= reason` for an equivalent one."""


def of(module: str, tests: str, *faults: Fault) -> tuple[Mutant, ...]:
    """The mutants of a module. tests: the nearest ones, by spaces, below tests/."""
    return tuple(_mutant(module, tests, *fault) for fault in faults)


def _mutant(module: str, tests: str, name: str, text: str, becomes: str, more: str = "") -> Mutant:
    reason = more.removeprefix("= ") if more.startswith("= ") else ""
    nearest = tests if reason or not more else more
    return Mutant(module, name, text, becomes, tuple(f"tests/{t}" for t in nearest.split()), reason)
