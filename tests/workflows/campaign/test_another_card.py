"""Cards that were refused, or changed at Hologram: what ends the exception of their old SIM."""

from pathlib import Path

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.campaign.life import ExceptionCode, LifeStage
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.results import ExitCode
from migrator.workflows.campaign.make import retry_refused
from migrator.workflows.field.import_pairs import import_pairs
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import new_sims

DAY_S = 86_400.0


def test_what_was_seen_of_the_refused_card_is_not_told_of_the_next(tmp_path: Path) -> None:
    """Cutovers of the plan's other SIMs compare the whole plan again, the refused card with it."""
    bad = new_sims(14)[0]
    world = CampaignWorld(tmp_path, sims=14, seed=3, behaviour=HologramBehaviour(poison=frozenset({bad})))
    world.began(rest="1h")
    first, second = world.on()[:2]
    world.hand_in_pairs("two.csv", [(first, bad), (second, world.cards[1])])
    assert world.tick().told["exceptions"] == {"refused": 1}
    other = world.spare()
    (tmp_path / "other.csv").write_text(f"source_iccid,target_iccid\n{first},{other}\n")
    with site_of(world, world.outside) as site:
        import_pairs(site, tmp_path / "other.csv", replace=True)
    assert world.tick().told["exceptions"] == {}
    world.seen_in(world.cards[1], second)
    world.wait(DAY_S)
    world.tick()
    world.wait(DAY_S)
    ticked = world.tick()
    assert second in world.off()
    with site_of(world, world.outside) as site:
        key = Iccid.parse(first).key
        assert site.store.lives.of([key], site.now())[key].stage is LifeStage.CLAIMED_SILENT
    assert (ticked.exit_code, ticked.told["exceptions"]) == (ExitCode.DONE, {})


def test_a_card_that_somebody_changed_at_hologram_is_set_again_once_a_person_says_so(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=14, seed=3)
    world.began(rest="24h")
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    world.tick()
    old = world.on()[0]
    world.swap(old)
    card = world.pairs()[old]
    planned = world.target.sims[card].overage_limit
    world.target.sims[card].overage_limit = 7
    for _ in range(3):
        world.wait(DAY_S)
        world.tick()
    claims = world.claims()
    assert old in world.on()
    with site_of(world, world.outside) as site:
        assert site.store.lives.counts(site.now()).codes == {ExceptionCode.MISMATCH: 1}
        assert retry_refused(site, code="mismatch", by="ann") == 1
    for _ in range(2):
        world.wait(DAY_S)
        world.tick()
    assert world.target.sims[card].overage_limit == planned
    assert world.claims() == claims
    assert old not in world.on()
    world.check()
