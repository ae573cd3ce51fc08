"""Accepted changes of a simulated carrier that wait for their time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from migrator.carriers.simulation.clock import SimulatedClock

__all__ = ["Effect", "still_waiting"]


@dataclass(frozen=True, slots=True)
class Effect:
    """Accepted change: field values of `sim` from `due_s` on."""

    due_s: float
    sim: object
    values: Mapping[str, Any]


def still_waiting(effects: Iterable[Effect], clock: SimulatedClock) -> list[Effect]:
    """Let every change happen whose time has come, and return the others.

    Outside an event loop, where tests read the truth, all of them happen.
    """
    now_s = clock.now_s() if _in_event_loop() else float("inf")
    left = []
    for effect in sorted(effects, key=lambda one: one.due_s):
        if effect.due_s > now_s:
            left.append(effect)
            continue
        for name, value in effect.values.items():
            setattr(effect.sim, name, value)
    return left


def _in_event_loop() -> bool:
    try:
        anyio.current_time()
    except RuntimeError:
        return False
    return True
