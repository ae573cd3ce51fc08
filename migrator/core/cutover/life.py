"""Facts beyond the record: source changes, unplanned devices, proof of life.

Source changes are those since a plan was made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from migrator.core.cutover.rules import alive_at_s, is_before_swap
from migrator.core.cutover.silence import (
    OldSide,
    Recorded,
    Sessions,
    Silent,
    UnitEvidence,
    sessions_by_record,
    silence_of,
)
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import TargetLink
from migrator.core.plan.plan import Change, DesiredState

__all__ = [
    "QUIET_DAYS",
    "KeptProof",
    "Life",
    "OldSide",
    "Proof",
    "SourceChange",
    "SourceChangeCode",
    "Unexpected",
    "UnexpectedReason",
    "asked_days",
    "life",
    "old_side",
    "silent_as_kept",
]


# --- the source side ----------------------------------------------------------------------------------------------


class SourceChangeCode(StrEnum):
    """Kind of change of a SIM at the source since planning."""

    GONE = "gone"  # it is no longer listed
    NEW = "new"  # it is listed, and the plan does not know it
    STATUS = "status"  # another on/off state
    LABEL = "label"  # another label
    QUOTA = "quota"  # another booked volume: a top-up, or an extension


@dataclass(frozen=True, slots=True)
class SourceChange:
    """SIM that differs from the plan's values, with words."""

    iccid: str
    codes: tuple[SourceChangeCode, ...]
    words: str

    def as_dict(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        return {"source_iccid": self.iccid, "codes": [code.value for code in self.codes], "words": self.words}


# --- devices that nobody planned ----------------------------------------------------------------------------------


class UnexpectedReason(StrEnum):
    """Reason why a device on our organization should not be there."""

    TAGGED = "tagged"  # it carries the plan's tag, and no plan of this store put it there
    NOT_TO_BE_CLAIMED = "not_to_be_claimed"  # the target of a SIM that the plan, or an operator, left alone


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Device on our organization that the plan did not put there."""

    target_iccid: str
    device_id: int | None
    name: str
    reason: UnexpectedReason

    def as_dict(self) -> dict[str, Any]:
        """Return the device as JSON values."""
        return {
            "target_iccid": self.target_iccid,
            "device_id": self.device_id,
            "name": self.name,
            "reason": self.reason.value,
        }


# --- proof of life ------------------------------------------------------------------------------------------------


class Life(StrEnum):
    """Data activity of a new SIM since its claim."""

    ALIVE = "alive"  # a connection or a data session since its claim
    SILENT = "silent"  # asked, and there is none
    UNKNOWN = "unknown"  # usage is not ours to read, or when it was claimed is not known
    PAUSED = "paused"  # the plan pauses it: it is to be silent


@dataclass(frozen=True, slots=True)
class Proof:
    """Signs of life that one SIM has shown.

    `since_s` is the last sign of life since the claim (UTC seconds). `old` is None where nobody asked; `old_used_on` is
    the last day with usage on the old SIM ("2026-11-20"). `was_idle_before` says whether the old SIM used nothing in
    the days before the swap; None where nobody knows. `silent` is the reason for a silence, by all of that.
    """

    source_iccid: str
    target_iccid: str
    life: Life
    unit: Unit
    since_s: float | None = None
    source_imei: str | None = None
    target_imei: str | None = None
    old: OldSide | None = None
    old_used_on: str | None = None
    sessions: Sessions = Sessions.NOT_ASKED
    was_idle_before: bool | None = None
    silent: Silent | None = None

    @property
    def needs_attention(self) -> bool:
        """True if a person should check the SIM.

        The reasons: no sign of life, another unit, an old SIM that goes on beside the new SIM, or no data although a
        network saw the new SIM.
        """
        goes_on = self.life is Life.ALIVE and self.old is OldSide.TALKS
        is_mute = self.silent is not None and self.silent.needs_attention
        return self.life in {Life.SILENT, Life.UNKNOWN} or self.unit is Unit.MOVED or goes_on or is_mute


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptProof:
    """Known facts of one SIM's life.

    Moments are UTC seconds. `proved_s` is when the proof was asked for. `old_asked_s` is when the usage of the old SIM
    was asked for, which may be longer ago.
    """

    life: Life
    unit: Unit
    proved_s: float
    alive_s: float | None = None
    source_imei: str | None = None
    target_imei: str | None = None
    old: OldSide | None = None
    old_used_on: str | None = None
    old_asked_s: float | None = None
    sessions: Sessions = Sessions.NOT_ASKED
    was_idle_before: bool | None = None


def silent_as_kept(
    target: TargetLink, recorded: Recorded, *, claimed_s: float | None, proof: KeptProof | None
) -> Silent:
    """Return why a new SIM is silent, by what the store has.

    A connection that the record shows after the proof of life makes what usage told then too old to count.

    Args:
        target: the new SIM as it was read last.
        recorded: the traffic that the record tells.
        claimed_s: when the SIM was claimed; None if nobody knows.
        proof: what the last proof of life found; None if nobody asked.
    """
    sessions, seen_s = sessions_by_record(recorded, claimed_s), None
    if claimed_s is not None:
        seen_s = alive_at_s(target, claimed_s, None if proof is None else proof.alive_s)
    if proof is not None:
        is_newer = seen_s is not None and seen_s > proof.proved_s
        if sessions is not Sessions.DATA and not is_newer and proof.sessions is not Sessions.NOT_ASKED:
            sessions = proof.sessions
    return silence_of(
        UnitEvidence(
            state=target.state,
            claimed_s=claimed_s,
            seen_s=seen_s,
            sessions=sessions,
            old=None if proof is None else proof.old,
            used_on=None if proof is None else proof.old_used_on,
            was_idle_before=None if proof is None else proof.was_idle_before,
        )
    )


def life(
    change: Change,
    target: TargetLink,
    *,
    claimed_s: float | None,
    session_s: float | None,
    may_read_usage: bool,
    swapped_s: float | None = None,
    seen_in: Unit = Unit.NEVER_SEEN,
) -> tuple[Life, float | None]:
    """Return the life of a new SIM and its last sign.

    The last sign of life is in UTC seconds.

    Args:
        change: what is planned for the SIM.
        target: what a fresh read showed.
        claimed_s: when the SIM was claimed; None if nobody knows: then no session proves that the SIM was in our hands.
        session_s: when usage showed a session; None if none was looked for, or none was found.
        may_read_usage: False where usage is not ours to read, so that the lack of a session proves nothing.
        swapped_s: when the swap was noted (UTC seconds); None if nobody noted any.
        seen_in: where the last sign of life came from: before the swap, only the unit itself counts.
    """
    since_s = None if claimed_s is None else alive_at_s(target, claimed_s, session_s)
    if since_s is not None and not is_before_swap(since_s, swapped_s, seen_in):
        return Life.ALIVE, since_s
    if change.state is DesiredState.PAUSE:
        return Life.PAUSED, None
    return (Life.UNKNOWN if claimed_s is None or not may_read_usage else Life.SILENT), None


QUIET_DAYS = 2
"""Days without use that show that an old SIM is silent.

An old SIM is silent if it used nothing today and yesterday.

1NCE reports usage by the day. Neither the time zone of a day nor the delay of a day's row is known (reference, section
7): a part of a day would prove nothing, and the row of today may be missing.
"""
LONGEST_DAYS = 180
"""Days of usage that 1NCE keeps: six months (reference, section 7)."""


def asked_days(claimed_on: date, today: date) -> tuple[date, date] | None:
    """Return the first and last day of usage to ask for.

    None where no day has begun since the claim. The day of the claim itself is left out: what was used on that day may
    have been used before the claim.
    """
    first = max(claimed_on + timedelta(days=1), today - timedelta(days=LONGEST_DAYS))
    return None if first > today else (first, today)


def old_side(used: Mapping[date, bool] | None, asked: tuple[date, date] | None) -> tuple[OldSide, str | None]:
    """Return the old SIM's activity, and its last day of use.

    Args:
        used: by day, whether anything was used; None where no usable answer came. A day that is missing proves nothing.
        asked: the days that were asked for.
    """
    if used is None or asked is None:
        return OldSide.UNKNOWN, None
    first, today = asked
    latest = [today - timedelta(days=back) for back in range(QUIET_DAYS)]
    last = max(_days_with_use(used, first), default=None)
    told = None if last is None else last.isoformat()
    if last is not None and last >= latest[-1]:
        return OldSide.TALKS, told
    is_told = all(day in used and day >= first for day in latest[1:])
    return (OldSide.SILENT if is_told else OldSide.UNKNOWN), told


def _days_with_use(used: Mapping[date, bool], first: date) -> Iterable[date]:
    return (day for day, was_used in used.items() if was_used and day >= first)
