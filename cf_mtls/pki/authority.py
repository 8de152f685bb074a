"""Certificate authorities, throwaway and real, and what they issue.

    now = datetime.now(UTC)
    clients = root("fleet root", now=now).intermediate("fleet clients", now=now)
    ava = clients.issue("ava", now=now)
    late = clients.issue("ava", now=now, not_before=now - 9 * day, not_after=now - 2 * day)

Rules of this file:
- Defaults make a certificate that everyone accepts; each can be overridden by name (`template.Overrides`),
  which is how exactly wrong certificates are made.
- The clock is an argument. Keys and serial numbers are random.

Not done here: writing files (see `vault`).
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import Unpack

from cf_mtls.pki.identity import Identity
from cf_mtls.pki.keys import PrivateKey, PublicKey, generate, pkcs8
from cf_mtls.pki.pem import Certificate, Chain
from cf_mtls.pki.template import BACKDATED, Overrides, Template, common_name, sign
from cf_mtls.quick import dataclass

CA_DEFAULTS: Overrides = {"ca": True, "key_usages": ("keyCertSign", "cRLSign"), "extended_key_usages": ()}


def root(
    common_name: str,
    *,
    now: datetime,
    days: float = 3650,
    key_type: str = "ec256",
    key: PrivateKey | None = None,
    **overrides: Unpack[Overrides],
) -> Authority:
    """A self-signed CA. key: one to use again, as a renewal does; None makes one of `key_type`."""
    key = key or generate(key_type)
    template = _template(common_name, now, days, {**CA_DEFAULTS, **overrides})
    return Authority(sign(template, key.public_key(), key, None), key)


def self_signed(
    common_name: str,
    *,
    now: datetime,
    days: float = 365,
    key_type: str = "ec256",
    **overrides: Unpack[Overrides],
) -> Identity:
    """A client certificate that vouches for itself."""
    key = generate(key_type)
    template = _template(common_name, now, days, overrides)
    return Identity(sign(template, key.public_key(), key, None), key)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate, its key, and the CAs above it up to the root."""

    certificate: Certificate
    key: PrivateKey = field(repr=False, compare=False)
    above: tuple[Certificate, ...] = ()

    @property
    def chain(self) -> Chain:
        """Itself up to the root: what is uploaded so that its clients are accepted."""
        return Chain((self.certificate, *self.above))

    @property
    def key_pem(self) -> str:
        """The key as unencrypted PKCS#8 PEM: for a file that only its owner can read."""
        return pkcs8(self.key)

    def intermediate(
        self,
        common_name: str,
        *,
        now: datetime,
        days: float = 1825,
        key_type: str = "ec256",
        key: PrivateKey | None = None,
        **overrides: Unpack[Overrides],
    ) -> Authority:
        """A CA below this one. Unless told otherwise it may sign clients and no further CA (pathlen 0)."""
        key = key or generate(key_type)
        below: Overrides = {**CA_DEFAULTS, "path_length": 0, **overrides}
        template = _template(common_name, now, days, below)
        certificate = sign(template, key.public_key(), self.key, self.certificate)
        return Authority(certificate, key, (self.certificate, *self.above))

    def issue(
        self,
        common_name: str,
        *,
        now: datetime,
        days: float = 365,
        key_type: str = "ec256",
        key: PrivateKey | None = None,
        **overrides: Unpack[Overrides],
    ) -> Identity:
        """A client: clientAuth, digitalSignature, common name, no alternative names unless given."""
        key = key or generate(key_type)
        return Identity(self.certify(common_name, key.public_key(), now=now, days=days, **overrides), key)

    def certify(
        self,
        common_name: str,
        public: PublicKey,
        *,
        now: datetime,
        days: float = 365,
        **overrides: Unpack[Overrides],
    ) -> Certificate:
        """The certificate of a client who keeps the key (see `requests`)."""
        return sign(_template(common_name, now, days, overrides), public, self.key, self.certificate)


def _template(name: str, now: datetime, days: float, overrides: Overrides) -> Template:
    start, end = now - BACKDATED, now + timedelta(days=days)
    subject = overrides["subject"] if "subject" in overrides else common_name(name)
    chosen: Overrides = {"not_before": start, "not_after": end, **overrides, "subject": subject}
    return Template(**chosen)
