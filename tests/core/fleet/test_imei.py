"""In which unit a new SIM is, by its own hardware and that of the rest of the fleet."""

import pytest

from migrator.core.fleet.imei import NOBODY, Holder, ImeiDoubt, Neighbours, Unit, hardware, is_imei, place, unit

MINE, OTHERS, THIRD = "352099001761481", "358000000000123", "351111222233330"
ME, OTHER = "me", "other"


def near(*, olds: dict[str, Holder] | None = None, news: dict[str, list[Holder]] | None = None) -> Neighbours:
    olds, news = olds or {}, news or {}
    return Neighbours({imei[:14]: one for imei, one in olds.items()}, {imei[:14]: some for imei, some in news.items()})


@pytest.mark.parametrize(
    "filler",
    [
        "000000000000000",
        "0000000000000000",
        "111111111111111",
        "999999999999999f",
        "123456789012345",
        "012345678901237",
        "004999010640000",
        "135790246811220",
        "000000004711005",
    ],
)
def test_a_filler_is_no_hardware(filler: str) -> None:
    assert not is_imei(filler)
    assert unit(filler, filler) is unit(MINE, filler) is unit(filler, MINE) is Unit.NEVER_SEEN
    assert place(ME, filler, MINE, NOBODY).doubt is ImeiDoubt.FILLER


def test_true_hardware_is_known_by_its_body() -> None:
    assert hardware(MINE) == hardware("3520990017614812") == "35209900176148"
    assert (hardware(None), hardware("unknown")) == (None, None)


def test_hardware_of_another_old_sim_is_another_unit_though_1nce_never_saw_ours() -> None:
    fleet = near(olds={OTHERS: Holder(OTHER, "8988-other")})
    found = place(ME, None, OTHERS, fleet)
    assert found.unit is Unit.MOVED
    assert "8988-other" in found.words
    assert place(OTHER, None, OTHERS, fleet).unit is Unit.NEVER_SEEN


def test_a_unit_in_which_another_new_sim_was_seen_is_not_ours() -> None:
    fleet = near(olds={MINE: Holder(ME, "8988-me")}, news={MINE: [Holder(OTHER, "8944-other")]})
    for seen_in in (None, THIRD):
        found = place(ME, MINE, seen_in, fleet)
        assert found.unit is Unit.MOVED
        assert "8944-other" in found.words
    assert place(ME, MINE, MINE, fleet).unit is Unit.MATCHED


def test_hardware_that_several_old_sims_share_proves_nothing() -> None:
    fleet = near(olds={MINE: Holder(OTHER, "8988-other", sims=2)}, news={MINE: [Holder(OTHER, "8944-other")]})
    for old, new in ((MINE, MINE), (MINE, THIRD), (THIRD, MINE), (None, MINE)):
        found = place(ME, old, new, fleet)
        assert (found.unit, found.doubt) == (Unit.NEVER_SEEN, ImeiDoubt.SHARED)
