"""What was looked at, and the proof that this is everything which a claim rests on.

Rules of this file:
- A claim is made from what was found *and* from a `Whole`; a `Whole` cannot be made while anything is missing that the
  claim rests on. So a claim about what nobody read cannot be constructed: the type checker asks for the `Whole`, and
  making it raises.
- What could not be read and what nobody asked for are missing alike; they differ in what is said.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cf_mtls.diagnostics import Diagnostic


class Part(StrEnum):
    """What is read of an account; the value is how reports say it."""

    CERTIFICATES = "CAs"
    SETTINGS = "hostname settings"
    APPLICATIONS = "applications"
    POLICIES = "reusable policies"
    GROUPS = "groups"
    BESIDE = "the other scope"
    """The zones of an account, the account of a zone: their applications and CAs count too (facts 3.8)."""


class Incomplete(ValueError):
    """A claim was about to be made although something that it rests on was not read."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read, what could not be, what nobody asked for, and what a claim rests on; each by its name."""

    read: frozenset[str] = frozenset()
    unread: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    """What could not be read, or only in part, with why."""
    not_asked: frozenset[str] = frozenset()
    """What was left out on purpose, to be said beside the claim."""
    rests_on: frozenset[str] = frozenset()
    """Without anything nothing was looked at, and nothing can be claimed."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What a claim rests on and was not read whole, in order."""
        return tuple(sorted(n for n in self.rests_on if n not in self.read or n in self.unread))

    @property
    def is_complete(self) -> bool:
        """Whether a claim may be made."""
        return bool(self.rests_on) and not self.missing

    def whole(self) -> Whole | None:
        """The proof of that, None where there is none."""
        return Whole(self) if self.is_complete else None

    def resting_on(self, names: Iterable[str], unread: Mapping[str, tuple[Diagnostic, ...]]) -> Coverage:
        """This coverage for a claim that rests on these. unread: of these, what turned out not to be read."""
        return replace(self, rests_on=self.rests_on | frozenset(names), unread={**self.unread, **unread})

    def why(self) -> tuple[Diagnostic, ...]:
        """Why each missing one is missing, as far as that was said, each reason once."""
        return tuple(dict.fromkeys(d for name in self.missing for d in self.unread.get(name, ())))


@dataclass(frozen=True, slots=True)
class Whole:
    """That everything was read which a claim rests on. Raises Incomplete where it was not."""

    coverage: Coverage

    def __post_init__(self) -> None:
        """Whatever makes one."""
        if not self.coverage.is_complete:
            missing = ", ".join(self.coverage.missing) or "everything: nothing was looked at"
            raise Incomplete(f"not read: {missing}")


def seen(rests_on: Iterable[str]) -> Coverage:
    """The coverage of what was read whole, by these names."""
    names = frozenset(rests_on)
    return Coverage(read=names, rests_on=names)
