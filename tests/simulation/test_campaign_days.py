"""A small campaign over two weeks, killed once a day: the large one is `make simulate-campaign`."""

from pathlib import Path

from tests.simulation.campaign_days import live_through_a_campaign


def test_a_small_campaign_ends_with_every_unit_cut_over_or_told(tmp_path: Path) -> None:
    lived = live_through_a_campaign(1, tmp_path, units=24, days=16)
    assert len(lived.world.off() & set(lived.units)) == len(lived.units) - len(lived.bad)
    assert lived.kills > 0
