"""Lives of SIMs: every stage and every code, by what real runs leave in a store."""

from collections import Counter
from pathlib import Path

import pytest

from migrator.carriers.onence.simulator.model import SimStatus
from migrator.core.campaign.life import SimLife
from tests.worlds.corrected import CorrectedWorld


def lives(world: CorrectedWorld) -> dict[str, SimLife]:
    """The life of each old SIM, by ICCID; one by one and all at once they are the same, and they sum."""
    now = world.now().timestamp()
    with world.store() as store:
        counts = store.lives.counts(now)
        paged = dict(store.lives.page(now, limit=1000))
        assert counts.total == store.inventory.summary()["count"] == sum(counts.stages.values())
        assert sum(counts.codes.values()) == counts.exceptions
        assert Counter(life.stage for life in paged.values()) == Counter(counts.stages)
        assert Counter(life.code for life in paged.values() if life.code) == Counter(counts.codes)
        for key, life in paged.items():
            assert store.lives.of([key], now) == {key: life}
        return {str(life.source_iccid): life for life in paged.values()}


def stages(world: CorrectedWorld) -> Counter[str]:
    """How many SIMs are where; an exception by its code."""
    return Counter(str(life.code or life.stage) for life in lives(world).values())


@pytest.fixture
def world(tmp_path: Path) -> CorrectedWorld:
    made = CorrectedWorld(tmp_path, sims=6)
    for sim in made.source.fleet:
        sim.status = SimStatus.ENABLED
    return made


def test_a_fleet_goes_from_waiting_to_cut_over(world: CorrectedWorld) -> None:
    world.pull()
    assert stages(world) == {"waiting": 6}
    world.pair()
    world.plan()
    assert stages(world) == {"waiting": 6}
    world.apply_until_quiet()
    assert stages(world) == {"claimed_silent": 6}
