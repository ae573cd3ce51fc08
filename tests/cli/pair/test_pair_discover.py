"""`pair discover` as it is typed, over HTTP: buckets that sum, files, and what `pair correct` takes from them."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.wiring.rehearsal.rehearsal import pool_of
from migrator.wiring.rehearsal.units import UnitsOutside
from tests.cli.conftest import Desk

MEGABYTE = 1_048_576


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk at which it is now: what old SIMs used is told up to yesterday."""
    return make_desk(epoch=datetime.now(UTC))


def crossed(desk: Desk) -> list[list[str]]:
    """A migrated fleet whose first two cards are in each other's unit. Returns: the pairs."""
    fleet = list(desk.rehearsal.onence.fleet)
    for number, sim in enumerate(fleet):
        sim.imei = f"35300000{number:06d}17"
    desk.applied()
    desk.run("pair", "export", "pairs.csv")
    pairs = [line.split(",") for line in (desk.folder / "pairs.csv").read_text().splitlines()[1:]]
    units = [pairs[1][0], pairs[0][0], *(old for old, _ in pairs[2:5])]
    for (_, new), old in zip(pairs, units, strict=False):
        unit = desk.rehearsal.onence.fleet.find(old)
        assert unit is not None
        assert unit.imei is not None
        desk.rehearsal.hologram.add_session(new, desk.rehearsal.hologram.now, MEGABYTE, unit.imei)
        unit.silent_from = desk.rehearsal.hologram.now.date() - timedelta(days=1)
    return pairs


def test_what_was_put_in_crosswise_is_found_corrected_and_then_known(desk: Desk) -> None:
    pairs = crossed(desk)
    ended = desk.json("pair", "discover", "--live", "--out", "found.csv", "--exceptions", "rest.csv")
    assert ended.code == 3
    data = ended.data
    buckets = ("known", "exact", "contradicts", "waiting", "ambiguous", "unknown_hardware", "never_seen")
    assert sum(data[name] for name in buckets) == data["looked_at"]
    assert (data["contradicts"], data["known"], data["old_sims_asked"]) == (2, 3, 2)
    assert len((desk.folder / "rest.csv").read_text().splitlines()) == 1 + data["looked_at"] - 5
    corrected = desk.json("pair", "correct", "found.csv", "--by", "Ann Field")
    assert (corrected.code, corrected.data["corrected"]) == (0, 2)
    assert "IMEI 353" in corrected.data["changes"][0]["evidence"]
    assert pairs[1][1] in {change["is"] for change in corrected.data["changes"]}
    again = desk.run("pair", "discover")
    assert again.code == 0
    assert "paired so already" in again.out


def test_a_units_file_is_checked_line_by_line(desk: Desk) -> None:
    old = crossed(desk)[0][0]
    bad = f"source_iccid,imei\n{old},12\n8988280999999999999,353000000000017\nx,353000000000017\n"
    desk.write("units.csv", bad)
    ended = desk.json("pair", "discover", "--units", "units.csv")
    assert ended.code == 2
    assert {error["code"] for error in ended.document["errors"]} >= {"not_an_imei", "unknown_source", "not_an_iccid"}
    desk.write("none.csv", "a,b\n1,2\n")
    assert "no column imei" in desk.run("pair", "discover", "--units", "none.csv").err


def test_units_are_known_by_the_label_of_one_old_sim(desk: Desk) -> None:
    crossed(desk)
    sim = next(sim for sim in desk.rehearsal.onence.fleet if sim.label)
    desk.write("units.csv", f"unit,imei\n{sim.label},352099001761481\n")
    assert desk.run("pair", "discover", "--units", "units.csv").code in {0, 3}
    desk.write("units.csv", "unit,imei\nnobody knows this,352099001761481\n")
    ended = desk.run("pair", "discover", "--units", "units.csv")
    assert ended.code == 2
    assert "units.csv:2" in ended.err


def test_without_an_inventory_it_says_so(desk: Desk) -> None:
    assert desk.run("pair", "discover").code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("option", ["--out", "--exceptions"])
def test_a_file_that_does_not_fit_on_the_disk_is_named(desk: Desk, option: str) -> None:
    desk.run("inventory", "pull")
    ended = desk.run("pair", "discover", option, "/dev/full")
    assert ended.code == 2
    assert f"/dev/full cannot be written: {os.strerror(errno.ENOSPC)}" in ended.err


def test_a_rehearsal_puts_cards_in_crosswise_and_modems_without_an_imei_of_their_own(desk: Desk) -> None:
    """What `simulate serve --connect 1 --crossed 1 --nameless 0.2` does: all is found, but what proves nothing."""
    carriers = desk.rehearsal
    for number, sim in enumerate(carriers.onence.fleet):
        sim.imei = f"35300000{number:06d}17"
    outside = UnitsOutside(
        carriers.onence, carriers.hologram, pool_of(desk.sims), share=1.0, seed=3, after_s=0, crossed=1.0, nameless=0.2
    )
    desk.applied()
    outside.go_round()
    data = desk.json("pair", "discover", "--live", "--out", "found.csv").data
    assert data["known"] == data["exact"] == 0
    assert data["contradicts"] > desk.sims // 2
    assert data["ambiguous"] + data["codes"].get("unknown_hardware.filler", 0) > 0
    ended = desk.json("pair", "correct", "found.csv", "--reason", "the modem has no IMEI of its own")
    assert ended.data["corrected"] >= data["contradicts"]
    assert desk.json("pair", "discover").data["known"] == data["contradicts"]
