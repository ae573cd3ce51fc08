"""Week of a campaign on the simulators, in seconds.

What is told of it is held against the simulators' own ledgers.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from migrator.carriers.hologram.simulator import HologramSimulator
from migrator.carriers.onence.simulator import OnenceSimulator, SimStatus
from migrator.core.run.results import ExitCode
from migrator.errors import MigratorError
from migrator.inputs.settings.settings import load_settings
from migrator.store import Store
from migrator.wiring import open_file
from migrator.wiring.rehearsal.days import JumpingClock, RehearsedOutside
from migrator.wiring.rehearsal.rehearsal import pool_of
from migrator.workflows.campaign.make import INTAKE, approve_campaign, create_campaign
from migrator.workflows.campaign.once import Ticked, run_once
from migrator.workflows.campaign.report import WrittenFleet, campaign_report
from migrator.workflows.campaign.status import campaign_status
from migrator.workflows.field.correct import correct_pairs
from migrator.workflows.field.import_pairs import import_pairs
from migrator.workflows.site import Site

__all__ = ["REF", "Week", "WeekDay", "rehearse_week"]

SIMS, DAYS, WORKING_DAYS = 60, 7, 5
SWAPS_A_DAY, CLAIMS_A_DAY = 12, 15
LISTED_AT_FIRST = 30
MORE_LISTED_ON, CROSSED_ON, REFUSED_AT, MENDED_ON = 2, 2, 33, 4
"""Days, from 0, on which something happens.

`REFUSED_AT` is the place of the pair whose card cannot be claimed.
"""

PERSON, REF = "ann@office", "CHG0042"
VANS, EVENING = time(10), time(18)
MEGABYTE = 1_048_576
SETTINGS = {
    "ONENCE_CLIENT_ID": "simulated",
    "ONENCE_CLIENT_SECRET": "simulated",
    "HOLOGRAM_API_KEY": "simulated",
    "HOLOGRAM_ORG_ID": "98765",
}
POLICY = """\
policy_version = 1

[claim]
data_plan_id = 2096
zone = "global"

[status]
disabled = "skip"

