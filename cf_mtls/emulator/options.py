"""How to start an emulator, and what it says once it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cf_mtls.emulator.http import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.emulator.switches import Value


class Unusable(ValueError):
    """Options that will not do; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to start. Ports of 0 are free ones; a seed of None is drawn and shown."""

    zones: tuple[str, ...] = ("jeann.net",)
    api_port: int = 0
    edge_port: int = 0
    seed: int | None = None
    account_id: str | None = None
    switches: Mapping[str, Value] = field(default_factory=dict)
    state: Mapping[str, Any] | None = None
    faults: tuple[Mapping[str, Any], ...] = ()
    origin: str | None = None
    start: float | None = None
    """What the emulator's clock says first, in seconds since 1970; None is now."""
    hostnames: tuple[str, ...] = ()
    """Names to rehearse; zones that hold them are added."""
    edge: Literal["embedded", "nginx"] = "embedded"
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Ready:
    """Where it serves, and the keys to it."""

    api_base_url: str
    edge: str
    edge_ca: str
    account_id: str
    token: str = field(repr=False)
    read_token: str = field(repr=False)
    seed: int
    zones: tuple[str, ...]
    management: str

    def exports(self) -> dict[str, str]:
        """The environment that makes the other commands use it."""
        return {
            "CLOUDFLARE_BASE_URL": self.api_base_url,
            "CLOUDFLARE_API_TOKEN": self.token,
            "CLOUDFLARE_ACCOUNT_ID": self.account_id,
            "CF_MTLS_CONNECT_TO": f"::{self.edge}",
            "CF_MTLS_CACERT": self.edge_ca,
        }
