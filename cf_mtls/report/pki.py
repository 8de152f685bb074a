"""Certificates as people and programs read them: trees, verdicts, fleets, and the same as JSON objects.

Rules of this file:
- Whatever comes out of a certificate passes through `harmless`.
- Text and JSON say the same; moments are UTC, in JSON RFC 3339.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cf_mtls.model.ends import span
from cf_mtls.pki import traits
from cf_mtls.pki.words import meaning
from cf_mtls.report.terminal import INDENT, Paint, harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.pki.chain import Judgement
    from cf_mtls.pki.fleet import Change, Checked
    from cf_mtls.pki.pem import Certificate
    from cf_mtls.pki.tree import Node

FORMAT_VERSION = "1.0"


def cloudflare_md5(certificate: Certificate) -> str:
    """The fingerprint as Cloudflare's API writes it (facts: cloudflare-api 1.3)."""
    return ":".join(certificate.md5[i : i + 2] for i in range(0, 32, 2)).upper()


def tree(roots: Sequence[Node], at: datetime, paint: Paint) -> str:
    """The certificates as a tree, roots first, each with what it is."""
    return "\n".join(line for node in roots for line in _node(node, at, paint, ""))


def _node(node: Node, at: datetime, paint: Paint, prefix: str) -> Iterator[str]:
    if node.certificate is None:
        yield f"{prefix}{paint.red('missing')}: {harmless(node.name) or '(no name)'}"
    else:
        yield prefix + paint.bold(harmless(node.name) or "(no subject)") + f" ({_kind(node.certificate)})"
        for label, value in _facts(node.certificate, at):
            yield f"{prefix}{INDENT}{label:<9} {harmless(value)}"
    for child in node.children:
        yield from _node(child, at, paint, prefix + INDENT * 2)


def _kind(certificate: Certificate) -> str:
    if not certificate.is_ca:
        return "not a CA"
    return "root" if certificate.is_self_issued else "intermediate"


def _facts(certificate: Certificate, at: datetime) -> list[tuple[str, str]]:
    rows = [
        ("SHA-256", certificate.sha256),
        ("MD5", cloudflare_md5(certificate)),
        ("key", traits.key(certificate) or "of an unknown kind"),
        ("signature", traits.signature(certificate)),
        (
            "valid",
            f"{_day(certificate.not_before)} to {_day(certificate.not_after)} UTC, {_left(certificate, at)}",
        ),
        ("usages", ", ".join(traits.usages(certificate) or ()) or "not limited"),
        ("for", ", ".join(traits.purposes(certificate) or ()) or "not limited"),
        ("names", ", ".join(traits.alternative_names(certificate))),
        ("version", "" if certificate.x509.version.name == "v3" else "1, without extensions"),
    ]
    length = traits.path_length(certificate)
    rows.append(("pathlen", "" if length is None else str(length)))
    return [(label, value) for label, value in rows if value]


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _left(certificate: Certificate, at: datetime) -> str:
    left = certificate.not_after - at
    return f"{span(left)} left" if left >= timedelta() else f"ended {span(-left)} ago"


def verdict(judgement: Judgement, paint: Paint) -> str:
    """OK, or OpenSSL's error line."""
    return paint.green("OK") if judgement.ok else paint.red(harmless(str(judgement)))


def fleet(checked: Sequence[Checked], purpose: str | None, paint: Paint) -> str:
    """A line for each client as `openssl verify` prints it, what failed and why below, and the count."""
    lines = [line for c in checked for line in _client(c, purpose, paint)]
    good = sum(c.verdict(purpose).ok for c in checked)
    return "\n".join([*lines, f"{good} of {len(checked)} validate."])


def _client(checked: Checked, purpose: str | None, paint: Paint) -> Iterator[str]:
    found = checked.verdict(purpose)
    yield f"{harmless(checked.name)}: {verdict(found, paint)}"
    if not found.ok:
        yield f"{INDENT}at {harmless(found.subject) or '(no subject)'}. {meaning(found)}".rstrip()
    elif not checked.server.ok:
        server = checked.server
        yield f"{INDENT}{paint.yellow('but a TLS server would refuse it')}: {server}. {meaning(server)}"


def changes(found: Sequence[Change], purpose: str | None, paint: Paint) -> str:
    """The clients whose verdict changes, and how many stop and start validating."""
    stops = [c for c in found if c.stops(purpose)]
    starts = [c for c in found if c.starts(purpose)]
    lines = [line for c in stops for line in _client(c.after, purpose, paint)]
    lines += [f"{harmless(c.after.name)}: {verdict(c.after.verdict(purpose), paint)} (new)" for c in starts]
    never = sum(not c.before.verdict(purpose).ok and not c.after.verdict(purpose).ok for c in found)
    verb = "stops" if len(stops) == 1 else "stop"
    tail = f", {len(starts)} start" if starts else ""
    tail += f", {never} validate neither before nor after" if never else ""
    return "\n".join([*lines, f"After this change {len(stops)} of {len(found)} {verb} validating{tail}."])


def certificate_object(certificate: Certificate, at: datetime) -> dict[str, object]:
    """One certificate as JSON."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "sha256": certificate.sha256,
        "md5": cloudflare_md5(certificate),
        "is_ca": certificate.is_ca,
        "is_self_issued": certificate.is_self_issued,
        "version": 3 if certificate.x509.version.name == "v3" else 1,
        "serial_number": certificate.serial_number,
        "key": traits.key(certificate),
        "signature": traits.signature(certificate),
        "not_before": _moment(certificate.not_before),
        "not_after": _moment(certificate.not_after),
        "days_left": traits.days_left(certificate, at),
        "path_length": traits.path_length(certificate),
        "usages": traits.usages(certificate),
        "purposes": traits.purposes(certificate),
        "alternative_names": traits.alternative_names(certificate),
    }


def checked_object(checked: Checked) -> dict[str, object]:
    """One client with both verdicts as JSON."""
    return {
        "file": checked.name,
        "subject": checked.certificate.subject,
        "sha256": checked.certificate.sha256,
        "verify": _judgement_object(checked.plain),
        "sslclient": _judgement_object(checked.server),
    }


def change_object(change: Change, purpose: str | None) -> dict[str, object]:
    """One client before and after as JSON."""
    before, after = checked_object(change.before), checked_object(change.after)
    both = ("verify", "sslclient")
    return {
        **{key: value for key, value in before.items() if key not in both},
        "before": {key: before[key] for key in both},
        "after": {key: after[key] for key in both},
        "stops": change.stops(purpose),
        "starts": change.starts(purpose),
    }


def diagnostic_object(diagnostic: Diagnostic) -> dict[str, object]:
    """One diagnostic as JSON."""
    code = diagnostic.code
    return {
        "severity": code.severity.value,
        "code": code.code,
        "summary": code.summary,
        "detail": diagnostic.detail,
        "fix": diagnostic.fix,
        "place": str(diagnostic.place) if diagnostic.place else None,
    }


def _judgement_object(judgement: Judgement) -> dict[str, object]:
    return {
        "ok": judgement.ok,
        "code": judgement.code,
        "depth": judgement.depth,
        "reason": judgement.reason,
        "subject": judgement.subject,
        "meaning": meaning(judgement),
    }


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
