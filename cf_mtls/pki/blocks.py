"""PEM text cut into blocks, and everything that can be wrong with the cutting.

Rules of this file:
- A private key is looked for in the raw bytes before anything is cut or decoded; where one is found
  nothing else is read, and no byte of the file is repeated.
- No input raises. Every problem is a diagnostic, and all of them come back together.
- Labels and line numbers are shown, bodies never.
- A file is gone through from its beginning to its end, whatever is in it; nothing is looked for twice.

Source: RFC 7468; that indented PEM is accepted by Cloudflare: facts, cloudflare-api 1.4.
"""

from __future__ import annotations

import binascii
import codecs
import re
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PRIVATE_KEY = Code("pem.private-key", Severity.ERROR, Fault.FILE, "there is a private key in the file")
EMPTY = Code("pem.empty", Severity.ERROR, Fault.FILE, "the file is empty")
NOT_PEM = Code("pem.not-pem", Severity.ERROR, Fault.FILE, "the file holds no PEM blocks")
BROKEN = Code("pem.broken-block", Severity.ERROR, Fault.FILE, "a PEM block is broken")
UNDECODABLE = Code("pem.undecodable", Severity.ERROR, Fault.FILE, "a PEM block cannot be decoded")
FOREIGN = Code("pem.foreign-block", Severity.ERROR, Fault.FILE, "a PEM block is not a certificate")

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")

TOO_MANY = Code("pem.too-many-blocks", Severity.ERROR, Fault.FILE, "the file holds too many PEM blocks")

MOST_BLOCKS = 300
"""Blocks of one file. The roots that browsers trust are half as many; a CA of Cloudflare has ten at most."""

_KEY = re.compile(rb"(?P<marker>--\s*(?:BEGIN|END))|(?P<key>PRIVATE\s+KEY)|[\r\n]", re.IGNORECASE)
_WORDS = re.compile(rb"PRIVATE\s+KEY", re.IGNORECASE)
_BREAK = re.compile(r"\r\n|\r|\n")
_MARKER = re.compile(r"-----(BEGIN|END) ([^-\r\n]*)-----")
_LABEL = re.compile(r"[A-Z0-9 #.]+")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Block:
    """One PEM block: its number and first line (both count from 1), its label and decoded bytes."""

    number: int
    line: int
    label: str
    der: bytes

    def __repr__(self) -> str:
        """The block without its bytes."""
        return f"Block({self.number}, line {self.line}, {self.label})"


def read_blocks(data: bytes) -> tuple[tuple[Block, ...], tuple[Diagnostic, ...]]:
    """The blocks in the file's order, and what is wrong with it; blocks that cannot be decoded are left out.

    UTF-8 and UTF-16 byte order marks, CRLF, indentation and text between blocks are accepted.
    Not checked: what the bytes inside the blocks mean.
    """
    if holds_private_key(data):
        return (), (_private_key(),)
    if not data.strip(b"\x00\t\n\r \xef\xbb\xbf\xff\xfe"):
        return (), (EMPTY.found("There is nothing in it.", "Put the CA certificates in it, in PEM form."),)
    text = _Text(_text(data))
    markers = list(islice(_MARKER.finditer(text.whole), 2 * MOST_BLOCKS + 1))
    if len(markers) > 2 * MOST_BLOCKS:
        fix = "Name the file with the CAs of one certificate entry."
        return (), (TOO_MANY.found(f"It holds more than {MOST_BLOCKS}, the most that are read.", fix),)
    found = list(_pair(text, markers))
    if not found:
        return (), (_not_pem(data),)
    blocks = tuple(item for item in found if isinstance(item, Block))
    return blocks, tuple(item for item in found if isinstance(item, Diagnostic))


def holds_private_key(data: bytes) -> bool:
    """Whether a PEM marker of any kind of private key stands anywhere in the bytes, in UTF-16 as well."""
    if not _WORDS.search(data.replace(b"\x00", b"")):
        return False
    is_open = False
    for found in _KEY.finditer(data.replace(b"\x00", b"")):
        if found["key"] and is_open:
            return True
        is_open = bool(found["marker"]) or (is_open and bool(found["key"]))  # a line break closes a marker
    return False


