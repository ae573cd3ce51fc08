"""Notices: what is told of a run, and to whom."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from migrator.core.policy.outside import NoticeEvent, Receiver

__all__ = ["MASK", "DeliveryState", "Notice", "masked", "subject", "words"]

MASK = "[a SIM]"
"""Text in the place of an ICCID."""

_LONG_NUMBER = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){16,22}F?(?![0-9])")
"""Digits that may be an ICCID, in groups or not."""


class DeliveryState(StrEnum):
    """State of the delivery of one notice to one receiver."""

    WAITING = "waiting"  # not sent yet, or to be sent again
    SENDING = "sending"  # on its way; after a crash nobody knows, and it is sent again under the same number
    DELIVERED = "delivered"  # the receiver took it
    GAVE_UP = "gave_up"  # refused for days: nobody tries it any more


@dataclass(frozen=True, slots=True)
class Notice:
    """Message of the outbox.

    Args:
        event: what happened.
        key: names the happening: told again under the same key, it is no new notice.
        told: JSON values: counts, money, the command that goes on. SIMs are named under `sims` alone.
        to: who is told.
        plan_id: the plan that it is about; None for none.
    """

    event: NoticeEvent
    key: str
    told: Mapping[str, Any]
    to: tuple[Receiver, ...] = ()
    plan_id: str | None = None

    @property
    def receivers(self) -> tuple[tuple[str, Receiver], ...]:
        """Receivers that asked for this event, each with its name."""
        numbered = enumerate(self.to, 1)
        return tuple((f"{number}:{one.to}", one) for number, one in numbered if self.event in one.on)


def masked(value: Any) -> Any:
    """Return JSON values without any ICCID, and without `sims`."""
    if isinstance(value, str):
        return _LONG_NUMBER.sub(MASK, value)
    if isinstance(value, Mapping):
        return {masked(key): masked(one) for key, one in value.items() if key != "sims"}
    if isinstance(value, Sequence):
        return [masked(one) for one in value]
    return value


_TITLES = {
    NoticeEvent.NEEDS_ATTENTION: "SIMs need attention",
    NoticeEvent.STOPPED: "Stopped",
    NoticeEvent.WAVE_DONE: "Wave done",
    NoticeEvent.CUTOVER_DONE: "Cutover done",
    NoticeEvent.DRIFT: "Drift",
    NoticeEvent.SILENT: "Silent SIMs",
    NoticeEvent.SPEND_80: "Four fifths of a cap are used",
    NoticeEvent.DAILY: "The day in numbers",
    NoticeEvent.TEST: "A test: nothing happened",
}
_FIRST = ("reason", "next", "ref")
_SKIPPED = ("plan_id", "store", *_FIRST)


def subject(event: NoticeEvent, told: Mapping[str, Any]) -> str:
    """Return the headline of a notice."""
    named = next((told[name] for name in ("campaign", "plan_id", "store") if told.get(name)), "")
    return f"migrator: {_TITLES[event]}" + (f" ({named})" if named else "")


def words(told: Mapping[str, Any]) -> list[str]:
    """Return the lines of a notice, for people: reason, numbers, way on."""
    lines = [f"{told['reason']}."] if told.get("reason") else []
    lines += [f"{name.replace('_', ' ')}: {_shown(one)}" for name, one in told.items() if name not in _SKIPPED]
    lines += [f"ref: {told['ref']}"] if told.get("ref") else []
    lines += [f"store: {told['store']}"] if told.get("store") else []
    lines += [f"Next: {told['next']}"] if told.get("next") else []
    return [line for line in lines if not line.endswith(": ")]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return "" if value is None else str(value)
