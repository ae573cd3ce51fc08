"""Notices: what is told of a run, and to whom."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from migrator.core.campaign.budget import BoundUsed
from migrator.core.fleet.units import money
from migrator.core.money.caps import Used
from migrator.core.policy.outside import NoticeEvent, Receiver
from migrator.core.policy.policy import Caps, CapsScope
from migrator.core.run.results import ExitCode

__all__ = [
    "MASK",
    "Delivery",
    "DeliveryState",
    "Notice",
    "bounds_notices",
    "daily_notice",
    "done_notice",
    "end_notices",
    "masked",
    "of_account",
    "sims_notice",
    "spend_notices",
    "subject",
    "words",
]

MASK = "[a SIM]"
"""Text in the place of an ICCID."""

MOST_NAMED = 50
"""Most SIMs that a notice names."""

_BETWEEN = r"[\s./_\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff-]"
"""Character between groups of digits, seen or not."""

_LONG_NUMBER = re.compile(
    rf"(?<!\d)(?:(?:8{_BETWEEN}?9|98)(?:{_BETWEEN}{{0,3}}\d){{15,}}|\d(?:[ -]?\d){{16,}})[Ff]?(?!\d)"
)
"""Digits that may be an ICCID or an EID.

Both begin with 89, and an ICCID whose digits were swapped in pairs with 98: what is written between their digits may be
anything. Other long numbers are digits in plain groups.

Source: ITU-T E.118, section 4; GSMA SGP.02, section 2.2.2.
"""


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


_COMMAND = re.compile(r"(^|`)migrator (?=[a-z])(?!fleet\b|work\b)")
"""Begin of a command that is one for a single account."""


def of_account(told: Mapping[str, Any], account: str | None) -> dict[str, Any]:
    """Return what is told, with the account of a team.

    The commands in it get `--account`, as they would be for no account else.

    Args:
        told: JSON values.
        account: the account; None for a file, which is one.
    """
    return dict(told) if account is None else {"account": account, **_commands_of(told, account)}


def _commands_of(value: Any, account: str) -> Any:
    if isinstance(value, str):
        return _COMMAND.sub(rf"\g<1>migrator --account {account} ", value)
    if isinstance(value, Mapping):
        return {key: _commands_of(one, account) for key, one in value.items()}
    return [_commands_of(one, account) for one in value] if isinstance(value, list | tuple) else value


# --- what happened ------------------------------------------------------------------------------------------------

_AT_END = {
    ExitCode.ERROR: NoticeEvent.STOPPED,
    ExitCode.INPUT: NoticeEvent.STOPPED,
    ExitCode.ATTENTION: NoticeEvent.NEEDS_ATTENTION,
    ExitCode.REFUSED: NoticeEvent.STOPPED,
    ExitCode.STALE: NoticeEvent.STOPPED,
    ExitCode.HALTED: NoticeEvent.STOPPED,
    ExitCode.RESUMABLE: NoticeEvent.STOPPED,
}
"""Events of the ends of a run.

