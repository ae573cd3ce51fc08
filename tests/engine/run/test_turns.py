"""Scans of a whole plan ask nobody, and yet let others have their turn: signals, and the lease's heartbeat."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from unittest import mock

import anyio
import anyio.lowlevel
import pytest

from migrator.core.cutover.plan import Direction
from migrator.core.fleet.identifiers import Iccid
from migrator.core.run.results import ExitCode
from migrator.engine.apply import apply as applying
from migrator.engine.apply import converge as converging
from migrator.engine.apply.apply import Applying
from migrator.engine.apply.converge import Converger
from migrator.engine.apply.secure import Securer
from migrator.engine.cutover import cutover as cutover_run
from migrator.engine.cutover.context import CutoverContext, CutoverOptions
from migrator.engine.cutover.cutover import CutoverRun
from migrator.engine.run import read_targets as observing
from migrator.engine.run.context import ApplyOptions, Context, Stopper
from migrator.engine.run.read_targets import Reader, targets_of
from migrator.errors import Interrupted
from tests.support import run_virtual
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.world import World

SIMS, SLICE = 24, 4

Scan = Callable[[Context], Awaitable[Any]]
SCANS: dict[str, Scan] = {
    "secure": lambda ctx: Applying(ctx)._secure_all(_securer(ctx)),
    "settle": lambda ctx: Applying(ctx)._settle_all(None),
    "count": lambda ctx: Applying(ctx)._claims_missing(),
    "judge": lambda ctx: Converger(ctx, _reader(ctx), None, read_since=0.0)._to_be_read(None),
}


def _reader(ctx: Context) -> Reader:
    return Reader(ctx.target, ctx.journal, ctx.clock, ctx.stopper, 1)


def _securer(ctx: Context) -> Securer:
    return Securer(ctx, _reader(ctx))


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (applying, converging, observing, cutover_run):
        monkeypatch.setattr(module, "SLICE", SLICE)


async def turns_beside(scan: Callable[[], Awaitable[Any]]) -> int:
    """How often another task had its turn while `scan` was at work."""
    turns = 0

    async def beside() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beside)
        await anyio.lowlevel.checkpoint()
        before = turns
        await scan()
        had = turns - before
        tasks.cancel_scope.cancel()
    return had


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world whose plan was carried out: nothing is left to ask the carrier for."""
    world = World(tmp_path_factory.mktemp("done"), sims=SIMS)
    world.ready()
    world.apply()
    return world


def scanned(world: World, scan: Scan, body: Callable[[Callable[[], Awaitable[Any]], Stopper], Awaitable[Any]]) -> Any:
    """What `body` makes of a scan of the world's plan."""
    stopper = Stopper()

    async def lived() -> Any:
        async with world.http() as http:
            ctx = world._context(http, store, stopper, ApplyOptions(claim_batch=SLICE))
            return await body(lambda: scan(ctx), stopper)

    with world.store() as store:
        return run_virtual(lived)


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_of_a_plan_gives_others_a_turn_with_every_slice(done: World, name: str) -> None:
    turns = scanned(done, SCANS[name], lambda scan, _: turns_beside(scan))
    assert turns >= SIMS // SLICE - 1


@pytest.mark.parametrize("name", SCANS)
def test_a_stop_asked_for_in_the_midst_of_a_scan_ends_it(done: World, name: str) -> None:
    async def stopped(scan: Callable[[], Awaitable[Any]], stopper: Stopper) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop, stopper)
            with pytest.raises(Interrupted, match="enough"):
                await scan()

    scanned(done, SCANS[name], stopped)


def test_a_stop_asked_for_while_a_plan_is_listed_for_a_read_ends_it(done: World) -> None:
    listed = 0

    async def read(ctx: Context) -> None:
        def targets() -> Iterator[Iccid]:
            nonlocal listed
            for item in ctx.journal.items(ctx.plan_id):
                listed += 1
                yield from targets_of([item])

        await _reader(ctx).read(targets(), full=True)

    async def stopped(scan: Callable[[], Awaitable[Any]], stopper: Stopper) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop, stopper)
            with pytest.raises(Interrupted, match="enough"):
                await scan()

    scanned(done, read, stopped)
    assert 0 < listed <= 2 * SLICE


async def _stop(stopper: Stopper) -> None:
    stopper.stop("enough")


# --- cutovers and rollbacks ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory) -> CutoverWorld:
    """A world whose cutover was carried out and taken back: nothing is left to send or to prove."""
    world = CutoverWorld(tmp_path_factory.mktemp("rolled_back"), sims=SIMS)
    world.migrated()
    world.cutover_plan()
    world.cut_over()
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    return world


def switched(world: CutoverWorld, body: Callable[[CutoverRun, Stopper], Awaitable[Any]]) -> tuple[int, Any]:
    """How many SIMs the rollback holds, and what `body` makes of one more run of it."""
    stopper = Stopper()

    async def lived() -> tuple[int, Any]:
        header = store.cutovers.header(store.cutovers.newest(Direction.ROLLBACK) or "")
        target = mock.AsyncMock()
        target.account.return_value.org_id = header.org_id
        ctx = CutoverContext(
            header=header,
            gates=world.policy().policy.gates,
            run_id=0,
            source=mock.AsyncMock(),
            target=target,
            journal=store.journal,
            plans=store.cutovers,
            field_notes=store.field_notes(header.plan_id),
            clock=world,
            options=CutoverOptions(batch=SLICE),
            stopper=stopper,
        )
        return header.count, await body(CutoverRun(ctx), stopper)

    with world.store() as store:
        return run_virtual(lived)


def test_a_rollback_that_finds_nothing_to_do_gives_others_a_turn_with_every_slice(rolled_back: CutoverWorld) -> None:
    sims, turns = switched(rolled_back, lambda cutover_run, _: turns_beside(cutover_run._all_waves))
    assert turns >= 3 * (sims // SLICE) - 1  # what is missing, what is to be waited for, and the gate


def test_the_count_at_the_end_of_a_rollback_gives_others_a_turn_with_every_slice(rolled_back: CutoverWorld) -> None:
    sims, turns = switched(rolled_back, lambda cutover_run, _: turns_beside(cutover_run._open_by_wave))
    assert turns >= sims // SLICE - 1


def test_a_stop_asked_for_in_the_midst_of_a_rollback_that_finds_nothing_to_do_ends_it(
    rolled_back: CutoverWorld,
) -> None:
    async def stopped(cutover_run: CutoverRun, stopper: Stopper) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop, stopper)
            with pytest.raises(Interrupted, match="enough"):
                await cutover_run._all_waves()

    switched(rolled_back, stopped)
