"""The ownership mark in names: `georgetown (cf-mtls georgetown)`.

Rules of this file:
- The name is the only free text that certificates, applications and policies share, so it carries the mark.
- The name of a CA that was uploaded also carries 32 hex digits of the SHA-256 of its whole bundle: the account shows
  one MD5 of one certificate, so this is what says which bundle it holds. Eight would not do: whoever makes an issuing
  CA chooses its bytes.
- A CA that was taken over in place carries the mark without digits: nobody saw what was uploaded.
"""

from __future__ import annotations

import re

LONGEST = 350
"""Characters that a name may have: facts 3.7."""

DIGITS = 32
"""Hex digits of the SHA-256 in the name of a CA: 128 bits."""

_MARK = re.compile(r" \(cf-mtls (?P<stack>[a-z0-9-]+)\)$")
_CERTIFICATE = re.compile(r" (?P<digits>[0-9a-f]{32}) \(cf-mtls [a-z0-9-]+\)$")


def application_name(label: str, stack: str) -> str:
    """The marked name of an application; a label too long for it is cut."""
    mark = f" (cf-mtls {stack})"
    return label[: LONGEST - len(mark)] + mark


def certificate_name(label: str, sha256: str, stack: str) -> str:
    """The marked name of a CA, with 32 hex digits of its SHA-256; a label too long for them is cut."""
    mark = f" {sha256[:DIGITS]} (cf-mtls {stack})"
    return label[: LONGEST - len(mark)] + mark


def stack_of(name: str) -> str | None:
    """The stack whose mark a name carries, None when it carries none."""
    found = _MARK.search(name)
    return found["stack"] if found else None


def entry_of(name: str) -> str | None:
    """The label of the file's entry that a marked name was made for, None when it carries no mark."""
    found = _MARK.search(name)
    return name[: found.start()].partition(" ")[0] if found else None


def digits_of(name: str) -> str | None:
    """The 32 hex digits in a CA's marked name, None when it has none."""
    found = _CERTIFICATE.search(name)
    return found["digits"] if found else None


def without_digits(name: str) -> str:
    """A CA's marked name without its digits: what one carries whose content nobody saw."""
    found = _CERTIFICATE.search(name)
    return f"{name[: found.start()]}{name[found.end('digits') :]}" if found else name


def shown(name: str) -> str:
    """A name as people read it: of a CA's digits the first eight. Any other name is as it is."""
    found = _CERTIFICATE.search(name)
    return f"{name[: found.start('digits') + 8]}…{name[found.end('digits') :]}" if found else name
