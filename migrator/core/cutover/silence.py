"""Reason why a new SIM is silent, by what both carriers show.

The code is pure. It never guesses: evidence that is missing is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from migrator.core.cutover.old_use import LONGEST_DAYS
from migrator.core.fleet.sims import LinkState

__all__ = [
    "ADVICE",
    "IDLE_DAYS",
    "MEANING",
    "MissingEvidence",
    "OldSide",
    "Recorded",
    "Sessions",
    "Silence",
    "Silent",
    "UnitEvidence",
    "sessions_by_record",
    "sessions_by_usage",
    "sessions_told",
    "silence_of",
    "swap_day",
    "was_idle_before",
    "with_days_before",
]


class OldSide(StrEnum):
    """Recent activity of an old SIM."""

    SILENT = "silent"  # nothing today and yesterday
    TALKS = "talks"  # something since the claim, today or yesterday
    UNKNOWN = "unknown"  # no usable answer, or claimed too lately to tell


class Sessions(StrEnum):
    """Data sessions of a new SIM since its claim."""

    DATA = "data"  # at least one with bytes
    EMPTY = "empty"  # some, each of zero bytes
    UNSIZED = "unsized"  # some, and their sizes are not told
    NONE = "none"  # asked for, and there is none
    NOT_ASKED = "not_asked"  # nobody asked, and the record does not tell
    NOT_OURS = "not_ours"  # usage is not ours to read


class Silence(StrEnum):
    """Reason why no data comes through a new SIM since its claim."""

    NOT_SILENT = "not_silent"  # data came through
    PAUSED_BY_SYSTEM = "paused_by_system"  # Hologram paused it: a limit or the balance
    PAUSED = "paused"  # a plan, a rollback or a person paused it
    NOT_LIVE = "not_live"  # it cannot pass data yet, or never again
    OLD_SIM_TALKS = "old_sim_talks"  # the old SIM was used after the new one showed life last
    ZERO_BYTES = "zero_bytes"  # it has sessions, and no byte came through
    NO_SESSION = "no_session"  # a network saw it, and it opened no session
    UNIT_DEAD_BEFORE = "unit_dead_before"  # the old SIM was silent already before the swap
    NEVER_ATTACHED = "never_attached"  # no network saw it
    NOT_KNOWN = "not_known"  # the evidence does not tell


MEANING: Mapping[Silence, str] = MappingProxyType(
    {
        Silence.NOT_SILENT: "data came through the new SIM",
        Silence.PAUSED_BY_SYSTEM: "Hologram paused the new SIM: its limit is used up, or the balance",
        Silence.PAUSED: "the new SIM is paused",
        Silence.NOT_LIVE: "the new SIM is not live at Hologram",
        Silence.OLD_SIM_TALKS: "the old SIM talks, and the new one does not since",
        Silence.ZERO_BYTES: "the new SIM has data sessions of zero bytes only",
        Silence.NO_SESSION: "a network saw the new SIM, and it opened no data session",
        Silence.UNIT_DEAD_BEFORE: "the unit was silent already before the swap",
        Silence.NEVER_ATTACHED: "no network has seen the new SIM",
        Silence.NOT_KNOWN: "what is known does not tell",
    }
)
ADVICE: Mapping[Silence, str] = MappingProxyType(
    {
        Silence.NOT_SILENT: "",
        Silence.PAUSED_BY_SYSTEM: "Top up the balance, or raise the SIM's limit at Hologram; it comes back by itself.",
        Silence.PAUSED: "If it should talk, see who paused it: a plan, a rollback, or somebody in the dashboard.",
        Silence.NOT_LIVE: "Look at its state in Hologram's dashboard: pending ends by itself, Test Mode is ended "
        "there, a deactivated card must be replaced.",
        Silence.OLD_SIM_TALKS: "The old card is in the unit: put the new one in. Leave the old SIM on until then.",
        Silence.ZERO_BYTES: "Check the unit: APN `hologram` without user name, its firewall, and the server's list of "
        "allowed addresses. The SIM itself works.",
        Silence.NO_SESSION: "Check the unit: APN `hologram`, data roaming on. The SIM itself reaches a network.",
        Silence.UNIT_DEAD_BEFORE: "Look after the unit, not the SIM: power, antenna, modem. No other card mends it.",
        Silence.NEVER_ATTACHED: "Is the card in the unit, and the unit on? If so: a modem locked to another SIM "
        "or network, the antenna, the bands.",
        Silence.NOT_KNOWN: "Ask for what is missing: `migrator show ICCID --live`, or `migrator verify --traffic "
        "--old-silent`.",
    }
)


class MissingEvidence(StrEnum):
    """Evidence that nobody has."""

    STATE = "state"  # Hologram's word for the state is not known here
    CLAIM_TIME = "claim_time"  # nobody knows when the new SIM was claimed
    SESSIONS = "sessions"  # its data sessions were not asked for
    SESSIONS_NOT_OURS = "sessions_not_ours"  # the key may not read usage
    SESSION_SIZES = "session_sizes"  # Hologram does not tell the sizes of its sessions
    OLD_USE = "old_use"  # the use of the old SIM since was not asked for, or not told
    OLD_USE_BEFORE = "old_use_before"  # the same, of the days before the swap


@dataclass(frozen=True, slots=True)
class Recorded:
    """Traffic that the record of a new SIM tells.

    `session_s` is when the last session began (UTC seconds). `billed_bytes` is the data of this billing period and the
    one before. None where the record says nothing.
    """

    session_s: float | None = None
    session_bytes: int | None = None
    billed_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEvidence:
    """Evidence about one unit, from both carriers.

    `seen_s` is the last sign of life since the claim, by record or usage (UTC seconds). `old` and `was_idle_before` are
    None where nobody asked; `used_on` is the last day of the old SIM's use since the claim.
    """

    state: LinkState
    claimed_s: float | None
    seen_s: float | None = None
    sessions: Sessions = Sessions.NOT_ASKED
    old: OldSide | None = None
    used_on: str | None = None
    was_idle_before: bool | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """Reason for a silence, with the evidence that is missing."""

    silence: Silence
    missing: tuple[MissingEvidence, ...] = ()

    @property
    def needs_attention(self) -> bool:
        """True if a person should look after the unit."""
        return self.silence not in {Silence.NOT_SILENT, Silence.PAUSED, Silence.NOT_KNOWN}

    def as_dict(self) -> dict[str, Any]:
        """Return reason, advice and missing evidence as JSON values."""
        return {
            "silence": self.silence.value,
            "silence_missing": " ".join(missing.value for missing in self.missing),
            "silence_advice": ADVICE[self.silence],
        }


def silence_of(known: UnitEvidence) -> Silent:  # noqa: PLR0911 - a table of rules, the first that fits wins
    """Return why no data comes through a new SIM.

    The state comes first: a SIM that is paused cannot talk, whatever it did before. Use of the old SIM counts against
    the new SIM only on days after the new SIM's last sign of life.
    """
    held = _held_back(known)
    if held is not None:
        return held
    if _old_is_back(known):
        return Silent(Silence.OLD_SIM_TALKS)
    if known.sessions is Sessions.DATA:
        return Silent(Silence.NOT_SILENT)
    if known.sessions is Sessions.EMPTY:
        return Silent(Silence.ZERO_BYTES)
    if known.sessions is not Sessions.NONE:
        return Silent(Silence.NOT_KNOWN, (_SESSIONS_MISSING[known.sessions],))
    if known.seen_s is not None:
        return Silent(Silence.NO_SESSION)
    if known.was_idle_before and known.used_on is None:
        return Silent(Silence.UNIT_DEAD_BEFORE)
    since = () if known.old in {OldSide.SILENT, OldSide.TALKS} else (MissingEvidence.OLD_USE,)
    before = () if known.was_idle_before is not None else (MissingEvidence.OLD_USE_BEFORE,)
    return Silent(Silence.NEVER_ATTACHED, (*since, *before))


def _held_back(known: UnitEvidence) -> Silent | None:
    """Return why the SIM cannot talk, or why nobody knows.

    None where neither is the case.
    """
    if known.state is LinkState.UNKNOWN:
        return Silent(Silence.NOT_KNOWN, (MissingEvidence.STATE,))
    if known.state is not LinkState.LIVE:
        return Silent(_NOT_LIVE.get(known.state, Silence.NOT_LIVE))
    return Silent(Silence.NOT_KNOWN, (MissingEvidence.CLAIM_TIME,)) if known.claimed_s is None else None


_NOT_LIVE = {LinkState.PAUSED_SYSTEM: Silence.PAUSED_BY_SYSTEM, LinkState.PAUSED_USER: Silence.PAUSED}
_SESSIONS_MISSING = {
    Sessions.NOT_ASKED: MissingEvidence.SESSIONS,
    Sessions.NOT_OURS: MissingEvidence.SESSIONS_NOT_OURS,
    Sessions.UNSIZED: MissingEvidence.SESSION_SIZES,
}


def _old_is_back(known: UnitEvidence) -> bool:
    """True if the old SIM talks, later than the new SIM."""
    if known.old is not OldSide.TALKS or known.used_on is None:
        return False
    return known.seen_s is None or date.fromisoformat(known.used_on) > _day(known.seen_s)


# --- sessions -----------------------------------------------------------------------------------------------------


def sessions_by_record(recorded: Recorded, claimed_s: float | None) -> Sessions:
    """Return what the record alone tells of a new SIM's sessions.

    Only the last session is in the record. It is the only kind of session where nothing was billed.
    """
    if recorded.billed_bytes:
        return Sessions.DATA
    is_since = None not in (recorded.session_s, claimed_s) and (recorded.session_s or 0.0) >= (claimed_s or 0.0)
    if not is_since:
        return Sessions.NOT_ASKED
    if recorded.session_bytes:
        return Sessions.DATA
    is_empty = recorded.session_bytes == 0 and recorded.billed_bytes == 0
    return Sessions.EMPTY if is_empty else Sessions.NOT_ASKED


def sessions_by_usage(sizes: Iterable[int | None] | None) -> Sessions:
    """Return what usage tells of a new SIM's sessions since its claim.

    Args:
        sizes: the bytes of each session, None where a size is not told; None where usage is not ours to read.
    """
    if sizes is None:
        return Sessions.NOT_OURS
    told = list(sizes)
    if any(told):
        return Sessions.DATA
    if not told:
        return Sessions.NONE
    return Sessions.UNSIZED if None in told else Sessions.EMPTY


# --- the old SIM before the swap ----------------------------------------------------------------------------------

IDLE_DAYS = 30
"""Days without use before the swap that show a dead unit."""


def sessions_told(
    recorded: Recorded, claimed_s: float | None, sizes: Iterable[int | None] | None, *, was_asked: bool
) -> Sessions:
    """Return what record and usage tell of a new SIM's sessions.

    Args:
        recorded: the traffic that the record tells.
        claimed_s: when the SIM was claimed (UTC seconds).
        sizes: as for `sessions_by_usage`.
        was_asked: whether usage was asked for.
    """
    told = sessions_by_record(recorded, claimed_s)
    if told is Sessions.DATA or not was_asked:
        return told
    by_usage = sessions_by_usage(sizes)
    return told if told is Sessions.EMPTY and by_usage is Sessions.NONE else by_usage


def swap_day(*, claimed_s: float, scanned_s: float | None) -> date:
    """Return the day on which the old SIM's use should end.

    That is the day of the scan in the field where somebody noted one, else the day of the claim.
    """
    return _day(claimed_s if scanned_s is None else scanned_s)


def with_days_before(days: tuple[date, date] | None, swapped_on: date, today: date) -> tuple[date, date]:
    """Return the days to ask for, also those before the swap.

    `days` are the first and last day to ask for anyway. It is one request all the same.
    """
    first = swapped_on - timedelta(days=IDLE_DAYS)
    first = first if days is None else min(days[0], first)
    return max(first, today - timedelta(days=LONGEST_DAYS)), today


def was_idle_before(used: Mapping[date, bool] | None, swapped_on: date) -> bool | None:
    """True if an old SIM used nothing before the swap.

    None where 1NCE did not tell of every such day: a day that is missing proves nothing.
    """
    if used is None:
        return None
    days = [swapped_on - timedelta(days=back) for back in range(1, IDLE_DAYS + 1)]
    if any(used.get(day) for day in days):
        return False
    return True if all(day in used for day in days) else None


def _day(at_s: float) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()
