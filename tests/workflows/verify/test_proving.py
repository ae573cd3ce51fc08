"""What `verify` looks at beyond the record, in the small world, whose carriers and clock agree."""

from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator.usage import usage
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import InProcessTransport
from migrator.core.cutover.life import Life, OldSide, Proof
from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.plan import DesiredState
from migrator.core.run.steps import Verdict, Verified
from migrator.engine.run.context import Stopper, quiet
from migrator.errors import Interrupted, Transient
from migrator.ports import DevicePage
from migrator.store import Store
from migrator.workflows.plans.make import look
from migrator.workflows.verify.devices import DeviceWatch
from migrator.workflows.verify.drift import MOST_FAILURES, Drift, DriftWatch, NewFinding, drift_of
from migrator.workflows.verify.life import prove_life
from tests.support import run_virtual
from tests.worlds.world import POLICY, World

TAGGED = POLICY.replace('zone = "global"', 'zone = "global"\ntag = "from-1nce"')


def migrated(folder: Path, sims: int = 12, behaviour: HologramBehaviour | None = None) -> World:
    world = World(folder, sims=sims, behaviour=behaviour or HologramBehaviour(), policy_text=TAGGED)
    world.ready()
    world.apply_until_quiet()
    return world


async def read(world: World, store: Store, listed: Callable[[DevicePage], None] = lambda _page: None) -> None:
    async with world.http() as http:
        await look(
            store,
            world.hologram(http),
            store.plans.header(store.plans.newest() or ""),
            absent_after_s=60.0,
            clock=world,
            stopper=Stopper(),
            progress=quiet,
            listed=listed,
        )


def verdicts(world: World) -> dict[str, int]:
    """What a fresh `verify` says."""
    with world.store() as store:
        world._process(lambda: read(world, store))
        return dict(store.journal.verdicts(store.plans.newest() or ""))


# --- several profiles on one device -------------------------------------------------------------------------------


def test_devices_of_several_profiles_are_compared_by_the_enabled_one(tmp_path: Path) -> None:
    world = migrated(tmp_path, behaviour=HologramBehaviour(multi_profile_share=1.0))
    claimed = sorted(world.ours())
    assert all(world.target.sims[iccid].spare is not None for iccid in claimed)
    assert verdicts(world) == {"ok": len(claimed)}
    world.target.sims[claimed[0]].overage_limit = 7  # of the enabled profile: the other one says no limit
    assert verdicts(world) == {"ok": len(claimed) - 1, "mismatch": 1}


# --- devices that nobody planned ----------------------------------------------------------------------------------


def unexpected(world: World, *, thorough: bool) -> DeviceWatch:
    with world.store() as store:
        header = store.plans.header(store.plans.newest() or "")

        async def body() -> DeviceWatch:
            with closing(DeviceWatch(store, header)) as watch:
                await read(world, store, watch.see)
                if thorough:
                    async with world.http() as http:
                        await watch.read_all(world.hologram(http), Stopper())
                return watch

        found: DeviceWatch = world._process(body)
        return found


