"""The carriers' words are sorted into ours, and a word that nobody knows is never acted on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState, Pair, SourceStatus, TargetLink, link_state, source_status

TARGET = Iccid.parse("8944500000000000011")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Enabled", SourceStatus.ENABLED),
        ("Activated", SourceStatus.ENABLED),
        ("Disabled", SourceStatus.DISABLED),
        ("DEACTIVATED", SourceStatus.DISABLED),
        (" expired ", SourceStatus.EXPIRED),
        ("Frozen", SourceStatus.UNKNOWN),
        ("", SourceStatus.UNKNOWN),
        (None, SourceStatus.UNKNOWN),
    ],
)
def test_source_words_of_list_and_portal_mean_the_same(word: str | None, status: SourceStatus) -> None:
    assert source_status(word) is status


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("LIVE", LinkState.LIVE),
        ("LIVE-PENDING", LinkState.PENDING_LIVE),
        ("PAUSED-USER", LinkState.PAUSED_USER),
        ("PAUSED-USER-PENDING", LinkState.PENDING_PAUSE),
        ("PAUSED-PENDING-USER", LinkState.PENDING_PAUSE),
        ("PAUSED-SYS", LinkState.PAUSED_SYSTEM),
        ("paused_sys", LinkState.PAUSED_SYSTEM),
        ("DEAD", LinkState.RETIRED),
        ("DEAD-PENDING", LinkState.PENDING_OTHER),
        ("PAUSE-PENDING-USER", LinkState.PENDING_PAUSE),
        ("TEST-ACTIVATE", LinkState.TEST),
        ("TEST-ACTIVATE-PENDING", LinkState.PENDING_OTHER),
        ("INACTIVE", LinkState.INVENTORY),
        ("HIBERNATING", LinkState.UNKNOWN),
        (None, LinkState.UNKNOWN),
    ],
)
def test_link_words_are_sorted_by_what_they_allow(word: str | None, state: LinkState) -> None:
    """A pause of the system's must not be taken for one of ours: `live` does not bring such a SIM back."""
    assert link_state(word) is state


@given(st.text(), st.text())
def test_pending_anywhere_in_a_word_locks_the_sim(before: str, after: str) -> None:
    assert link_state(f"{before}PENDING{after}").is_pending


@given(st.text())
def test_any_word_is_sorted_without_trouble(word: str) -> None:
    """A carrier may invent words at any time; a run must not fall over one."""
    assert link_state(word) in LinkState
    assert source_status(word) in SourceStatus


def test_only_pending_states_are_pending() -> None:
    pending = {state for state in LinkState if state.is_pending}
    assert pending == {LinkState.PENDING_LIVE, LinkState.PENDING_PAUSE, LinkState.PENDING_OTHER}


@pytest.mark.parametrize(
    ("device_id", "state", "claimed"),
    [(7, LinkState.LIVE, True), (None, LinkState.LIVE, False), (7, LinkState.INVENTORY, True)],
    ids=["device and live", "no device", "a device whose state lags behind"],
)
def test_sim_is_claimed_when_it_has_a_device(device_id: int | None, state: LinkState, *, claimed: bool) -> None:
    link = TargetLink(iccid=TARGET, org_id=1, device_id=device_id, link_id=None, state=state, state_word="")
    assert link.is_claimed is claimed


def test_raw_record_of_a_link_is_not_shown() -> None:
    """It may hold anything that the carrier sends along."""
    raw = {"note": "not for a log"}
    link = TargetLink(TARGET, 1, 7, 3, LinkState.LIVE, "LIVE", raw=raw)
    assert "not for a log" not in repr(link)


def test_pairs_of_the_same_sims_are_equal_however_their_iccids_are_written() -> None:
    source = "8988228066600000012"
    full = Iccid.parse(source + "9")
    assert full == Iccid.parse(source)
    assert Pair(full, TARGET, "pairs.csv:2") == Pair(Iccid.parse(source), TARGET, "pairs.csv:2")
