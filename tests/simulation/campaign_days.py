"""A campaign over months: swaps on weekdays, bad cards, outages, kills, prices that change, a balance that runs dry.

The simulators know which card was charged when, and which old SIM is on. What the campaign did is held against that.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.identifiers import Iccid
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.results import ExitCode
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Hooks, quiet
from tests.worlds.campaigned import STAGES, CampaignWorld
from tests.worlds.outside import site_of
from tests.worlds.world import Crash, crash_at, new_sims

__all__ = ["CampaignDays", "live_through_a_campaign"]

DAY_S = 86_400.0
POINTS = ("after_intent", "after_effect", "after_outcome")
KINDS = (StepKind.CLAIM, StepKind.SOURCE, StepKind.LIMITS, None)
FAULTS = (Fault.LOSE_BEFORE, Fault.LOSE_AFTER, Fault.SERVER_ERROR_AFTER, Fault.HTML, Fault.TOO_MANY, Fault.LATE)
BAD, OUTAGES = 0.02, 0.01
AHEAD_DAYS, LISTED_DAYS = 3, 5
TAIL_DAYS = 8  # after the last swap: rests, and what a kill left open
DEAREST = 10
MONTH_S = 30 * DAY_S
FEE = Decimal(1)
"""What a claimed card costs in a month, where only the relation counts."""


RECEIVER = """
[[notify]]
to = "webhook"
url_from = "NOBODY_IS_THERE"
on = ["daily", "stopped", "needs_attention", "cutover_done"]
"""
STOPS = {ExitCode.REFUSED, ExitCode.HALTED}


def _day(at_s: float) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()


@dataclass(slots=True)
class CampaignDays:
    """A fleet, its campaign, and the truth about both.

    Attributes:
        bad: old SIMs whose card cannot be claimed.
        swapped: when each unit got its card, by the world's clock.
        claimed: when each card was charged.
        codes: how many ticks ended with each exit code.
    """

    world: CampaignWorld
    chance: random.Random
    days: int
    units: list[str] = field(default_factory=list)
    card_of: dict[str, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    swap_day: dict[str, int] = field(default_factory=dict)
    swapped: dict[str, float] = field(default_factory=dict)
    codes: Counter[int] = field(default_factory=Counter)
    kills: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    tell: Callable[[str], None] = lambda _words: None

    # --- before the first van leaves ---

    def began(self) -> None:
        """The campaign is approved, and a date is set for each unit."""
        world = self.world
        world.began(
            claims_per_day=self.most_a_day,
            claims_total=world.sims,
            spend_per_day=f"{self.most_a_day * DEAREST}.00",
            spend_total=f"{world.sims * DEAREST}.00",
            ahead=f"{AHEAD_DAYS}d",
            more=RECEIVER,
        )
        self.units = world.on()
        order = self.chance.sample(self.units, len(self.units))
        weekdays = [day for day in range(2, self.days - TAIL_DAYS) if self._is_weekday(day)]
        for number, old in enumerate(order):
            self.swap_day[old] = weekdays[number * len(weekdays) // len(order)]
            self.card_of[old] = world.cards[number]
        poisoned = world.target.behaviour.poison
        self.bad = {old for old, card in self.card_of.items() if card in poisoned}

    @property
    def per_day(self) -> int:
        """Swaps on a weekday, about."""
        return max(1, -(-self.world.sims * 7 // (5 * max(1, self.days - TAIL_DAYS - 2))))

    @property
    def most_a_day(self) -> int:
        """The most claims on one day."""
        return self.per_day * 3

    def _is_weekday(self, day: int) -> bool:
        return (self.world.now() + timedelta(days=day - self.world.elapsed_s / DAY_S)).weekday() < 5

    # --- the days ---

    def lived(self) -> None:
        """Day after day: lists come in, vans drive, the tick runs until nothing is left for today."""
        world = self.world
        dry_on = self.days // 3
        dear_on, cheap_on = self.days // 4, self.days // 2
        for day in range(self.days):
            if day == dear_on:
                self._priced(Decimal("1.2"))
            if day == cheap_on:
                self._priced(Decimal("0.9"))
            if day == dry_on:
                world.target.balance = Decimal(0)
            if day == dry_on + 2:
                world.target.balance = Decimal(10_000_000)
            self._hands_in(day)
            self._ticks()
            self._swaps(day)
            world.wait((day + 1) * DAY_S - world.elapsed_s)
            self.tell(f"day {day + 1}: {len(self.swapped)} swapped, {world.claims()} claimed, {self.kills} kills")

    def _priced(self, times: Decimal) -> None:
        self.world.target.behaviour = replace(self.world.target.behaviour, price_times=times)

    def _hands_in(self, day: int) -> None:
        """The list of the units that are planned a few days ahead."""
        soon = range(LISTED_DAYS + 1) if day == 0 else (day + LISTED_DAYS,)
        planned = [old for old, at in self.swap_day.items() if at in soon]
        if planned:
            self.world.hand_in_pairs(f"vans-{day:03d}.csv", [(old, self.card_of[old]) for old in planned])

    def _ticks(self) -> None:
        world = self.world
        rates = {fault: OUTAGES / len(FAULTS) for fault in FAULTS}
        world.target.faults = FaultPlan(rates, seed=self.chance.randint(0, 10**6))
        world.source.faults = FaultPlan(rates, seed=self.chance.randint(0, 10**6))
        hooks = crash_at(self.chance.choice(POINTS), self.chance.randint(1, 8), self.chance.choice(KINDS))
        doomed = self.chance.choice((None, *STAGES))  # half of the kills are around a write, the others between stages

        def dies(event: str, values: Mapping[str, Any]) -> None:
            if event == "campaign_stage" and values["stage"] == doomed:
                raise Crash(str(doomed))

        for attempt in range(3):
            world.outside.doomed = hooks if attempt == 0 else Hooks()
            try:
                ticked = world.tick(dies if attempt == 0 and self.chance.random() < 0.5 else quiet)
            except Crash:
                self.kills += 1
                world.wait(900)
                continue
            self.codes[int(ticked.exit_code)] += 1
            if ticked.exit_code is not ExitCode.DONE:
                self.reasons[ticked.reason] += 1
            if ticked.exit_code is not ExitCode.RESUMABLE:
                break
            world.wait(900)
        self.must_hold()

    def _swaps(self, day: int) -> None:
        world = self.world
        for old, at in self.swap_day.items():
            if at == day:
                card = self.card_of[old]
                if world.target.sims[card].device_id is None:
                    if old not in self.bad:
                        self.swap_day[old] = day + 1  # the van comes again: the card is not claimed yet
                    continue
                world.seen_in(card, old)
                self.swapped[old] = world.elapsed_s

    # --- what must hold ---

    def must_hold(self) -> None:
        """After every day: nothing charged twice or past a bound, no unit silenced."""
        world = self.world
        world.check()
        claimed = [world.target.sims[card].claimed_at for card in world.target.ledger.charges]
        by_day = Counter(at.date() for at in claimed if at is not None)
        assert max(by_day.values(), default=0) <= self.most_a_day, f"past [campaign] claims_per_day: {by_day}"
        assert sum(by_day.values()) <= world.sims
        assert world.target.ledger.charged <= world.sims * DEAREST
        for old in world.off():
            if old in self.card_of:
                assert old in self.swapped, f"{old} is off, and its unit was never swapped"
                assert world.target.sims[self.card_of[old]].state == "LIVE", f"{old} is off, and so is its new SIM"

    def must_have_ended(self) -> None:
        """At the end every unit is cut over, or among the exceptions."""
        off = self.world.off()
        left = set(self.units) - off
        assert left <= self.bad, f"left on without a reason: {sorted(left - self.bad)[:5]} of {len(left - self.bad)}"
        with site_of(self.world, self.world.outside) as site:
            refused = site.store.due.refused(site.store.campaigns.required(), "claim_refused")
        assert set(refused) == {Iccid.parse(old).key for old in self.bad}
        self._must_have_told()

    def _must_have_told(self) -> None:
        """No notice is lost: each day has its numbers, and each end that is nobody's routine is told on its day."""
        with site_of(self.world, self.world.outside) as site:
            told = site.store.outbox.newest(1_000_000)
            ended = [
                (one.ended_s, one.exit_code) for one in site.store.ticks.list(1_000_000) if one.ended_s is not None
            ]
        days = {event: [_day(one.made_at) for one in told if one.event is event] for event in NoticeEvent}
        assert sorted(days[NoticeEvent.DAILY]) == sorted({_day(at) for at, _ in ended}), "once for each day"
        assert {_day(at) for at, code in ended if code in STOPS} <= set(days[NoticeEvent.STOPPED])
        assert {_day(at) for at, code in ended if code == ExitCode.ATTENTION} <= set(days[NoticeEvent.NEEDS_ATTENTION])
        done = [one.told["counts"]["switched_off"] for one in told if one.event is NoticeEvent.CUTOVER_DONE]
        assert len(done) == len(set(days[NoticeEvent.CUTOVER_DONE])), "once a day at most"
        assert sum(done) == len(self.world.off() & set(self.units)), "each old SIM that went off is told once"

    def idle(self) -> tuple[Decimal, Decimal]:
        """Return what cards that waited for their swap cost: as claimed, and if all had been claimed on day one."""
        world, ours, all_at_once = self.world, 0.0, 0.0
        for old, swapped_s in self.swapped.items():
            claimed_at = world.target.sims[self.card_of[old]].claimed_at
            assert claimed_at is not None
            claimed_s = claimed_at.timestamp() - (world.now().timestamp() - world.elapsed_s)
            ours += max(0.0, swapped_s - claimed_s)
            all_at_once += swapped_s
        cent = Decimal("0.01")
        return FEE * Decimal(ours / MONTH_S).quantize(cent), FEE * Decimal(all_at_once / MONTH_S).quantize(cent)


def live_through_a_campaign(
    seed: int, folder: Path, *, units: int, days: int, tell: Callable[[str], None] = lambda _words: None
) -> CampaignDays:
    """Migrate a fleet by a campaign, day by day.

    Raises: AssertionError, at the first thing that is not as it must be.
    """
    chance = random.Random(f"cards {seed}")
    spoiled = frozenset(chance.sample(new_sims(units), max(1, round(BAD * units))))
    world = CampaignWorld(folder, sims=units, seed=seed, behaviour=HologramBehaviour(poison=spoiled))
    lived = CampaignDays(world, random.Random(f"campaign {seed}"), days, tell=tell)
    lived.began()
    lived.lived()
    lived.must_have_ended()
    return lived
