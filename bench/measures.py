"""One line of the table: a number, what it is held against in the same run, and the bar for their ratio."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["MIB", "Measure", "table"]

HEAD = ("what", "measured", "held against", "ratio", "bar", "")
THOUSAND = 1000
MIB = 1024 * 1024
UNITS = {"MiB": 1 / MIB, "ms": 1000.0}
"""Numbers come in bytes and seconds, and are shown so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number with its unit.

    Args:
        value: in bytes for MiB, in seconds for s and ms.
        against: what it is divided by; None where the number itself is held against the bar.
        against_what: what that is, in words.
        most: the highest ratio (or number) that passes.
        least: the lowest.
    """

    what: str
    value: float
    unit: str = ""
    against: float | None = None
    against_what: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        """The number over what it is held against; None where there is nothing to divide by."""
        return self.value / self.against if self.against else None

    @property
    def verdict(self) -> str:
        """`met`, `MISSED`, or nothing where there is no bar."""
        if self.most is None and self.least is None:
            return ""
        held = self.value if self.ratio is None else self.ratio
        is_met = (self.most is None or held <= self.most) and (self.least is None or held >= self.least)
        return "met" if is_met else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """What stands in the table, column by column."""
        beside = "" if self.against is None else f"{_number(self.against, self.unit)} {self.against_what}"
        return (
            self.what,
            _number(self.value, self.unit),
            beside.strip(),
            "" if self.ratio is None else f"{self.ratio:.3f}",
            self._bar(),
            self.verdict,
        )

    def _bar(self) -> str:
        unit = self.unit if self.ratio is None else ""
        if self.most is not None:
            return f"≤ {_number(self.most, unit)}"
        return "" if self.least is None else f"≥ {_number(self.least, unit)}"


def table(measures: Iterable[Measure]) -> str:
    """The measures as a table that reads well as text and as Markdown."""
    rows = [HEAD, *(measure.cells() for measure in measures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    lines = ["| " + " | ".join(cells) + " |" for cells in padded]
    return "\n".join([lines[0], rule, *lines[1:]])


def _number(value: float, unit: str) -> str:
    shown = value * UNITS.get(unit, 1)
    if shown >= THOUSAND or shown == int(shown):
        text = f"{shown:,.0f}"
    else:
        text = f"{shown:.3g}" if shown < 1 else f"{shown:.4g}"
    return f"{text} {unit}".strip()
