"""The report's buckets against the carrier's own truth: drift, wrong names, stuck and foreign SIMs in one fleet."""

import os
from pathlib import Path

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims
from migrator.core.plan.plan import Change
from migrator.engine.run.context import ApplyOptions, Stopper, quiet
from migrator.workflows.plans.make import look
from migrator.workflows.report import reconciliation
from tests.worlds.world import World, new_sims

SIMS = int(os.environ.get("TRUTH_SIMS", "240"))
"""`TRUTH_SIMS=3000` takes a minute."""


def test_every_sim_is_in_the_bucket_that_the_truth_puts_it_in(tmp_path: Path) -> None:
    targets = new_sims(SIMS)
    foreign, stuck = targets[::40], targets[1::40]
    renamed, paused, narrowed = targets[2::40], targets[3::40], targets[4::40]
    world = World(
        tmp_path,
        sims=SIMS,
        behaviour=HologramBehaviour(claim_policy=MixedClaims.ALL_OR_NOTHING, stuck=frozenset(stuck)),
        options=ApplyOptions(wait_s=900.0),
    )
    world.pull()
    world.target.stock([target for target in targets if target not in foreign])
    world.target.stock_foreign(foreign)
    world.pair(targets)
    world.plan()
    world.apply()
    for some, fact in ((renamed, {"name": "theirs"}), (paused, {"state": "PAUSED-USER"}), (narrowed, {"sms_limit": 0})):
        for target in some:
            world.target.sims[target].change(world.target._clock.now_s(), **fact)
    world.wait(1000.0)
    plan, told = _verified(world)
    truth = {target: _true_bucket(world, plan[target]) for target in plan}
    assert told == truth
    assert set(truth.values()) >= {"verified", "mismatch", "pending", "failed"}


def _verified(world: World) -> tuple[dict[str, Change], dict[str, str]]:
    """`verify`, then `report`. Returns: the plan and the buckets, by target ICCID."""

    async def body() -> None:
        async with world.http() as http:
            target = world.hologram(http)
            stopper = Stopper()
            await look(store, target, header, absent_after_s=60.0, clock=world, stopper=stopper, progress=quiet)

    with world.store() as store:
        header = store.plans.header(store.plans.newest() or "")
        world._process(body)
        model = reconciliation(store, header.plan_id, now=world.now().timestamp())
        buckets = {str(row.target_iccid): row.bucket for row in model.rows()}
        return {str(one.target_iccid): one for one in store.plans.changes(header.plan_id)}, buckets


def _true_bucket(world: World, change: Change) -> str:
    """Where a SIM belongs, by nothing but the carrier's truth and what the plan says."""
    if not change.action.acts:
        return "skipped" if change.action.name == "SKIP" else "blocked"
    link = world.target.sims[str(change.target_iccid)]
    if link.org_id != world.target.org_id or link.device_id is None:
        return "failed"
    if "PENDING" in link.state:
        return "pending"
    planned = (change.name, change.overage_limit_bytes, change.sms_limit)
    state = "LIVE" if change.state == "live" else "PAUSED-USER"
    found = (link.name, link.overage_limit, link.sms_limit)
    return "verified" if (found, link.state) == (planned, state) else "mismatch"
