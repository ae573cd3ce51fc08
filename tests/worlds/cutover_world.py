"""The small world, with cutovers and rollbacks in it, and a watchman who looks after every single request."""

import json
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.adapter import ApiVersion, OnenceSource
from migrator.carriers.onence.control import OnenceControl
from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import ExpiredSims, OmittedFields
from migrator.carriers.onence.wire import source_row
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport, RateLimit
from migrator.core.cutover.life import OldSide
from migrator.core.cutover.plan import CutoverHeader, CutoverReason, Direction, Require
from migrator.core.cutover.results import CutoverResult
from migrator.core.cutover.rules import Demand
from migrator.core.fleet.sims import SourceSim
from migrator.core.policy.policy import CutoverPolicy, OldSim
from migrator.core.run.doubts import MAY_STILL_COME
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind, StepState
from migrator.engine.cutover.context import CutoverContext, CutoverOptions
from migrator.engine.cutover.cutover import CutoverRun
from migrator.engine.run.around import Around
from migrator.engine.run.context import Hooks, Stopper, quiet
from migrator.ports import Progress, SourceControl, SourceUsage
from migrator.workflows.cutover.make import make_cutover, make_rollback
from migrator.workflows.plans.make import look
from migrator.workflows.verify.life import prove_life
from tests.worlds.auditing import check_audit
from tests.worlds.meanwhile import Guards, Passing
from tests.worlds.odd_labels import Oddities, oddities
from tests.worlds.remembered import begin_of, keep, recall
from tests.worlds.world import Crash, World, crash_at

__all__ = ["STRANGER", "CutoverWorld", "Draw", "Watched", "live_through_a_cutover", "of_onence"]

MEGABYTE = 1_048_576
DAY_S = 86_400.0
STRANGER = "352099001761481"
"""Hardware in which no old SIM ever was."""
STALE_READ_S = 120.0
"""No order rests on a read that is older: a batch is read, its new SIMs are, and then it goes out."""


class Watched(InProcessTransport):
    """Looks at the truth after every exchange, whatever became of it.

    Args:
        app: the carrier.
        look: called after each exchange.
        see: shown each request on its way.
        shown: shown each answer, with its request and the moment at which that was on its way.
        broken: keeps what `look` found not to hold.
    """

    def __init__(
        self,
        app: Any,
        look: Callable[[], None],
        see: Callable[[httpx.Request], None],
        shown: Callable[[httpx.Request, httpx.Response], None],
        broken: list[AssertionError],
    ) -> None:
        super().__init__(app)
        self._look, self._see, self._shown, self._broken = look, see, shown, broken

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._kept(lambda: self._see(request))
        try:
            response = await super().handle_async_request(request)
            await response.aread()
            self._shown(request, response)
            return response
        finally:
            self._kept(self._look)

    def _kept(self, look: Callable[[], None]) -> None:
        """Keep what does not hold, too: a run goes on after a defect that it takes for one of its own."""
        try:
            look()
        except AssertionError as error:
            self._broken.append(error)
            raise


