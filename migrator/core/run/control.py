"""What an operator may order from another terminal: hold a run, end it, change its pace, choose SIMs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from migrator.errors import Halted

__all__ = ["CEILING_SETTINGS", "Ceiling", "Learned", "Order", "OrderKind", "Selection", "halted_by"]

CEILING_SETTINGS = {"hologram": "HOLOGRAM_MAX_RPS", "1nce": "ONENCE_MAX_RPS"}
"""The carriers whose pace can be steered, and the setting that no order goes above."""


class OrderKind(StrEnum):
    """What is ordered for the runs of a plan. It stands until it is withdrawn, over restarts, too.

    A run that obeys PAUSE is shown as paused; that state follows from the order and is not kept beside it.
    """

    PAUSE = "pause"  # the run that is at it waits where it stands; the next one does not begin
    ABORT = "abort"  # the run that is at it ends; the next one does not begin


@dataclass(frozen=True, slots=True)
class Order:
    """An order in force: by whom, and when (UTC seconds)."""

    kind: OrderKind
    given_by: str
    given_at: float

    @property
    def past(self) -> str:
        """What a plan is under this order: paused or aborted."""
        return "paused" if self.kind is OrderKind.PAUSE else "aborted"

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.given_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{self.past} by {self.given_by} at {when}"


def halted_by(order: Order, plan_id: str, command: str = "apply") -> Halted:
    """The error of a run that an order keeps from going on; its code is `paused` or `aborted`.

    Args:
        order: the order in force.
        plan_id: the plan that is carried out.
        command: what carries it out, and goes on with it.
    """
    hint = f"`migrator run resume {plan_id}` withdraws the order; then `migrator {command} {plan_id}` goes on"
    return Halted(f"plan {plan_id} was {order}", code=order.past, hint=hint)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most requests per second that an operator allows, by whom and when (UTC seconds)."""

    per_second: float
    given_by: str
    given_at: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What a pacer found out about its carrier, as JSON values, and when (UTC seconds)."""

    values: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Which SIMs of a plan are meant: those that fit everything that is given.

    Args:
        codes: codes under which a step of theirs failed; empty for any.
        wave: the wave that they are in; None for any.
        keys: their keys; None for any.
    """

    codes: frozenset[str] = frozenset()
    wave: str | None = None
    keys: frozenset[str] | None = None
