"""What a simulated carrier was asked and what it charged: the independent truth that tests compare with."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = ["Ledger", "LedgerEntry"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request as it arrived, and what became of it.

    `status` is the HTTP status that was sent, or None where the connection was cut. `at_s` counts from the start.
    """

    at_s: float
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int | None
    fault: str


@dataclass(slots=True)
class Ledger:
    """Every request in order, every charge by ICCID, and every call that this tool must never make."""

    entries: list[LedgerEntry] = field(default_factory=list)
    charges: Counter[str] = field(default_factory=Counter)
    charged: Decimal = Decimal(0)
    amounts: list[tuple[str, Decimal]] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    def charge(self, iccid: str, amount: Decimal) -> None:
        """Note that `iccid` was charged once more."""
        self.charges[iccid] += 1
        self.charged += amount
        self.amounts.append((iccid, amount))

    def requests(self, method: str | None = None, path_part: str = "") -> list[LedgerEntry]:
        """The entries with this method (any, if None) whose path holds `path_part`."""
        return [
            entry for entry in self.entries if (method is None or entry.method == method) and path_part in entry.path
        ]

    def as_dict(self) -> dict[str, Any]:
        """A summary for `GET /_simulator/ledger`: counts by method and path shape, charges, forbidden calls."""
        answers = Counter(str(entry.status) for entry in self.entries)
        return {
            "requests": len(self.entries),
            "writes": sum(entry.method != "GET" for entry in self.entries),
            "answers": dict(sorted(answers.items())),
            "sims_charged": len(self.charges),
            "charged_more_than_once": sorted(iccid for iccid, times in self.charges.items() if times > 1),
            "charged": str(self.charged),
            "forbidden": list(self.forbidden),
        }