@dataclass(slots=True)
class CutoverWorld(World):
    """A world whose migration is done, most of whose new SIMs pass data."""

    api_version: ApiVersion = "auto"
    cutover_options: CutoverOptions = field(default_factory=CutoverOptions)
    source_rps: float = 8.0
    served: set[str] = field(default_factory=set, init=False)
    before: dict[str, tuple[str | None, bool]] = field(default_factory=dict, init=False)

    # --- what an operator does ---

    def migrated(self, *, silent: int = 0) -> None:
        """Migrate the fleet on a quiet network; all new SIMs but the last `silent` pass data from then on.

        Faults begin with what comes after.
        """
        begin = begin_of(self, silent=silent)
        if not recall(self, begin):
            self._migrate(silent)
            keep(self, begin)

    def _migrate(self, silent: int) -> None:
        self.ready()
        self.target.faults = FaultPlan()
        self.apply_until_quiet()
        pairs = sorted(self.pairs().items())
        for _, new in pairs[: len(pairs) - silent]:
            if self.target.sims[new].device_id is not None:
                self.let_pass_data(new)
        self.before = self.values()
        self.served = {old for old, new in pairs if self.is_served(old, new)}
        self.target.faults = self.faults

    def let_pass_data(self, new: str, *, after_s: float = 60.0, imei: str | None = None, size: int = MEGABYTE) -> None:
        """The unit with this new SIM connects, some time after its claim: the one of its old SIM, or other hardware."""
        claimed_at = self.target.sims[new].claimed_at
        assert claimed_at is not None
        hardware = imei or self.unit_of(self._olds()[new])
        at = claimed_at + timedelta(seconds=after_s)
        self.target.add_session(new, at, size, hardware)
        self.goes_silent(self._olds()[new], at.date() - timedelta(days=1))
        self.connected.add(new)
        self.elapsed_s += 120  # and our clock is past it

    def goes_silent(self, old: str, day: date) -> None:
        """From a day on the old SIM uses nothing: on the day of a swap, and until noon after, nobody could tell."""
        sim = self.source.fleet.find(old)
        if sim is not None and (sim.silent_from is None or day < sim.silent_from):
            sim.silent_from = day

    def comes_back(self, old: str, *days: date) -> None:
        """Somebody put the old SIM back into its unit: it is in use on these days."""
        sim = self.source.fleet.find(old)
        assert sim is not None
        sim.used_on = (*sim.used_on, *days)

    def unit_of(self, old: str) -> str:
        """The hardware that an old SIM is in; one that 1NCE never saw in any has its own all the same."""
        sim = self.source.fleet.find(old)
        return (None if sim is None else sim.imei) or f"35{int(old[-12:]):012d}0"

    def cutover_plan(
        self,
        *,
        require: Require = Require.TRAFFIC,
        rest_s: float = 0.0,
        waves: tuple[int, ...] = (),
        accepts_other_units: bool = False,
        wants_observed: bool = False,
        old_sim: OldSim = OldSim.MUST_BE_SILENT,
        alive_within_s: float = 14 * 86_400.0,
        progress: Progress = quiet,
    ) -> CutoverHeader:
        """`cutover plan`."""

        async def body() -> CutoverHeader:
            async with self.http() as http, self._watched(self.source, self.source_url) as onence:
                return await make_cutover(
                    store,
                    self.hologram(http),
                    store.plans.header(store.plans.newest() or ""),
                    Demand(
                        require,
                        rest_s,
                        self.now().timestamp(),
                        accepts_other_units=accepts_other_units,
                        wants_observed=wants_observed,
                        old_sim=old_sim,
                        alive_within_s=alive_within_s,
                    ),
                    waves=waves,
                    absent_after_s=60.0,
                    clock=self,
                    stopper=Stopper(),
                    progress=progress,
                    usage=self.onence(onence),
                )

        with self.store() as store:
            header: CutoverHeader = self._process(body)
            return header

    def proves_life(self) -> dict[str, str]:
        """`verify --traffic --old-silent`. Returns: what it says of each old SIM."""
        told: dict[str, str] = {}

        async def body() -> None:
            header = store.plans.header(store.plans.newest() or "")
            stopper = Stopper()
            async with self.http() as http, self._watched(self.source, self.source_url) as onence:
                target = self.hologram(http)
                await look(store, target, header, absent_after_s=60.0, clock=self, stopper=stopper, progress=quiet)
                await prove_life(
                    store,
                    target,
                    header,
                    lambda proof: told.update({proof.source_iccid: str(proof.old)}),
                    source=self.onence(onence),
                    clock=self,
                    stopper=stopper,
                    progress=quiet,
                )

        with self.store() as store:
            self._process(body)
        return told

    def control_at(self, http: httpx.AsyncClient) -> SourceControl:
        """The true adapter that writes, on the simulated carrier."""
        return OnenceControl(
            http,
            client_id=self.source.client_id,
            client_secret=self.source.client_secret,
            pacer=Pacer(self.source_rps),
            api_version=self.api_version,
        )

    def onence(self, http: httpx.AsyncClient) -> SourceUsage:
        """The true adapter on the simulated carrier."""
        return OnenceSource(
            http,
            client_id=self.source.client_id,
            client_secret=self.source.client_secret,
            pacer=Pacer(8.0),
            api_version=self.api_version,
        )

    def rollback_plan(self, *, listed: set[str] | None = None, waves: tuple[int, ...] = ()) -> CutoverHeader:
        """`rollback plan`."""
        with self.store() as store:
            header = store.plans.header(store.plans.newest() or "")
            return make_rollback(store, header, listed=listed, waves=waves, now=self.now().timestamp())

    def carry_out(
        self,
        direction: Direction,
        *,
        hooks: Hooks | None = None,
        options: CutoverOptions | None = None,
        stopper: Stopper | None = None,
        progress: Progress = quiet,
    ) -> CutoverResult:
        """`cutover apply` or `rollback apply`: goes on with the newest plan of that kind. Raises: Crash."""

        async def body() -> CutoverResult:
            async with AsyncExitStack() as stack:
                target = await stack.enter_async_context(self._watched(self.target, "https://hologram.test/api/1/"))
                source = await stack.enter_async_context(self._watched(self.source, self.source_url))
                header = store.cutovers.header(store.cutovers.newest(direction) or "")
                ctx = CutoverContext(
                    around=Around(self.ask, store.outbox.tell, self.policy().policy.notify, self.ref, "test"),
                    header=header,
                    gates=self.policy().policy.gates,
                    run_id=store.journal.start_run(header.cutover_id, "test", self.now().timestamp()),
                    source=self.control_at(source),
                    target=self.hologram(target),
                    journal=store.journal,
                    plans=store.cutovers,
                    field_notes=store.field_notes(header.plan_id),
                    clock=self,
                    options=options or self.cutover_options,
                    stopper=stopper or Stopper(),
                    progress=progress,
                    hooks=hooks or Hooks(),
                )
                return await CutoverRun(ctx).run()

        with self.store() as store:
            try:
                result: CutoverResult = self._process(body)
            finally:
                for error in self._broken_rules:
                    raise error
            return result

    def cut_over(self, **options: Any) -> CutoverResult:
        """`cutover apply`."""
        return self.carry_out(Direction.CUTOVER, **options)

    def roll_back(self, **options: Any) -> CutoverResult:
        """`rollback apply`."""
        return self.carry_out(Direction.ROLLBACK, **options)

    def _watched(self, carrier: Any, base_url: str) -> httpx.AsyncClient:
        transport = Watched(carrier, self.watch_and_note, self._see, self._shown, self._broken_rules)
        return httpx.AsyncClient(transport=transport, base_url=base_url)

    def _see(self, request: httpx.Request) -> None:
        self.see_order(request)
        self.guards.see(request)

    def _shown(self, request: httpx.Request, response: httpx.Response) -> None:
        """Whoever cannot read an answer was shown nothing by it."""
        if request.method == "GET" and any(new in response.text for new in self.defective_records):
            raise ArithmeticError("a defect that this record brings to light")
        self.guards.note_answer(request, response)

    # --- the truth ---

    def claimed_at(self, old: str) -> datetime:
        """When the new SIM of an old one was claimed."""
        claimed_at = self.target.sims[self._pairs()[old]].claimed_at
        assert claimed_at is not None
        return claimed_at

    def pairs(self) -> dict[str, str]:
        """The new ICCID of each old one."""
        with self.store() as store:
            return {pair.source.digits: pair.target.digits for pair in store.pairs.all()}

    def old_state(self, old: str) -> str:
        """What the old SIM truly is."""
        sim = self.source.fleet.find(old)
        return "gone" if sim is None else str(sim.status)

    def is_served(self, old: str, new: str) -> bool:
        """Whether one of the two may pass data."""
        return self.old_state(old) == "Enabled" or self.target.sims[new].state == "LIVE"

    def watch(self) -> None:
        """What holds at every moment, whatever a run believes.

        No unit that was served is ever without service: neither SIM off before the other is on. No old SIM goes off
        that may not (`may_go_off`), and no label and no IMEI lock ever changes.
        """
        for old, new in self._pairs().items():
            assert old not in self.served or self.is_served(old, new), f"{old} is off, and so is its new SIM {new}"
        if self.may_go_off is not None:
            assert self.off() <= self.may_go_off, f"{sorted(self.off() - self.may_go_off)} went off and had no right to"
            assert self.values() == self.before, "a label or an IMEI lock is not as it was"

    def watch_and_note(self) -> None:
        """After every exchange."""
        self.note_states()
        self.watch()

    def proved(self, header: CutoverHeader, *, now_s: float) -> set[str]:
        """Old SIMs whose new SIM truly is what a cutover asks for, by the carrier's own record."""
        passed, ours = set[str](), self._pairs()
        for old, new in ours.items():
            sim = self.target.sims[new]
            if sim.claimed_at is None or sim.state != "LIVE" or sim.org_id != self.target.org_id:
                continue
            has_rested = now_s - sim.claimed_at.timestamp() >= header.rest_s
            has_shown = header.require is Require.VERIFIED or new in self.connected
            is_minded = header.summary["old_sim"] == OldSim.MUST_BE_SILENT or old in self.noted
            if has_rested and has_shown and not self.is_elsewhere(old) and not (is_minded and self.is_back(old)):
                passed.add(old)
        return passed

    def is_back(self, old: str) -> bool:
        """Whether the old SIM was put back and used on the day on which its new one lived last, or later."""
        sim, sessions = self.source.fleet.find(old), self.target.sims[self._pairs()[old]].sessions
        if sim is None or not sim.used_on:
            return False
        return not sessions or max(sim.used_on) >= max(session.end for session in sessions).date()

    noted: set[str] = field(default_factory=set, init=False)
    """Old SIMs of which a proof of life noted that they talk."""

    def is_elsewhere(self, old: str) -> bool:
        """Whether the new SIM was last seen in other hardware than the old one, as far as 1NCE knows any."""
        sim, sessions = self.source.fleet.find(old), self.target.sims[self._pairs()[old]].sessions
        if sim is None or sim.imei is None or not sessions:
            return False
        return max(sessions, key=lambda session: session.begin).imei != sim.imei

    def resent(self) -> list[str]:
        """Orders that arrived for a SIM which had been as ordered for longer than any read is old."""
        return self._resent

    def see_order(self, request: httpx.Request) -> None:
        """Look at a request before it arrives, and at an update on its way to 1NCE."""
        if any(part in str(request.url) for part in self.defective_reads):
            raise ArithmeticError("a defect that this SIM brings to light")
        now_s = self.now().timestamp()
        for iccid, status in self.ordered(request):
            if iccid in self.defective:
                raise ArithmeticError("a defect that this SIM brings to light")
            since = self._as_it_is_since.get((iccid, status))
            if since is not None and now_s - since > STALE_READ_S:
                self._resent.append(f"{iccid} {status}")

    def ordered(self, request: httpx.Request) -> list[tuple[str, str]]:
        """The old SIMs that a request orders at the source, each with the status that it is to have."""
        if request.method not in {"PUT", "POST"} or "/sims" not in request.url.path:
            return []
        body = json.loads(request.content)
        return [(update["iccid"], str(update["status"])) for update in (body if isinstance(body, list) else [body])]

    def tells_labels(self, odd: Oddities) -> Oddities:
        """Have records tell some labels oddly. Returns: the oddities that may keep an order from its SIM."""
        self.source.behaviour = replace(self.source.behaviour, single_labels=odd.single, listed_labels=odd.listed)
        return odd

    def begins_run(self, chance: random.Random, *, is_calm: bool) -> None:
        """Draw what else goes wrong at the source in one run."""

    def shown_sim(self, body: Any) -> SourceSim | None:
        """The old SIM of which a record tells."""
        return source_row(body).sim

    def note_states(self) -> None:
        """Remember since when each old SIM is what it is."""
        now_s = self.now().timestamp()
        known = {(sim.iccid, str(sim.status)): now_s for sim in self.source.fleet}
        self._as_it_is_since = {key: self._as_it_is_since.get(key, at) for key, at in known.items()}

    @property
    def guards(self) -> Guards:
        """Who knows how old the looks are that orders rest on."""
        if self._guards is None:
            self._guards = Guards(self, self._olds())
        return self._guards

    may_go_off: set[str] | None = field(default=None, init=False)
    _guards: Guards | None = field(default=None, init=False)
    connected: set[str] = field(default_factory=set, init=False)
    defective: set[str] = field(default_factory=set, init=False)
    """Old SIMs whose orders meet an error below our client that nobody foresaw."""
    defective_reads: set[str] = field(default_factory=set, init=False)
    """Parts of addresses whose every read meets one."""
    defective_records: set[str] = field(default_factory=set, init=False)
    """New SIMs whose record meets one in every answer that holds it, whatever was asked."""
    _broken_rules: list[AssertionError] = field(default_factory=list, init=False)
    _resent: list[str] = field(default_factory=list, init=False)
    _as_it_is_since: dict[tuple[str, str], float] = field(default_factory=dict, init=False)

    def _pairs(self) -> dict[str, str]:
        """The pairs, read once: the watchman comes by often."""
        if not self._known:
            self._known.update(self.pairs())
        return self._known

    _known: dict[str, str] = field(default_factory=dict, init=False)

    def _olds(self) -> dict[str, str]:
        return {new: old for old, new in self._pairs().items()}

    def off(self) -> set[str]:
        """Old SIMs that are switched off."""
        return {sim.iccid for sim in self.source.fleet if sim.status == "Disabled"}

    def paused(self) -> set[str]:
        """Old ICCIDs whose new SIM is paused."""
        return {old for old, new in self._pairs().items() if self.target.sims[new].state == "PAUSED-USER"}

    def rows(self, header: CutoverHeader) -> dict[str, tuple[str, str]]:
        """Action and reason by old ICCID."""
        with self.store() as store:
            return {
                row.source_iccid.digits: (row.action.value, row.reason.value)
                for row in store.cutovers.rows(header.cutover_id)
            }

    def meant(self, header: CutoverHeader) -> set[str]:
        """The SIMs that a plan switches."""
        return {old for old, (action, _) in self.rows(header).items() if action in {"SWITCH_OFF", "SWITCH_BACK"}}

    def values(self) -> dict[str, tuple[str | None, bool]]:
        """Label and IMEI lock of every old SIM; an empty label is none."""
        return {sim.iccid: (sim.label or None, sim.imei_lock) for sim in self.source.fleet}

    def check_values(self) -> None:
        """Labels and IMEI locks are as they were, and nothing forbidden was sent."""
        assert self.values() == self.before
        assert self.source.ledger.forbidden == []
        assert self.target.ledger.forbidden == []

    def updates(self) -> list[dict[str, Any]]:
        """Every update that arrived at 1NCE, SIM by SIM."""
        bodies = [entry.body for entry in self.source.writes]
        return [update for body in bodies for update in (body if isinstance(body, list) else [body])]


