"""Cutting a list into pages, and the ways a list misbehaves.

Rules of this file:
- `page` counts from 1; a page beyond the end is empty, never an error.

Source: facts: cloudflare-api 1.9, 7.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator.answers import invalid, reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call


def paged(
    items: Sequence[Any], call: Call, default: int = 50, most: int = 1000, *, ignore: bool = False
) -> Answer:
    """One page of the items with its result_info. ignore: `page` is not heeded. Errors: `ApiError`."""
    ignore = ignore or "ignore-page" in call.mood
    page = 1 if ignore else _whole(call.query, "page", 1, 10**6)
    size = min(_whole(call.query, "per_page", default, 10**6), most)
    items = _moody(items, call, page)
    part = list(items[(page - 1) * size : page * size])
    info = {
        "page": page, "per_page": size, "count": len(part), "total_count": len(items),
        "total_pages": -(-len(items) // size),
    }  # fmt: skip
    return reply(part, info=info)


def _moody(items: Sequence[Any], call: Call, page: int) -> Sequence[Any]:
    if "moving-pages" in call.mood and page > 1:
        return items[1:]  # somebody removed the first one since page 1 was read
    if "shuffle" in call.mood:
        return call.world.random("shuffle").sample(items, len(items))
    return items


def _whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:8]) <= most):
        raise invalid(f"{name} must be a whole number from 1")
    return int(text)
