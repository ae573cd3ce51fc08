"""The week of a campaign that the demo shows: its days, and that it says nothing that the ledgers do not."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from migrator.carriers.onence.simulator import SimStatus
from migrator.core.run.results import ExitCode
from migrator.errors import MigratorError
from migrator.store import Store
from migrator.workflows.rehearsal import week as rehearsed
from migrator.workflows.rehearsal.week import CLAIMS_A_DAY, SIMS, WeekDay, rehearse_week

NOW = datetime(2026, 11, 30, 0, 30, tzinfo=UTC)  # a Monday: the week before is whole


@pytest.mark.slow
def test_a_week_with_a_bound_a_crossed_pair_a_refused_card_and_cutovers(tmp_path: Path) -> None:
    days = list[WeekDay]()
    week = rehearse_week(tmp_path, now=NOW, tell=days.append)
    assert (days[0].day.isoformat(), days[-1].day.isoformat()) == ("2026-11-23", "2026-11-29")
    assert days[0].exit_code is ExitCode.RESUMABLE  # the day's claims are used
    assert days[0].claimed == CLAIMS_A_DAY == week.most_a_day
    wednesday = " ".join(days[2].reasons)
    assert "another unit" in wednesday
    assert "refused: 1" in wednesday
    assert days[2].after  # a person corrects the pair
    assert {day.exit_code for day in days[4:]} == {ExitCode.DONE}  # and gave another card on Friday
    assert sum(day.claimed for day in days) == week.cards == week.charged < SIMS
    assert 0 < sum(day.switched_off for day in days) == week.off < week.cards
    assert "never seen" in week.idle
    assert week.report.headline.startswith("All is well")
    assert all(file.is_file() for file in week.report.files)


def test_what_the_ledgers_contradict_is_not_said(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'migrator.db'}", now=NOW.timestamp(), create=True) as store:
        week = rehearsed._Rehearsing(tmp_path, store, now=NOW, seed=1)
        week.begin()
        week.lived(0)
        assert week.ended().cards == CLAIMS_A_DAY
        card, old = next(iter(week.hologram.ledger.charges)), next(iter(week.cards.planned))
        sim = week.onence.fleet.find(old)
        assert sim is not None
        before, sim.status = sim.status, SimStatus.DISABLED
        with pytest.raises(MigratorError, match="old SIMs is off"):
            week.ended()
        week.off_by_us = 1
        with pytest.raises(MigratorError, match="no living new SIM"):
            week.ended()
        week.off_by_us, sim.status = 0, before
        week.hologram.ledger.forbidden.append("deactivate")
        with pytest.raises(MigratorError, match="never be made"):
            week.ended()
        week.hologram.ledger.forbidden.clear()
        week.hologram.ledger.charged += 1
        with pytest.raises(MigratorError, match="other money"):
            week.ended()
        week.hologram.ledger.charge(card, Decimal(1))
        with pytest.raises(MigratorError, match="charged twice"):
            week.ended()
