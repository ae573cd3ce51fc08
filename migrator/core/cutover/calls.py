"""Requests to the source that a cutover or rollback needs."""

from typing import Any

from migrator.core.run.sources import SOURCE_NAMES

__all__ = ["MOST_IN_A_LIST", "source_calls"]

MOST_IN_A_LIST = 50
"""Most SIMs in one order of 1NCE's older API (v1).

The longest list that 1NCE takes is unknown (reference, section 16.2), so the number is kept modest. Its newer API (v2)
has no order for several SIMs (reference, section 14).
"""
LOOKS = 2
"""Reads of each old SIM: before its order, and to prove it."""


def source_calls(
    sims: int, *, source: str, api_version: str | None, asks_for_use: bool, max_rps: float
) -> dict[str, Any]:
    """Return the least number of requests, and the hours they take.

    Args:
        sims: how many old SIMs are switched.
        source: the carrier's name.
        api_version: "v1" or "v2"; None, after an import, counts as v2, which takes more.
        asks_for_use: whether each old SIM's use is asked for once more before its order.
        max_rps: how many requests a second may go.
    """
    known = SOURCE_NAMES.get(source)
    most = MOST_IN_A_LIST if api_version == "v1" else 1 if known is None else known.most_in_order
    orders = -(-sims // most)
    requests = sims * (LOOKS + asks_for_use) + orders
    return {"requests": requests, "max_rps": max_rps, "hours": round(requests / max_rps / 3600, 2)}
