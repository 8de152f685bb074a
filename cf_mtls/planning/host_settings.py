"""Whose the settings of a hostname are: they carry no name and no mark, so what stands on the hostname decides.

Rules of this file:
- Ours where something of this stack stands and nothing of another one; then they follow the file.
- Where nothing of ours stands yet, what the account lists there is somebody's: never changed without being adopted.
- Where another stack stands too the settings are shared: a difference is refused, for either file could be right.
- Both false equals absent (facts 2), so the account lists only what differs from the default.
- Files of one call that declare one hostname's settings must say the same: each would put back what another one wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.match import covers
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings, hosts_on
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cf_mtls.diagnostics import Diagnostic, Place
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

FOREIGN = Code("settings.foreign", Severity.ERROR, Fault.ACCOUNT, "hostname settings are not of this stack")
SHARED = Code("settings.shared", Severity.ERROR, Fault.ACCOUNT, "two stacks share the settings of a hostname")
STAYING = Code("settings.staying", Severity.NOTE, Fault.ACCOUNT, "hostname settings stay as they are")
DIFFERING = Code(
    "settings.differing", Severity.ERROR, Fault.FILE, "two files declare other settings for a hostname"
)
UNMANAGED = Code("settings.unmanaged", Severity.NOTE, Fault.FILE, "hostname settings that no file declares")


@dataclass(frozen=True, slots=True)
class Declaring:
    """A plan file among others: its scope, and what it declares for hostnames, each with its place."""

    file: str
    scope: str
    settings: Mapping[Address, HostnameSettings]
    places: Mapping[Address, Place]


def differing(files: Sequence[Declaring]) -> dict[str, tuple[Diagnostic, ...]]:
    """The refusals of each file that declares a hostname's settings otherwise than another file of its scope.

    Settings that are the same may stand in any number of files.
    """
    found: dict[str, tuple[Diagnostic, ...]] = {}
    declared: dict[tuple[str, Address], list[Declaring]] = {}
    for one in files:
        for address in one.settings:
            declared.setdefault((one.scope, address), []).append(one)
    for (_, address), among in sorted(declared.items(), key=lambda item: item[0]):
        if len({one.settings[address] for one in among}) < 2:
            continue
        lines = [f"    {one.places[address]}  {words(one.settings[address])}" for one in among]
        detail = f"{address} is declared by:\n" + "\n".join(lines)
        for one in among:
            refusal = DIFFERING.found(
                detail, "Make them say the same, or let one file declare it.", one.places[address]
            )
            found[one.file] = (*found.get(one.file, ()), refusal)
    return found


class Owners:
    """Who stands on the hostnames of an account."""

    def __init__(self, actual: State, mine: Collection[Address], stack: str) -> None:
        """mine: where ours stand, by mark or by pin."""
        self._mine = {host for address in mine if address in actual for host in hosts_on(actual[address])}
        others = [
            (owner, host)
            for thing in actual.values()
            if isinstance(thing, CaCertificate | AccessApplication)
            and (owner := stack_of(thing.name)) not in {None, stack}
            for host in hosts_on(thing)
        ]
        self._others = others

    def is_ours(self, host: str) -> bool:
        """Whether something of ours stands on a hostname."""
        return any(_on(pattern, host) for pattern in self._mine)

    def others(self, host: str) -> list[str]:
        """The other stacks that stand on it, sorted."""
        return sorted({str(owner) for owner, pattern in self._others if _on(pattern, host)})

    def refusal(
        self, address: Address, wanted: HostnameSettings, there: HostnameSettings
    ) -> Diagnostic | None:
        """Why settings must not become what the file declares; None when they may, or are so already."""
        host = there.hostname
        if wanted == there or (self.is_ours(host) and not self.others(host)):
            return None
        adopt = f"To let this file decide:\n    --adopt {address}"
        if not self.is_ours(host):
            detail = (
                f"{address} is in the account already, with {words(there)}, and nothing of this stack stands on"
                f" {host} yet; this file declares {words(wanted)}. {_by(self.others(host))}"
            )
            return FOREIGN.found(detail, adopt)
        detail = (
            f"{address} is {words(there)} in the account and {words(wanted)} in this file; things of the"
            f" stack {', '.join(self.others(host))} stand on {host} too, and a hostname has its settings once."
        )
        return SHARED.found(detail, f"Make both files say the same. {adopt}")

    def staying(self, address: Address, there: HostnameSettings) -> Diagnostic:
        """The note that declared settings are not put back when everything else goes."""
        who = self.others(there.hostname)
        why = (
            f"things of the stack {', '.join(who)} stand there too"
            if who
            else "nothing of this stack stands there"
        )
        return STAYING.found(
            f"{address}, {words(there)}: {why}.", f"To put it back all the same:\n    --adopt {address}"
        )

    def unmanaged(self, actual: State, declared: Collection[Address]) -> Iterator[Address]:
        """Where the account lists settings on a hostname of ours that the file does not declare."""
        for address, there in actual.of(HostnameSettings):
            if address not in declared and self.is_ours(there.hostname):
                yield address


def unmanaged_note(address: Address, there: HostnameSettings) -> Diagnostic:
    """What to do about settings that no file declares."""
    detail = f"{address}: {words(there)} in the account, on a hostname of this stack, and not in this file."
    fix = (
        f"If they are meant, declare them under hostname_settings. To put them back to their default:\n"
        f"    cf-mtls apply --adopt {address}"
    )
    return UNMANAGED.found(detail, fix)


def words(settings: HostnameSettings) -> str:
    """The settings as a person says them."""
    names = ("client_certificate_forwarding", "china_network")
    on = [name for name in names if getattr(settings, name)]
    return " and ".join(f"{name} on" for name in on) or "the default"


def _by(others: list[str]) -> str:
    return (
        f"Things of the stack {', '.join(others)} stand there."
        if others
        else "Somebody made them in the dashboard."
    )


def _on(pattern: str, host: str) -> bool:
    return pattern == host or ("*" in pattern and covers(pattern, host, "/"))
