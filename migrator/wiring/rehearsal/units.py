"""Units of a rehearsal: a share of them goes online.

A unit goes online some time after its new SIM is live.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from migrator.carriers.hologram.simulator import HologramSimulator, SimulatedLink
from migrator.carriers.hologram.simulator.stock import IN_TEST, default_name
from migrator.core.cutover.silence import Silence
from migrator.wiring.rehearsal.scans import ScanFiles, Swap
from migrator.wiring.simulated import SimulatedOldSim, SimulatedSource

__all__ = ["SwapDays", "UnitsOutside"]

UNNAMED_S = 120.0
"""Seconds after which a device without a name stays without.

Until then its name may still show the unit.
"""

LOOK_EVERY_S, MOST_LOOKS = 1.0, 2000
"""Seconds between two rounds, and most SIMs in a round.

With a fleet of a million, requests must still be answered.
"""

MEGABYTE = 1_048_576
NAMELESS = ("0000000000000000", "3511111222222201")
"""Filler, and an IMEI of a whole batch of modems."""

ONE_DAY = timedelta(days=1)
SILENCES = (
    Silence.NEVER_ATTACHED,
    Silence.NO_SESSION,
    Silence.ZERO_BYTES,
    Silence.PAUSED_BY_SYSTEM,
    Silence.OLD_SIM_TALKS,
    Silence.UNIT_DEAD_BEFORE,
)
"""Ways in which units of a rehearsal are silent."""


@dataclass(frozen=True, slots=True)
class SwapDays:
    """Swaps by technicians, who do not ask whether a card is live.

    Args:
        per_day: units a day, evenly spread; None: all units at once.
        scans: the files that technicians write; None: they write nothing.
    """

    per_day: float | None = None
    scans: ScanFiles | None = None

    def after(self, at: datetime) -> datetime:
        """Return the time of the swap after one."""
        return at + (ONE_DAY / self.per_day if self.per_day else timedelta())


@dataclass(slots=True)
class UnitsOutside:
    """Put new SIMs into the units of their old SIMs.

    The carriers do not know which new SIM takes the place of which old SIM. The name of a device tells, where it is the
    label of one old SIM, or holds the ICCID of an old SIM. Else the new SIMs were dealt out in the order of the old
    ICCIDs. With `swaps` technicians deal them out so, whatever their names are.

    Args:
        pool: the new SIMs, in the order in which they are dealt out.
        share: of 1, how many of them go online.
        crossed: of 1, how many cards are in the unit of a neighbour, as a technician took whichever was on top.
        nameless: of 1, how many modems have an IMEI that others have, too, or a filler.
        silent: of 1, how many of the others are silent in a way that both carriers show, in turn of `SILENCES`.
        after_s: how long after its claim a SIM goes online at the soonest.
        swaps: when cards come into their units; None: as soon as they are live.
    """

    source: SimulatedSource
    hologram: HologramSimulator
    pool: Iterable[str]
    share: float
    seed: int = 0
    after_s: float = 5.0
    crossed: float = 0.0
    nameless: float = 0.0
    silent: float = 0.0
    swaps: SwapDays | None = None
    _told: int = field(default=0, init=False)
    _waiting: deque[str] = field(default_factory=deque, init=False)
    _looked_at: datetime | None = field(default=None, init=False)
    _old_by_new: dict[str, str] = field(default_factory=dict, init=False)
    _olds: list[str] = field(default_factory=list, init=False)
    _places: dict[str, int] = field(default_factory=dict, init=False)
    _old_by_label: dict[str, str | None] = field(default_factory=dict, init=False)
    _swapped: set[str] = field(default_factory=set, init=False)
    _to_swap: Iterator[tuple[str, str]] | None = field(default=None, init=False)
    _next_swap: tuple[str, str] | None = field(default=None, init=False)
    _next_at: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._waiting.extend(self.pool)
        if self.nameless:
            for sim in self.source.fleet:
                draw = self._draw("modem", sim.iccid)
                if draw < self.nameless:
                    sim.imei = NAMELESS[draw < self.nameless / 2]

    def _draw(self, purpose: str, iccid: str) -> float:
        return random.Random(f"{self.seed} {purpose} {iccid}").random()

    def go_round(self) -> None:
        """Let the units go online whose time has come."""
        now = self.hologram.now
        if self._looked_at is not None and now - self._looked_at < timedelta(seconds=LOOK_EVERY_S):
            return
        self._looked_at = now
        if self.swaps is not None:
            self._swap(self.swaps, now)
        for _ in range(min(len(self._waiting), MOST_LOOKS)):
            iccid = self._waiting.popleft()
            if not self._is_settled(iccid, now):
                self._waiting.append(iccid)

    def _swap(self, swaps: SwapDays, now: datetime) -> None:
        """Swap the units whose turn has come."""
        if self._to_swap is None or self._next_at is None:
            self._to_swap, self._next_at = self._dealt(), swaps.after(now)
            self._next_swap = next(self._to_swap, None)
        done: list[Swap] = []
        while self._next_swap is not None and self._next_at <= now:
            old, card = self._next_swap
            unit, noted = self._unit_of(old) or old, self.source.fleet.find(old)
            self._swapped.add(card)
            self._goes_silent(self.source.fleet.find(unit), self._next_at)
            imei = None if noted is None else noted.imei
            done.append(Swap(len(self._swapped), self._next_at, old, card, unit, imei))
            self._next_at, self._next_swap = swaps.after(self._next_at), next(self._to_swap, None)
        if swaps.scans is not None:
            swaps.scans.note(done)

    def _dealt(self) -> Iterator[tuple[str, str]]:
        """Yield old SIMs to be swapped, each with its card."""
        self._learn()
        for card, old in self._old_by_new.items():
            if self._drawn(card) < self._all_shares():
                yield old, card

    @staticmethod
    def _goes_silent(old: SimulatedOldSim | None, at: datetime) -> None:
        """Let an old SIM be silent since the day before.

        So nobody who rehearses has to wait for tomorrow.
        """
        if old is not None:
            old.silent_from = at.date() - ONE_DAY

    def _drawn(self, iccid: str) -> float:
        return random.Random(f"{self.seed} {iccid}").random()

    def _all_shares(self) -> float:
        return self.share + self.silent * (1 - self.share)

    def _is_settled(self, iccid: str, now: datetime) -> bool:
        """True if a SIM went online, or never will."""
        drawn = self._drawn(iccid)
        if drawn >= self._all_shares():
            return True
        link = self.hologram.sims.get(iccid)
        if link is None or link.claimed_at is None or link.state not in self._states():
            return False
        if self.swaps is not None and iccid not in self._swapped:
            return False
        age_s = (now - link.claimed_at).total_seconds()
        is_named = self.swaps is not None or link.name not in {None, default_name(iccid)}
        if age_s < self.after_s or (not is_named and age_s < UNNAMED_S):
            return False
        old = self.source.fleet.find(self._unit_of(self._old_of(link)) or "")
        if drawn >= self.share:
            self._fall_silent(link, old, now)
            return True
        self._goes_silent(old, now)
        self.hologram.add_session(iccid, now, MEGABYTE, self._hardware(link, old))
        return True

    def _states(self) -> tuple[str, ...]:
        """Return the states in which a card goes online.

        Technicians swap cards in Test Mode, too.
        """
        return ("LIVE",) if self.swaps is None else ("LIVE", IN_TEST)

    def _unit_of(self, old: str | None) -> str | None:
        """Return the old SIM in whose unit a card really is.

        Cards are put in crosswise by two, in the order of the old ICCIDs.
        """
        if old is None or not self.crossed:
            return old
        if not self._places:
            self._olds = sorted(sim.iccid for sim in self.source.fleet)
            self._places = {iccid: place for place, iccid in enumerate(self._olds)}
        place = self._places.get(old)
        if place is None or (place ^ 1) >= len(self._olds):
            return old
        first = self._olds[place & ~1]
        return self._olds[place ^ 1] if self._draw("crossed", first) < self.crossed else old

    def _fall_silent(self, link: SimulatedLink, old: SimulatedOldSim | None, now: datetime) -> None:
        """Let a unit be silent in the next of the ways.

        Days lie in the past, so that nobody who rehearses has to wait for tomorrow.
        """
        why = SILENCES[self._told % len(SILENCES)]
        self._told += 1
        yesterday = now.date() - ONE_DAY
        if old is not None:
            old.imei = old.imei or self._hardware(link, None)
            old.silent_from, old.used_on = yesterday, (yesterday - ONE_DAY,)
        if why is Silence.NO_SESSION:
            self.hologram.add_attach(link.iccid, now)
        elif why is Silence.ZERO_BYTES:
            self.hologram.add_session(link.iccid, now, 0, self._hardware(link, old))
        elif why is Silence.PAUSED_BY_SYSTEM:
            link.state = "PAUSED-SYS"
        elif why is Silence.OLD_SIM_TALKS and old is not None:
            link.claimed_at, old.silent_from, old.used_on = now - 3 * ONE_DAY, None, (now.date(), yesterday)
        elif why is Silence.UNIT_DEAD_BEFORE and old is not None:
            old.silent_from, old.used_on = yesterday - 90 * ONE_DAY, ()

    @staticmethod
    def _hardware(link: SimulatedLink, old: SimulatedOldSim | None) -> str:
        """Return the IMEI of the unit that the old SIM was in.

        A unit that the source never saw has an IMEI of its own.
        """
        return (None if old is None else old.imei) or f"35{int(link.iccid[-13:-1]):012d}0"

    def _old_of(self, link: SimulatedLink) -> str | None:
        if not self._old_by_new:
            self._learn()
        name = link.name or ""
        if self.swaps is not None:
            return self._old_by_new.get(link.iccid)
        own = name.rpartition("-")[2]  # as a policy names SIMs without a label
        if own != name and self.source.fleet.find(own) is not None:
            return own
        return self._old_by_label.get(name) or self._old_by_new.get(link.iccid)

    def _learn(self) -> None:
        olds = []
        for sim in self.source.fleet:
            olds.append(sim.iccid)
            if sim.label:
                self._old_by_label[sim.label] = None if sim.label in self._old_by_label else sim.iccid
        self._old_by_new = dict(zip(self.pool, sorted(olds), strict=False))
