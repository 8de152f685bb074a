"""What must change: `Change`, `Step`, `Plan`.

Rules of this file:
- A step is data and carries the value the resource has *after* it, so that a plan can be printed,
  saved, walked and simulated; it is never a closure.
- `reason` is for people; nothing decides with it.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Literal

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.doors import Doorway
    from cf_mtls.model.resources import Address, Resource, Scope
    from cf_mtls.model.state import State


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

    def __str__(self) -> str:
        """The line of proof."""
        watched = f"{self.requests:,} requests × {self.states:,} states"
        return f"{watched}: every outcome changes at most once" if self.is_kept else f"{watched}: not kept"


NOTHING_WATCHED = Promise()


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

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do: the one place that decides it."""
        return not self.changes