Who interrupts a run is there to read its words.
"""

SPEND_SHARE = Decimal("0.8")


def end_notices(
    named: str,
    exit_code: ExitCode,
    told: Mapping[str, Any],
    *,
    cause: str,
    day: date,
    to: tuple[Receiver, ...],
    plan_id: str | None = None,
    standstill: int = 0,
) -> list[Notice]:
    """Return the notice of the end of a run, if any.

    A plan that is run by the clock ends for the same cause again and again: it is told once a day (UTC). Where the run
    merely waits, the numbers in its words make no other end. An account of a team that stood since, and that a person
    let go, is told of anew: nothing else would.

    Args:
        named: the plan that ran.
        exit_code: of the run.
        told: with the `reason`; an `exit_code` in it is told in place of the run's.
        cause: the reason without the words of others, such as a hook's, which may name the time of day.
        day: today.
        to: the receivers.
        plan_id: the migration's plan, where another one ran.
        standstill: number of the account's last standstill, as the register has it; 0 for none.
    """
    event = _AT_END.get(exit_code)
    if event is None:
        return []
    same = re.sub("[0-9]+", "#", cause) if exit_code is ExitCode.RESUMABLE else cause
    key = f"{event}:{named}:{day}:{int(exit_code)}:{_digest(same)}"
    key += f":{standstill}" if standstill else ""
    return [Notice(event, key, {"exit_code": int(exit_code), **told}, to, plan_id or named)]


def spend_notices(
    caps: Caps, used: Used, org_id: int, told: Mapping[str, Any], *, to: tuple[Receiver, ...], plan_id: str
) -> list[Notice]:
    """Return a notice for each cap of which four fifths are used.

    It is told once for each value of the cap.
    """
    whose = plan_id if caps.scope is CapsScope.PLAN else org_id
    found = []
    for name, cap, spent, shown in (
        ("max_sims", Decimal(caps.max_sims), Decimal(used.sims), str),
        ("max_spend_now", caps.max_spend_now, used.spend, money),
    ):
        if cap > 0 and spent >= cap * SPEND_SHARE:
            words = f"{shown(spent)} of [caps] {name} = {shown(cap)} are used"
            key = f"spend_80:{whose}:{name}:{cap.normalize():f}"
            found.append(Notice(NoticeEvent.SPEND_80, key, {**told, "reason": words}, to, plan_id))
    return found


def bounds_notices(
    bounds: Sequence[BoundUsed], campaign_no: int, told: Mapping[str, Any], *, to: tuple[Receiver, ...]
) -> list[Notice]:
    """Return a notice for each bound that is nearly used.

    Those are bounds of the whole campaign of which four fifths are used. It is told once for each value of the bound.
    """
    found = []
    for one in bounds:
        if not one.bound.opens_by_itself and one.at_most > 0 and one.used >= one.at_most * SPEND_SHARE:
            used, at_most = (money(value) if one.is_money else str(value) for value in (one.used, one.at_most))
            words = f"{used} of [campaign] {one.bound} = {at_most} are used"
            key = f"spend_80:campaign {campaign_no}:{one.bound}:{one.at_most.normalize():f}"
            found.append(Notice(NoticeEvent.SPEND_80, key, {**told, "reason": words}, to))
    return found


def sims_notice(
    event: NoticeEvent, plan_id: str, sims: Sequence[str], told: Mapping[str, Any], to: tuple[Receiver, ...]
) -> list[Notice]:
    """Return a notice about some SIMs, once for these very SIMs.

    `sims` says what is the matter with each, and begins with its ICCID.
    """
    if not sims:
        return []
    key = f"{event}:{plan_id}:{_digest(chr(10).join(sorted(sims)))}"
    return [Notice(event, key, {**told, "sims": sorted(sims)[:MOST_NAMED]}, to, plan_id)]


def daily_notice(campaign_no: int, day: date, told: Mapping[str, Any], to: tuple[Receiver, ...]) -> Notice:
    """Return a campaign's day in numbers, once a day."""
    return Notice(NoticeEvent.DAILY, f"daily:campaign {campaign_no}:{day}", told, to)


def done_notice(
    event: NoticeEvent, campaign_no: int, seq: int, told: Mapping[str, Any], to: tuple[Receiver, ...]
) -> Notice:
    """Return the notice of what is done, up to an event."""
    return Notice(event, f"{event}:campaign {campaign_no}:{seq}", told, to)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


# --- the words ----------------------------------------------------------------------------------------------------

_TITLES = {
    NoticeEvent.NEEDS_ATTENTION: "SIMs need attention",
    NoticeEvent.STOPPED: "Stopped",
    NoticeEvent.WAVE_DONE: "Wave done",
    NoticeEvent.CUTOVER_DONE: "Cutover done",
    NoticeEvent.DRIFT: "Drift",
    NoticeEvent.SILENT: "Silent SIMs",
    NoticeEvent.SPEND_80: "Four fifths of a cap or bound are used",
    NoticeEvent.DAILY: "The day in numbers",
    NoticeEvent.TEST: "A test: nothing happened",
}
_FIRST = ("reason", "next", "ref")
_SKIPPED = ("plan_id", "store", *_FIRST)


def subject(event: NoticeEvent, told: Mapping[str, Any]) -> str:
    """Return the headline of a notice."""
    about = next((told[name] for name in ("campaign", "plan_id", "store") if told.get(name)), "")
    named = ", ".join(dict.fromkeys(str(one) for one in (told.get("account"), about) if one))
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


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivery of one notice to one receiver.

    Times are UTC seconds. `tries` counts the tries that were begun.
    """

    number: int
    event: NoticeEvent
    made_at: float
    plan_id: str | None
    told: Mapping[str, Any]
    name: str
    receiver: Receiver
    state: DeliveryState
    tries: int
    next_at: float
    delivered_at: float | None
    last_error: str
