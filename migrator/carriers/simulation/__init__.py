"""Shared parts of all carriers' simulators.

The parts are faults, rate limits, the ledger, and the ways to reach a simulator.
"""

from migrator.carriers.simulation.clock import SimulatedClock
from migrator.carriers.simulation.faults import Fault, FaultPlan
from migrator.carriers.simulation.ledger import Ledger, LedgerEntry
from migrator.carriers.simulation.limiter import FreshBucket, RateLimit, TokenBucket
from migrator.carriers.simulation.transport import ConnectionCut, InProcessTransport, serve_cuts

__all__ = [
    "ConnectionCut",
    "Fault",
    "FaultPlan",
    "FreshBucket",
    "InProcessTransport",
    "Ledger",
    "LedgerEntry",
    "RateLimit",
    "SimulatedClock",
    "TokenBucket",
    "serve_cuts",
]
