"""What must change: `Change`, `Step`, `Plan`.

Rules of this file:
- A step is data and carries the value the resource has *after* it, so that a plan can be printed,
  saved, walked and simulated; it is never a closure.
- `reason` is for people; nothing decides with it.
"""

from __future__ import annotations

from dataclasses import field, fields
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Literal

from cf_mtls.model.asked import NOBODY, Asked
from cf_mtls.model.coverage import Coverage
from cf_mtls.model.state import State
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cf_mtls.diagnostics import Diagnostic, Place
    from cf_mtls.model.doors import Doorway
    from cf_mtls.model.people import Client, Shown, Target
    from cf_mtls.model.resources import Address, Resource, Scope


class Action(Enum):
    """What happens to a resource; the value is Terraform's word in JSON plans."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"

    @property
    def symbol(self) -> str:
        """`+`, `~` or `-`."""
        return {"create": "+", "update": "~", "delete": "-"}[self.value]


@dataclass(frozen=True, slots=True)
class Change:
    """One resource before and after. before is None for a create, after is None for a delete."""

    address: Address
    action: Action
    before: Resource | None
    after: Resource | None
    attributes: tuple[str, ...]
    """Cloudflare's names of the attributes that differ, sorted; never empty for an update."""
    reason: str = ""


class Phase(IntEnum):
    """The order of steps: trust is widened before it is demanded, and narrowed after it is released."""

    UPLOAD = 1
    WIDEN = 2
    SETTINGS = 3
    DEMAND = 4
    RELEASE = 5
    NARROW = 6
    DELETE = 7


Condition = Literal["detached", "settled"]
"""detached: the CA reads back without hostnames; settled: the settings read back as written."""


@dataclass(frozen=True, slots=True)
class Step:
    """Put this value at this address (None: remove it), then wait for the condition."""

    phase: Phase
    address: Address
    value: Resource | None
    cause: Address
    wait: Condition | None = None
    group: int = 0
    """Which connected set of hosts it belongs to: steps of different groups cannot disturb each other."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What was watched while the steps were ordered: requests that stand for all, in every state between."""

    requests: int = 0
    states: int = 1
    is_kept: bool = True
    shut: tuple[str, ...] = ()
    """Hosts on which somebody is refused for a moment, because that was allowed."""

    def __str__(self) -> str:
        """The line that says for which requests it was decided."""
        if not self.requests:
            return "No step can change who gets in anywhere."
        watched = f"{self.requests:,} requests × {self.states:,} states"
        if not self.is_kept:
            return f"{watched}: not kept"
        but = f", but on {', '.join(self.shut)}: shut for a moment, as allowed" if self.shut else ""
        return f"{watched}: every outcome changes at most once{but}"


NOTHING_WATCHED = Promise()


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was typed out: things to take over, and gates to open. None and empty open nothing.

    A field added here must be an option of `plan` and of `apply`; a saved plan carries it by itself, and does not
    believe it unless its digest was approved: see `SHAPES`.
    """

    adopt: frozenset[Address] = frozenset()
    lockout: frozenset[str] = frozenset()
    """Hosts that may be shut for a moment, and `CLIENT@URL` for declared clients that may lose their access there."""
    unproven: frozenset[str] = frozenset()
    """Hosts whose new trust may go unproven."""
    weaken: frozenset[str] = frozenset()
    """URLs at which more kinds of people may get in."""
    delete: int | None = None
    """How many objects may be deleted."""
    cleared: frozenset[Address] = frozenset()
    """Things whose secrets an update may clear."""
    one_ca_per_hostname: bool = False
    """Whether this account takes a hostname on one CA only."""
    twins: frozenset[str] = frozenset()
    """What of a CA this account refuses twice, as it said: `first`, `any` or `whole`; empty for nothing."""
    wildcard_hostnames: bool = False
    """Whether this account takes a wildcard where a CA's or a setting's hostname stands."""
    targets: frozenset[Address] = frozenset()
    """The only addresses to change; empty means all."""
    elsewhere: frozenset[str] = frozenset()
    """Hosts that lie in no zone which the token sees, and are meant all the same."""

    def __or__(self, other: Allowed) -> Allowed:
        """What either of the two allows."""
        return Allowed(
            **{f.name: _either(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        )

    def only(self, names: Collection[str]) -> Allowed:
        """Some of the fields; the others open nothing."""
        return Allowed(**{name: getattr(self, name) for name in names})


SHAPES = frozenset({"elsewhere", "one_ca_per_hostname", "targets", "twins", "wildcard_hostnames"})
"""The fields of `Allowed` that open no gate, only make the plan another one: what they lead to is judged as usual."""


def _either(one: Any, other: Any) -> Any:
    """The wider of two values of one field of `Allowed`."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other) if isinstance(one, int) else one | other


NOTHING = Allowed()


@dataclass(frozen=True, slots=True)
class Removed:
    """An id that the file no longer declares: what becomes of the thing, and where the file says so."""

    id: str
    destroy: bool
    """Whether it is deleted; else it is left as it is, whatever mark it carries."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan was made from, besides the account: from the same inputs the same plan can be made again."""

    declared: State = field(default_factory=State)
    """Only what the file says, also when all of it is to go: then it says what is pinned."""
    hosts: frozenset[str] = frozenset()
    """The hostnames for which what lives beside the scope was read too."""
    allowed: Allowed = NOTHING
    clients: tuple[Client, ...] = ()
    targets: tuple[Target, ...] = ()
    """Where the proof afterwards asks."""
    shown: Mapping[str, Shown] = field(default_factory=dict)
    """What the file of each client shows whose certificate could be read."""
    beside: tuple[str, ...] = ()
    """The PEM of CAs of ours that left the file, as far as it was found beside."""
    is_destroy: bool = False
    removed: tuple[Removed, ...] = ()
    """Ids that the file lists as removed."""
    asked: Asked = NOBODY
    """Whom the plan asked: an emulator's word is none about Cloudflare."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything `apply` needs and a reviewer reads."""

    stack: str
    scope: Scope
    actual: State
    desired: State
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    promise: Promise = NOTHING_WATCHED
    doors: tuple[Doorway, ...] = ()
    """Who gets in before and after, at every URL that a change can affect."""
    inputs: Inputs = field(default_factory=Inputs)
    left_out: tuple[Address, ...] = ()
    """What would change too, and does not because other things were targeted."""
    coverage: Coverage = field(default_factory=Coverage)
    """What was looked at; nothing unless somebody says so."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do: the one place that decides it."""
        return not self.changes