def _private_key() -> Diagnostic:
    return PRIVATE_KEY.found(
        "A private key stands among the certificates. Nothing of the file was read any further.",
        "Remove the key and keep it in a file of its own, readable by you alone. Where the file has been\n"
        "shared, committed or uploaded, replace the key: whoever has it can enter as its owner.",
    )


def _not_pem(data: bytes) -> Diagnostic:
    if data[:1] == b"\x30":  # an ASN.1 SEQUENCE: certificates, PKCS#12 and PKCS#7 all start so
        return NOT_PEM.found(
            "It looks like binary DER. A DER certificate becomes PEM with:",
            "    openssl x509 -inform DER -in FILE -out FILE.pem",
        )
    return NOT_PEM.found(
        "No line reads -----BEGIN CERTIFICATE-----.",
        "Give the CA certificates in PEM form, each between its BEGIN and END lines.",
    )


def _text(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding, errors="replace")
    return data.decode("latin-1")  # comments may be in any encoding; PEM itself is ASCII


class _Text:
    """A text and where its lines begin."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._starts = [0, *(found.end() for found in _BREAK.finditer(whole))]

    def line(self, at: int) -> int:
        """The number of the line that a place is in, from 1."""
        return bisect_right(self._starts, at)

    def beside(self, start: int, end: int) -> str:
        """What stands before and behind a piece of a line, on the same line."""
        first = self._starts[self.line(start) - 1]
        following = self._starts[self.line(end) : self.line(end) + 1]
        return self.whole[first:start] + self.whole[end : following[0] if following else None]


def _pair(text: _Text, markers: Sequence[re.Match[str]]) -> Iterator[Block | Diagnostic]:
    """Blocks and problems in the order in which they stand in the text."""
    number, opened = 0, None
    for marker in markers:
        if marker[1] == "BEGIN":
            if opened:
                yield _broken(text, opened, "it starts, and another block starts before it ends")
            number, opened = number + 1, marker
        elif opened is None:
            yield _broken(text, marker, "it ends without having started")
        else:
            yield _block(text, number, opened, marker)
            opened = None
    if opened:
        yield _broken(text, opened, "it starts and never ends: the file may have been cut short")


def _block(text: _Text, number: int, begin: re.Match[str], end: re.Match[str]) -> Block | Diagnostic:
    if begin[2] != end[2]:
        return _broken(text, begin, f"it starts as {_label(begin)} and ends as {_label(end)}")
    if not (_alone(text, begin) and _alone(text, end)):
        body = text.whole[begin.end() : end.start()]
        why = (
            r"its line breaks are written as \n"
            if r"\n" in body
            else "its markers share a line with other text"
        )
        return _broken(text, begin, f"{why}; BEGIN and END must stand alone on their lines")
    line = _line(text, begin)
    try:
        body = "".join(text.whole[begin.end() : end.start()].split())
        return Block(number, line, _label(begin), binascii.a2b_base64(body.encode("ascii"), strict_mode=True))
    except (binascii.Error, UnicodeEncodeError):
        return undecodable(number, line, "its body is not Base64")


def undecodable(number: int, line: int, why: str) -> Diagnostic:
    """The problem of a block whose bytes make no sense; `why` must not quote them."""
    return UNDECODABLE.found(
        f"Block {number}, which starts on line {line}: {why}.",
        "Copy the certificate again from where it was issued, whole, BEGIN and END lines included.",
    )


def foreign(block: Block) -> Diagnostic:
    """The problem of a block that is well formed and not a certificate."""
    return FOREIGN.found(
        f"Block {block.number}, which starts on line {block.line}, is {block.label or 'without a label'}.",
        "Keep only CERTIFICATE blocks in the file.",
    )


def _broken(text: _Text, marker: re.Match[str], why: str) -> Diagnostic:
    return BROKEN.found(
        f"The {_label(marker)} block at line {_line(text, marker)}: {why}.",
        "Copy the block again, whole, with a line break after every BEGIN and END line.",
    )


def _label(marker: re.Match[str]) -> str:
    return marker[2] if _LABEL.fullmatch(marker[2]) else "oddly labelled"


def _line(text: _Text, marker: re.Match[str]) -> int:
    return text.line(marker.start())


def _alone(text: _Text, marker: re.Match[str]) -> bool:
    return not text.beside(marker.start(), marker.end()).strip()