# --- schedules drawn from a seed ----------------------------------------------------------------------------------

POINTS = ("after_intent", "after_effect", "after_outcome")
MOST_RUNS = 60
QUIET_AFTER = 25


Draw = Callable[[int, random.Random, Path], "CutoverWorld"]
"""Draws a world from a seed and its chance."""


def of_onence(seed: int, chance: random.Random, folder: Path) -> CutoverWorld:
    """Draw a world whose old SIMs are 1NCE's."""
    effect_s = chance.choice([0.0, 5.0, 90.0, 700.0])
    limit = chance.choice([None, RateLimit(10, 10), RateLimit(4, 1)])
    return CutoverWorld(
        folder,
        sims=chance.randint(4, 24),
        seed=seed,
        api_version=chance.choice(["v1", "v2", "auto"]),
        behaviour=HologramBehaviour(
            state_pending_s=chance.choice([(0.0, 0.0), (5.0, 600.0)]), read_lag_s=chance.choice([0.0, 0.0, 20.0])
        ),
        onence_behaviour=OnenceBehaviour(
            rate_limit=limit,
            put_effect_s=effect_s,
            bulk_effect_s=effect_s,
            omitted_fields=chance.choice(list(OmittedFields)),
            bulk_all_or_nothing=chance.random() < 0.5,
            expired=ExpiredSims.UNREADABLE if chance.random() < 0.5 else ExpiredSims.READABLE,
            latency_s=chance.choice([0.0, 0.15]),
        ),
        cutover_options=CutoverOptions(batch=chance.choice([2, 5, 50]), workers=chance.choice([1, 8])),
    )


