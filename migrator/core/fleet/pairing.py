"""Standing of pairs and of cards in stock, without plans."""

from dataclasses import dataclass
from enum import StrEnum

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate, LinkState, SourceStatus, TargetLink

__all__ = ["CONFLICTS", "Card", "CardState", "Standing", "TargetView", "standing", "state_of_card", "target_view"]


class Standing(StrEnum):
    """Standing of a source SIM; each SIM has exactly one."""

    PAIRED = "paired"  # has a target, and nothing that we know speaks against it
    UNPAIRED = "unpaired"  # needs a target
    CONFLICTING = "conflicting"  # has a target that cannot be claimed for it
    EXCLUDED = "excluded"  # expired, and nobody gave it a target: it is left behind


class TargetView(StrEnum):
    """Result of the latest read of a target SIM."""

    NOT_READ = "not_read"  # nobody looked
    NOT_SEEN = "not_seen"  # looked for and not shown, as SIMs are that nobody claimed
    FREE = "free"  # shown, and not claimed
    OURS = "ours"  # claimed by our organization: it will be adopted
    FOREIGN = "foreign"  # in another organization
    TEST_MODE = "test_mode"  # cannot be claimed before somebody ends that in the dashboard
    DEAD = "dead"  # deactivated for ever
    UNKNOWN_STATE = "unknown_state"  # never acted on
    EID_DIFFERS = "eid_differs"  # the record names another chip than the pair
    TARGET_IS_SOURCE = "target_is_source"  # it is a SIM of the fleet that is left


CONFLICTS = {
    TargetView.FOREIGN: "the target is in another organization",
    TargetView.TEST_MODE: "the target is in Test Mode: end that in the dashboard, or see [claim] test_mode",
    TargetView.DEAD: "the target is deactivated (DEAD), for ever",
    TargetView.UNKNOWN_STATE: "the target is in a state that is unknown here",
    TargetView.EID_DIFFERS: "Hologram's record names another EID than the pair",
    TargetView.TARGET_IS_SOURCE: "the target is itself an old SIM of the inventory",
}
"""Views that speak against a pair, in words.

The planner blocks such SIMs by the same rules.
"""

_BY_STATE = {
    LinkState.RETIRED: TargetView.DEAD,
    LinkState.TEST: TargetView.TEST_MODE,
    LinkState.UNKNOWN: TargetView.UNKNOWN_STATE,
}


def target_view(target: TargetLink | None, *, was_read: bool, org_id: int | None) -> TargetView:
    """Return the view of a target SIM.

    Args:
        target: the latest reading; None for a SIM that was not shown.
        was_read: whether the target SIM was read.
        org_id: our organization; None where it is not known, and then nothing counts as foreign.
    """
    if target is None:
        return TargetView.NOT_SEEN if was_read else TargetView.NOT_READ
    if org_id is not None and target.org_id not in {None, org_id}:
        return TargetView.FOREIGN
    if target.state in _BY_STATE:
        return _BY_STATE[target.state]
    return TargetView.OURS if target.is_claimed else TargetView.FREE


def standing(candidate: Candidate, view: TargetView) -> Standing:
    """Return the standing of a source SIM, given its target's view."""
    if candidate.pair is not None:
        return Standing.CONFLICTING if view in CONFLICTS else Standing.PAIRED
    return Standing.EXCLUDED if candidate.sim.status is SourceStatus.EXPIRED else Standing.UNPAIRED


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
