"""Tags of old SIMs that become tags at Hologram: made once each, on every SIM that bears them, whatever goes wrong."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.hologram.simulator.model import SimulatedTag
from migrator.carriers.onomondo.simulator import OnomondoTag
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.plan.basis import Uses
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from tests.worlds.onomondo_world import FIXED, OWN_WORDS, OnomondoWorld
from tests.worlds.world import POLICY, Crash, World, crash_at

COPY = 'zone = "global"\ntags = "copy"'
OWN = {"from-onomondo"}
TAGS = ((), ("Nordics",), ("Nordics", "Product A"), ("Supplier", "Product A", "Nordics"), ("from-onomondo",))


def tagged(
    folder: Path, policy: str = COPY, *, sims: int = 10, more: str = "", own: str = OWN_WORDS, **asked: Any
) -> OnomondoWorld:
    """A fleet whose SIMs bear none, one or several tags, pulled and paired."""
    text = POLICY.replace('zone = "global"', policy).replace("[status]", f"{own}{FIXED}[status]") + more
    world = OnomondoWorld(folder, sims=sims, policy_text=text, **asked)
    for number, sim in enumerate(world.source.fleet):
        sim.tags = tuple(map(OnomondoTag, TAGS[number % len(TAGS)]))
    world.pull()
    world.pair()
    return world


def borne(world: OnomondoWorld) -> dict[str, set[str]]:
    """The tags of each new SIM that is ours, by its old SIM."""
    olds = world._olds()
    return {olds[new]: set(world.target.sims[new].tags) for new in world.ours()}


def wanted(world: OnomondoWorld) -> dict[str, set[str]]:
    return {sim.iccid: {tag.name for tag in sim.tags} | OWN for sim in world.source.fleet}


def made(world: OnomondoWorld) -> Counter[str]:
    """How often each tag was asked to be made, as far as the carrier did it."""
    entries = world.target.ledger.requests("POST", "/devices/tags")
    return Counter(entry.body["name"] for entry in entries if "name" in (entry.body or {}) and entry.status == 200)


def links(world: OnomondoWorld) -> int:
    return sum(entry.path.endswith("/link") for entry in world.target.ledger.requests("POST", "/devices/tags/"))


def test_each_tag_is_made_once_and_every_new_sim_bears_what_its_old_one_did(tmp_path: Path) -> None:
    world = tagged(tmp_path)
    header = world.plan()
    assert header.summary["copied_tags"] == ["Nordics", "Product A", "Supplier"]
    assert header.summary["calls"]["tags"] == 3
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert borne(world) == wanted(world)
    assert made(world) == dict.fromkeys(["from-onomondo", "Nordics", "Product A", "Supplier"], 1)
    assert links(world) == 3, "one request for all bearers of a tag; the claim brings the migration's own along"


def test_without_a_word_the_old_tags_stay_behind(tmp_path: Path) -> None:
    world = tagged(tmp_path, 'zone = "global"')
    assert "copied_tags" not in world.plan().summary
    world.apply_until_quiet()
    assert set(map(frozenset, borne(world).values())) == {frozenset(OWN)}
    assert links(world) == 0


def test_more_tags_than_the_policy_allows_make_no_plan(tmp_path: Path) -> None:
    world = tagged(tmp_path, f"{COPY}\nmost_tags = 2")
    with pytest.raises(InputError, match="more than 2 different tags"):
        world.plan()
    with world.store() as store:
        assert store.plans.newest() is None
    assert not made(world)


def test_the_tags_of_earlier_plans_count(tmp_path: Path) -> None:
    """A campaign makes a plan each day: the bound is that of the organization's tags, not of one day's."""
    world = tagged(tmp_path, f"{COPY}\nmost_tags = 3")
    world.plan()
    world.apply_until_quiet()
    world.source.fleet[0].tags = (OnomondoTag("South"),)
    world.pull()
    with pytest.raises(InputError, match="those of earlier plans included"):
        world.plan()


def test_the_tag_of_the_stock_is_no_tag_to_copy(tmp_path: Path) -> None:
    world = tagged(tmp_path, more='[stock]\ntag = "Nordics"\n')
    with pytest.raises(InputError, match="cards lose it in their unit"):
        world.plan()


def test_a_source_that_tells_no_tags_cannot_have_them_copied(tmp_path: Path) -> None:
    world = World(tmp_path, sims=2, policy_text=POLICY.replace('zone = "global"', COPY))
    world.pull()
    world.pair()
    with pytest.raises(InputError, match=r"\[claim\] tags = \"copy\" needs the tags of each SIM, and 1NCE tells none"):
        world.plan()


def test_a_tag_that_is_there_already_is_used(tmp_path: Path) -> None:
    world = tagged(tmp_path)
    world.target._world.tags[900] = SimulatedTag(900, "Nordics", world.target.org_id)
    world.plan()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert borne(world) == wanted(world)
    assert set(made(world)) == {"from-onomondo", "Product A", "Supplier"}


@pytest.mark.parametrize("fault", [Fault.LOSE_AFTER, Fault.LOSE_BEFORE])
def test_a_tag_whose_answer_is_lost_holds_the_others_of_its_sims_back_until_a_read(
    tmp_path: Path, fault: Fault
) -> None:
    world = tagged(tmp_path)
    world.plan()
    world.target.faults = FaultPlan(scripted=[fault], scripted_for=lambda _method, path: path.endswith("/link"))
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    assert borne(world) == wanted(world)


@pytest.mark.parametrize("seed", range(3))
def test_killed_or_unheard_in_its_midst_the_end_is_the_same(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    world = tagged(tmp_path)
    world.plan()
    faults = [Fault.LOSE_AFTER, Fault.SERVER_ERROR_BEFORE, Fault.TOO_MANY]
    world.target.faults = FaultPlan(dict.fromkeys(faults, 0.04), seed=seed)
    for run in range(14):
        if run == 8:
            world.target.faults = FaultPlan()
        point = chance.choice(["after_intent", "after_effect", "after_outcome"])
        hooks = crash_at(point, chance.randint(2, 9)) if run < 6 else None
        try:
            result = world.apply(hooks=hooks)
        except Crash:
            world.wait(60)
            continue
        if result.exit_code is ExitCode.DONE:
            break
        world.wait(300)
    assert borne(world) == wanted(world)
    assert set(made(world).values()) == {1}
    world.check()


def test_a_plan_is_stale_once_the_tags_of_an_old_sim_are_others(tmp_path: Path) -> None:
    world = tagged(tmp_path)
    plan_id = world.plan().plan_id
    sim = next(iter(world.source.fleet))
    sim.tags = (OnomondoTag("South"),)
    world.pull()
    with world.store() as store:
        lines = store.plans.differences(plan_id, Uses(tags=True))
        assert store.plans.differences(plan_id) == []
    assert lines == [f"{sim.iccid}: its tags were none and are 'South'"]


def test_a_name_may_hold_the_old_tags(tmp_path: Path) -> None:
    world = tagged(
        tmp_path, 'zone = "global"', own='tag = "old"\n[name]\ntemplate = "{tags} {source_iccid}"\nwhen_missing = "-"\n'
    )
    world.plan()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    olds = world._olds()
    names = {olds[new]: world.target.sims[new].name for new in world.ours()}
    told = {sim.iccid: ", ".join(tag.name for tag in sim.tags) for sim in world.source.fleet}
    assert names == {iccid: f"{tags} {iccid}" if tags else "-" for iccid, tags in told.items()}
