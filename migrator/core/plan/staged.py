"""Planned ends of Test Mode.

From then on a SIM is live and billed, whoever watches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["SOON", "StagedEnds", "ends_words", "staged_ends"]

SOON = timedelta(days=14)
"""Time before an end in which it is warned of.

Two weeks are enough to swap the unit, or to run `apply` on the day itself.
"""


@dataclass(frozen=True, slots=True)
class StagedEnds:
    """Ends of the Test Modes of some SIMs.

    Attributes:
        sims: SIMs in Test Mode whose end is known.
        first: the first end, as the carrier tells it.
        soon: SIMs whose end is at most `SOON` away, or over.
    """

    sims: int
    first: str
    soon: int

    def warning(self) -> str | None:
        """Return the words for ends that are near; None if none is."""
        if not self.soon:
            return None
        return (
            f"SIMs whose Test Mode ends within {SOON.days} days: {self.soon}, the first at {self.first}; each is live "
            "and billed from then on, without limits until `migrator apply` ran again"
        )


def staged_ends(ends: Mapping[str, int], now_s: float) -> StagedEnds | None:
    """Return what ends of Test Mode come to, each with its SIMs.

    An end that nobody can read counts as a SIM, and is never near. None: no end is known.
    """
    moments = {text: moment for text in ends if (moment := _moment(text)) is not None}
    if not ends:
        return None
    until = datetime.fromtimestamp(now_s, UTC) + SOON
    return StagedEnds(
        sum(ends.values()),
        min(moments, key=moments.__getitem__, default=min(ends)),
        sum(ends[text] for text, moment in moments.items() if moment <= until),
    )


def ends_words(ends_at: str | None) -> str:
    """Return words for one end; empty if it is not known."""
    return "" if ends_at is None else f"its Test Mode ends at {ends_at}"


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
