"""Invented SIMs, pairs, targets and policies for tests: each takes only what its test is about."""

from decimal import Decimal
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate, Pair, SourceSim, TargetLink, link_state, source_status
from migrator.core.fleet.units import Bytes
from migrator.core.policy.policy import ClaimPolicy, Policy

__all__ = ["ORG", "candidate", "pair", "policy", "sim", "source_iccid", "target", "target_iccid"]

ORG = 4711


def source_iccid(number: int) -> Iccid:
    """The number-th SIM of the old fleet: 19 digits, as 1NCE lists it."""
    return Iccid.parse(f"8988228{number:012d}")


def target_iccid(number: int) -> Iccid:
    """The number-th SIM of the new pool."""
    return Iccid.parse(f"8944500{number:012d}")


def sim(number: int = 1, *, status: str = "Enabled", **values: Any) -> SourceSim:
    """A source SIM with 500 MB and 250 SMS booked, unless told otherwise."""
    defaults: dict[str, Any] = {
        "label": f"unit {number}",
        "data_quota_mb": Decimal(500),
        "sms_quota": Decimal(250),
    }
    return SourceSim(
        iccid=source_iccid(number), status=source_status(status), status_word=status, **(defaults | values)
    )


def pair(number: int = 1) -> Pair:
    """The number-th source SIM with the number-th target."""
    return Pair(source_iccid(number), target_iccid(number), "pairs.csv:2")


def target(number: int = 1, *, state: str = "LIVE", **values: Any) -> TargetLink:
    """A claimed target SIM of ours, as a plan with the default policy wants it."""
    defaults: dict[str, Any] = {
        "org_id": ORG,
        "device_id": 1000 + number,
        "link_id": 5000 + number,
        "name": f"unit {number}",
        "overage_limit_bytes": Bytes(500 * 1_048_576),
        "sms_limit": 100,
        "data_plan_id": 2096,
        "zone": "global",
        "tags": frozenset({"from-1nce"}),
    }
    return TargetLink(iccid=target_iccid(number), state=link_state(state), state_word=state, **(defaults | values))


def candidate(number: int = 1, **values: Any) -> Candidate:
    """A paired SIM whose target nobody has claimed."""
    defaults: dict[str, Any] = {"sim": sim(number), "pair": pair(number), "target_read": True}
    return Candidate(**(defaults | values))


def policy(**sections: Any) -> Policy:
    """The default policy on plan 2096, zone global."""
    return Policy(**({"claim": ClaimPolicy(2096, "global")} | sections))
