"""Orders that an operator may give from another terminal.

An order holds a run, ends it, changes its request rate, or chooses SIMs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from migrator.core.run.sources import SOURCES
from migrator.errors import Halted

__all__ = [
    "CEILING_SETTINGS",
    "Ceiling",
    "Intervened",
    "Learned",
    "Order",
    "OrderKind",
    "Selection",
    "Signs",
    "halted_by",
]

CEILING_SETTINGS = {"hologram": "HOLOGRAM_MAX_RPS", **{key: f"{one.prefix}_MAX_RPS" for key, one in SOURCES.items()}}
"""Carriers whose request rate can be changed, each with its setting.

No order goes above the setting.
"""


class OrderKind(StrEnum):
    """Kind of an order for the runs of a plan.

    An order stands until it is withdrawn, also over restarts.

    A run that obeys PAUSE is shown as paused; that state follows from the order and is not stored beside the order.
    """

    PAUSE = "pause"  # the run that is at it waits where it stands; the next one does not begin
    ABORT = "abort"  # the run that is at it ends; the next one does not begin


@dataclass(frozen=True, slots=True)
class Order:
    """Order in force: by whom, and when (UTC seconds)."""

    kind: OrderKind
    given_by: str
    given_at: float

    @property
    def past(self) -> str:
        """State of a plan under this order: paused or aborted."""
        return "paused" if self.kind is OrderKind.PAUSE else "aborted"

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.given_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{self.past} by {self.given_by} at {when}"


def halted_by(order: Order, plan_id: str, command: str = "apply") -> Halted:
    """Return the error of a run that an order stops.

    The code of the error is `paused` or `aborted`.

    Args:
        order: the order in force.
        plan_id: the plan that is carried out.
        command: the command that carries out the plan, and goes on with it.
    """
    hint = f"`migrator run resume {plan_id}` withdraws the order; then `migrator {command} {plan_id}` goes on"
    return Halted(f"plan {plan_id} was {order}", code=order.past, hint=hint)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Most requests per second that an operator allows.

    The record also has by whom and when (UTC seconds).
    """

    per_second: float
    given_by: str
    given_at: float


@dataclass(frozen=True, slots=True)
class Signs:
    """Orders that a run goes by, as they stood before a request.

    Args:
        order: the order in force for the run's plan; None lets the plan go on.
        ceilings: the most requests per second that an operator allows, by carrier.
    """

    order: Order | None = None
    ceilings: Mapping[str, Ceiling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learned:
    """Facts that a pacer found out about its carrier.

    `values` are JSON values; `at` is when they were found out (UTC seconds).
    """

    values: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Selection:
    """SIMs of a plan that fit everything that is given.

    Args:
        codes: codes under which a step of the SIM failed; empty for any.
        wave: the wave of the SIM; None for any.
        keys: the keys of the SIMs; None for any.
    """

    codes: frozenset[str] = frozenset()
    wave: str | None = None
    keys: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Intervened:
    """Result of a retry or skip: SIMs in all and by code.

    A SIM may have several steps, each with its own code.
    """

    sims: int = 0
    by_code: Mapping[str, int] = field(default_factory=dict)
