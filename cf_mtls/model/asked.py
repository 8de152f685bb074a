"""Whom a report asked: which API, which edge, and whether that was an emulator.

Rules of this file:
- An emulator is called one in large letters, in every report: what it says is no word about Cloudflare.
- It is one when its answers say so, and never by its address: an address of this machine may be a relay to Cloudflare.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from cf_mtls.quick import dataclass

OWN_EDGE = "the hostnames' own addresses"
EMULATOR = "EMULATOR"
EMULATOR_HEADER = "x-cf-mtls-emulator"
"""What this program's emulator sends with every answer, so that nobody takes it for Cloudflare."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a report asked."""

    api: str | None = None
    """The API's base URL without what is secret in it; None when none was asked."""
    edge: str | None = None
    """Where the hostnames were asked, as `--connect-to` has it, or `OWN_EDGE`; None when no edge was asked."""
    is_emulator: bool = False

    def __str__(self) -> str:
        """One line: `Asked: API https://…, edge ….`; untrusted text only where an option was."""
        whom = [f"API {self.api}"] if self.api else []
        whom += [f"edge at {self.edge}"] if self.edge else []
        said = f"Asked: {', '.join(whom) or 'nobody'}."
        return f"{said} {EMULATOR}: not Cloudflare." if self.is_emulator else said

    def data(self) -> dict[str, str | bool | None]:
        """The same as JSON-ready values."""
        return {"api": self.api, "edge": self.edge, "emulator": self.is_emulator}


NOBODY = Asked()


def of_api(base_url: str, *, emulated: bool) -> Asked:
    """An API as a report names it: without a name and a password. emulated: whether it said that it is an emulator."""
    parts = urlsplit(base_url)
    return Asked(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), None, emulated)
