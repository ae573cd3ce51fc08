"""Onomondo's API as an ASGI application.

Fleet, request rate, faults and ledger come from a seed. Every answer that nobody knows is an option, so that a client
can be shown all of them.
"""

from migrator.carriers.onomondo.simulator.app import OnomondoSimulator
from migrator.carriers.onomondo.simulator.behaviour import (
    AboveLargestLimit,
    BulkLine,
    KeyForm,
    LastToken,
    OnomondoBehaviour,
    OnomondoUsage,
    TokenPlace,
)
from migrator.carriers.onomondo.simulator.fleet import OnomondoFleet
from migrator.carriers.onomondo.simulator.model import OnomondoTag, SimulatedOnomondoSim

__all__ = [
    "AboveLargestLimit",
    "BulkLine",
    "KeyForm",
    "LastToken",
    "OnomondoBehaviour",
    "OnomondoFleet",
    "OnomondoSimulator",
    "OnomondoTag",
    "OnomondoUsage",
    "SimulatedOnomondoSim",
    "TokenPlace",
]
