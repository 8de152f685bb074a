"""What must happen to a request at one hostname, as far as the declared state decides it.

Rules of this file:
- The outcome is `access/`'s; here it only becomes what a probe expects.
- Where it hangs on the asker's address, another service or rules kept elsewhere, nothing can be demanded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.decide import LOGIN, Asker, Request, credential_kind, decide
from cf_mtls.access.match import covers, disputed, governor
from cf_mtls.access.reach import askers_at
from cf_mtls.model.doors import Outcome
from cf_mtls.model.evidence import Expected, Probe
from cf_mtls.model.resources import AccessApplication
from cf_mtls.model.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

AMBIENT = frozenset({"ip", "ip_list", "geo", "external_evaluation", "group"})
"""Selectors that a request may meet without meaning to."""

EXPECTED: Mapping[Outcome, Expected] = {
    Outcome.OPEN: Expected.UNDECLARED,
    Outcome.PUBLIC: Expected.ALLOWED,
    Outcome.BYPASSED: Expected.ALLOWED,
    Outcome.ADMITTED: Expected.ALLOWED,
    Outcome.LOGIN: Expected.LOGIN,
    Outcome.BLOCKED: Expected.REFUSED,
    Outcome.REFUSED: Expected.REFUSED,
}


def path_of(probe: Probe) -> str:
    """The path that a probe asks for, without a query."""
    path = probe.path or "/" + probe.target.url.partition("://")[2].partition("/")[2]
    return path.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is declared near one hostname, and the credentials that its rules might see in any request."""

    state: State
    host: str
    holdings: tuple[frozenset[str], ...]
    _paths: dict[str, State] = field(default_factory=dict)

    @classmethod
    def of(cls, state: State, host: str) -> Outlook:
        """The outlook at a host. state: at least what is near it."""
        ambient = {
            frozenset(c for c in asker.holds if credential_kind(c) in AMBIENT)
            for asker in askers_at([state], host)
            if LOGIN not in asker.holds
        }
        return cls(state, host, tuple(sorted(ambient, key=sorted)) or (frozenset(),))

    def at(self, path: str) -> State:
        """The part of the state that can decide at a path: of 500 applications usually one."""
        if path not in self._paths:
            self._paths[path] = State(
                (address, resource)
                for address, resource in self.state.items()
                if not isinstance(resource, AccessApplication)
                or any(covers(domain, self.host, path) for domain in resource.domains)
            )
        return self._paths[path]

    def outcome(self, probe: Probe, asker: Asker) -> Expected:
        """What must happen to a request, UNFORESEEN when that hangs on more than what is declared."""
        path = path_of(probe)
        state = self.at(path)
        if disputed(state, self.host, path) or _has_rules_elsewhere(state, self.host, path):
            return Expected.UNFORESEEN
        askers = (replace(asker, holds=held) for held in self.holdings)
        found = {EXPECTED[decide(state, Request(self.host, path, a)).outcome] for a in askers}
        return found.pop() if len(found) == 1 else Expected.UNFORESEEN


def _has_rules_elsewhere(state: State, host: str, path: str) -> bool:
    """Whether a reusable policy decides there whose rules are not known here."""
    found = governor(state, host, path)
    return found is not None and any(p.reusable and not p.include for p in found.application.policies)
