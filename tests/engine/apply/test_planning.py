"""Making a plan of a fleet that is larger than one batch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from bench.planned import AtOnce
from migrator.chunks import PAGE
from migrator.core.plan.plan import PlanHeader
from migrator.engine.run.context import Stopper
from migrator.errors import Interrupted
from migrator.inputs.policy.file import parse_policy
from migrator.ports import Progress, TargetPlatform
from migrator.store import Store
from migrator.workflows.plans.make import make_plan
from tests.builders import pair, sim
from tests.engine.run.test_reading import VirtualClock
from tests.store.store_kit import open_store, pulled
from tests.support import run_virtual
from tests.worlds.world import POLICY

SIMS = PAGE + 10


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a paired inventory of a little more than one batch."""
    with open_store(tmp_path) as opened:
        pulled(opened, map(sim, range(SIMS)))
        opened.pairs.add(map(pair, range(SIMS)), replace=False, now=0.0)
        yield opened


def plan(store: Store, stopper: Stopper, progress: Progress) -> PlanHeader:
    """`plan create`, at a carrier that answers at once."""

    async def body() -> PlanHeader:
        return await make_plan(
            store,
            cast("TargetPlatform", AtOnce()),
            parse_policy(POLICY, name="policy.toml"),
            max_rps=10.0,
            clock=VirtualClock(),
            stopper=stopper,
            progress=progress,
        )

    return run_virtual(body)


def test_every_sim_of_every_batch_is_planned_and_told_of(store: Store) -> None:
    told: list[int] = []

    def note(event: str, values: Mapping[str, Any]) -> None:
        if event == "planning":
            told.append(values["sims"])

    header = plan(store, Stopper(), note)
    assert told == [0, PAGE, SIMS - PAGE]
    assert header.claims == sum(1 for _ in store.plans.changes(header.plan_id)) == SIMS


def test_a_stop_between_two_batches_leaves_no_plan_and_no_half_of_one(store: Store) -> None:
    stopper = Stopper()

    def stop_early(event: str, values: Mapping[str, Any]) -> None:
        if event == "planning" and values["sims"] == PAGE:
            stopper.stop("enough")

    with pytest.raises(Interrupted):
        plan(store, stopper, stop_early)
    assert store.plans.newest() is None
    assert store.info()["counts"]["plans"] == 0
