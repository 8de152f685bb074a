"""Inputs made wrong: bytes that are flipped, cut and repeated, and JSON whose members are something else.

Rules of this file:
- The same seed makes the same input, so that what was found is found again.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

LARGEST = 300_000
"""Bytes of an input; more only makes the same slower."""

PIECES = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n\n\n",
    b" " * 300,
    b"\t",
    b"-----BEGIN ",
    b"-----END ",
    b"-----",
    b"PRIVATE KEY",
    b"CERTIFICATE",
    b"[",
    b"{",
    b"]",
    b"}",
    b'"',
    b"'",
    b"\\ud800",
    b"\\u0000",
    b"1e400",
    b"-1",
    b"9" * 5000,
    b"0" * 50,
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[" * 3000,
    b"{a: " * 60,
    b'{"a":' * 500,
    b"&a ",
    b"*a",
    b"!!python/object:x ",
    b"<<: ",
    b"? ",
    b"- " * 500,
    b"%61",
    b"%",
    b"*",
    b"**/" * 60,
    b"../../",
    b"${x}",
    b"::error::",
    b"\x1b[31m",
    "\u202e".encode(),
    "²".encode(),
    b"9999-12-31T23:59:59-23:59",
    b"0001-01-01T00:00:00+14:00",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x02\x04\x7f\xff\xff\xff",
    b"\x02\x04\x02\xff\xff\xff",
    b"\x02\x03\x2f\xff\xff",
    b"=",
    b":",
    b"#",
    b",",
    b"A" * 10_000,
)
"""What breaks careless readers."""

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    10**17,
    10**30,
    0.5,
    -0.0,
    "",
    " ",
    "x",
    "x" * 5000,
    "\x00",
    "\ud800",
    "²",
    "1",
    "-1",
    "9" * 5000,
    [],
    {},
    [[]],
    [None],
    [1],
    ["x"],
    {"a": None},
    {"id": None},
    {"": ""},
    [{}],
    [{"id": "x"}],
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+14:00",
    "10000-01-01T00:00:00Z",
    "2030-01-01",
    "../x",
    "a/b?c#d",
    "*",
    "*." * 50 + "a",
    "a.net/" + "*/" * 40,
    "x\n::error::y",
    "\u202ex",
    {"everyone": None},
    [{"group": {"id": "g"}}],
)
"""What may stand in the place of any JSON value."""

RAW = (
    b"1e400",
    b"-1e400",
    b"NaN",
    b"Infinity",
    b"9" * 5000,
    b"1." + b"1" * 5000,
    b"[" * 2000 + b"]" * 2000,
    b'"\\ud800"',
    b'{"a":' * 100 + b"1" + b"}" * 100,
    b"-0",
    b"1E5",
)
"""What only text can say."""


def mutated(random: Random, data: bytes, others: tuple[bytes, ...] = ()) -> bytes:
    """Bytes with one to a few changes. others: what pieces may be taken from."""
    made = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        _change(random, made, random.choice(others or (data,)))
    return bytes(made[:LARGEST])


def _change(random: Random, made: bytearray, other: bytes) -> None:
    at = random.randint(0, len(made))
    end = min(len(made), at + random.choice((1, 1, 2, 8, 64, 1000)))
    match random.randrange(8):
        case 0 if made:
            made[at % len(made)] ^= 1 << random.randrange(8)
        case 1 if made:
            made[at % len(made)] = random.randrange(256)
        case 2:
            del made[at:end]
        case 3:
            made[at:at] = random.choice(PIECES)
        case 4:
            made[at:end] = random.choice(PIECES)
        case 5:
            made[at:at] = made[at:end] * random.choice((1, 2, 10, 300))
        case 6:
            start = random.randint(0, len(other))
            made[at:end] = other[start : start + random.choice((1, 8, 64, 1000))]
        case _:
            del made[at:]


def mutated_json(random: Random, value: Any) -> bytes:
    """The text of a JSON value in which one to a few members are something else, are gone, or are there again."""
    made = json.loads(json.dumps(value))
    holder = [made]
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        _alter(random, random.choice(list(_slots(holder))))
    text = json.dumps(holder[0], ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")
    if random.random() < 0.15:
        place = random.choice([at for at in range(len(text)) if text[at : at + 1] in b"0123456789tfn"] or [0])
        text = text[:place] + random.choice(RAW) + text[place + 1 :]
    return text[: 4 * LARGEST]


def _slots(holder: Any) -> Any:
    """Every place of a value: what holds it, and by which key."""
    waiting = [holder]
    while waiting:
        inner = waiting.pop()
        for key in list(inner) if isinstance(inner, dict) else range(len(inner)):
            yield inner, key
            if isinstance(inner[key], dict | list):
                waiting.append(inner[key])


def _alter(random: Random, slot: tuple[Any, Any]) -> None:
    holder, key = slot
    choice = random.randrange(10)
    if choice == 0 and isinstance(holder, dict):
        del holder[key]
    elif choice == 1 and isinstance(holder, dict):
        holder[str(random.choice(VALUES))[:50]] = holder.pop(key)
    elif choice == 2 and isinstance(holder, dict):
        holder["more"] = json.loads(json.dumps(random.choice(VALUES)))  # its own, for it may be altered next
    elif choice == 3 and isinstance(holder[key], list) and holder[key]:
        holder[key] = holder[key] * random.choice((2, 30))
    elif choice == 4 and isinstance(holder[key], str):
        holder[key] = mutated(random, holder[key].encode("utf-8", "surrogatepass")).decode(
            "utf-8", "replace"
        )[:20_000]
    else:
        holder[key] = json.loads(json.dumps(random.choice(VALUES)))
