"""The table of mutants fits the program, and trying them tells a noticed fault from an unnoticed one."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import ROOT, chosen
from tests.mutants.rows import Misplaced, Mutant, meaning
from tests.mutants.run import Fate, attempt
from tests.mutants.table import MUTANTS

LEAST = 150


@pytest.mark.parametrize("module", sorted({m.module for m in MUTANTS}))
def test_every_row_has_its_place_and_changes_the_program(module: str) -> None:
    """Its text stands once in what it names, and the result is another program that can be read."""
    source = (ROOT / "cf_mtls" / f"{module}.py").read_text("utf-8")
    for mutant in (m for m in MUTANTS if m.module == module):
        assert meaning(mutant.put_into(source), mutant.name) != meaning(source, mutant.name), mutant


def test_every_row_names_tests_that_exist() -> None:
    """A file that is there, and in it the function when one is named."""
    for test in {t for m in MUTANTS for t in m.tests}:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not name or name in names, test


def test_there_are_many_rows_and_none_twice() -> None:
    """At least as many as were promised; an equivalent one says why, in a sentence."""
    assert len([m for m in MUTANTS if not m.equivalent]) >= LEAST
    assert [line for line, count in Counter(map(str, MUTANTS)).items() if count > 1] == []
    assert all(len(m.equivalent.split()) > 5 for m in MUTANTS if m.equivalent)


def test_a_sample_is_drawn_by_its_seed() -> None:
    """The same seed draws the same; another draws others."""
    one, again, other = (chosen((), 20, seed) for seed in ("a", "a", "b"))
    assert one == again
    assert one != other
    assert len(set(one)) == 20


SOURCE = '''"""A module."""

LIMIT = 3


class Gate:
    def opens(self, count: int) -> bool:
        return (count < LIMIT
                and count >= 0)


def opens(count: int) -> bool:
    return count < LIMIT
'''
TESTS = '''"""Its tests."""

import pytest

from cf_mtls.gate import Gate, opens


@pytest.mark.parametrize("ask", [opens, Gate().opens])
def test_gate(ask: object) -> None:
    """Below the limit."""
    assert ask(2)
    assert not ask(3)
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small program and its tests."""
    for path, text in {
        "cf_mtls/gate.py": SOURCE,
        "tests/test_gate.py": TESTS,
        "pytest.ini": "[pytest]",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    for folder in ("cf_mtls", "tests"):
        (tmp_path / folder / "__init__.py").touch()
    return tmp_path


def fault(name: str, text: str, becomes: str) -> Mutant:
    return Mutant("gate", name, text, becomes, ("tests/test_gate.py",))


def test_a_fault_is_killed_only_when_a_test_fails(tree: Path) -> None:
    """Noticed, not noticed, not a program any more, and never ending; the tree itself is never touched."""
    faults = {
        fault("LIMIT", "3", "4"): Fate.KILLED,
        fault("Gate.opens", "count < LIMIT and", "count <= LIMIT and"): Fate.KILLED,
        fault("opens", "count < LIMIT", "count != LIMIT"): Fate.SURVIVED,
        fault("Gate.opens", "count >= 0", "True"): Fate.SURVIVED,
        fault("LIMIT", "3", "absent"): Fate.ERROR,
        fault("LIMIT", "4", "5"): Fate.ERROR,
        fault("opens", "return", "__import__('time').sleep(600)\n    return"): Fate.TIMED_OUT,
    }
    found = attempt(tuple(faults), tree, timeout_s=20)
    assert {tried.mutant: tried.fate for tried in found} == faults
    assert (tree / "cf_mtls/gate.py").read_text("utf-8") == SOURCE


def test_tests_that_fail_anyway_prove_nothing(tree: Path) -> None:
    """They are run without any fault first."""
    (tree / "tests/test_gate.py").write_text(TESTS.replace("ask(2)", "ask(4)"), "utf-8")
    with pytest.raises(RuntimeError, match="without any fault"):
        attempt([fault("LIMIT", "3", "4")], tree)


@pytest.mark.parametrize(
    ("name", "text", "times"), [("opens", "LIMIT ==", 0), ("Gate.opens", "count", 3), ("gone", "x", None)]
)
def test_a_row_that_does_not_fit_is_an_error(name: str, text: str, times: int | None) -> None:
    """Not there, or there more than once: nothing is guessed."""
    with pytest.raises(Misplaced, match=f"{times} times in" if times is not None else "gone"):
        fault(name, text, "x").put_into(SOURCE)
