"""Lists of the API: every item, once.

Rules of this file:
- Pages end by `result_info` and by repeated ids, never by waiting for an empty page (facts 7.7).
- What is not a list is Cloudflare's answer at fault: read as an empty account it would make us build everything anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Failure
from cf_mtls.remote.errors import STRANGE, failure
from cf_mtls.remote.gateway import Answer

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


def pages(reader: Reader, path: str, pace: Pace, query: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Every item of a list, once. Raises Failure when a page could not be read.

    query: beside the page; its `per_page` wins over the widest one.
    """
    seen: set[str] = set()
    page = 1
    while True:
        answer = _page(reader, path, page, pace, query or {})
        items = _items(answer, path)
        fresh = [item for item in items if _identity(item) not in seen]
        seen |= {_identity(item) for item in fresh}
        yield from fresh
        total = int(answer.result_info.get("total_pages") or 1)
        if page >= total or not fresh:
            return
        page += 1


def _items(answer: Answer, path: str) -> list[Any]:
    if answer.result is None:
        return []
    if not isinstance(
        answer.result, list
    ):  # read as an empty account, it would make us build everything anew
        raise Failure(
            [
                STRANGE.found(
                    f"GET {path} answered something that is not a list.", "If it lasts, please report it."
                )
            ]
        )
    return answer.result


def _page(reader: Reader, path: str, page: int, pace: Pace, more: Mapping[str, str]) -> Answer:
    query = {} if path.endswith(SETTINGS) else {"page": str(page), "per_page": str(PER_PAGE), **more}
    outcome = pace.persist("GET", lambda: reader.get(path, query))
    if not isinstance(outcome, Answer) or not outcome.ok:
        raise failure(outcome, f"reading {path}", path)
    return outcome


def _identity(item: Any) -> str:
    return str(item.get("id") or item.get("hostname")) if isinstance(item, dict) else str(item)
