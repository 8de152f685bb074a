"""What a bench is: rows with their bounds, and what was measured for them; printed, as JSON, for the README.

Rules of this file:
- A bound is on the ratio where there is a baseline of the same run, else on the value itself, which is then a count.
- An absolute time stands only beside its baseline. What could not be measured says why, and is neither kept nor broken.
- Pure: the machine and the date come in as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ask:
    """A row of a bench: what is measured, beside what, and its bound. None: shown, not bounded."""

    what: str
    beside: str = ""
    """The baseline in words; empty when the value is a count."""
    unit: str = "ms"
    most: float | None = None
    least: float | None = None


@dataclass(frozen=True)
class Figure:
    """A value and the baseline of the same run."""

    value: float
    baseline: float | None = None


Measured = Mapping[str, Figure | str]
"""By `what`; a text is the reason why there is no figure."""


@dataclass(frozen=True)
class Row:
    """A row as it is printed."""

    bench: str
    ask: Ask
    found: Figure | str

    @property
    def ratio(self) -> float | None:
        """Value over baseline; None where there is none of the two."""
        if isinstance(self.found, str) or not self.found.baseline:
            return None
        return self.found.value / self.found.baseline

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None without a bound or a figure."""
        if isinstance(self.found, str) or (self.ask.most is None and self.ask.least is None):
            return None
        judged = self.found.value if self.ratio is None else self.ratio
        over = self.ask.most is not None and judged > self.ask.most
        under = self.ask.least is not None and judged < self.ask.least
        return not over and not under

    @property
    def bound(self) -> str:
        """The bound in words."""
        if self.ask.most is not None:
            return f"at most {self.ask.most:g}"
        return f"at least {self.ask.least:g}" if self.ask.least is not None else ""

    def cells(self) -> tuple[str, ...]:
        """The row as texts: bench, what, value, beside, ratio, bound, holds."""
        ratio = "" if self.ratio is None else _number(self.ratio)
        holds = {True: "yes", False: "**no**", None: ""}[self.holds]
        if isinstance(self.found, str):
            return self.bench, self.ask.what, self.found, self.ask.beside, "", self.bound, "not measured"
        beside = self.ask.beside
        if self.found.baseline is not None:
            beside += f": {_number(self.found.baseline)} {self.ask.unit}"
        value = f"{_number(self.found.value)} {self.ask.unit}".strip()
        return self.bench, self.ask.what, value, beside, ratio, self.bound, holds

    def data(self) -> dict[str, Any]:
        """The row as JSON."""
        figure = self.found if isinstance(self.found, Figure) else None
        return {
            "bench": self.bench, "what": self.ask.what, "value": figure and figure.value, "unit": self.ask.unit,
            "beside": self.ask.beside, "baseline": figure and figure.baseline, "ratio": self.ratio,
            "most": self.ask.most, "least": self.ask.least, "holds": self.holds,
            "skipped": self.found if isinstance(self.found, str) else None,
        }  # fmt: skip


def _number(value: float) -> str:
    """Three digits that count, never as a power of ten."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


HEAD = ("bench", "what", "value", "beside", "ratio", "bound", "holds")


def rows(bench: str, asked: Sequence[Ask], measured: Measured) -> list[Row]:
    """The rows of one bench. Raises KeyError when something asked for was not measured."""
    return [Row(bench, ask, measured[ask.what]) for ask in asked]


def aligned(found: Sequence[Row]) -> str:
    """The table for a terminal."""
    lines = [HEAD, *(row.cells() for row in found)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(found: Sequence[Row]) -> str:
    """The table for the README."""
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in found)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
