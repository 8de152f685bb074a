"""New keys at every start: the edge's server certificates, and the key that signs Access's cookies.

Rules of this file:
- Nothing is read from disk or from the seed; a second run has other keys.
- Server certificates share one key, so that minting one costs a signature.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cf_mtls.emulator.http import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_A_YEAR = timedelta(days=365)


class Mint:
    """The CA of one running emulator."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.leaf_key = ec.generate_private_key(ec.SECP256R1())
        self.authority = self._sign(
            _name("cf-mtls emulator edge CA"), self._key.public_key(), _ca_extensions()
        )

    @property
    def authority_pem(self) -> bytes:
        """The CA that clients are to trust, for CF_MTLS_CACERT."""
        return self.authority.public_bytes(Encoding.PEM)

    @property
    def leaf_key_pem(self) -> bytes:
        """The servers' private key, for a server that wants a file."""
        return self.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def leaf_der(self, hosts: Sequence[str]) -> bytes:
        """What `leaf` makes, as DER."""
        return self.leaf(hosts).public_bytes(Encoding.DER)

    def leaf(self, hosts: Sequence[str]) -> x509.Certificate:
        """A server certificate for these names. Errors: ValueError when a name cannot be in one."""
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.SubjectAlternativeName(names), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
            (x509.SubjectKeyIdentifier.from_public_key(self.leaf_key.public_key()), False),
        ]
        return self._sign(_name(hosts[0][:64]), self.leaf_key.public_key(), extensions)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
    ) -> x509.Certificate:
        # A client judges by its own clock, so the machine's time is used here, not the emulator's.
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            _name("cf-mtls emulator edge CA"), subject, key, x509.random_serial_number(),
            now - timedelta(days=1), now + _A_YEAR,
        )  # fmt: skip
        for extension, critical in [
            *extensions,
            *(
                [(x509.SubjectKeyIdentifier.from_public_key(key), False)]
                if key == self._key.public_key()
                else []
            ),
        ]:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _ca_extensions() -> list[tuple[x509.ExtensionType, bool]]:
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return [(x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)]


class Signer:
    """RS256, as Access signs (facts: cloudflare-api 6.3)."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self._key.public_key().public_numbers()
        n = numbers.n.to_bytes(256, "big")
        digest = hashes.Hash(hashes.SHA256())
        digest.update(n)
        self.kid = digest.finalize().hex()
        self.jwks: dict[str, Any] = {
            "keys": [
                {
                    "kid": self.kid,
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "e": _b64(numbers.e.to_bytes(3, "big")),
                    "n": _b64(n),
                }
            ]
        }

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT with these claims."""
        head = {"alg": "RS256", "kid": self.kid, "typ": "JWT"}
        text = f"{_b64(encoded(head))}.{_b64(encoded(claims))}"
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_b64(signature)}"

    def claims(self, token: str) -> dict[str, Any] | None:
        """What a JWT of ours says; None when it is not ours or not whole. Times are not judged here."""
        head, _, rest = token.partition(".")
        payload, _, signature = rest.partition(".")
        try:
            self._key.public_key().verify(
                _unb64(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
            found = json.loads(_unb64(payload))
        except (InvalidSignature, ValueError):
            return None
        return found if isinstance(found, dict) else None


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
