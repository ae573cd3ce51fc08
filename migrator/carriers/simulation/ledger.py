"""Ledger of a simulated carrier: its requests, answers and charges.

The ledger is the independent truth that tests compare with.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = ["Ledger", "LedgerEntry"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Request as it arrived, and its result.

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
    """Record of all requests, charges and forbidden calls.

    Requests are in order, and charges by ICCID. `unpaid_at_s` has the moments of claims that were refused for want of
    balance. A forbidden call is a call that this tool must never make.
    """

    entries: list[LedgerEntry] = field(default_factory=list)
    charges: Counter[str] = field(default_factory=Counter)
    charged: Decimal = Decimal(0)
    amounts: list[tuple[str, Decimal]] = field(default_factory=list)
    unpaid_at_s: list[float] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    def charge(self, iccid: str, amount: Decimal) -> None:
        """Note that `iccid` was charged once more."""
        self.charges[iccid] += 1
        self.charged += amount
        self.amounts.append((iccid, amount))

    def requests(self, method: str | None = None, path_part: str = "") -> list[LedgerEntry]:
        """Return the entries with this method whose path holds `path_part`.

        None stands for any method.
        """
        return [
            entry for entry in self.entries if (method is None or entry.method == method) and path_part in entry.path
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return a summary for `GET /_simulator/ledger`.

        The summary has the numbers of requests, writes and answers by status, the charges, and the forbidden calls.
        """
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
