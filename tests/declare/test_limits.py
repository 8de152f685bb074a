"""How deep and how long a plan file may be: what lies beyond is refused with its place, never by a traceback."""

from __future__ import annotations

import pytest

from cf_mtls.declare import yaml_text
from cf_mtls.declare.yaml_text import DEEPEST, LONGEST_NUMBER

HEAD = "version: 1\nstack: "


def read(text: str) -> list[tuple[str, str]]:
    """Codes and places of what is wrong."""
    return [(d.code.code, str(d.place).partition(":")[2]) for d in yaml_text.read(text, "f").diagnostics]


def flow(depth: int, opening: str, closing: str, inner: str = "x") -> str:
    return HEAD + opening * depth + inner + closing * depth


DEEP = {
    "lists": lambda depth: flow(depth, "[", "]"),
    "mappings": lambda depth: flow(depth, "{a: ", "}"),
    "with an anchor": lambda depth: flow(depth, "[", "]", "&a x"),
    "a block": lambda depth: HEAD + "\n" + "".join(f"{'  ' * i}a:\n" for i in range(1, depth)),
    "keys that are lists": lambda depth: flow(depth, "[? ", "]"),
    "never closed": lambda depth: HEAD + "[" * depth,
}


@pytest.mark.parametrize("what", DEEP)
@pytest.mark.parametrize("depth", [DEEPEST + 1, 300, 2500, 100_000])
def test_what_nests_too_deep_is_refused_where_it_begins(what: str, depth: int) -> None:
    """Lists, mappings, blocks, keys; with an anchor somewhere, which is looked for first."""
    if what == "a block" and depth > 2500:
        depth = 800  # the indentation alone grows with the square
    ((code, place),) = read(DEEP[what](depth))
    assert code == "yaml.too-deep"
    assert place


def test_what_a_plan_file_needs_is_not_too_deep() -> None:
    """To the level: the top and thirty-nine lists in it."""
    assert read(flow(DEEPEST - 1, "[", "]")) == []
    assert [code for code, _ in read(flow(DEEPEST, "[", "]"))] == ["yaml.too-deep"]


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        ("9" * LONGEST_NUMBER, []),
        ("-" + "9" * (LONGEST_NUMBER - 1), []),
        ("9" * (LONGEST_NUMBER + 1), ["yaml.number-too-long"]),
        ("9" * 5000, ["yaml.number-too-long"]),
        ("-" + "9" * 5000, ["yaml.number-too-long"]),
        ("1." + "9" * 5000, ["yaml.number-too-long"]),
        ("1.0e999", ["yaml.number-too-long"]),
        ("-1.0e+400", ["yaml.number-too-long"]),
        ("1.5", []),
        ('"' + "9" * 5000 + '"', []),
        ("x" + "9" * 5000, []),
    ],
)
def test_a_number_has_a_length(number: str, codes: list[str]) -> None:
    """Whole or not; the same digits in quotes are a text and none of this file's business."""
    assert [code for code, _ in read(f"version: {number}\nstack: s\n")] == codes
