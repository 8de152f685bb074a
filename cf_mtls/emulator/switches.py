"""Every unsettled fact of the fact sheet, as a named switch with a default and its source.

Rules of this file:
- One row a switch. `default` is what an ordinary run does; `lifelike` is the sheet's figure where the default
  is quicker than life, so that a demonstration does not wait.
- A value is a bool, a number, or one of the words of `choices`; nothing else gets in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Switch:
    """A row: name, default, what it means, where the doubt comes from."""

    name: str
    default: Value
    says: str
    source: str
    lifelike: Value | None = None
    choices: tuple[Value, ...] = ()
    most: float = 1e9

    def read(self, text: str) -> Value:
        """The value that a person wrote. Errors: ValueError, saying what is allowed."""
        match self.default:
            case bool():
                return self._checked({"on": True, "off": False}.get(text.lower(), text))
            case int():
                return self._checked(int(text))
            case float():
                return self._checked(float(text))
            case _:
                return self._checked(text)

    def _checked(self, value: Value) -> Value:
        if type(value) is not type(self.default) and not (
            isinstance(self.default, float) and type(value) is int
        ):
            raise ValueError(f"{self.name} takes {self.allowed()}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} takes {self.allowed()}")
        if isinstance(value, (int, float)) and not 0 <= value <= self.most:
            raise ValueError(f"{self.name} takes {self.allowed()}")
        return value

    def allowed(self) -> str:
        """What may be written, for people."""
        if self.choices:
            return " or ".join(spoken(c) for c in self.choices)
        match self.default:
            case bool():
                return "on or off"
            case int():
                return "a whole number"
            case float():
                return "seconds"
            case _:
                return "a word"


def spoken(value: Value) -> str:
    """The value as a person writes it."""
    match value:
        case bool():
            return "on" if value else "off"
        case _:
            return str(value)


ON, OFF = True, False
_API = "facts: cloudflare-api"
_EDGE = "facts: edge-and-probes"

SWITCHES: tuple[Switch, ...] = (
    # Time that passes before a write is felt.
    Switch("association-delay", 0.1, "seconds until the edge knows a certificate's new hostnames",
           f"{_API} 10, 11.5", lifelike=2.0, most=3600),
    Switch("detach-delay", 0.1, "seconds a removed hostname still counts as associated, and is still listed",
           f"{_API} 1.8", lifelike=2.0, most=3600),
    Switch("settings-delay", 0.2, "seconds hostname settings take; a second PUT meanwhile gets 409",
           f"{_API} 2", lifelike=5.0, most=3600),
    Switch("settings-read-late", ON, "GET shows hostname settings only once they have settled", f"{_API} 2"),
    Switch("association-blocks-settings", OFF, "a certificate write also makes settings answer 409",
           f"{_API} 2"),
    Switch("app-delay", 0.0, "seconds until the edge knows a changed application, policy or group",
           f"{_API} 11.5", lifelike=1.0, most=3600),
    Switch("policy-visible-delay", 0.0, "seconds a new reusable policy is 'not found' for applications",
           f"{_API} 3.4", lifelike=0.0, most=3600),
    # Certificates.
    Switch("certificate-quota", 50, "certificates an account may have; 0 is an account without entitlement",
           f"{_API} 1.6"),
    Switch("active-associations-status", 409, "status of 12132, delete while hostnames are associated",
           f"{_API} 1.8, 11.1", choices=(409, 400)),
    Switch("foreign-hostname-status", 400, "status of 12036, a hostname outside the account", f"{_API} 1.7",
           choices=(400, 403)),
    Switch("put-without-hostnames-clears", ON, "a certificate PUT without hostnames removes them all",
           f"{_API} 1.2"),
    Switch("shuffle-hostnames", ON, "associated_hostnames come back in any order", f"{_API} 1.3"),
    Switch("refuse-duplicate-certificate", "first",
           "an upload is a conflict when its first certificate, any of them, or the whole bundle is there already",
           f"{_API} 1.7", choices=("off", "first", "any", "whole")),
    Switch("duplicate-certificate-code", 12031, "code of that conflict; a stand-in, the real one is unknown",
           f"{_API} 11.1"),
    Switch("share-hostname", ON, "a hostname may be on two certificates", f"{_API} 1.7, 11.3"),
    Switch("wildcard-hostnames", OFF, "*.example.com is accepted in associated_hostnames", f"{_API} 1.7"),
    Switch("refuse-expired-ca", OFF, "an expired CA is refused at upload", f"{_API} 1.4"),
    Switch("refuse-leaf", ON, "a bundle holding a certificate that is not a CA is refused", f"{_API} 1.4"),
    Switch("fingerprint-block", "first", "which certificate of a chain is fingerprinted", f"{_API} 1.3, 11.2",
           choices=("first", "last")),
    Switch("zone-list-ignores-page", OFF, "zone-scope certificate lists ignore page", f"{_API} 1.9"),
    Switch("account-list-shows-zones", OFF, "zone-scope things are in the account's lists too",
           f"{_API} 11.8"),
    # Hostname settings.
    Switch("settings-merge", ON, "PUT adds to the settings; off: it replaces them all", f"{_API} 2, 11.4"),
    Switch("hide-false-settings", ON, "an entry with both booleans false vanishes", f"{_API} 2"),
    Switch("settings-conflict-code", 12035, "code of the settings 409; a stand-in, the real one is unknown",
           f"{_API} 11.1"),
    Switch("china-network", OFF, "the zones are China-network enabled", f"{_API} 2"),
    # Applications and policies.
    Switch("put-resets-absent", ON, "an application PUT puts absent members back to their defaults",
           f"{_API} 3.4"),
    Switch("put-keeps-secrets", ON,
           "an application PUT that leaves a secret out keeps it; off: it is cleared", "facts: second-look 1.6"),
    Switch("show-self-hosted-domains", ON, "applications carry self_hosted_domains", f"{_API} 3.2"),
    Switch("wrong-policy-reference", 500, "status when policies holds an id that is not a policy",
           f"{_API} 3.5", choices=(500, 400)),
    Switch("policy-in-use-code", 12134, "code of the 409 for a policy in use; a stand-in",
           f"{_API} 4.1, 11.1"),
    Switch("not-found-code", 12004, "code of access.api.error.not_found; a stand-in", f"{_API} 3.5, 11.1"),
    Switch("bad-app-id-status", 400, "status of 12045, a malformed application id", f"{_API} 3.5",
           choices=(400, 404)),
    Switch("match-order", "path-first", "which counts first when applications overlap", f"{_API} 3.8",
           choices=("path-first", "host-first")),
    Switch("common-name-needs-valid", ON, "the common name of an invalid certificate does not count",
           f"{_API} 4.5"),
    Switch("certificate-before-login", OFF,
           "an Allow policy whose certificate rule fails is refused before the login page", f"{_API} 6.2"),
    # The gateway in front of the API.
    Switch("permission-code", 10000, "code of the 403 for a missing permission", f"{_API} 1.6, 7.4",
           choices=(10000, 9109)),
    Switch("missing-auth-status", 400, "status of 9106, no authentication headers", f"{_API} 7.4",
           choices=(400, 403)),
    Switch("no-route-status", 404, "status of 7003, no such route", f"{_API} 7.4", choices=(404, 400)),
    Switch("rate-limit", 1200, "requests a token may make in five minutes", f"{_API} 7.5"),
    Switch("rate-per-second", 200, "requests an address may make in a second", f"{_API} 7.5"),
    Switch("zones-without-permission", "listed",
           "what GET /zones is to a token without Zone Read: the zones, a refusal, or an empty list", f"{_API} 7.1",
           choices=("listed", "refused", "none")),
    Switch("access-enabled", ON, "Zero Trust is enabled on the account; off: 9999", f"{_API} 3.5"),
    # The edge.
    Switch("access-domain", "application", "what cf-access-domain names in a refusal or a login",
           f"{_API} 6.2", choices=("application", "hostname", "none")),
    Switch("list-ca-names", ON, "the certificate request names the CAs; off: an empty list",
           f"{_EDGE} 6.3, 7"),
    Switch("use-sent-intermediates", ON, "intermediates that the client sends may complete a chain",
           f"{_EDGE} 2, 6.5"),
    Switch("forward-certificate", "every", "on which requests of a connection the certificate is forwarded",
           f"{_API} 6.4, {_EDGE} 6.7", choices=("every", "first")),
    Switch("forward-unverified", OFF, "a certificate that does not verify is forwarded too", f"{_API} 6.4"),
    Switch("one-server-certificate", OFF,
           "one server certificate for all hostnames, so that browsers coalesce", f"{_EDGE} 5"),
    Switch("misdirected", ON, "421 when authority and SNI differ and either demands a certificate",
           f"{_EDGE} 5"),
    Switch("close-on-change", ON, "connections are closed when what their hostname demands changes",
           f"{_EDGE} 5"),
)  # fmt: skip

ROWS = {switch.name: switch for switch in SWITCHES}


class Switches:
    """The position of every switch; changed only as a whole word by `set`."""

    def __init__(self, chosen: Mapping[str, Value] | None = None) -> None:
        """chosen: those that leave their default. Errors: ValueError for an unknown name or value."""
        self._values: dict[str, Value] = {s.name: s.default for s in SWITCHES}
        for name, value in (chosen or {}).items():
            self.set(name, value)

    def set(self, name: str, value: Value) -> None:
        """Turn one switch. Errors: ValueError."""
        if name not in ROWS:
            raise ValueError(f"there is no switch {name!r}")
        row = ROWS[name]
        self._values[name] = row.read(value if isinstance(value, str) else spoken(value))

    def on(self, name: str) -> bool:
        """Whether an on/off switch is on."""
        return bool(self._values[name])

    def number(self, name: str) -> int:
        """A whole number."""
        return int(self._values[name])

    def seconds(self, name: str) -> float:
        """A span of time in seconds."""
        return float(self._values[name])

    def word(self, name: str) -> str:
        """One of the switch's words."""
        return str(self._values[name])

    def all(self) -> dict[str, Value]:
        """Every switch by name, as a copy."""
        return dict(self._values)


def lifelike() -> dict[str, Value]:
    """The switches that the fact sheet's own figures would turn."""
    return {s.name: s.lifelike for s in SWITCHES if s.lifelike is not None}


def read_all(pairs: Iterable[str]) -> dict[str, Value]:
    """Switches from `name=value` words. Errors: ValueError with all the problems, a line each."""
    chosen: dict[str, Value] = {}
    problems: list[str] = []
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            chosen[name] = _row(name).read(text)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return chosen


def _row(name: str) -> Switch:
    if name not in ROWS:
        raise ValueError(f"there is no switch {name!r}")
    return ROWS[name]
