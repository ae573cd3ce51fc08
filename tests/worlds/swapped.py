"""A fleet that technicians swap over weeks: cards in other units than planned, mistyped scans, modems without an IMEI.

The simulators know which card is in which unit. What is found, corrected and cut over is held against that.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from migrator.core.cutover.discovery import CardBucket, CardFinding
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import ApplyOptions
from tests.worlds.corrected import MEGABYTE, CorrectedWorld

__all__ = ["SwappedFleet", "live_through_swaps"]

DAYS, DAY_S = 20, 86_400.0
FILLER, SHARED, BENCH = "0000000000000000", "3511111222222201", "3533333444444401"
CROSSED, MISTYPED, NAMELESS, ON_THE_BENCH = 0.10, 0.03, 0.05, 0.02
SIMS_A_SWAP = 1.4
"""SIMs of the fleet for each unit that is swapped.

About one in five SIMs is off or has no label, and some units are not reached by anybody.
"""
TYPED = "8944500888888{:06d}"


class _LookedAtNowAndThen(CorrectedWorld):
    """A world that is looked at after every exchange while it is small, and after each so many while it is large."""

    _exchanges = 0

    def watch_and_note(self) -> None:
        """A look goes through the whole fleet, and so would grow with its square."""
        self._exchanges += 1
        if self._exchanges % (1 + self.sims // 100) == 0:
            super().watch_and_note()


@dataclass(frozen=True, slots=True)
class Bar:
    """The fleet after its cutover, counted by what the simulators know.

    Attributes:
        settled: swapped units whose pair the evidence can settle.
        right: those of them that have their true pair.
        wrong: pairs that were accepted, and are not true.
        in_use_off: old SIMs that are off, though no new SIM is in their unit, or another one than the store has.
        charged_twice: cards that were charged more than once.
    """

    settled: int
    right: int
    wrong: int
    in_use_off: int
    charged_twice: int

    @property
    def is_met(self) -> bool:
        """True if each pair is right, and nothing was lost."""
        return self.right == self.settled > 0 and not self.wrong and not self.in_use_off and not self.charged_twice


@dataclass(slots=True)
class SwappedFleet:
    """Units, and the truth about them.

    Attributes:
        truth: the new SIM that is really in the unit of each old one; units that nobody swapped are left out.
        nameless: old SIMs in units whose modem has a shared IMEI, or none.
        found: pairs that discovery accepted or corrected.
        accepted: pairs that were found.
    """

    world: CorrectedWorld
    chance: random.Random
    units: list[str] = field(default_factory=list)
    truth: dict[str, str] = field(default_factory=dict)
    nameless: set[str] = field(default_factory=set)
    accepted: int = 0
    found: dict[str, str] = field(default_factory=dict)

    def some(self, share: float) -> list[str]:
        """Draw a share of the units, at least one."""
        return self.chance.sample(self.units, max(1, round(share * len(self.units))))

    # --- before the first van leaves ---

    def made_ready(self) -> None:
        """Each unit has its modem; the fleet is pulled, paired as the scans say, and claimed."""
        world = self.world
        self.units = world.on()
        self.nameless = set(self.some(NAMELESS))
        for number, old in enumerate(self.units):
            sim = world.source.fleet.find(old)
            assert sim is not None
            sim.imei = self.chance.choice((FILLER, SHARED)) if old in self.nameless else f"35300000{number:06d}17"
        world.migrated(silent=len(list(world.source.fleet)))
        self._cross()
        self._mistype()

    def _cross(self) -> None:
        """Some technicians took the cards of a street in another order."""
        self.truth = {old: card for old, card in self.world.pairs().items() if old in set(self.units)}
        crossed = self.some(CROSSED)
        while len(crossed) > 1:
            street = [crossed.pop() for _ in range(min(len(crossed), self.chance.randint(2, 5)))]
            cards = [self.truth[old] for old in street]
            for at, old in enumerate(street):
                self.truth[old] = cards[at - 1]

    def _mistype(self) -> None:
        """Some units have a card that no list names, as its number was mistyped."""
        for number, old in enumerate(self.some(MISTYPED)):
            card = TYPED.format(number)
            self.world.target.stock_claimed([card])
            self.truth[old] = card

    # --- the weeks of the swaps ---

    def swapped(self, count: int) -> None:
        """So many units are swapped in any order over twenty days; the others are not reached."""
        world, order = self.world, self.chance.sample(self.units, len(self.units))
        order, unreached = order[:count], set(order[count:])
        assert unreached, f"a fleet of {world.sims} SIMs has no more than {len(self.units)} units"
        self.truth = {old: card for old, card in self.truth.items() if old not in unreached}
        imeis = {old: world.unit_of(old) for old in self.units}
        share = -(-len(order) // DAYS)
        for day in range(DAYS):
            world.wait(DAY_S / 2)
            for old in order[day * share : (day + 1) * share]:
                self._lives(old, imeis[old])
                world.goes_silent(old, world.target.now.date() + timedelta(days=1))  # used on the very day
            world.wait(DAY_S / 2)
            if day == DAYS // 2:
                world.pull()
        world.wait(2 * DAY_S)
        for old in order:
            self._lives(old, imeis[old])
        for old in order[: max(1, round(ON_THE_BENCH * len(order)))]:
            sim = world.source.fleet.find(old)
            assert sim is not None
            sim.imei = BENCH
        world.wait(3600)
        world.pull()

    def _lives(self, old: str, imei: str) -> None:
        self.world.target.add_session(self.truth[old], self.world.target.now, MEGABYTE, imei)
        self.world.connected.add(self.truth[old])

    # --- the office ---

    def discovered_and_corrected(self) -> Counter[CardBucket]:
        """What the evidence settles is accepted and corrected; each of it must be true."""
        world = self.world
        before = world.pairs()
        result, each = world.discovered(accept=True)
        assert result.tally.looked_at == sum(result.tally.buckets.values())
        settled = [one for one in each.values() if one.bucket in {CardBucket.EXACT, CardBucket.CONTRADICTS}]
        for one in settled:
            self._must_be_true(one)
        added = {old: new for old, new in world.pairs().items() if old not in before}
        assert all(self.truth[old] == new for old, new in added.items()), "a wrong pair was accepted"
        self.accepted = result.accepted + len(settled)
        self.found = added | {str(one.source): str(one.sight.target) for one in settled}
        wrong = {str(one.source): str(one.sight.target) for one in settled if one.bucket is CardBucket.CONTRADICTS}
        if wrong:
            world.corrected(wrong, reason="its number was mistyped, or its unit is not known yet")
        return result.tally.buckets

    def _must_be_true(self, one: CardFinding) -> None:
        old, new = str(one.source), str(one.sight.target)
        assert self.truth.get(old) == new, f"{new} was found to be in the unit of {old}, and is not"

    def must_be_right(self) -> None:
        """Every pair that the evidence can settle is what the simulators know."""
        pairs = self.world.pairs()
        for old, new in self.truth.items():
            if old not in self.nameless:
                assert pairs.get(old) == new, f"{old} has {new}, and is paired with {pairs.get(old)}"

    def cut_over(self) -> set[str]:
        """Plan, apply, and switch off what was observed. Returns: the old SIMs that went off."""
        world = self.world
        charged = dict(world.target.ledger.charges)
        assert world.plan().claims == 0
        assert world.apply_until_quiet().exit_code in {ExitCode.DONE, ExitCode.ATTENTION}
        assert dict(world.target.ledger.charges) == charged, "something was charged by a correction"
        assert set(charged.values()) == {1}, "a card was charged twice"
        before = world.off()
        world.cutover_plan(wants_observed=True)
        world.before = world.values()
        world.may_go_off = before | set(self.truth)
        world.cut_over()
        world.watch()
        off = world.off() - before
        pairs = world.pairs()
        for old in off:
            assert self.truth.get(old) == pairs[old], f"{old} is off, and its unit has another card"
        return off

    def bar(self) -> Bar:
        """Count once more at the end, from what the simulators know and the store has."""
        pairs, settled = self.world.pairs(), set(self.truth) - self.nameless
        in_use = {old for old in self.units if self.truth.get(old) is None or pairs.get(old) != self.truth[old]}
        return Bar(
            settled=len(settled),
            right=sum(pairs.get(old) == self.truth[old] for old in settled),
            wrong=sum(self.truth.get(old) != new for old, new in self.found.items()),
            in_use_off=sum(self.world.old_state(old) != "Enabled" for old in in_use),
            charged_twice=sum(count > 1 for count in self.world.target.ledger.charges.values()),
        )


def live_through_swaps(seed: int, folder: Path, units: int) -> SwappedFleet:
    """Swap so many units, discover, correct and cut them over.

    Raises: AssertionError, at the first thing that is not as it must be.
    """
    world = _LookedAtNowAndThen(folder, sims=round(SIMS_A_SWAP * units), seed=seed, options=ApplyOptions())
    fleet = SwappedFleet(world, random.Random(f"swaps {seed}"))
    fleet.made_ready()
    fleet.swapped(units)
    fleet.discovered_and_corrected()
    fleet.must_be_right()
    off = fleet.cut_over()
    settled = set(fleet.truth) - fleet.nameless
    assert settled <= off, f"{len(settled - off)} units that are known to be moved were left on"
    assert not off & fleet.nameless
    for old in set(fleet.units) - set(fleet.truth):
        assert world.old_state(old) == "Enabled", f"{old} was never swapped, and is off"
    return fleet