def test_what_a_plan_put_there_is_expected_and_what_somebody_else_tagged_is_not(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    assert unexpected(world, thorough=True).counts.total() == 0
    strangers = [f"8944500999{number:09d}" for number in range(3)]
    world.target.stock_claimed(strangers)
    tags = world.target.sims[min(world.ours() - set(strangers))].tag_ids
    world.target.sims[strangers[1]].tag_ids = tags
    found = unexpected(world, thorough=True)
    assert [one.target_iccid for one in found.found] == [strangers[1]]
    assert found.is_complete


def test_nothing_is_listed_for_its_sake_alone(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    before = len(world.target.ledger.requests("GET"))
    unexpected(world, thorough=False)
    plain = len(world.target.ledger.requests("GET")) - before
    verdicts(world)
    assert len(world.target.ledger.requests("GET")) - before - plain == plain


# --- proof of life ------------------------------------------------------------------------------------------------


def proofs(world: World, *, old: bool) -> list[Proof]:
    kept: list[Proof] = []

    async def body() -> None:
        await read(world, store)
        base = "https://onence.test/management-api/"
        async with (
            world.http() as http,
            httpx.AsyncClient(transport=InProcessTransport(world.source), base_url=base) as onence,
        ):
            source = OnenceSource(
                onence, client_id=world.source.client_id, client_secret=world.source.client_secret, pacer=Pacer(8.0)
            )
            await prove_life(
                store,
                world.hologram(http),
                store.plans.header(store.plans.newest() or ""),
                kept.append,
                source=source if old else None,
                clock=world,
                stopper=Stopper(),
                progress=quiet,
            )

    with world.store() as store:
        world._process(body)
    return kept


def test_old_sims_that_go_on_are_those_whose_usage_says_so(tmp_path: Path) -> None:
    world = migrated(tmp_path, sims=40)
    world.wait(5 * 86_400)
    told = {proof.source_iccid: proof.old for proof in proofs(world, old=True)}
    today = world.now().date()
    latest = {"start_dt": (today - timedelta(days=1)).isoformat(), "end_dt": today.isoformat()}
    for sim in world.source.fleet:
        rows = usage(sim, latest, today=today, with_total=False)["stats"]
        used = any(float(row[service]["volume"]) for row in rows for service in ("data", "sms"))
        if sim.iccid in told:
            assert told[sim.iccid] is (OldSide.TALKS if used else OldSide.SILENT)
    assert set(told.values()) == {OldSide.TALKS, OldSide.SILENT}


def test_on_the_day_of_the_claim_nothing_is_known_of_the_old_sims(tmp_path: Path) -> None:
    told = proofs(migrated(tmp_path), old=True)
    assert told
    assert {proof.old for proof in told} == {OldSide.UNKNOWN}


def test_usage_shows_life_where_the_record_does_not(tmp_path: Path) -> None:
    """`lastsession` may be absent, and `last_connect_time` empty."""
    world = migrated(tmp_path, behaviour=HologramBehaviour(lastsession_shown=False, last_connect_shown=False))
    iccid = min(world.ours())
    link = world.target.sims[iccid]
    assert link.claimed_at is not None
    world.wait(3600)
    world.target.add_session(iccid, link.claimed_at + timedelta(seconds=60), 1024, "352099001761481")
    told = {proof.target_iccid: (proof.life, proof.target_imei) for proof in proofs(world, old=False)}
    assert told[iccid] == (Life.ALIVE, "352099001761481")
    with world.store() as store:
        changes = {c.target_iccid.digits: c for c in store.plans.changes(store.plans.newest() or "") if c.target_iccid}
    for other in told.keys() - {iccid}:
        assert told[other][0] is (Life.PAUSED if changes[other].state is DesiredState.PAUSE else Life.SILENT)


# --- watching -----------------------------------------------------------------------------------------------------


def watched(
    world: World, *, goes_on: bool, for_s: float, beside: Callable[[float], None]
) -> tuple[list[NewFinding], DriftWatch]:
    """A watch every minute; `beside` is called before each round with the seconds since the first."""
    told: list[NewFinding] = []

    async def body() -> DriftWatch:
        stopper, began = Stopper(), anyio.current_time()
        stopper.stop_after(for_s, "over", 0)

        async def once() -> Drift:
            beside(anyio.current_time() - began)
            since_s = world.now().timestamp()
            await read(world, store)
            return drift_of(store, store.plans.newest() or "", since_s)

        watch = DriftWatch(once, told.append, lambda _error: None, 60.0, goes_on)
        with suppress(Interrupted):
            await watch.run(stopper)
        return watch

    with world.store() as store:
        watch: DriftWatch = world._process(body)
    return told, watch


def test_drift_is_told_once_when_it_comes_and_once_when_it_goes(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    iccid = min(world.ours())
    name = world.target.sims[iccid].name

    def beside(since_s: float) -> None:
        world.target.sims[iccid].name = "drifted" if 100 < since_s < 400 else name

    told, watch = watched(world, goes_on=True, for_s=900, beside=beside)
    assert [(one.finding.code.value, one.is_new) for one in told] == [("wrong_name", True), ("wrong_name", False)]
    assert (watch.seen, watch.drift) == (True, {})
    assert watch.rounds > 10


def test_a_watch_ends_at_the_first_drift(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    iccid = min(world.ours())

    def beside(since_s: float) -> None:
        if since_s > 150:
            world.target.sims[iccid].sms_limit = 3

    told, watch = watched(world, goes_on=False, for_s=900, beside=beside)
    assert [one.finding.code.value for one in told] == ["wrong_sms_limit"]
    assert watch.rounds == 4


def test_a_sim_that_is_still_pending_is_no_drift(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    iccid = min(world.ours())

    def beside(_since_s: float) -> None:
        world.target.sims[iccid].state = "LIVE-PENDING"

    told, watch = watched(world, goes_on=False, for_s=600, beside=beside)
    assert (told, watch.seen) == ([], False)


def test_only_what_was_found_just_now_and_lasts_is_drift(tmp_path: Path) -> None:
    world = migrated(tmp_path)
    wrong, pending = (
        Finding(FindingCode.WRONG_NAME, "a", "b"),
        Finding(FindingCode.STATE_PENDING, "LIVE", "LIVE-PENDING"),
    )
    with world.store() as store:
        plan_id = store.plans.newest() or ""
        waits, lasts, aside = [item.key for item in store.journal.items(plan_id)][:3]
        store.journal.verified(plan_id, [Verified(aside, Verdict.MISMATCH, (wrong,))], now=world.now().timestamp())
        world.wait(60)
        since_s = world.now().timestamp()
        found = [Verified(waits, Verdict.PENDING, (wrong,)), Verified(lasts, Verdict.MISMATCH, (wrong, pending))]
        store.journal.verified(plan_id, found, now=since_s)
        assert drift_of(store, plan_id, since_s) == {(lasts, "wrong_name"): wrong}


def test_a_watch_outlives_a_carrier_that_is_down_for_a_while_and_not_for_ever() -> None:
    rounds = iter([Transient("down"), {}, *[Transient("down")] * MOST_FAILURES])

    async def once() -> Drift:
        came = next(rounds)
        if isinstance(came, Transient):
            raise came
        return {}

    watch = DriftWatch(once, lambda _moved: None, lambda _error: None, 60.0, goes_on=True)
    with pytest.raises(Transient):
        run_virtual(lambda: watch.run(Stopper()))
    assert watch.rounds == 1
