"""Fleets that are swapped in any order over twenty days: what the evidence settles is right, and nothing is lost.

`python -m tests.simulation.swaps --units 3000` is the long form.
"""

from pathlib import Path

import pytest

from tests.worlds.swapped import live_through_swaps


@pytest.mark.parametrize("seed", [1])
def test_a_fleet_that_is_swapped_in_any_order_is_paired_by_what_was_seen(tmp_path: Path, seed: int) -> None:
    fleet = live_through_swaps(seed, tmp_path, units=110)
    assert fleet.accepted > 0
    assert fleet.nameless
    assert len(fleet.truth) == 110
    assert fleet.bar().is_met
