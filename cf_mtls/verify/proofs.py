"""The proofs, numbered: what each one shows, and what it does not.

Rules of this file:
- Numbers are stable and never reused; people write them into scripts and audits.
- A proof says what it leaves open, so that nobody reads more into a pass than is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = Code("verify.unknown-proof", Severity.ERROR, Fault.INVOCATION, "a proof is not known")

(NO_CERTIFICATE, CLIENT, OTHER_CA, EXPIRED, SELF_SIGNED, WRONG_USAGE, REPLAY, PATHS, RESUMPTION,
 OTHER_NAME) = range(1, 11)  # fmt: skip
"""The numbers by name."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One row of the table."""

    number: int
    name: str
    proves: str
    leaves_open: str
    required: bool = False
    """Whether *Proven* needs an answer to it; what an optional one could not tell is listed and no more."""


_IN_MEMORY = "It is made under a CA of the same name, because nobody here has the real CA's key"

PROOFS: tuple[Proof, ...] = (
    Proof(
        NO_CERTIFICATE,
        "no certificate",
        "who shows no certificate gets what the policies say, such as 403",
        "Other ways to the origin, such as its own address.",
        required=True,
    ),
    Proof(
        CLIENT,
        "declared client",
        "each declared client gets what the policies say about it, such as 200",
        "Other clients of the same CA; what comes after a login page.",
        required=True,
    ),
    Proof(
        OTHER_CA,
        "other CA, same name",
        "a certificate of another CA with the same subject, for the same client's name, counts as none",
        "A CA whose key was stolen.",
    ),
    Proof(
        EXPIRED,
        "expired",
        "an expired certificate counts as none",
        f"{_IN_MEMORY}. For one of the real CA, declare it as a client with `expect: refused`.",
    ),
    Proof(
        SELF_SIGNED,
        "self-signed",
        "a certificate that vouches for itself, with the client's name, counts as none",
        "A self-signed certificate that was uploaded as a CA.",
    ),
    Proof(
        WRONG_USAGE,
        "wrong key usage",
        "a certificate for servers (extended key usage serverAuth) counts as none",
        f"{_IN_MEMORY}. For one of the real CA, declare it as a client with `expect: refused`.",
    ),
    Proof(
        REPLAY,
        "cookie replayed",
        "the cookie of a session that was let in opens nothing without the certificate",
        "Cookies of sessions that were opened by a login.",
    ),
    Proof(
        PATHS,
        "neighbouring paths",
        "the same path with a slash at its end, and a path that only begins alike, get what is declared for them",
        "Every other spelling of the path.",
    ),
    Proof(
        RESUMPTION,
        "session resumed",
        "a TLS session that was opened on another hostname of the plan, with its client's certificate, opens nothing "
        "here without one",
        "Sessions of hostnames outside the plan. A plan with one hostname cannot be asked.",
    ),
    Proof(
        OTHER_NAME,
        "undeclared name",
        "a certificate of the declared CA itself, with a name that no rule names, does not get in",
        "Where any name gets in, or where no key of a declared CA lies unencrypted beside its chain file. "
        "Declare such a certificate as a client with `expect: refused`.",
    ),
)

BY_NUMBER = {proof.number: proof for proof in PROOFS}
ALL = frozenset(BY_NUMBER)
REQUIRED = frozenset(proof.number for proof in PROOFS if proof.required)
"""The control and the refusal: whatever is chosen, they are asked too, because no other answer counts without them."""


def chosen(text: str | None) -> frozenset[int]:
    """The numbers in a text such as `1,3,7` or `1-3`, the required ones added; all for None.

    Raises Failure (usage) for any other.
    """
    if text is None:
        return ALL
    found = [_numbers(word) for word in text.replace(",", " ").split()]
    wanted = frozenset(n for numbers in found for n in numbers)
    if not wanted or not wanted <= ALL:
        fix = (
            f"Write numbers from 1 to {len(PROOFS)}, as 1,3,7 or 1-3. To see them:\n    cf-mtls verify --list"
        )
        raise Failure([UNKNOWN.found(f"--proofs {text} does not name proofs.", fix)], Exit.USAGE)
    return wanted | REQUIRED


def _numbers(word: str) -> Iterable[int]:
    first, _, last = word.partition("-")
    ends = (first, last or first)
    if not all(end.isascii() and end.isdigit() and len(end) < 4 for end in ends):
        return (0,)  # no proof has this number
    return range(int(ends[0]), int(ends[1]) + 1)
