"""curl's `--connect-to HOST1:PORT1:HOST2:PORT2`, for every witness alike.

Rules of this file:
- An empty HOST1 or PORT1 matches any; an empty HOST2 or PORT2 keeps what was asked for; the first match wins.
- Only where the connection goes changes: URL, Host, SNI and the server's certificate stay the real ones.
"""

from __future__ import annotations

from cf_mtls.diagnostics import Code, Exit, Failure, Fault, Severity
from cf_mtls.quick import dataclass

MALFORMED = Code("verify.connect-to", Severity.ERROR, Fault.INVOCATION, "a --connect-to cannot be read")


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """One mapping; None stands for "any" on the left and "as asked" on the right."""

    host: str | None
    port: int | None
    to_host: str | None
    to_port: int | None

    def matches(self, host: str, port: int) -> bool:
        """Whether this mapping is for a connection to host and port."""
        return self.host in {None, host.lower()} and self.port in {None, port}


def parse(text: str) -> ConnectTo:
    """A mapping from curl's form. Raises Failure (usage) when it is not in that form."""
    parts = _split(text)
    try:
        host, port, to_host, to_port = parts
        return ConnectTo(host.lower() or None, _port(port), to_host or None, _port(to_port))
    except ValueError:
        fix = "Write it as curl does, such as ::127.0.0.1:8443 to send every host there."
        raise Failure([MALFORMED.found(f"{text} is not HOST1:PORT1:HOST2:PORT2.", fix)], Exit.USAGE) from None


def _split(text: str) -> list[str]:
    """The parts between colons; brackets keep an IPv6 address together and fall away."""
    parts, inside = [""], False
    for character in text:
        if character in "[]":
            inside = character == "["
        elif character == ":" and not inside:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _port(text: str) -> int | None:
    if not text:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError(text)
    return port


def route(mappings: tuple[ConnectTo, ...], host: str, port: int) -> tuple[str, int]:
    """Where to connect for a host and port."""
    for mapping in mappings:
        if mapping.matches(host, port):
            return mapping.to_host or host, mapping.to_port or port
    return host, port
