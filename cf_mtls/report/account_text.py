"""What an account holds, for a person: CAs with the days they have left, hostnames, applications, whose they are.

Rules of this file:
- Everything is listed, ours or not; whose it is stands beside it.
- Names are the account's and therefore untrusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.model.ends import distance
from cf_mtls.model.marks import digits_of, shown, stack_of
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cf_mtls.model.state import State
    from cf_mtls.report.terminal import Paint


def account_json(state: State, now: datetime) -> dict[str, Any]:
    """The account as data: `certificates`, `hostname_settings`, `applications`."""
    return {
        "certificates": [
            {
                "address": str(address),
                "id": ca.id,
                "name": ca.name,
                "stack": stack_of(ca.name),
                "uploaded_as": digits_of(ca.name),
                "associated_hostnames": list(ca.associated_hostnames),
                "expires_on": f"{ca.expires_on:%Y-%m-%dT%H:%M:%SZ}",
                "days_left": (ca.expires_on - now).days,
            }
            for address, ca in state.of(CaCertificate)
        ],
        "hostname_settings": [
            {
                "address": str(address),
                "hostname": settings.hostname,
                "client_certificate_forwarding": settings.client_certificate_forwarding,
                "china_network": settings.china_network,
            }
            for address, settings in state.of(HostnameSettings)
        ],
        "applications": [
            {
                "address": str(address),
                "id": app.id,
                "name": app.name,
                "stack": stack_of(app.name),
                "domains": list(app.domains),
                "policies": [p.name for p in app.policies],
            }
            for address, app in state.of(AccessApplication)
        ],
    }


def account_text(state: State, paint: Paint, now: datetime) -> str:
    """The account as three lists, empty ones said to be empty."""
    return "\n\n".join(
        "\n".join([paint.bold(title), *([f"  {line}" for line in lines] or ["  none"])])
        for title, lines in (
            ("CA certificates", list(_certificates(state, paint, now))),
            ("Hostname settings", list(_settings(state))),
            ("Applications", list(_applications(state, paint))),
        )
    )


def _certificates(state: State, paint: Paint, now: datetime) -> Iterator[str]:
    for address, ca in state.of(CaCertificate):
        left = distance(ca.expires_on, now)
        soon = (ca.expires_on - now).days < 30
        yield f"{harmless(str(address))}  {_named(ca.name, paint)}"
        yield f"  expires {ca.expires_on:%Y-%m-%d}, {paint.yellow(left) if soon else left}"
        yield f"  on {harmless(', '.join(ca.associated_hostnames)) or 'no hostname'}"
        digits = digits_of(ca.name)
        yield (
            f"  holds {digits[:8]}…, as uploaded under this name"
            if digits
            else "  what it holds is not shown"
        )


def _settings(state: State) -> Iterator[str]:
    for address, settings in state.of(HostnameSettings):
        on = [n for n in ("client_certificate_forwarding", "china_network") if getattr(settings, n)]
        yield f"{harmless(str(address))}  {', '.join(on)}"


def _applications(state: State, paint: Paint) -> Iterator[str]:
    for address, app in state.of(AccessApplication):
        yield f"{harmless(str(address))}  {_named(app.name, paint)}"
        others = app.domains[1:]
        if others:
            yield f"  also {harmless(', '.join(others))}"


def _named(name: str, paint: Paint) -> str:
    stack = stack_of(name)
    return f"{harmless(shown(name))}  {paint.dim(f'stack {stack}' if stack else 'without a mark')}"
