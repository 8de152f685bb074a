"""Exactly wrong certificates, made on the spot: each would be the client's own but for one thing.

Rules of this file:
- In memory only; what needs a file has it as long as TLS does (see `private`).
- The subject is the real client's and the issuer's name is the real CA's, so that whoever compares names is fooled.
- The clock is an argument; keys are random.

Not made here: an expired or wrong one of the real CA, whose key nobody here has.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cf_mtls.model.resources import CaCertificate
from cf_mtls.pki.authority import root, self_signed
from cf_mtls.pki.pem import read_certificates
from cf_mtls.verify import proofs
from cf_mtls.verify.expect import NAMELESS, WRONG, signed_name, wrong_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from cf_mtls.model.evidence import Probe
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State
    from cf_mtls.pki.authority import Authority
    from cf_mtls.pki.identity import Identity
    from cf_mtls.pki.pem import Certificate
    from cf_mtls.pki.template import Overrides

    Maker = Callable[[Authority, Certificate | None, datetime], Identity]

DAY = timedelta(days=1)
HOUR_IN_DAYS = 1 / 24


def wrong_certificates(
    probes: Iterable[Probe], state: State, known: Mapping[str, Identity], now: datetime
) -> dict[str, Identity]:
    """By name, every wrong certificate that the probes show. known: the declared clients'. now: aware."""
    made: dict[tuple[str, str | None, int], Identity] = {}
    named: dict[str, Identity] = {}
    chains = _chains(state)
    for probe in probes:
        if probe.proof not in WRONG or not chains.get(probe.host):
            continue
        imitated = known.get(probe.imitates or "")
        victim = imitated.certificate if imitated else None
        issuer = _issuer(chains[probe.host], victim)
        key = (issuer.sha256, probe.imitates, probe.proof)
        if key not in made:
            made[key] = MAKERS[probe.proof](_look_alike(issuer, now), victim, now)
        named[wrong_name(probe.proof, probe.host, probe.imitates)] = made[key]
    return named


def signed(state: State, authorities: Iterable[Authority], now: datetime) -> dict[Address, Identity]:
    """For each CA of a state whose key is here: a client of it that nobody declared, valid for an hour."""
    by_certificate = {authority.certificate.sha256: authority for authority in authorities}
    found: dict[Address, Identity] = {}
    for address, ca in state.of(CaCertificate):
        certificates = read_certificates(ca.pem.encode("ascii"))[0] if ca.pem else ()
        for certificate in certificates:
            if authority := by_certificate.get(certificate.sha256):
                found.setdefault(address, authority.issue(NAMELESS, now=now, days=HOUR_IN_DAYS))
    return found


def named(made: Mapping[Address, Identity]) -> dict[str, Identity]:
    """The same by the name that probes show."""
    return {signed_name(address): identity for address, identity in made.items()}


def _chains(state: State) -> dict[str, list[Certificate]]:
    """By hostname, every CA certificate that is trusted there and can be seen."""
    found: dict[str, list[Certificate]] = {}
    for _, ca in state.of(CaCertificate):
        certificates = read_certificates(ca.pem.encode("ascii"))[0] if ca.pem else ()
        for host in ca.associated_hostnames:
            found.setdefault(host, []).extend(certificates)
    return found


def _issuer(cas: list[Certificate], victim: Certificate | None) -> Certificate:
    """The CA to imitate: the one that issued the client, else the first."""
    return next((ca for ca in cas if victim is not None and ca.subject == victim.issuer), cas[0])


def _look_alike(issuer: Certificate, now: datetime) -> Authority:
    """A CA with the same subject and another key."""
    return root("", now=now, subject=issuer.x509.subject)


def _other_ca(ca: Authority, victim: Certificate | None, now: datetime) -> Identity:
    return ca.issue(NAMELESS, now=now, **_subject(victim))


def _expired(ca: Authority, victim: Certificate | None, now: datetime) -> Identity:
    over: Overrides = {**_subject(victim), "not_before": now - 9 * DAY, "not_after": now - 2 * DAY}
    return ca.issue(NAMELESS, now=now, **over)


def _self_signed(_: Authority, victim: Certificate | None, now: datetime) -> Identity:
    return self_signed(NAMELESS, now=now, **_subject(victim))


def _wrong_usage(ca: Authority, victim: Certificate | None, now: datetime) -> Identity:
    over: Overrides = {**_subject(victim), "extended_key_usages": ("serverAuth",)}
    return ca.issue(NAMELESS, now=now, **over)


def _subject(victim: Certificate | None) -> Overrides:
    return {"subject": victim.x509.subject} if victim else {}


MAKERS: Mapping[int, Maker] = {
    proofs.OTHER_CA: _other_ca,
    proofs.EXPIRED: _expired,
    proofs.SELF_SIGNED: _self_signed,
    proofs.WRONG_USAGE: _wrong_usage,
}
"""Proof number to how its certificate is made."""