def live_through_a_cutover(seed: int, folder: Path, draw: Draw = of_onence) -> None:
    """Draw a world and its troubles from `seed`; cut over and go back, killed at random, and check both ends."""
    chance = random.Random(seed)
    world = draw(seed, chance, folder)
    world.migrated(silent=chance.randint(0, 3))
    if chance.random() < 0.5 and world.connected:  # somebody paused a new SIM: its old one must stay on
        world.target.sims[min(world.connected)].state = "PAUSED-USER"
    units = random.Random(f"units of {seed}")  # a chance of their own: the kept seeds go on drawing what they drew
    for new in units.sample(sorted(world.connected), min(len(world.connected), units.choice([0, 0, 1, 2]))):
        world.let_pass_data(new, after_s=90.0, imei=STRANGER)
    old_sim = _days_go_by(world, random.Random(f"use of {seed}"))
    odd = _somebody_labels(world, random.Random(f"labels of {seed}"))
    off, were_paused = world.off(), world.paused()
    require, rest_s = chance.choice([Require.TRAFFIC, Require.TRAFFIC, Require.VERIFIED]), chance.choice([0.0, 900.0])
    header = world.cutover_plan(
        require=require, rest_s=rest_s, waves=chance.choice([(), (2,), (1, 3)]), old_sim=old_sim
    )
    meant = world.meant(header)
    for old in meant:  # nobody goes back to it while the plan is carried out, which may take days
        world.goes_silent(old, world.now().date() + timedelta(days=1))
    world.may_go_off = off | world.proved(header, now_s=world.now().timestamp())
    passing = Passing(world, random.Random(f"time of {seed}"))
    passing.touched |= odd.may_stay
    _until_over(world, chance, header, passing)
    switched = world.off() - off
    assert switched <= meant - odd.must_stay, seed
    assert passing.excuses(meant - switched), seed
    _check_journal(world, header, passing.touched)
    doubtful = _in_doubt(world, header)
    header = world.rollback_plan()
    assert passing.excuses(world.meant(header) ^ switched), seed
    _until_over(world, chance, header, passing)
    assert passing.excuses(world.off() ^ off), seed
    assert passing.excuses((world.paused() - were_paused) ^ switched), seed
    _check_journal(world, header, passing.touched)
    world.check_values()
    assert [one for one in world.resent() if one.split()[0] not in doubtful] == [], seed


