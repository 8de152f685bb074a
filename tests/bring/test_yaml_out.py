"""YAML that is read back as it was meant, whatever an account's names hold."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cf_mtls.bring.yaml_out import comment, flow, lines, scalar
from cf_mtls.declare import yaml_text

NASTY = st.sampled_from(
    [
        "no", "on", "1:20", "0777", "null", "~", "true", "1.5", "<<", "a: b", "a #b", "#", "- a", "{a}", "[a",
        "'", '"', "\\", "x\n# evil: 1", "\u202eevil", "\ufeff", "\x85", "\u2028", "\x00", "a:", ":a", "? a", "&a",
        "*a", "!a", "%a", "@a", "`a", "|", ">", "---", "...", "\ud800", "é", "😀", " a", "a ", "", "k: [",
        "2027-01-31", "1_000", "0x1f",
    ]
)  # fmt: skip
TEXTS = NASTY | st.text(max_size=40)
SCALARS = TEXTS | st.booleans() | st.integers(-(10**9), 10**9) | st.none()
KEYS = TEXTS.filter(lambda k: k != "<<")
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def back(text: str) -> Any:
    reading = yaml_text.read(text, "x")
    assert reading.diagnostics == []
    return reading.data


@given(TEXTS)
def test_any_text_is_read_back_as_itself(text: str) -> None:
    """As a value, in a list and as a key: never a number, a boolean, a comment or a second line."""
    assert back(f"k: {scalar(text)}\n") == {"k": text}
    assert back(f"k: [{scalar(text)}, {scalar(text)}]\n") == {"k": [text, text]}


@given(st.dictionaries(KEYS, DATA, min_size=1, max_size=4))
def test_any_data_is_read_back_as_itself(data: dict[str, Any]) -> None:
    """On one line and over many."""
    assert back("\n".join(lines(data)) + "\n") == data
    assert back(f"k: {flow(data)}\n") == {"k": data}


@given(TEXTS)
def test_a_comment_cannot_become_content(text: str) -> None:
    """Whatever stands in it, the line below still means what it says."""
    assert back(f"a: 1  # {comment(text)}\nb: 2\n") == {"a": 1, "b": 2}


def test_what_a_person_would_not_quote_is_not_quoted() -> None:
    """Hostnames, paths, ids and plain words stand as they are."""
    for text in (
        "api.example.com",
        "certs/a.pem",
        "f174e90a-fafe-4643-bbbc-4a0ed4fc8415",
        "fleet only",
        "3com.example",
    ):
        assert scalar(text) == text
