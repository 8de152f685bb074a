"""Did it work: `Probe`, `Evidence`, `Verdict`.

Rules of this file:
- A probe names its client; key material is never in here, only paths.
- "Could not tell" is its own outcome and never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Expected(Enum):
    """What must happen: *allowed* means that the origin answered, *refused* that Access did."""

    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: a label, the paths of its files, and what must happen to it."""

    name: str
    certificate: str
    key: str
    expected: Expected = Expected.ALLOWED
    is_here: bool = True
    """Whether both files could be found when the plan file was read."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that an application stands on, and how to ask for it."""

    url: str
    application: str
    method: str = "GET"
    expect_status: int | None = None
    """The origin's status that an allowed request must get; None accepts any answer of the origin."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A request to make and what is expected. client is None for a request without a certificate."""

    target: Target
    client: Client | None
    expected: Expected

    @property
    def who(self) -> str:
        """The client's name, or the words for having none."""
        return self.client.name if self.client else "no certificate"


class Got(Enum):
    """What happened, as one of the shapes worth telling apart."""

    ORIGIN = "answered by the origin"
    FORBIDDEN = "403 by Access"
    UNAUTHORIZED = "401 by Access"
    LOGIN = "302 to the login page"
    OTHER_REFUSAL = "403 by something else"
    ORIGIN_DOWN = "the origin failed"
    TLS_REFUSED = "refused in the TLS handshake"
    CLOSED = "closed after the handshake"
    TIMEOUT = "no answer in time"
    UNREACHABLE = "could not connect"
    CONFUSED = "an answer that fits nothing known"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one probe saw. status is None when no HTTP answer came; headers have lower-case names."""

    status: int | None = None
    http_version: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    failure: Got | None = None
    """Why there was no answer; None when there was one."""
    detail: str = ""
    ms: int = 0
    command: str = ""
    """The exact command when the witness is one, ready to paste."""

    def header(self, name: str) -> str | None:
        """The first value of a header, None when absent."""
        return next((value for key, value in self.headers if key == name), None)


class Outcome(Enum):
    """The verdict on one probe."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A probe, what it saw, and the sentence why that is a pass, a failure or neither."""

    probe: Probe
    evidence: Evidence
    got: Got
    outcome: Outcome
    why: str
