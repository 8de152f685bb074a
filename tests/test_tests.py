"""The tests are documents too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.rglob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_test_states_the_fact_it_proves(path: Path) -> None:
    """A test without a docstring says how, but not what for."""
    tests = (n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.FunctionDef))
    assert [t.name for t in tests if t.name.startswith("test_") and not ast.get_docstring(t)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_nothing_is_patched(path: Path) -> None:
    """Fakes are passed in; a patched module proves something about the patch."""
    text = path.read_text("utf-8")
    assert "mock" + ".patch" not in text
    assert "monkeypatch" + ".setattr" not in text
