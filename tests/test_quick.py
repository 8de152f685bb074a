"""Our `dataclass` beside the standard library's: the same classes, the same behaviour."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, field, replace
from pathlib import Path
from typing import Any

import pytest

from cf_mtls import quick

BOTH = [dataclasses.dataclass, quick.dataclass]


def two(decorator: Any) -> tuple[type, type]:
    """A class with every kind of field, and one with a method of its own for each that is made."""

    @decorator(frozen=True, slots=True)
    class Thing:
        """A thing."""

        name: str
        hosts: tuple[str, ...] = ()
        note: str | None = field(default=None, compare=False)
        secret: str = field(default="s", repr=False)
        seen: list[int] = field(default_factory=list, compare=False)

    @decorator(frozen=True, slots=True)
    class Own:
        """It has its own."""

        value: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __post_init__(self) -> None:
            if self.value < 0:
                raise ValueError

    return Thing, Own


def told(decorator: Any) -> dict[str, Any]:
    """Everything that can be seen of the two classes."""
    thing, own = two(decorator)
    one, other = thing("a", ("h",), "n"), thing("a", hosts=("h",), secret="s")
    return {
        "repr": repr(one).replace("two.<locals>.", ""),
        "equal": [one == other, one == thing("b"), one == "a", one.__eq__(own(1))],
        "hash": [hash(one) == hash(other), hash(one) == hash(("a", ("h",), "s"))],
        "fields": [(f.name, f.default, f.compare) for f in dataclasses.fields(one)],
        "replaced": repr(replace(one, name="c")).replace("two.<locals>.", ""),
        "fresh": one.seen is not other.seen,
        "match": thing.__match_args__,
        "slots": thing.__slots__,
        "copied": [copy.copy(one) == one, copy.deepcopy(one) == one, copy.deepcopy(one).seen is not one.seen],
        "parameters": [(p.name, p.kind) for p in inspect.signature(thing).parameters.values()],
        "own": [repr(own(1)), own(1) == own(2), hash(own(1))],
        "doc": thing.__doc__,
    }


def test_what_it_makes_behaves_as_what_the_standard_library_makes() -> None:
    """Representation, equality, hash, fields, replacement, matching, copies, parameters, methods of one's own."""
    assert told(quick.dataclass) == told(dataclasses.dataclass)


@pytest.mark.parametrize("decorator", BOTH)
def test_nothing_can_be_assigned_deleted_or_added(decorator: Any) -> None:
    """Values stay what they are."""
    thing, own = two(decorator)
    for act in (lambda: setattr(thing("a"), "name", "b"), lambda: delattr(thing("a"), "name")):
        with pytest.raises(FrozenInstanceError):
            act()
    with pytest.raises((FrozenInstanceError, TypeError)):
        thing("a").other = 1
    with pytest.raises(TypeError):
        thing()
    with pytest.raises(ValueError):  # noqa: PT011 - the class's own
        own(-1)


@quick.dataclass(frozen=True, slots=True)
class Sent:
    """At the top of a module, where pickle finds it."""

    name: str
    more: tuple[int, ...] = ()


def test_a_value_can_be_sent_to_another_process() -> None:
    """As the standard one."""
    assert pickle.loads(pickle.dumps(Sent("a", (1,)))) == Sent("a", (1,))  # noqa: S301


def test_other_options_go_to_the_standard_library() -> None:
    """An order, for instance, is made there."""

    @quick.dataclass(frozen=True, slots=True, order=True)
    class Ordered:
        value: int

    @quick.dataclass(slots=True)
    class Open:
        value: int

    assert Ordered(1) < Ordered(2)
    opened = Open(1)
    opened.value = 2
    assert opened == Open(2)


def test_every_frozen_value_is_made_by_it() -> None:
    """All of the program but the emulator, which shares nothing with what it tests."""
    house = Path(quick.__file__).parent
    files = [p for p in house.rglob("*.py") if "emulator" not in p.parts and p.name != "quick.py"]
    frozen = [p for p in files if "@dataclass(frozen=True, slots=True)\n" in p.read_text("utf-8")]
    assert len(frozen) > 50
    assert [
        p.name for p in frozen if "from cf_mtls.quick import dataclass\n" not in p.read_text("utf-8")
    ] == []
