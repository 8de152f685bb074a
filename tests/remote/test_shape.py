"""Cloudflare's JSON at the border: what is beyond a limit or not what it must be says where, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cf_mtls.remote import shape
from cf_mtls.remote.shape import DEEPEST, MOST_VALUES, Misshapen, parsed


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"NaN", "NaN"),
        (b"-Infinity", "Infinity"),
        (b"1e400", "1e400"),
        (b"1" * 19, "digits"),
        (b"1" * 100_000, "digits"),
        (nested(DEEPEST + 3), "nests deeper"),
        (nested(100_000), "nests deeper"),
        (b'["\\ud800"]', "surrogate"),
        (b"[" + b"," * (MOST_VALUES + 1) + b"]", "values"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(body: bytes, said: str) -> None:
    """Never another exception, whatever the bytes."""
    with pytest.raises(Misshapen, match=said):
        parsed(body)


@pytest.mark.parametrize("body", [b"null", b"[]", b'{"a": [1, 2.5, "x", true, null]}', nested(DEEPEST - 1),
                                  b"9" * 18, b'"\\ud83d\\ude00"'])  # fmt: skip
def test_a_true_answer_is_read(body: bytes) -> None:
    """Within every limit."""
    parsed(body)


READERS: list[tuple[Callable[[Any, str], Any], Any, list[Any]]] = [
    (shape.needed, "x", [None, "", 1, [], {}]),
    (shape.name, "x", [1, [], {}, True, "x" * 4097]),
    (shape.flag, True, ["true", 1, [], {}]),
    (shape.whole, 3, ["3", 3.5, True, [], -1]),
    (shape.moment, "2030-01-01T00:00:00Z", ["soon", 1, "", None, "9999-12-31T23:59:59-23:59", "2030-01-01"]),
    (shape.names, ["a"], ["a", [1], [None], {}]),
]


@pytest.mark.parametrize(("reader", "right", "wrong"), READERS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_member_is_what_it_must_be_or_named(
    reader: Callable[[Any, str], Any], right: Any, wrong: list[Any]
) -> None:
    """With its path; a value of another type is never taken for it."""
    reader({"m": right}, "m")
    for value in wrong:
        with pytest.raises(Misshapen, match="m"):
            reader({"m": value}, "m")


@pytest.mark.parametrize("value", [1, [], {}, "", None, "a/b", "../x", "a b", "x" * 65, "ä"])
def test_an_id_is_nothing_else(value: Any) -> None:
    """It becomes part of a path."""
    with pytest.raises(Misshapen):
        shape.identifier({"id": value})
    assert shape.identifier({"id": "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"})