[campaign]                # what is approved: within it nothing is asked, outside of it nothing is sent
until = {until}
claims_per_day = {claims}
claims_total = {sims}
spend_per_day = {claims}.00
spend_total = {sims}.00
cutover = "auto"
cutover_rest = "24h"
discover = "exact"        # pairs that the hardware of both carriers settles are taken
"""


@dataclass(frozen=True, slots=True)
class WeekDay:
    """Day of people, and its call of `campaign run --once`.

    Args:
        day: the date.
        people: what people did, in words.
        claimed: cards that the call claimed.
        switched_off: old SIMs that it switched off.
        exit_code: of the call.
        reasons: what held it up, the gravest first; empty if all was done that was due.
        after: what people did once they had read the reasons; "" for nothing.
    """

    day: date
    people: Sequence[str]
    claimed: int
    switched_off: int
    exit_code: ExitCode
    reasons: Sequence[str]
    after: str


@dataclass(frozen=True, slots=True)
class Week:
    """The whole week, by the simulators' ledgers where they know.

    Args:
        folder: with the store, the policy and the campaign's folder.
        cards: new SIMs that were charged, each of them once.
        charged: for them, in all.
        most_a_day: the most cards that were charged on one day.
        off: old SIMs that are off; each has a living new SIM in its unit.
        idle: words on cards that are claimed and in no unit yet.
        report: the files, and what the report says first.
    """

    folder: Path
    cards: int
    charged: Decimal
    most_a_day: int
    off: int
    idle: str
    report: WrittenFleet


def rehearse_week(
    folder: Path, *, now: datetime, seed: int = 1, tell: Callable[[WeekDay], None] = lambda _day: None
) -> Week:
    """Run a campaign through the last whole week before `now`.

    Args:
        folder: an empty one.
        now: the time in UTC.
        seed: the same seed makes the same fleet.
        tell: told each day, once it is over.

    Raises: MigratorError, where the simulators saw what must never happen.
    """
    with open_file(folder / "migrator.db", create=True) as store:
        week = _Rehearsing(folder, store, now=now, seed=seed)
        week.begin()
        for number in range(DAYS):
            tell(week.lived(number))
        return week.ended()


class _Rehearsing:
    """Fleet, carriers and people of the week."""

    def __init__(self, folder: Path, store: Store, *, now: datetime, seed: int) -> None:
        monday = now.date() - timedelta(days=now.weekday() + DAYS)
        self.folder, self.monday = folder, monday
        self.clock = JumpingClock(datetime.combine(monday, EVENING, now.tzinfo))  # their clocks begin with a request
        self.onence = OnenceSimulator(seed=seed, sims=SIMS, epoch=self.clock.now())
        self.hologram = HologramSimulator(seed=seed, epoch=self.clock.now())
        outside = RehearsedOutside(self.onence, self.hologram, self.clock)
        self.site = Site(store, load_settings(SETTINGS, None), outside=outside)
        self.intake = folder / "campaign" / INTAKE
        self.cards = _Cards(self.onence, self.hologram)
        self.off_by_us = 0

    def begin(self) -> None:
        """Make the campaign and approve it."""
        until = self.monday + timedelta(days=90)
        policy = self.folder / "policy.toml"
        policy.touch(mode=0o600)  # whatever the umask: a policy that others may write is refused
        policy.write_text(POLICY.format(until=until, claims=CLAIMS_A_DAY, sims=SIMS), encoding="utf-8")
        create_campaign(self.site, policy)
        approve_campaign(self.site, by=PERSON, ref=REF)

    def lived(self, number: int) -> WeekDay:
        """Live through one day: vans by day, the call in the evening."""
        day = self.monday + timedelta(days=number)
        people = [*self._lists(number), *self._swaps(number, day)]
        self._wait(day, EVENING)
        ticked = run_once(self.site)
        told = ticked.told
        off = told.get("switched_off", 0)
        self.off_by_us += off
        after = self._looked_into(ticked)
        reasons = dict.fromkeys([ticked.reason, *(one.words for one in ticked.held)] if ticked.held else ())
        return WeekDay(day, people, told.get("claimed", 0), off, ticked.exit_code, list(reasons), after)

    def ended(self) -> Week:
        """Hold the store against the ledgers, and write the report.

        Raises: MigratorError.
        """
        told = campaign_status(self.site)
        report = campaign_report(self.site, None, Path(told.campaign.folder) / "report", now=self.site.now())
        ledger = self.hologram.ledger
        by_day = Counter(at.date() for card in ledger.charges if (at := self.hologram.sims[card].claimed_at))
        off = self.cards.off()
        most = max(by_day.values(), default=0)
        _must_be(all(times == 1 for times in ledger.charges.values()), f"charged twice: {ledger.charges}")
        _must_be(len(ledger.charges) == told.spent.sims, "another number of claims than the store has")
        _must_be(ledger.charged == told.spent.money, "other money than the store has")
        _must_be(most <= CLAIMS_A_DAY, f"past claims_per_day: {most}")
        _must_be(not ledger.forbidden + self.onence.ledger.forbidden, "a call that must never be made")
        _must_be(len(off) == self.off_by_us, "another number of old SIMs is off than was told")
        _must_be(all(map(self.cards.is_served, off)), "an old SIM is off whose unit has no living new SIM")
        idle = told.idle.words
        return Week(self.folder, len(ledger.charges), ledger.charged, most, len(off), idle, report)

    # --- people -----------------------------------------------------------------------------------------------------

    def _lists(self, number: int) -> Iterator[str]:
        """Put the office's lists into the intake."""
        pairs = list(self.cards.planned.items())
        if number == 0:
            yield self._hand_in("north.csv", pairs[:LISTED_AT_FIRST])
        elif number == MORE_LISTED_ON:
            yield self._hand_in("south.csv", pairs[LISTED_AT_FIRST:])
        elif number == MENDED_ON:
            old = pairs[REFUSED_AT][0]
            self._write(self.folder / "mended.csv", [(old, self.cards.another(old))])
            import_pairs(self.site, self.folder / "mended.csv", replace=True)
            yield "another card for the refused one: `migrator pair import mended.csv --replace`"

    def _hand_in(self, name: str, rows: Sequence[tuple[str, str]]) -> str:
        self._write(self.intake / name, rows)
        return f"{len(rows)} pairs in campaign/intake/{name}"

    @staticmethod
    def _write(place: Path, rows: Sequence[tuple[str, str]]) -> None:
        with place.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("source_iccid", "target_iccid"), *rows])

    def _swaps(self, number: int, day: date) -> Iterator[str]:
        """Let the units pass data, and the vans swap claimed cards."""
        if number == 0:
            return
        self._wait(day, VANS)
        most = SWAPS_A_DAY if number < WORKING_DAYS else 0

        async def vans() -> int:
            self.cards.pass_data(self.clock.now())
            return self.cards.swap(most, self.clock.now(), crossed=number == CROSSED_ON)

        if swapped := self.clock.run(vans):
            yield f"{swapped} units swapped" + (", two of them crosswise" if number == CROSSED_ON else "")

    def _looked_into(self, ticked: Ticked) -> str:
        """Let somebody look into cards that were found in another unit."""
        if not any(one.words.startswith("cards in another unit") for one in ticked.held):
            return ""
        found = self.folder / "campaign" / "discovered.csv"
        correct_pairs(self.site, found, by=PERSON, reason="crossed in the van")
        return "`migrator pair correct campaign/discovered.csv`"

    def _wait(self, day: date, at: time) -> None:
        self.clock.wait_until(datetime.combine(day, at, self.clock.now().tzinfo))


