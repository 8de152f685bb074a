"""Cloudflare's JSON at the border: bytes to plain values within limits, and members read as what they must be.

Rules of this file:
- What has not the type that it must have is `Misshapen`, with the path of the member and what stands there instead.
- Null and absent are the same, as everywhere in Cloudflare's API.
- The limits are wide for every true answer and narrow for a hostile one: how deep it nests, how many values it
  holds, how long a number or a name is. Each is named where it is exceeded.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

DEEPEST = 32
"""How many objects and lists stand within each other at most; an application's rules take seven."""

MOST_VALUES = 1_000_000
"""Values in one answer, counted by its commas and brackets before anything is made of them."""

LONGEST_NAME = 4_096
"""Characters of a name, a hostname, a domain; Cloudflare's longest is 350."""

LONGEST_NUMBER = 18
"""Digits."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Misshapen(ValueError):
    """A member that is not what it must be; `member` is its path, '' for the whole."""

    def __init__(self, member: str, why: str) -> None:
        self.member, self.why = member, why
        super().__init__(f"{member or 'the answer'} {why}")

    def within(self, prefix: str) -> Misshapen:
        """The same, seen from further outside."""
        joint = "" if not self.member or self.member.startswith("[") else "."
        return Misshapen(f"{prefix}{joint}{self.member}", self.why)


def parsed(body: bytes) -> Any:
    """The JSON of a body. Raises Misshapen when it is none, or beyond a limit."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise Misshapen("", f"holds more than {MOST_VALUES} values")
    try:
        found = json.loads(body, parse_int=_whole, parse_float=_real, parse_constant=_real)
    except Misshapen:
        raise
    except RecursionError:
        raise Misshapen("", f"nests deeper than {DEEPEST} levels") from None
    except ValueError:  # UnicodeDecodeError and JSONDecodeError are of this kind
        raise Misshapen("", f"is not JSON{_beginning(body)}") from None
    if _is_deep(found):
        raise Misshapen("", f"nests deeper than {DEEPEST} levels")
    if b"\\ud" in body or b"\\uD" in body:
        _no_halves(found, "")
    return found


def _beginning(body: bytes) -> str:
    shown = body[:60].decode("ascii", "replace").strip()
    return f"; it begins with {shown!r}" if shown else "; it is empty"


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise Misshapen("", f"holds a number of {len(digits)} digits; {LONGEST_NUMBER} are the most")
    return int(digits)


def _real(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise Misshapen("", f"holds the number {text[:20]}, which is none")
    return found


def _is_deep(found: Any) -> bool:
    level = [found]
    for _ in range(DEEPEST + 1):
        inner = [v for value in level if value.__class__ is dict for v in value.values()]
        inner += [v for value in level if value.__class__ is list for v in value]
        level = [v for v in inner if v.__class__ is dict or v.__class__ is list]
        if not level:
            return False
    return True


def _no_halves(found: Any, path: str) -> None:
    """Raise Misshapen for a text that no encoding can write: half of a surrogate pair."""
    match found:
        case str():
            if not found.isascii() and any("\ud800" <= c <= "\udfff" for c in found):
                raise Misshapen(path, "holds half a character (a lone surrogate)")
        case dict():
            for name, value in found.items():
                _no_halves(name, path)
                _no_halves(value, f"{path}.{name}".lstrip("."))
        case list():
            for index, value in enumerate(found):
                _no_halves(value, f"{path}[{index}]")


# Members


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def an_object(value: object) -> dict[str, Any]:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise Misshapen("", f"is {kind_of(value)}, not an object")
    return value


def maybe(raw: object, name: str) -> str | None:
    """A text member, None when it is null or absent."""
    value = an_object(raw).get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Misshapen(name, f"is {kind_of(value)}, not a text")
    return value


def name(raw: object, member: str) -> str:
    """A short text, '' when it is null or absent."""
    return _short(maybe(raw, member) or "", member)


def _short(value: str, member: str) -> str:
    if len(value) > LONGEST_NAME:
        raise Misshapen(member, f"has {len(value)} characters; {LONGEST_NAME} are the most")
    return value


def needed(raw: object, member: str) -> str:
    """A short text that must be there and not empty."""
    value = name(raw, member)
    if not value:
        raise Misshapen(member, "is missing")
    return value


def identifier(raw: object, member: str = "id") -> str:
    """An id: letters, digits, hyphens and underscores, so that it can stand in a path."""
    value = needed(raw, member)
    if not _ID.fullmatch(value):
        raise Misshapen(member, "is not an id")
    return value


def maybe_identifier(raw: object, member: str = "id") -> str | None:
    """An id, None when it is null or absent."""
    return None if an_object(raw).get(member) is None else identifier(raw, member)


def flag(raw: object, member: str) -> bool:
    """True or false; null and absent are false."""
    value = an_object(raw).get(member)
    if value is not None and not isinstance(value, bool):
        raise Misshapen(member, f"is {kind_of(value)}, not true or false")
    return bool(value)


def whole(raw: object, member: str) -> int | None:
    """A whole number that is not negative, None when it is null or absent."""
    value = an_object(raw).get(member)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Misshapen(member, f"is {value if type(value) is int else kind_of(value)}, not a count")
    return value


def moment(raw: object, member: str) -> datetime:
    """A point in time as aware UTC, whole seconds."""
    return instant(needed(raw, member), member)


def instant(text: str, member: str = "") -> datetime:
    """An RFC 3339 time as aware UTC, whole seconds. Raises Misshapen for anything else."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise Misshapen(member, "is a time without its offset from UTC")
        return found.astimezone(UTC).replace(microsecond=0)
    except Misshapen:
        raise
    except (ValueError, OverflowError):
        raise Misshapen(member, f"is {text[:40]!r}, which is no time that can be told") from None


def names(raw: object, member: str) -> list[str]:
    """A list of short texts, none when it is null or absent."""
    return each(raw, member, _short_text)


def _short_text(value: object) -> str:
    if not isinstance(value, str):
        raise Misshapen("", f"is {kind_of(value)}, not a text")
    return _short(value, "")


def each(raw: object, member: str, read: Callable[[Any], T]) -> list[T]:
    """What `read` makes of each item of a list, none when it is null or absent."""
    value = an_object(raw).get(member)
    if value is not None and not isinstance(value, list):
        raise Misshapen(member, f"is {kind_of(value)}, not a list")
    return every(value or (), read, member)


def every(items: Iterable[Any], read: Callable[[Any], T], member: str = "") -> list[T]:
    """What `read` makes of each item; a problem names the item's place."""
    found = []
    for index, item in enumerate(items):
        try:
            found.append(read(item))
        except Misshapen as error:
            raise error.within(f"{member}[{index}]") from None
    return found
