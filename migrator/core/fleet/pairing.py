"""Standing of a pair before anything is planned. Pure."""

from enum import StrEnum

from migrator.core.fleet.candidates import Candidate
from migrator.core.fleet.sims import LinkState, SourceStatus, TargetLink

__all__ = ["CONFLICTS", "Standing", "TargetView", "standing", "target_view"]


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
    TargetView.TARGET_IS_SOURCE: "the target is itself a 1NCE SIM of the inventory",
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
