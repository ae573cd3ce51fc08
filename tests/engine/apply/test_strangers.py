"""Two copies of one store at work on the same SIMs, on a virtual clock."""

import shutil
from pathlib import Path

import anyio

from migrator.core.run.results import ExitCode
from migrator.engine.run.context import ApplyOptions, Stopper
from migrator.store import Store
from migrator.workflows.apply import applying
from tests.worlds.world import POLICY, World

SOAKING = POLICY.replace('name = "all"', 'name = "one"\ncount = 2\nsoak = "2h"\n[[waves]]\nname = "two"')


def writes(world: World) -> int:
    return sum(entry.method != "GET" for entry in world.target.ledger.entries)


def test_a_run_keeps_off_what_another_copys_run_claimed_while_it_rested(tmp_path: Path) -> None:
    world = World(tmp_path, sims=8, policy_text=SOAKING, options=ApplyOptions(wait_s=20_000.0))
    world.ready()
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "state.db", tmp_path / "copy" / "state.db")
    done: list[ExitCode] = []
    sent: list[int] = []

    async def beside() -> None:
        """The copy's run adopts the first wave, and claims the second."""
        await anyio.sleep(3600)
        with Store.open(f"sqlite:///{tmp_path}/copy/state.db", now=world.now().timestamp()) as store:
            options = ApplyOptions(adopt_tagged=2, soaks=False)
            async with world.http() as http:
                ctx = world._context(http, store, Stopper(), options)
                done.append((await applying(store, ctx).run()).exit_code)
        sent.append(writes(world))

    result = world.apply(beside=beside)
    assert done == [ExitCode.DONE]
    assert result.exit_code is ExitCode.STALE
    assert "never sent anything for them: 6" in " ".join(result.reason.split()), result.reason
    assert [writes(world)] == sent