@dataclass(slots=True)
class _Cards:
    """Cards and units, as they truly are.

    Attributes:
        planned: the new SIM that the office planned for each old one.
        really_in: the new SIM that is in the unit of each old one.
    """

    onence: OnenceSimulator
    hologram: HologramSimulator
    planned: dict[str, str] = field(default_factory=dict)
    really_in: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        olds = sorted(sim.iccid for sim in self.onence.fleet if sim.status is SimStatus.ENABLED)
        cards = pool_of(len(olds))
        self.planned = dict(zip(olds, cards, strict=True))
        self.hologram.stock([card for card in cards if card != cards[REFUSED_AT]])
        self.hologram.stock_foreign([cards[REFUSED_AT]])

    def another(self, old: str) -> str:
        """Give an old SIM another card."""
        (card,) = pool_of(1, start=SIMS + 1)
        self.hologram.stock([card])
        self.planned[old] = card
        return card

    def swap(self, most: int, at: datetime, *, crossed: bool) -> int:
        """Put cards that are claimed into their units, and return how many."""
        ready = [old for old, card in self.planned.items() if self._is_ready(old, card)][:most]
        cards = [self.planned[old] for old in ready]
        if crossed:
            cards[:2] = cards[1::-1]
        for old, card in zip(ready, cards, strict=True):
            sim = self.onence.fleet.find(old)
            if sim is None:  # pragma: no cover - it is one of the fleet
                continue
            sim.imei = sim.imei or f"35{int(old[-13:-1]):012d}0"
            sim.silent_from = at.date() + timedelta(days=1)
            self.really_in[old] = card
            self.hologram.add_session(card, at, MEGABYTE, sim.imei)
        return len(ready)

    def pass_data(self, at: datetime) -> None:
        """Let every unit with a new SIM pass some data."""
        for old, card in self.really_in.items():
            sim = self.onence.fleet.find(old)
            self.hologram.add_session(card, at, MEGABYTE, "" if sim is None else str(sim.imei))

    def _is_ready(self, old: str, card: str) -> bool:
        return old not in self.really_in and self.hologram.sims[card].state == "LIVE"

    def off(self) -> list[str]:
        """Return the old SIMs that were on, and are off now."""
        fleet = self.onence.fleet
        return [old for old in self.planned if (sim := fleet.find(old)) and sim.status is not SimStatus.ENABLED]

    def is_served(self, old: str) -> bool:
        """True if a living new SIM is in the unit."""
        card = self.really_in.get(old)
        return card is not None and self.hologram.sims[card].state == "LIVE"


def _must_be(truth: bool, words: str) -> None:  # noqa: FBT001 - it is the question
    if not truth:
        raise MigratorError(f"the simulated carriers saw what must never happen: {words}")
