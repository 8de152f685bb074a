"""Lists of the API: every item, once.

Rules of this file:
- Pages end by `result_info` (`total_count`, `total_pages`, else `per_page`), and by repeated ids: facts 7.7.
- A list is whole, or it could not be read: what was left out of it could be anything. What is no list is at fault as
  well: read as an empty account it would make us build everything anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Failure
from cf_mtls.quick import dataclass
from cf_mtls.remote.errors import INCOMPLETE, REPORT, decoded, failure
from cf_mtls.remote.gateway import Answer
from cf_mtls.remote.shape import Misshapen, each, maybe_identifier, needed, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cf_mtls.remote.gateway import Reader
    from cf_mtls.remote.pace import Pace

PER_PAGE = 1000
"""The widest page of certificates, and the server's own default for applications: facts 1.9, 3.1."""

CERTIFICATES = "/access/certificates"
SETTINGS = "/access/certificates/settings"
APPLICATIONS = "/access/apps"
POLICIES = "/access/policies"
GROUPS = "/access/groups"


MOST_PAGES = 2_000
"""Pages of one list; zones have the narrowest, fifty each, and nobody has so many."""


@dataclass(frozen=True, slots=True)
class Paging:
    """What `result_info` says of a whole list; None of what it does not say."""

    pages: int | None = None
    items: int | None = None
    per_page: int | None = None

    def ends(self, page: int, seen: int, got: int) -> bool:
        """Whether a list ends with a page, as far as it says. seen: items until now; got: on this page."""
        if self.items is None and self.pages is None:
            return bool(self.per_page) and got < (self.per_page or 0)
        return seen >= (self.items or 0) and page >= (self.pages or 0)

    def missing(self, page: int, seen: int) -> str:
        """Why a list is not whole when a page brings nothing new, '' when it is."""
        if self.items is not None:
            return f"{seen} of {self.items} items were shown" if seen < self.items else ""
        # An empty list may be one page; a second one that repeats the first is no page at all.
        if self.pages is not None and max(page, 2) <= self.pages:
            return f"page {page} of {self.pages} holds nothing that was not on the ones before"
        return ""


def paging(answer: Answer) -> Paging:
    """The `result_info` of an answer. Raises Misshapen when it has a member that is no count."""
    if answer.result_info is None:
        return Paging()
    try:
        told = (whole(answer.result_info, name) for name in ("total_pages", "total_count", "per_page"))
        return Paging(*told)
    except Misshapen as error:
        raise error.within("result_info") from None


def pages(reader: Reader, path: str, pace: Pace, query: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Every item of a list, once. Raises Failure when a page could not be read, or the list not whole.

    query: beside the page; its `per_page` wins over the widest one.
    """
    found, missing = _read(reader, path, pace, query or {})
    if missing:  # something may have been taken away while it was read: then it looks short once
        found, missing = _read(reader, path, pace, query or {})
    if missing:
        fix = "Run the same command again. If it stays, the token may see a part of the account only."
        raise Failure([INCOMPLETE.found(f"GET {path}: {missing}. What is missing could be anything.", fix)])
    yield from found


def _read(reader: Reader, path: str, pace: Pace, query: Mapping[str, str]) -> tuple[list[Any], str]:
    """The items of a list, and why it is not whole, '' when it is."""
    found: dict[str, Any] = {}
    most = 0  # when one is taken away, those behind it move to a page that was read already
    for page in range(1, MOST_PAGES + 1):
        answer = _page(reader, path, page, pace, query)
        told = decoded(paging, answer, f"GET {path}")
        if told.items is not None:
            most = max(most, told.items)
            told = replace(told, items=most)
        items = decoded(_items, answer.result, f"GET {path}")
        fresh = {key: item for key, item in items.items() if key not in found}
        found |= fresh
        nothing_more = path.endswith(SETTINGS) or not fresh  # the settings have no pages: facts 2
        if nothing_more or told.ends(page, len(found), len(items)):
            return list(found.values()), told.missing(page, len(found)) if nothing_more else ""
    detail = f"GET {path}: it has more than {MOST_PAGES} pages, the most that are read."
    raise Failure([INCOMPLETE.found(detail, REPORT)])


def _items(result: object) -> dict[str, Any]:
    """The items of a page by their id, in order. Raises Misshapen for what is no list of things with ids."""
    listed = each({"": result}, "", lambda item: (_identity(item), item))
    return dict(listed)


def _page(reader: Reader, path: str, page: int, pace: Pace, more: Mapping[str, str]) -> Answer:
    query = {} if path.endswith(SETTINGS) else {"page": str(page), "per_page": str(PER_PAGE), **more}
    outcome = pace.persist("GET", lambda: reader.get(path, query))
    if not isinstance(outcome, Answer) or not outcome.ok:
        raise failure(outcome, f"reading {path}", path)
    return outcome


def _identity(item: object) -> str:
    """What an item is told from others by: settings have no id but a hostname."""
    return maybe_identifier(item) or needed(item, "hostname")
