"""A second, stricter opinion: the verifier of the `cryptography` library, made for the web's rules.

Rules of this file:
- It is a lint and never the verdict: it refuses the certificate that Cloudflare's own recipe makes
  (facts, edge-and-probes 2: 57 of 86 cases agree with OpenSSL).
- Where it accepts, OpenSSL was always seen to accept too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cf_mtls.pki.pem import Certificate


def strict_reason(client: Certificate, found: Sequence[Certificate], at: datetime) -> str:
    """Why the strict verifier refuses the client, '' when it accepts.

    found: the chain; its roots are trusted, the rest helps to build. at: an aware moment.
    """
    roots = [c.x509 for c in found if c.is_self_issued]
    if not roots:
        return "there is no root to trust"
    between = [c.x509 for c in found if not c.is_self_issued]
    try:
        verifier = PolicyBuilder().store(Store(roots)).time(at).build_client_verifier()
        verifier.verify(client.x509, between)
    except VerificationError as error:
        return _words(str(error))
    except ValueError as error:
        return _words(str(error))
    return ""


def _words(text: str) -> str:
    """The library's reason without the frame it puts around it."""
    first = text.partition("(encountered processing")[0]
    return first.removeprefix("validation failed: ").strip().rstrip(".")
