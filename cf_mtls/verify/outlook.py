"""What must happen to a request at one hostname, as far as the declared state decides it.

Rules of this file:
- The outcome is `access/`'s; here it only becomes what a probe expects.
- Where it hangs on the asker's address, another service or rules kept elsewhere, nothing can be demanded.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.decide import LOGIN, credential_kind, decider, world_of
from cf_mtls.access.match import disputed, governor
from cf_mtls.access.reach import askers_at
from cf_mtls.model.doors import Outcome
from cf_mtls.model.evidence import Control
from cf_mtls.model.people import Asker, Expected
from cf_mtls.model.resources import CaCertificate
from cf_mtls.planning.foreign import is_wild, with_wildcards
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.model.evidence import Probe
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

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


CONTROLS: Mapping[Expected, Control] = {
    Expected.ALLOWED: Control.ANYONE,
    Expected.LOGIN: Control.LOGIN,
    Expected.UNDECLARED: Control.UNDECLARED,
}
"""Who is the control where this happens to somebody without anything; elsewhere it hangs on who else gets in."""

UNKNOWN_TRUST = "a CA whose contents are not known here may vouch for this client, or not"
BY_WILDCARD = "a CA has this hostname by a wildcard alone, and whether that counts is not known"
"""Facts 1.7."""


def path_of(probe: Probe) -> str:
    """The path that a probe asks for, without a query."""
    path = probe.path or "/" + probe.target.url.partition("://")[2].partition("/")[2]
    return path.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is declared at one hostname, and the credentials that its rules might see in any request."""

    state: State
    host: str
    _holdings: dict[str, frozenset[frozenset[str]]] = field(default_factory=dict)

    def outcome(self, probe: Probe, asker: Asker) -> Expected:
        """What must happen to a request, UNFORESEEN when that hangs on more than what is declared."""
        path = path_of(probe)
        if disputed(self.state, self.host, path) or _has_rules_elsewhere(self.state, self.host, path):
            return Expected.UNFORESEEN
        ask = decider(self.state, self.host, path)
        found = {EXPECTED[ask(replace(asker, holds=held)).outcome] for held in self._ambient(path)}
        return found.pop() if len(found) == 1 else Expected.UNFORESEEN

    def for_client(self, probe: Probe, asker: Asker) -> tuple[Expected, str]:
        """As `outcome` for somebody with a certificate, and why it is UNFORESEEN, '' for the usual reasons.

        A CA of unknown contents may vouch for the certificate or not, and one on a wildcard may count or not: only what
        is so either way is demanded.
        """
        expected = self.outcome(probe, asker)
        unknown = self._unknown()
        vouched = replace(asker, trusted_by=asker.trusted_by | unknown)
        if unknown and self.outcome(probe, vouched) is not expected:
            return Expected.UNFORESEEN, UNKNOWN_TRUST
        wider = self.with_wildcards()
        if wider is not self and wider.for_client(probe, asker)[0] is not expected:
            return Expected.UNFORESEEN, BY_WILDCARD
        return expected, ""

    def with_wildcards(self) -> Outlook:
        """What is declared if the CAs count that have the hostname by a wildcard; itself where there are none."""
        cas = self.state.of(CaCertificate)
        state = with_wildcards(self.state, self.host, [(a, ca) for a, ca in cas if is_wild(ca)])
        return self if state is self.state else Outlook(state, self.host)

    def _unknown(self) -> frozenset[Address]:
        """The CAs of the host whose contents are not known."""
        trusted = world_of(self.state, self.host).trusted
        cas = ((address, self.state[address]) for address in trusted)
        return frozenset(a for a, ca in cas if isinstance(ca, CaCertificate) and not ca.pem)

    def control(self, probe: Probe) -> Control:
        """Who is the control at what a probe asks for."""
        bare = self.outcome(probe, Asker())
        if bare is not Expected.REFUSED:
            return CONTROLS.get(bare, Control.CLIENT)
        if (wider := self.with_wildcards()) is not self:
            return wider.control(probe)
        path = path_of(probe)
        ask = decider(self.state, self.host, path)
        inside = [a for a in askers_at([self.state], self.host, path) if ask(a).outcome.lets_in]
        if any(a.trusted_by and not a.holds for a in inside):
            return Control.CLIENT
        return Control.ELSEWHERE if inside else Control.NOBODY

    def _ambient(self, path: str) -> frozenset[frozenset[str]]:
        """What a request may hold without meaning to, as far as the rules at a path tell such requests apart."""
        if path not in self._holdings:
            self._holdings[path] = frozenset(
                frozenset(c for c in asker.holds if credential_kind(c) in AMBIENT)
                for asker in askers_at([self.state], self.host, path)
                if LOGIN not in asker.holds
            )
        return self._holdings[path]


def _has_rules_elsewhere(state: State, host: str, path: str) -> bool:
    """Whether a reusable policy decides there whose rules are not known here."""
    found = governor(state, host, path)
    return found is not None and any(p.reusable and not p.include for p in found.application.policies)
