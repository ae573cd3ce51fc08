"""1NCE Management API, v1 and v2, as an ASGI application.

Fleet, request rate, faults and ledger come from a seed. Every answer that the carrier's reference leaves open is an
option, so that a client can be shown all of them.
"""

from migrator.carriers.onence.simulator.app import OnenceSimulator
from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import (
    AboveLargestPage,
    BadBearer,
    BadLogin,
    BeyondEnd,
    ExpiredSims,
    ListOrder,
    Missing,
    NoLimit,
    OmittedFields,
    OptionalIdentifiers,
    QuotaDates,
    SelectableLimits,
    StatusWords,
    TopUpTotal,
    TotalsHeaders,
    TotalsScope,
    UnknownSim,
    UsageCall,
    V1Retired,
)
from migrator.carriers.onence.simulator.fleet import SimulatedFleet
from migrator.carriers.onence.simulator.model import SimStatus, SimulatedSourceSim

__all__ = [
    "AboveLargestPage",
    "BadBearer",
    "BadLogin",
    "BeyondEnd",
    "ExpiredSims",
    "ListOrder",
    "Missing",
    "NoLimit",
    "OmittedFields",
    "OnenceBehaviour",
    "OnenceSimulator",
    "OptionalIdentifiers",
    "QuotaDates",
    "SelectableLimits",
    "SimStatus",
    "SimulatedFleet",
    "SimulatedSourceSim",
    "StatusWords",
    "TopUpTotal",
    "TotalsHeaders",
    "TotalsScope",
    "UnknownSim",
    "UsageCall",
    "V1Retired",
]
