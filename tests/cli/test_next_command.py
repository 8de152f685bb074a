"""The command that `plan` shows next does what was shown: every option that shapes a plan is repeated."""

from __future__ import annotations

from typing import Any

import pytest

from cf_mtls.cli.main import Verbs
from cf_mtls.cli.options import typed
from cf_mtls.cli.plan import OF_THE_RUN

PLAN, APPLY = Verbs()["plan"], Verbs()["apply"]
SHAPING = [p for p in PLAN.params if p.name not in OF_THE_RUN]
EXAMPLES = {"refused_twice": "first", "target": "settings/a.net", "adopt": "application/a.net/x"}
"""Values of options that take no plain text."""


def words(parameter: Any) -> list[str]:
    """An option with a value; twice where it may be given twice."""
    flag = max(parameter.opts, key=len)
    if parameter.is_flag:
        return [flag]
    value = EXAMPLES.get(parameter.name, "7" if parameter.type.name in {"int", "integer"} else "a.net")
    return [flag, value, flag, f"{value}2"] if parameter.multiple else [flag, value]


def test_the_options_that_make_no_other_plan_are_options_of_plan() -> None:
    """The list of exceptions names nothing that is gone."""
    assert {p.name for p in PLAN.params} >= OF_THE_RUN
    assert len(SHAPING) >= 7


@pytest.mark.parametrize("parameter", SHAPING, ids=lambda p: p.name)
def test_apply_takes_every_option_that_shapes_a_plan(parameter: Any) -> None:
    """By the same name, with the same meaning."""
    here = PLAN.make_context("plan", ["a.yaml", *words(parameter)])
    there = APPLY.make_context("apply", ["a.yaml", *words(parameter)])
    assert there.params[parameter.name] == here.params[parameter.name]


@pytest.mark.parametrize("parameter", SHAPING, ids=lambda p: p.name)
def test_every_option_that_shapes_a_plan_is_repeated(parameter: Any) -> None:
    """Word for word."""
    context = PLAN.make_context("plan", ["a.yaml", "--out", "p.json", "--json", *words(parameter)])
    assert typed(context, OF_THE_RUN) == words(parameter)


def test_all_of_them_together() -> None:
    """In the order of the help, whatever the order on the command line."""
    every = [word for parameter in reversed(SHAPING) for word in words(parameter)]
    context = PLAN.make_context("plan", ["a.yaml", *every])
    assert typed(context, OF_THE_RUN) == [word for parameter in SHAPING for word in words(parameter)]
    assert typed(PLAN.make_context("plan", ["a.yaml"]), OF_THE_RUN) == []
