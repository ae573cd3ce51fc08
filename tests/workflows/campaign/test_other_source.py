"""A campaign whose old SIMs are Onomondo's: its ticks ask the source that was chosen."""

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from migrator.workflows.campaign.make import approve_campaign, create_campaign
from migrator.workflows.campaign.once import Ticked, run_once
from tests.worlds.campaigned import CAMPAIGN, DEFAULTS
from tests.worlds.onomondo_world import FIXED, OWN_WORDS, OnomondoWorld
from tests.worlds.outside import SimulatedOutside, site_of
from tests.worlds.world import new_sims

SIMS = 4
MEGABYTE = 1_048_576


class Fleet(NamedTuple):
    """A campaign of an Onomondo fleet that is approved, whose pairs lie in its intake."""

    world: OnomondoWorld
    tick: Callable[[], Ticked]
    olds: list[str]
    cards: list[str]


def fleet_by(tmp_path: Path, limits: str) -> Fleet:
    """The fleet, by a policy with these limits."""
    world = OnomondoWorld(tmp_path, sims=SIMS)
    outside, cards = SimulatedOutside(world), new_sims(SIMS)
    olds = sorted(sim.iccid for sim in world.source.fleet)

    def tick() -> Ticked:
        with site_of(world, outside) as site:
            return run_once(site)

    world.target.stock(cards)
    (tmp_path / "policy.toml").write_text(CAMPAIGN.format(**DEFAULTS | {"ahead": OWN_WORDS}) + limits, encoding="utf-8")
    with site_of(world, outside) as site:
        create_campaign(site, tmp_path / "policy.toml", folder=tmp_path / "campaign")
        approve_campaign(site, by="ann@desk")
    with (tmp_path / "campaign" / "intake" / "pairs.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("source_iccid", "target_iccid"), *zip(olds, cards, strict=True)])
    return Fleet(world, tick, olds, cards)


def test_ticks_read_claim_and_cut_over_at_the_source_that_was_chosen(tmp_path: Path) -> None:
    world, tick, olds, cards = fleet_by(tmp_path, FIXED)
    assert tick().told["old_sims"] == SIMS
    assert len(world.target.ledger.charges) == SIMS
    for old, card in zip(olds, cards, strict=True):
        at, sim = world.target.now, world.source.fleet.find(old)
        world.target.add_session(card, at, MEGABYTE, sim.imei)
        sim.silent_from = at.date() - timedelta(days=1)
    tick()
    assert {sim.activated for sim in world.source.fleet} == {True}
    world.wait(3 * 86_400)
    ended = tick()
    assert {sim.activated for sim in world.source.fleet} == {False}, ended
    with world.store() as store:
        assert store.inventory.source_account().name == "Onomondo"


OWN = '[data_limit]\nother_periods = "thirty_days"\n[sms_limit]\nbasis = "keep"\n'


def records_read(world: OnomondoWorld) -> int:
    """How many SIMs' own records were told."""
    return len([entry for entry in world.source.ledger.requests("GET", "/sims/") if "next_page" not in entry.query])


def test_limits_that_only_records_tell_are_read_while_sims_wait_for_their_claims(tmp_path: Path) -> None:
    """Else no tick could claim, as each reads the list anew; and nobody needs them once all are claimed."""
    world, tick, _, _ = fleet_by(tmp_path, OWN)
    ticked = tick()
    assert (ticked.told["claimed"], ticked.held) == (SIMS, ())
    assert records_read(world) == SIMS
    tick()
    assert records_read(world) == SIMS, "nobody waits"
