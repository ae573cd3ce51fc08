"""Simulated sources, as rehearsals see all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send

from migrator.carriers.simulation import FaultPlan, Ledger, RateLimit

__all__ = ["Simulated", "SimulatedOldSim", "SimulatedSource"]


@dataclass(frozen=True, slots=True)
class Simulated:
    """Wishes for a simulated source.

    Args:
        seed, sims: name the fleet.
        rate_limit: None for no limit.
        latency_s: before each reply.
        faults: which requests go wrong.
        epoch: the date at the first request.
    """

    seed: int
    sims: int
    rate_limit: RateLimit | None = None
    latency_s: float = 0.0
    faults: FaultPlan | None = None
    epoch: datetime = field(default_factory=lambda: datetime.now(UTC))


class SimulatedOldSim(Protocol):
    """SIM of a simulated source, in its true state."""

    iccid: str
    label: str | None
    imei: str | None
    silent_from: date | None
    used_on: tuple[date, ...]


class _Fleet(Protocol):
    def __iter__(self) -> Iterator[Any]: ...

    def find(self, iccid: str, /) -> Any:
        """Return the `SimulatedOldSim` of this ICCID, or None."""


class SimulatedSource(Protocol):
    """Carrier that old SIMs are moved away from, an ASGI application."""

    ledger: Ledger

    @property
    def fleet(self) -> _Fleet:
        """SIMs in their true state."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
