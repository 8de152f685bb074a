"""YAML with places, stricter than YAML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_mtls.declare.yaml_text import read


def codes(text: str) -> list[tuple[str, int, int]]:
    return [
        (d.code.code, d.place.line if d.place else 0, d.place.column if d.place else 0)
        for d in read(text, "f.yaml").diagnostics
    ]


def test_scalars_resolve_as_yaml_1_2_does() -> None:
    """Null, booleans and decimal numbers are values; everything else is text."""
    text = "a: true\nb: 12\nc: 1.5\nd: ~\ne:\nf: 'true'\ng: 2027-01-31\nh: 12e03\ni: nope\n"
    expected = {
        "a": True, "b": 12, "c": 1.5, "d": None, "e": None, "f": "true", "g": "2027-01-31", "h": "12e03", "i": "nope"
    }  # fmt: skip
    assert expected == read(text, "f.yaml").data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", ("yaml.duplicate-key", 3, 1)),
        ("a: &x 1\nb: *x\n", ("yaml.alias", 1, 4)),
        ("a: !!str 1\n", ("yaml.tag", 1, 4)),
        ("a: no\n", ("yaml.ambiguous-scalar", 1, 4)),
        ("a: On\n", ("yaml.ambiguous-scalar", 1, 4)),
        ("a: 1:20\n", ("yaml.ambiguous-scalar", 1, 4)),
        ("a: 0777\n", ("yaml.ambiguous-scalar", 1, 4)),
        ("a: 1\n---\nb: 2\n", ("yaml.several-documents", 3, 1)),
        ("- a\n", ("yaml.not-a-mapping", 1, 1)),
        ("", ("yaml.not-a-mapping", 1, 1)),
        ("a: [1\n", ("yaml.syntax", 2, 1)),
        ("a: b: c\n", ("yaml.syntax", 1, 5)),
        ("? [a]\n: 1\n", ("yaml.key", 1, 3)),
        ("a: {x: 1}\nb:\n  <<: 2\n", ("yaml.key", 3, 3)),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(
    text: str, expected: tuple[str, int, int]
) -> None:
    """Each refusal has its own code and stands at the line and column of its cause."""
    assert expected in codes(text)


def test_all_problems_at_once() -> None:
    """A file with three faults gets three messages."""
    assert {"yaml.duplicate-key", "yaml.ambiguous-scalar", "yaml.tag"} == {
        code for code, _, _ in codes("a: 1\na: 2\nb: yes\nc: !x 1\n")
    }


def test_a_place_names_the_path_and_falls_back_to_what_is_above() -> None:
    """A missing key is reported at the mapping that lacks it, under its full path."""
    place = read("a:\n  b: 1\n", "f.yaml").place(("a", "c"))
    assert str(place) == ("f.yaml:2:3 (a.c)")


@given(st.text())
def test_no_text_raises(text: str) -> None:
    """Whatever the text, reading it ends in data or in diagnostics."""
    reading = read(text, "f.yaml")
    assert (reading.data is None) == any(d.is_error for d in reading.diagnostics) or reading.data is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x 1\n", "yaml.alias"),
        ("a: &x [1]\nb: *x\n", "yaml.alias"),
        ("b: *x\n", "yaml.alias"),
        ("a: [*x]\n", "yaml.alias"),
        ("a: {b: &x {}}\n", "yaml.alias"),
        ("&x a: 1\n", "yaml.alias"),
        ("a: on\n", "yaml.ambiguous-scalar"),
        ("a: Off\n", "yaml.ambiguous-scalar"),
        ("a: yes\n", "yaml.ambiguous-scalar"),
        ("a: 0777\n", "yaml.ambiguous-scalar"),
        ("a: 00\n", "yaml.ambiguous-scalar"),
        ("a: 1_000\n", "yaml.ambiguous-scalar"),
        ("a: 1:20\n", "yaml.ambiguous-scalar"),
        ("a: 0x1f\n", "yaml.ambiguous-scalar"),
        ("a: !!str 1\n", "yaml.tag"),
        ("a: !x {}\n", "yaml.tag"),
        ("<<: {b: 1}\n", "yaml.key"),
        ("? [a]\n: 1\n", "yaml.key"),
        ("a: 1\na: 2\n", "yaml.duplicate-key"),
        ("a: {b: 1, b: 1}\n", "yaml.duplicate-key"),
        ("a: 1\n---\nb: 2\n", "yaml.several-documents"),
    ],
)
def test_everything_that_two_readers_could_read_differently_is_refused(text: str, code: str) -> None:
    """By its own code; what is quoted is plain text and refused by nobody."""
    assert code in {d.code.code for d in read(text, "f.yaml").diagnostics}


@pytest.mark.parametrize("text", ["on", "0777", "1:20", "no", "true", "null", "12", "*x", "&x"])
def test_what_is_quoted_is_text(text: str) -> None:
    """Whatever it looks like."""
    found = read(f"a: '{text}'\nb: \"{text}\"\n", "f.yaml")
    assert (found.data, found.diagnostics) == ({"a": text, "b": text}, [])
