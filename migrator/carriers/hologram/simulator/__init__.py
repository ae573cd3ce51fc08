"""Hologram REST API v1 as an ASGI application.

State, request rate, lag, faults and ledger come from a seed. Every answer that the carrier's reference leaves open is
an option, so that a client can be shown all of them.
"""

from migrator.carriers.hologram.simulator.app import HologramSimulator
from migrator.carriers.hologram.simulator.behaviour import BULK_RENAME, NO_LIMITS_AT_CLAIM, HologramBehaviour
from migrator.carriers.hologram.simulator.choices import (
    Continues,
    Duplicates,
    LastId,
    MixedClaims,
    NextLink,
    Operation,
    ReadKind,
    ReplyEdition,
    Role,
    SmsIncrease,
    StockKind,
    TagRepeat,
)
from migrator.carriers.hologram.simulator.model import SimulatedLink

__all__ = [
    "BULK_RENAME",
    "NO_LIMITS_AT_CLAIM",
    "Continues",
    "Duplicates",
    "HologramBehaviour",
    "HologramSimulator",
    "LastId",
    "MixedClaims",
    "NextLink",
    "Operation",
    "ReadKind",
    "ReplyEdition",
    "Role",
    "SimulatedLink",
    "SmsIncrease",
    "StockKind",
    "TagRepeat",
]
