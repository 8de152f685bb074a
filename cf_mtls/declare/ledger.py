"""What is gathered while a plan file is resolved: resources, their places, and what is wrong.

Rules of this file:
- Every problem is placed where the plan file causes it; nothing is raised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from cf_mtls.declare.files import Source
    from cf_mtls.declare.yaml_text import Path
    from cf_mtls.diagnostics import Code, Diagnostic, Place
    from cf_mtls.model.resources import Address, Resource


@dataclass(slots=True)
class Ledger:
    """A plan file on its way to a `Stack`."""

    source: Source
    at: datetime
    """An aware moment, for what expires."""
    found: list[Diagnostic] = field(default_factory=list)
    resources: dict[Address, Resource] = field(default_factory=dict)
    places: dict[Address, Place] = field(default_factory=dict)

    def problem(self, code: Code, path: Path, detail: str, fix: str = "") -> None:
        """Gather a problem at a path of the file."""
        self.placed(code.found(detail, fix), path)

    def placed(self, diagnostic: Diagnostic, path: Path) -> None:
        """Gather a diagnostic at a path of the file."""
        place = self.source.reading.place(path)
        self.found.append(diagnostic.at(place, self.source.reading.source(place)))

    def add(self, address: Address, resource: Resource, path: Path) -> None:
        """Gather a resource that a path of the file declares."""
        self.resources[address] = resource
        self.places[address] = self.source.reading.place(path)

    def has(self, code: Code, address: Address, path: Path, what: str, fix: str) -> bool:
        """Whether something is declared at an address already; then that is gathered as a problem."""
        if address in self.resources:
            self.problem(code, path, f"{what} stands at line {self.places[address].line} too.", fix)
        return address in self.resources
