"""Which bundle a CA of the account holds, and how well that is known.

Rules of this file:
- The account shows one MD5 of one certificate of a bundle (which one is not known) and an expiry, never the bundle.
  They find candidates; two bundles that share that certificate look alike.
- Known is only what this program uploaded: the name holds 32 digits of the SHA-256 of the whole bundle, and MD5 and
  expiry agree. The claim is *as uploaded under this name*.
- A bundle that differs in any certificate is another CA.

Decision: .github/decisions/0002-addresses-of-cas.md. Source: facts, cloudflare-api 1.3, 1.5.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.marks import DIGITS, digits_of, shown, without_digits
from cf_mtls.model.resources import CaCertificate, Contents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

RECORDED = Code(
    "certificate.recorded", Severity.NOTE, Fault.ACCOUNT, "what a CA holds is recorded, not proven"
)
UNSEEN = Code("certificate.unseen", Severity.NOTE, Fault.ACCOUNT, "what a CA holds is not known")


def may_hold(wanted: CaCertificate, there: CaCertificate) -> bool:
    """Whether the account's CA can be the declared bundle: its MD5 and expiry are those of a certificate in it."""
    return bool(set(wanted.fingerprints) & set(there.fingerprints)) and bool(
        set(wanted.expirations) & set(there.expirations)
    )


def agreement(wanted: CaCertificate, there: CaCertificate) -> Contents | None:
    """How well it is known that the account's CA holds the declared bundle; None when it is another CA.

    Without digits in its name it is a candidate and no more: recorded where a PEM is declared.
    """
    if not may_hold(wanted, there):
        return None
    digits = digits_of(there.name)
    if digits is None or wanted.sha256 is None:
        return Contents.RECORDED if wanted.pem else Contents.UNKNOWN
    return Contents.KNOWN if digits == wanted.sha256[:DIGITS] else None


def taken_over(wanted: CaCertificate, there: CaCertificate, *, pinned: bool) -> CaCertificate:
    """The declared CA as it stands in the account: its id, how well its contents are known, and the name that says so.

    pinned: whether the file names it by its id; then it keeps its own name. Digits are only written where they are
    known to be so: a rename must never claim a content that nobody saw.
    """
    contents = agreement(wanted, there) or Contents.UNKNOWN
    plain = wanted.name if contents is Contents.KNOWN else without_digits(wanted.name)
    return replace(wanted, id=there.id, name=there.name if pinned else plain, contents=contents)


def doubts(desired: State, ours: Collection[Address]) -> Iterator[Diagnostic]:
    """A note for each CA of ours of which nobody proved what it holds: whatever is said of its clients rests on that.

    desired: as merged with the account. ours: the account's addresses of what the file declares.
    """
    for address, ca in desired.of(CaCertificate):
        if address not in ours or ca.id is None or ca.contents is Contents.KNOWN:
            continue
        if ca.contents is Contents.RECORDED:
            detail = (
                f"{address}, named {shown(ca.name)}: uploaded by somebody else, and the account shows one certificate "
                "of it. Its chain file says what it should hold; a client may be admitted or refused otherwise."
            )
            fix = (
                "To know, replace it: the same chain in an entry without id: and sha256:, on the same hostnames"
                f" (first write id: {ca.id} beside the old one); once that is proven, take the old one out."
            )
            yield RECORDED.found(detail, fix)
        else:
            detail = (
                f"{address}, named {shown(ca.name)}: nobody has its PEM, so whom it admits cannot be told."
            )
            yield UNSEEN.found(detail, "To know, put another CA on its hostnames and take this one out.")