def _grown_old(world: CutoverWorld, header: CutoverHeader) -> set[str]:
    """SIMs left on as the carriers held us up until their new SIM's last sign of life was truly too old."""
    oldest, pairs = world.now() - timedelta(seconds=CutoverPolicy().alive_within_s), world.pairs()
    with world.store() as store:
        items = [item for wave in header.waves for item in store.cutovers.items(header.cutover_id, wave)]
    codes = {item.row.source_iccid.digits: step.code for item in items if (step := item.steps.get(StepKind.SOURCE))}
    left = {old for old, code in codes.items() if code == CutoverReason.NOT_ALIVE_LATELY}
    return {old for old in left if all(one.end < oldest for one in world.target.sims[pairs[old]].sessions)}


def _days_go_by(world: CutoverWorld, chance: random.Random) -> OldSim:
    """Some units go back to their old SIM, some of these once more to the new one, and somebody may ask for proof."""
    days = chance.choice([0, 0, 2, 5])
    world.wait(days * DAY_S)
    today, olds = world.now().date(), world._olds()
    back = chance.sample(sorted(world.connected), min(len(world.connected), chance.choice([0, 1, 2])))
    for new in back:
        world.comes_back(olds[new], today - timedelta(days=chance.randint(0, 2)))
        if chance.random() < 0.3:
            lately = world.now() - world.claimed_at(olds[new])
            world.let_pass_data(new, after_s=lately.total_seconds())
    if chance.random() < 0.5:
        world.noted = {old for old, told in world.proves_life().items() if told == OldSide.TALKS}
    return chance.choice([OldSim.MUST_BE_SILENT, OldSim.MUST_BE_SILENT, OldSim.IF_KNOWN, OldSim.NOT_ASKED])


