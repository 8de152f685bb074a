"""Did it work: `Probe`, `Evidence`, `Verdict`.

Rules of this file:
- A probe names what is shown; key material is never in here, only paths and names.
- A cookie that evidence carries on its way is never in a representation, and is dropped before anything is judged.
- "Could not tell" is its own outcome and never a pass.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import Enum
from typing import TYPE_CHECKING

from cf_mtls.model.asked import EMULATOR_HEADER, NOBODY, Asked
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.people import Client, Expected, Target


class Control(Enum):
    """Who shows at a URL that one gets further there than to a refusal, so that a refusal counts."""

    CLIENT = "a client that gets in by its certificate"
    ANYONE = "anybody gets in, so nothing is refused"
    LOGIN = "the login page"
    NOBODY = "nobody may enter: a control elsewhere on the host"
    ELSEWHERE = "only credentials that cannot be presented here get in"
    UNDECLARED = "no application stands there, so the origin answers"


class Extent(Enum):
    """Which URLs were looked at."""

    FILE = "every URL of the file"
    RUN = "the URLs that this run could affect"


@dataclass(frozen=True, slots=True)
class Probe:
    """A request to make and what is expected. client: the declared one that is shown or followed, or None."""

    target: Target
    client: Client | None
    expected: Expected
    proof: int = 0
    """The number of the proof that this request belongs to."""
    who: str = "no certificate"
    """Who asks, in words."""
    path: str | None = None
    """Asked for in place of the target's own path."""
    shows: str | None = None
    """The name of the certificate that is shown: a client's, or a wrong one's. None shows none."""
    imitates: str | None = None
    """The client whose subject a wrong certificate has."""
    other_host: str | None = None
    """The hostname whose TLS session is resumed."""
    is_replay: bool = False
    """Whether `shows` is shown in a first request only, and its cookies alone in the second."""
    ours: frozenset[str] = frozenset()
    """The domains of the application that must govern what is asked for; empty where none is declared."""
    deny_urls: frozenset[str] = frozenset()
    """Where that application sends those whom it refuses, in place of a page."""
    declared: frozenset[str] = frozenset()
    """The domains of every application of the file, and of those that were just removed."""
    control: Control = Control.CLIENT
    """Who is the control at the target's URL."""
    unsure: str = ""
    """Why what must happen is UNFORESEEN, '' for the usual reasons."""

    @property
    def host(self) -> str:
        """The hostname that is asked, lower case."""
        return self.target.url.partition("://")[2].partition("/")[0].lower()

    @property
    def url(self) -> str:
        """What is asked for."""
        return self.target.url if self.path is None else f"https://{self.host}{self.path}"


class Got(Enum):
    """What happened, as one of the shapes worth telling apart."""

    ORIGIN = "answered by the origin"
    FORBIDDEN = "403 by Access"
    UNAUTHORIZED = "401 by Access"
    LOGIN = "302 to the login page"
    DENY_PAGE = "redirected by Access to a deny page"
    OTHER_REFUSAL = "403 by something else"
    ORIGIN_DOWN = "the origin failed"
    MISDIRECTED = "421, sent to the wrong connection"
    THROTTLED = "429, too many requests"
    TLS_REFUSED = "refused in the TLS handshake"
    CLOSED = "closed after the handshake"
    TIMEOUT = "no answer in time"
    UNREACHABLE = "could not connect"
    UNTRUSTED = "the server's own certificate is not trusted"
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
    witness: str = ""
    session_of: str = ""
    """The audience tag of the application that opened a session, '' when none was opened or it is not readable."""
    cookies: tuple[str, ...] = field(default=(), repr=False)
    """`name=value` of each cookie that was set: whoever has one is in. Dropped before judging."""
    screenshot: bytes | None = field(default=None, repr=False)
    """PNG of the page, from a browser."""

    def header(self, name: str) -> str | None:
        """The first value of a header, None when absent."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the TLS handshake of a hostname said to a client without a certificate."""

    host: str
    asked: bool = False
    """Whether a client certificate was asked for."""
    names: tuple[str, ...] = ()
    """The CAs whose clients are wanted, as the server named them; may be empty though it asked."""
    version: str = ""
    failure: str = ""
    """Why there was no handshake, '' when there was one."""
    reached: bool = True
    """Whether anything answered at all."""


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
    is_named: bool = False
    """Whether the edge said that the application answered which must govern."""


BY_ACCESS = frozenset({Got.FORBIDDEN, Got.UNAUTHORIZED, Got.LOGIN, Got.DENY_PAGE})
"""What Access itself answered."""


def says_emulator(verdicts: Sequence[Verdict]) -> bool:
    """Whether the edge that answered said that it is an emulator's.

    The emulator says so in every answer. An origin can say so too, in what it answers behind the real edge; so where
    Access itself answered that alone counts, and elsewhere every answer must say it.
    """
    answered = [verdict for verdict in verdicts if verdict.evidence.status is not None]
    by_access = [verdict for verdict in answered if verdict.got in BY_ACCESS]
    says = [verdict.evidence.header(EMULATOR_HEADER) is not None for verdict in by_access or answered]
    return any(says) if by_access else bool(says) and all(says)


@dataclass(frozen=True, slots=True)
class Expiry:
    """When something that the proof rests on ends. kind: `client` or `CA`."""

    kind: str
    name: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that was found out in one go, for a report."""

    verdicts: tuple[Verdict, ...]
    handshakes: tuple[Handshake, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, and why, in sentences."""
    extent: Extent = Extent.FILE
    asked: Asked = NOBODY

    @property
    def whom(self) -> Asked:
        """Whom it asked: an emulator also where only the edge's answers say so."""
        return replace(self.asked, is_emulator=self.asked.is_emulator or says_emulator(self.verdicts))


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one file's proof: what was found out, or why nothing could be asked."""

    file: str
    found: Dossier = field(default_factory=lambda: Dossier(()))
    problems: tuple[Diagnostic, ...] = ()
    """Errors that kept it from being asked; empty when it was."""
