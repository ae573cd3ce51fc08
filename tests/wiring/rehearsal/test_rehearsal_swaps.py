"""Units of a rehearsal that technicians swap over days, and the files that they write about it."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramSimulator
from migrator.carriers.onence.simulator import OnenceSimulator
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import InputError
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import CardsInTest, pool_of
from migrator.wiring.rehearsal.scans import Mistake, ScanFiles
from migrator.wiring.rehearsal.units import SwapDays, UnitsOutside
from tests.cli.conftest import Desk, make_desk

__all__ = ["make_desk"]

DAY_S = 86_400.0
SIMS = 12


class Field:
    """Both carriers, and units that are swapped, on a clock that the test turns."""

    def __init__(self, swaps: SwapDays, *, crossed: float = 0.0, tested: float = 0.0) -> None:
        self.onence, self.hologram = OnenceSimulator(seed=3, sims=SIMS), HologramSimulator(seed=3)
        self.pool = pool_of(SIMS)
        self.units = UnitsOutside(self.onence, self.hologram, self.pool, 1.0, 3, crossed=crossed, swaps=swaps)
        CardsInTest(tested, 30).stock(self.hologram, self.pool)
        self.at(0)

    def at(self, seconds: float) -> None:
        self.hologram._clock._now_s = seconds
        self.units.go_round()

    def silent(self) -> list[str]:
        return [sim.iccid for sim in self.onence.fleet if sim.silent_from is not None]

    def online(self) -> dict[str, str]:
        """The hardware of each card that had a session."""
        return {iccid: sim.sessions[-1].imei for iccid, sim in self.hologram.sims.items() if sim.sessions}

    def live(self, iccid: str) -> None:
        card = self.hologram.sims[iccid]
        card.device_id, card.claimed_at, card.state = 7, self.hologram.now, "LIVE"


def test_units_are_swapped_evenly_over_the_days_whether_their_cards_are_live_or_not() -> None:
    field = Field(SwapDays(4))
    field.at(DAY_S / 4 - 60)
    assert field.silent() == []
    field.at(DAY_S)
    assert len(field.silent()) == 4
    assert field.online() == {}
    units = sorted(sim.iccid for sim in field.onence.fleet)
    for card, other in zip(field.pool, reversed(units), strict=True):
        field.live(card)
        field.hologram.sims[card].name = f"1nce-{other}"  # the office knows nothing of what is where
    field.at(DAY_S + 60)
    assert set(field.online()) == set(field.pool[:4])  # a card that lies in the van says nothing
    field.at(3 * DAY_S)
    field.at(3 * DAY_S + 60)
    assert set(field.online()) == set(field.pool)
    modems = {sim.iccid: sim.imei for sim in field.onence.fleet}
    assert all(imei == modems[old] for old, imei in zip(units, field.online().values(), strict=True) if modems[old])


def test_a_card_in_test_mode_goes_live_by_the_data_of_its_unit_and_is_charged() -> None:
    field = Field(SwapDays(SIMS), tested=1.0)
    assert {sim.state for sim in field.hologram.sims.values()} == {"TEST-ACTIVATE"}
    field.at(DAY_S)
    assert {sim.state for sim in field.hologram.sims.values()} == {"LIVE"}
    assert dict(field.hologram.ledger.charges) == dict.fromkeys(field.pool, 1)


def test_a_test_mode_ends_by_itself_on_its_day() -> None:
    hologram = HologramSimulator(seed=3)
    hologram.stock_test_mode(pool_of(2), ends_in=timedelta(days=2))
    with hologram._clock.turned_to(2 * DAY_S - 1):
        assert {sim.state for sim in hologram.sims.values()} == {"TEST-ACTIVATE"}
    with hologram._clock.turned_to(2 * DAY_S):
        assert {sim.state for sim in hologram.sims.values()} == {"LIVE"}
    assert len(hologram.ledger.charges) == 2


def test_what_technicians_note_and_what_is_true_stand_in_files_of_their_own(tmp_path: Path) -> None:
    scans = ScanFiles(tmp_path / "scans", bad=0.0)
    scans.begin()
    Field(SwapDays(scans=scans), crossed=1.0)
    truth, noted = true_pairs(tmp_path / "scans"), scanned(tmp_path / "scans")
    assert {one["noted"] for one in truth.values()} == {"another unit's card"}
    assert set(noted) == set(truth)
    assert set(noted.values()) == {one["new"] for one in truth.values()}
    assert all(noted[old] != one["new"] for old, one in truth.items())


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("x")
    with pytest.raises(InputError, match="not an empty folder"):
        ScanFiles(tmp_path)


def test_their_files_are_imported_and_once_mended_every_pair_is_true(make_desk: Callable[..., Desk]) -> None:
    """Good rows go in, the others out; each kind of mistake is found, or told, or found by hardware later."""
    desk = make_desk(epoch=datetime.now(UTC) - timedelta(hours=1))
    onence, hologram = desk.rehearsal.onence, desk.rehearsal.hologram
    scans = ScanFiles(desk.folder / "scans", bad=0.5)
    scans.begin()
    UnitsOutside(onence, hologram, pool_of(desk.sims), 1.0, swaps=SwapDays(scans=scans)).go_round()
    assert desk.run("inventory", "pull").code == 0
    truth = true_pairs(desk.folder / "scans")
    assert {one["noted"] for one in truth.values()} == {"right", *(kind.value for kind in Mistake)}
    for name in ("anna", "luis", "marie"):
        left_out = desk.run("pair", "import", f"scans/{name}.csv", "--take-good", "--exceptions", f"{name}.csv")
        assert left_out.code == 3, left_out.err
    kept = pairs()
    wrong = {old for old, new in kept.items() if new != truth[old]["new"]}
    assert {truth[old]["noted"] for old in wrong} == {Mistake.CHECK_DIGIT.value}
    left = {old for old in truth if old not in kept}
    assert {truth[old]["noted"] for old in left} >= set(Mistake) - {Mistake.CHECK_DIGIT}
    right = [f"{one['source_iccid']},{one['target_iccid']}" for one in truth.values()]
    desk.write("mended.csv", "\n".join(["old SIM,new SIM", *right]) + "\n")
    assert desk.run("pair", "import", "mended.csv", "--replace").code == 0
    assert pairs() == {old: one["new"] for old, one in truth.items()}


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def true_pairs(folder: Path) -> dict[str, dict[str, str]]:
    """The lines of `truth.csv` by the key of the old SIM, with its new one as a key."""
    found = {}
    for row in rows(folder / "truth.csv"):
        found[Iccid.parse(row["source_iccid"]).key] = {**row, "new": Iccid.parse(row["target_iccid"]).key}
    return found


def scanned(folder: Path) -> dict[str, str]:
    """The pairs of all technicians' files, as they noted them."""
    found = {}
    for file in (folder / "anna.csv", folder / "luis.csv", folder / "marie.csv"):
        lines = file.read_text(encoding="utf-8").splitlines()
        for line in csv.reader(lines[1:], delimiter=";" if ";" in lines[0] else ","):
            found[Iccid.parse(line[-2]).key] = Iccid.parse(line[-1]).key
    return found


def pairs() -> dict[str, str]:
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        return {one.source.key: one.target.key for one in store.pairs.all()}