def _somebody_labels(world: CutoverWorld, chance: random.Random) -> Oddities:
    """Write odd labels in half of the schedules, some of them after the last pull, and have records tell some oddly."""
    if chance.random() < 0.5:
        return Oddities()
    odd = oddities(chance, [sim.iccid for sim in world.source.fleet])
    for iccid, label in odd.labels.items():
        sim = world.source.fleet.find(iccid)
        assert sim is not None
        sim.label = label
    world.before = world.values()
    odd = world.tells_labels(odd)
    if odd.is_pulled:
        world.pull()
    return odd


def _in_doubt(world: CutoverWorld, header: CutoverHeader) -> set[str]:
    """SIMs whose orders may yet take effect where a plan ended: going back orders them, whatever they show."""
    with world.store() as store:
        items = list(store.cutovers.all_items(header.cutover_id))
    return {
        item.row.source_iccid.digits
        for item in items
        if (step := item.steps.get(StepKind.SOURCE)) is not None
        and (step.state is StepState.UNCERTAIN or (step.state is StepState.PENDING and step.doubt in MAY_STILL_COME))
    }


def _check_journal(world: CutoverWorld, header: CutoverHeader, touched: set[str]) -> None:
    """Journal, log and truth agree on every SIM of a plan that is carried out, but those that people touched."""
    wanted = "Disabled" if header.direction is Direction.CUTOVER else "Enabled"
    with world.store() as store:
        items = list(store.cutovers.all_items(header.cutover_id))
        assert {item.row.source_iccid.digits for item in items} == world.meant(header)
        left = [item for item in items if item.row.source_iccid.digits not in touched]
        assert {item.state_of(StepKind.SOURCE) for item in left} <= {StepState.DONE, StepState.SKIPPED}
        assert {world.old_state(item.row.source_iccid.digits) for item in left} <= {wanted}
        check_audit(store, header.plan_id, world.folder)


