"""Every code of the program, gathered from the program, against the one table that documents them."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cf_mtls
from cf_mtls.diagnostics import Code, Fault

TABLE = (Path(__file__).parent.parent / ".github/DIAGNOSTICS.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `([a-z0-9-]+(?:\.[a-z0-9-]+)+)` \| (\w+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE
)
MENDS = {
    Fault.FILE: "your file",
    Fault.INVOCATION: "command line",
    Fault.ACCOUNT: "account",
    Fault.CLOUDFLARE: "Cloudflare",
    Fault.NETWORK: "network",
    Fault.US: "cf-mtls",
}
"""How the table says whose fault it is."""


def codes_in(value: Any) -> Iterator[Code]:
    """The codes that a module-level value is, or holds in rows."""
    if isinstance(value, Code):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from codes_in(item)
    elif not isinstance(value, type) and isinstance(getattr(value, "code", None), Code):
        yield value.code


def every_code() -> list[Code]:
    names = [
        m.name for m in pkgutil.walk_packages(cf_mtls.__path__, "cf_mtls.") if not m.name.endswith("__main__")
    ]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return sorted({code for value in values for code in codes_in(value)}, key=lambda c: c.code)


CODES = every_code()


def test_the_table_is_complete_and_true() -> None:
    """Each code with its severity, its summary and whose fault it is; no other; none twice."""
    rows = [(code, severity, said, fault) for code, severity, said, fault, _ in ROW.findall(TABLE)]
    assert sorted(rows) == [(c.code, c.severity.value, c.summary, MENDS[c.fault]) for c in CODES]


def test_no_code_means_two_things() -> None:
    """Two places may raise one problem, but then they share the constant."""
    assert [code for code, count in Counter(c.code for c in CODES).items() if count > 1] == []


@pytest.mark.parametrize("code", CODES, ids=lambda c: c.code)
def test_a_summary_is_a_fixed_sentence_without_names(code: Code) -> None:
    """So that people learn to recognise it: lower case first, no full stop, nothing filled in, code in words."""
    assert not re.search(r"[{}%.]$|[{}%]", code.summary)
    assert code.summary[0].islower() or code.summary.split()[0].removesuffix("'s") in {
        "Cloudflare",
        "GitHub",
        "Access",
        "OpenSSL",
    }
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", code.code)


def test_commands_in_fixes_stand_alone() -> None:
    """In the source of every module: a command to copy begins a line of its own, four spaces in."""
    for path in Path(cf_mtls.__path__[0]).rglob("*.py"):
        for found in re.finditer(r"\\n( *)cf-mtls ", path.read_text("utf-8")):
            assert found[1] == "    ", path


def named_in_tests() -> set[str]:
    """The codes that some test of the program names: whole, in a text of its source."""
    texts = [
        node.value
        for path in sorted(Path(__file__).parent.rglob("*.py"))
        if path != Path(__file__) and path.parent.name not in {"mutants", "bench"}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    ]
    return {code for text in texts for code in re.findall(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", str(text))}


def test_every_code_is_produced_by_a_test_that_names_it() -> None:
    """A message that no test has ever seen may be wrong, or never come."""
    assert sorted({c.code for c in CODES} - named_in_tests()) == []
