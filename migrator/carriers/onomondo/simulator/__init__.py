"""Onomondo's API as an ASGI application.

Fleet, request rate, faults and ledger come from a seed. Every answer that nobody knows is an option, so that a client
can be shown all of them.
"""

from migrator.carriers.onomondo.simulator.app import OnomondoSimulator
from migrator.carriers.onomondo.simulator.fleet import OnomondoFleet
from migrator.carriers.onomondo.simulator.model import OnomondoTag, SimulatedOnomondoSim
from migrator.carriers.onomondo.simulator.switches import (
    AboveLargestLimit,
    BulkLine,
    KeyForm,
    LastToken,
    OnomondoSwitches,
    OnomondoUsage,
    TokenPlace,
)

__all__ = [
    "AboveLargestLimit",
    "BulkLine",
    "KeyForm",
    "LastToken",
    "OnomondoFleet",
    "OnomondoSimulator",
    "OnomondoSwitches",
    "OnomondoTag",
    "OnomondoUsage",
    "SimulatedOnomondoSim",
    "TokenPlace",
]
