"""What a file of keys may ask of whoever opens it: so many rounds of key derivation, and no crash.

Rules of this file:
- Whoever writes an encrypted key chooses the rounds, and 2^31 of them would hold a run for minutes. So they are
  counted before anything is derived.
- Where the library itself fails on a file (its Rust code panics, which Python sees as no `Exception`), the file is
  damaged.
- Only structure is read, as far as it can be without opening: what is encrypted inside the file is not looked into.
  Not checked: whether it is right in any other way.

Source: RFC 8018 appendix A (PBKDF2, PBES), RFC 7292 appendix B and section 4 (PKCS#12), RFC 7914 section 7 (scrypt):
all write the number right behind the salt, an INTEGER behind an OCTET STRING.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm

from cf_mtls.diagnostics import Code, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from cf_mtls.diagnostics import Diagnostic

    Value: TypeAlias = tuple[int, bytes]
    """A tag, without its constructed bit for OCTET STRINGs in pieces, and the content."""

TOO_MUCH = Code("identity.too-many-rounds", Severity.ERROR, Fault.FILE, "opening it would take too long")

MOST = 3_000_000
"""Rounds of all derivations of a file together: about a second. OpenSSL writes 2,048, Firefox 600,000."""

DEEPEST = 40
INTEGER, OCTETS = 0x02, 0x04
CONSTRUCTED = 0x20
SCRYPT_WEIGHT = 3
"""Rounds that one unit of scrypt's cost (N times r times p) takes as long as."""


@contextmanager
def decoding() -> Iterator[None]:
    """What the `cryptography` library does inside raises ValueError, TypeError, UnsupportedAlgorithm, nothing else.

    Its own list of exceptions is not complete, and where its Rust code panics Python sees no `Exception`; the line that
    it writes to stderr then cannot be kept back.
    """
    try:
        yield
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueError("the library cannot read it") from error


def too_much(data: bytes) -> Diagnostic | None:
    """Why the file is not opened, None when it asks for at most `MOST` rounds. data: PKCS#12, DER or one PEM block."""
    asked = rounds(_unpacked(data))
    if asked <= MOST:
        return None
    said = f"{asked:,}" if asked < 10**12 else "more than 10^12"
    return TOO_MUCH.found(
        f"It asks for {said} rounds of key derivation; at most {MOST:,} are done.",
        "Export it again with fewer rounds.",
    )


def rounds(data: bytes) -> int:
    """The rounds that opening this DER or BER would take, as far as they can be seen; 0 for what is neither."""
    total, waiting = 0, [(data, 0)]
    while waiting:
        inner, depth = waiting.pop()
        values = list(_values(inner))
        total += sum(_asked(values, at) for at in range(1, len(values)))
        if depth < DEEPEST:
            waiting += [
                (content, depth + 1)
                for tag, content in values
                if tag & CONSTRUCTED or (tag == OCTETS and _is_one(content))
            ]
    return total


def _is_one(content: bytes) -> bool:
    """Whether an OCTET STRING holds one whole value and nothing behind it: what is encrypted hardly ever does."""
    return content[:1] in {b"\x30", b"\x24"} and _value(content, 0)[2] == len(content) == _claimed(content)


def _claimed(content: bytes) -> int:
    """The length that the head of a value claims for it, head included; all that is there where it claims none."""
    first = content[1] if len(content) > 1 else 0
    if first == 0x80:
        return len(content)
    size = max(0, first - 0x80)
    return 2 + size + (int.from_bytes(content[2 : 2 + size]) if size else first)


def _asked(values: Sequence[Value], at: int) -> int:
    """The rounds that the value at this place names, 0 when it is no number behind a salt."""
    if (values[at - 1][0], values[at][0]) != (OCTETS, INTEGER):
        return 0
    numbers = [int.from_bytes(content[:32]) for tag, content in values[at : at + 3] if tag == INTEGER]
    if len(numbers) < 3:
        return numbers[0]
    return SCRYPT_WEIGHT * numbers[0] * numbers[1] * numbers[2]


def _values(data: bytes) -> Iterator[Value]:
    """The values one behind the other, as far as they can be read."""
    at = 0
    while at < len(data):
        tag, content, at = _value(data, at)
        yield tag, content


def _value(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The value at a place, and where the next one begins; what is cut ends with the data."""
    tag, first = data[at], data[at + 1] if at + 1 < len(data) else 0
    start = at + 2
    if first == 0x80:  # BER, of indefinite length: two zero bytes end it
        return _indefinite(data, tag, start)
    if first > 0x80:
        size = first & 0x7F
        length, start = int.from_bytes(data[start : start + size]), start + size
    else:
        length = first
    end = min(len(data), start + length)
    return *_joined(tag, data[start:end]), max(end, at + 1)


def _indefinite(data: bytes, tag: int, start: int) -> tuple[int, bytes, int]:
    at, open_values = start, 1
    while at < len(data) and open_values:
        if data[at : at + 2] == b"\x00\x00":
            open_values, at = open_values - 1, at + 2
        elif data[at + 1 : at + 2] == b"\x80":
            open_values, at = open_values + 1, at + 2
        else:
            at = max(at + 1, _value(data, at)[2])
    return *_joined(tag, data[start:at]), at


def _joined(tag: int, content: bytes) -> tuple[int, bytes]:
    """An OCTET STRING that comes in pieces is one."""
    if tag == OCTETS | CONSTRUCTED:
        return OCTETS, b"".join(piece for _, piece in _values(content))
    return tag, content


def _unpacked(data: bytes) -> bytes:
    """The bytes in a PEM block; other data as they are."""
    if data[:1] == b"\x30":
        return data
    lines = data.replace(b"\r", b"").split(b"\n")
    marks = [at for at, line in enumerate(lines) if line.startswith(b"-----")]
    texts = (b"".join(lines[a + 1 : b]) for a, b in pairwise(marks))
    return b"".join(_decoded(text) for text in texts)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        return b""  # a block with headers, encrypted as OpenSSL once did: one round
