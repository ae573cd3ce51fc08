"""What the simulators of all carriers share: faults, rate limits, the ledger, and the ways to reach them."""

from migrator.platforms.simulation.clock import SimulatedClock
from migrator.platforms.simulation.faults import Fault, FaultPlan
from migrator.platforms.simulation.ledger import Ledger, LedgerEntry
from migrator.platforms.simulation.limiter import RateLimit, TokenBucket
from migrator.platforms.simulation.transport import ConnectionCut, InProcessTransport, serve_cuts

__all__ = [
    "ConnectionCut",
    "Fault",
    "FaultPlan",
    "InProcessTransport",
    "Ledger",
    "LedgerEntry",
    "RateLimit",
    "SimulatedClock",
    "TokenBucket",
    "serve_cuts",
]
