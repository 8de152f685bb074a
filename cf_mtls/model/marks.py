"""The ownership mark in names: `georgetown (cf-mtls georgetown)`.

Rules of this file:
- The name is the only free text that certificates, applications and policies share, so it carries the mark.
- A CA's name also carries eight hex digits of its SHA-256: two CAs of one group never share a name.
"""

from __future__ import annotations

import re

LONGEST = 350
"""Characters that a name may have: facts 3.7."""

_MARK = re.compile(r" \(cf-mtls (?P<stack>[a-z0-9-]+)\)$")
_CERTIFICATE = re.compile(r" (?P<digits>[0-9a-f]{8}) \(cf-mtls [a-z0-9-]+\)$")


def application_name(label: str, stack: str) -> str:
    """The marked name of an application; a label too long for it is cut."""
    mark = f" (cf-mtls {stack})"
    return label[: LONGEST - len(mark)] + mark


def certificate_name(label: str, sha256: str, stack: str) -> str:
    """The marked name of a CA, with the first eight hex digits of its SHA-256."""
    return application_name(f"{label} {sha256[:8]}", stack)


def stack_of(name: str) -> str | None:
    """The stack whose mark a name carries, None when it carries none."""
    found = _MARK.search(name)
    return found["stack"] if found else None


def entry_of(name: str) -> str | None:
    """The label of the file's entry that a marked name was made for, None when it carries no mark."""
    found = _MARK.search(name)
    return name[: found.start()].partition(" ")[0] if found else None


def digits_of(name: str) -> str | None:
    """The eight hex digits in a CA's marked name, None when it has none."""
    found = _CERTIFICATE.search(name)
    return found["digits"] if found else None
