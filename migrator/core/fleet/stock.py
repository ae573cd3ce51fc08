"""Cards in stock, and where each of them stands."""

from dataclasses import dataclass
from enum import StrEnum

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.pairing import TargetView

__all__ = ["Card", "CardState", "state_of_card"]


class CardState(StrEnum):
    """Standing of a card in stock."""

    FREE = "free"  # nobody claimed it, and it is in no pair
    UNCERTAIN = "uncertain"  # a claim was sent, and nobody knows yet what became of it
    CLAIMED = "claimed"  # ours, and in no pair: it costs a fee and serves nobody
    PAIRED = "paired"  # a pair names it: it is in a unit, or on its way there
    TEST_MODE = "test_mode"  # in Test Mode on our organization
    REFUSED = "refused"  # a claim of it was refused for good
    UNUSABLE = "unusable"  # another organization's, deactivated, or in a state that is unknown here


@dataclass(frozen=True, slots=True)
class Card:
    """Card of the stock, with its standing.

    `origin` is the file and line that it came from. `claimed_at` is the carrier's own word, None where it told none.
    """

    iccid: Iccid
    origin: str
    state: CardState
    name: str | None = None
    claimed_at: str | None = None


_BY_VIEW = {
    TargetView.OURS: CardState.CLAIMED,
    TargetView.TEST_MODE: CardState.TEST_MODE,
    TargetView.FOREIGN: CardState.UNUSABLE,
    TargetView.DEAD: CardState.UNUSABLE,
    TargetView.UNKNOWN_STATE: CardState.UNUSABLE,
}


def state_of_card(view: TargetView, *, is_paired: bool, is_open: bool, was_refused: bool) -> CardState:
    """Return the standing of a card; the first that fits wins.

    Args:
        view: of the last read at Hologram.
        is_paired: whether a pair names the card.
        is_open: whether a claim of it has an unknown outcome.
        was_refused: whether the last claim of it was refused for good.
    """
    if is_paired:
        return CardState.PAIRED
    if view in _BY_VIEW:
        return _BY_VIEW[view]
    if is_open:
        return CardState.UNCERTAIN
    return CardState.REFUSED if was_refused else CardState.FREE