def _until_over(world: CutoverWorld, chance: random.Random, header: CutoverHeader, passing: Passing) -> None:
    direction = header.direction
    kinds = [fault for fault in Fault if fault is not Fault.NONE and chance.random() < 0.5]
    share = chance.choice([0.0, 0.05, 0.15])
    rates: dict[Fault, float] = {kind: share / max(1, len(kinds)) for kind in kinds}
    world.source.faults = FaultPlan(rates, seed=chance.randint(0, 10**6))
    world.target.faults = FaultPlan(rates, seed=chance.randint(0, 10**6))
    result, more = None, random.Random(f"source of {world.seed} {direction}")
    for run in range(MOST_RUNS):
        calm = run >= QUIET_AFTER
        world.begins_run(more, is_calm=calm)
        if calm:
            world.source.faults = world.target.faults = FaultPlan()
        try:
            dies = not calm and chance.random() < 0.5
            hooks = crash_at(chance.choice(POINTS), chance.randint(1, 6)) if dies else None
            result = world.carry_out(direction, hooks=hooks if calm else passing.hooks(direction, hooks))
        except Crash:
            continue
        passing.touched |= _grown_old(world, header)
        if result.exit_code is ExitCode.DONE or (passing.touched and result.exit_code is ExitCode.ATTENTION):
            return
        if passing.touched and result.exit_code is ExitCode.HALTED:  # a gate stays closed for what people did
            passing.touched |= set(world.pairs())
            return
        assert result.exit_code is ExitCode.RESUMABLE, result
        world.elapsed_s += chance.choice([1, 30, 700])
    raise AssertionError(f"no end after {MOST_RUNS} runs; the last said {result}")
