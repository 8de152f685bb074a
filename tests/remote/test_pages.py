"""A list is whole or it could not be read: what is missing could be anything."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cf_mtls.diagnostics import Failure
from cf_mtls.remote.pages import pages
from tests.remote.fakes import Fake, FakeTime


def listed(rows: list[list[str]], **info: Any) -> tuple[list[str] | str, int]:
    """The ids of a list of these pages, or the code of the failure; and how many requests it took.

    A page that is not there repeats the last one; `info` stands in each answer, a list of values one for each.
    """

    def reply(request: httpx.Request, n: int) -> httpx.Response:
        page = int(request.url.params.get("page", "1"))
        result = [{"id": i} for i in rows[min(page, len(rows)) - 1]]
        told = {k: v[min(n, len(v)) - 1] if isinstance(v, list) else v for k, v in info.items()}
        return httpx.Response(200, json={"success": True, "result": result, "result_info": told or None})

    fake = Fake(reply)
    try:
        return [raw["id"] for raw in pages(fake.writer(), "/x", FakeTime().pace())], len(fake.seen)
    except Failure as failure:
        (found,) = failure.diagnostics
        return found.code.code, len(fake.seen)


AB, C = ["a", "b"], ["c"]


@pytest.mark.parametrize(
    ("rows", "info", "found", "requests"),
    [
        ([AB, C], {"total_pages": 2, "total_count": 3}, ["a", "b", "c"], 2),
        ([AB, C], {"total_count": 3}, ["a", "b", "c"], 2),
        ([AB, C], {"total_pages": 2}, ["a", "b", "c"], 2),
        ([AB, C], {"per_page": 2}, ["a", "b", "c"], 2),
        ([AB, ["b", "c"], []], {"total_count": 3}, ["a", "b", "c"], 2),
        ([AB, C, []], {}, ["a", "b", "c"], 3),
        ([[]], {"total_count": 0, "total_pages": 0}, [], 1),
        ([AB], {"total_count": 2, "total_pages": 1}, ["a", "b"], 1),
        ([AB, C], {"total_count": 3, "total_pages": 1}, ["a", "b", "c"], 2),
        ([AB, C], {"total_count": 2, "total_pages": 2}, ["a", "b", "c"], 2),
    ],
)
def test_a_list_ends_where_everything_was_shown(
    rows: list[list[str]], info: dict[str, Any], found: list[str], requests: int
) -> None:
    """By its count, its pages or their size, whichever it says and whichever asks for more; each item once."""
    assert listed(rows, **info) == (found, requests)


@pytest.mark.parametrize(
    ("rows", "info"),
    [
        ([AB], {"total_count": 3, "total_pages": 2}),
        ([AB], {"total_count": 3}),
        ([AB], {"total_pages": 2}),
        ([AB, C, C], {"total_count": 9, "total_pages": 9}),
    ],
)
def test_a_list_that_shows_less_than_it_says_is_no_list(rows: list[list[str]], info: dict[str, Any]) -> None:
    """Read twice, because something may have been taken away meanwhile; then it is an error, never a shorter list."""
    assert listed(rows, **info)[0] == "api.incomplete-list"


def test_what_is_taken_away_while_it_is_read_makes_it_read_again() -> None:
    """The count falls between two pages: what moved to a page that was read already would be missing."""
    found, requests = listed([AB, C], total_count=[4, 3])
    assert found == ["a", "b", "c"]
    assert requests > 3


@pytest.mark.parametrize("name", ["total_pages", "total_count", "per_page"])
@pytest.mark.parametrize("value", ["2", -1, 1.5, [], True])
def test_a_count_that_is_none_is_not_understood(name: str, value: Any) -> None:
    """It would decide where the list ends."""
    assert listed([AB], **{name: [value]})[0] == "api.strange-answer"


@pytest.mark.parametrize("result", [{}, "text", 1, True, [1], [None], [{"name": "no id"}], [{"id": []}]])
def test_what_is_no_list_of_things_is_not_understood(result: Any) -> None:
    """Read as an empty account it would make us build everything anew."""
    fake = Fake(lambda *_: httpx.Response(200, json={"success": True, "result": result}))
    with pytest.raises(Failure) as caught:
        [*pages(fake.writer(), "/x", FakeTime().pace())]
    assert [d.code.code for d in caught.value.diagnostics] == ["api.strange-answer"]
