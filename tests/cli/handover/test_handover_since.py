"""`handover export --since`: what changed since the last export, and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store import Store
from tests.cli.conftest import Desk
from tests.cli.cutover.test_cutover import QUICK, alive, cut_over, pass_data, unit_of
from tests.cli.handover.handover_desk import edited, exported, lines_of, matched, rows_of, swapped_pairs

SIMS = 12
URL = "sqlite:///migrator.db"


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A fleet whose signs of life are known, and that was exported once, into `all.csv`."""
    made: Desk = make_desk(sims=SIMS, onence=QUICK, epoch=datetime.now(UTC))
    alive(made, but=2)
    assert made.run("verify", "--traffic").code in {0, 3}
    assert exported(made, "all.csv")["rows"] == SIMS
    return made


def changes(desk: Desk, cursor: str = "all.csv.cursor", *words: str) -> list[dict[str, Any]]:
    return rows_of(desk, "--since", cursor, *words)


def noted(iccid: str, **facts: Any) -> None:
    with Store.open(URL, now=0.0) as store:
        (pair,) = [pair for pair in store.pairs.all() if pair.source.digits == iccid]
        store.unit_facts.put([UnitFacts(pair.source.key, **facts)], 1.0)


def test_where_nothing_changed_nothing_is_written_but_the_titles(desk: Desk) -> None:
    told = exported(desk, "more.csv", "--since", "all.csv.cursor")
    assert (told["rows"], told["units"]) == (0, SIMS)
    assert Path("more.csv").read_text(encoding="utf-8").count("\n") == 1
    assert Path("more.csv.cursor").read_bytes() == Path("all.csv.cursor").read_bytes()


def test_only_the_unit_that_changed_is_written(desk: Desk) -> None:
    iccid = rows_of(desk)[4]["old"]["iccid"]
    noted(iccid, ticket="CHG0042")
    (row,) = changes(desk)
    assert (row["old"]["iccid"], row["ticket"]) == (iccid, "CHG0042")


def test_a_pair_that_is_no_more_leaves_as_removed_and_only_once(desk: Desk) -> None:
    gone = rows_of(desk)[4]
    edited(("DELETE FROM pairs WHERE source_iccid = ?", [gone["old"]["iccid"]]))
    told = exported(desk, "more.csv", "--since", "all.csv.cursor")
    assert told["statuses"] == {"removed": 1}
    (line,) = lines_of("more.csv")
    assert line["in_service"] == "false"
    for name in ("old_iccid", "old_iccid_with_luhn"):
        assert line[name] == gone["old"][name.removeprefix("old_")]
    assert line["new_iccid_with_luhn"] == gone["new"]["iccid_with_luhn"]
    assert (line["new_device_id"], line["live_at"]) == ("", "")
    assert changes(desk, "more.csv.cursor") == []


@pytest.mark.parametrize("at", [0, SIMS - 1])
def test_the_first_and_the_last_pair_may_go_too(desk: Desk, at: int) -> None:
    iccid = rows_of(desk)[at]["old"]["iccid"]
    edited(("DELETE FROM pairs WHERE source_iccid = ?", [iccid]))
    assert [(row["old"]["iccid"], row["status"]) for row in changes(desk)] == [(iccid, "removed")]


def test_a_correction_shows_both_units_and_no_sight_of_the_other_card(desk: Desk) -> None:
    one, other = matched(rows_of(desk))[:2]
    swapped_pairs(one["old"]["iccid"], other["old"]["iccid"])
    first, second = changes(desk)
    assert first["new"]["device_id"] == other["new"]["device_id"]
    assert second["new"]["device_id"] == one["new"]["device_id"]
    assert {row["status"] for row in (first, second)} == {"alive"}
    assert {row["in_unit_at"] for row in (first, second)} == {None}


def test_a_cutover_and_its_rollback_are_changes_of_the_units_that_they_moved(desk: Desk) -> None:
    moved = {row["old"]["iccid"] for row in rows_of(desk) if row["status"] in {"in_service", "alive"}}
    cut_over(desk)
    exported(desk, "off.csv", "--since", "all.csv.cursor")
    assert {line["old_iccid"] for line in lines_of("off.csv")} == moved
    back = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    exported(desk, "back.csv", "--since", "off.csv.cursor")
    assert {(line["old_iccid"], line["status"], line["old_off_at"]) for line in lines_of("back.csv")} == {
        (iccid, "rolled_back", "") for iccid in moved
    }


def test_a_later_session_is_no_change_and_the_first_sight_stays(desk: Desk) -> None:
    row = matched(rows_of(desk))[0]
    new = row["new"]["iccid_with_luhn"]
    pass_data(desk, new, unit_of(desk, row["old"]["iccid"]), after_s=1200)
    assert desk.run("verify", "--traffic").code in {0, 3}
    assert changes(desk, "all.csv.cursor", "--cursor", "next.cursor") == []
    noted(row["old"]["iccid"], site="Graz")
    (later,) = changes(desk, "next.cursor")
    assert (later["site"], later["in_unit_at"]) == ("Graz", row["in_unit_at"])


def test_deltas_on_top_of_the_first_export_are_the_last_export(desk: Desk) -> None:
    held = {line["old_iccid"]: line for line in lines_of("all.csv")}
    iccids = list(held)

    def after(number: int, before: str) -> str:
        exported(desk, f"{number}.csv", "--since", before)
        for line in lines_of(f"{number}.csv"):
            held[line["old_iccid"]] = line
            if line["status"] == "removed":
                del held[line["old_iccid"]]
        return f"{number}.csv.cursor"

    noted(iccids[0], unit="pump")
    cursor = after(1, "all.csv.cursor")
    cut_over(desk)
    cursor = after(2, cursor)
    edited(("DELETE FROM pairs WHERE source_iccid = ?", [iccids[3]]))
    swapped_pairs(iccids[5], iccids[6])
    cursor = after(3, cursor)
    assert desk.run("inventory", "pull").code == 0
    after(4, cursor)
    exported(desk, "whole.csv")
    assert held == {line["old_iccid"]: line for line in lines_of("whole.csv")}


def test_a_copy_of_the_store_goes_on_from_the_same_cursor_whatever_the_clock_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    iccid = rows_of(desk)[2]["old"]["iccid"]
    assert desk.run("state", "backup", "copy.db").code == 0
    noted(iccid, unit="pump 7")
    before = datetime.now(UTC) - timedelta(days=400)
    monkeypatch.setattr("migrator.wiring.SystemClock.now", lambda _clock: before)
    assert [row["unit"] for row in changes(desk)] == ["pump 7"]
    assert changes(desk, "all.csv.cursor", "--state", "sqlite:///copy.db") == []


def test_one_file_may_be_read_and_written_as_the_cursor(desk: Desk) -> None:
    iccid = rows_of(desk)[2]["old"]["iccid"]
    exported(desk, "first.csv", "--cursor", "the.cursor")
    noted(iccid, unit="pump 7")
    words = ("--since", "the.cursor", "--cursor", "the.cursor")
    assert exported(desk, "more.csv", *words)["rows"] == 1
    assert exported(desk, "more.csv", *words)["rows"] == 0


# --- cursors that are none ------------------------------------------------------------------------------------------


def refused(desk: Desk, code: int = 2) -> str:
    ended = desk.run("handover", "export", "--since", "bad.cursor", "--out", "more.csv")
    assert ended.code == code
    assert not Path("more.csv").exists()
    assert not Path("more.csv.cursor").exists()
    return ended.err


def test_a_cursor_of_another_store_is_refused(desk: Desk) -> None:
    text = Path("all.csv.cursor").read_text(encoding="utf-8")
    with Store.open(URL, now=0.0) as store:
        desk.write("bad.cursor", text.replace(store.lineage, "0123456789ab"))
    assert "is the cursor of another store (lineage 0123456789ab" in refused(desk, 5)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: lines[:-1], "the cursor was cut off"),
        (lambda lines: lines[:-3], "the cursor was cut off"),
        (lambda lines: [*lines[:4], *lines[5:]], "edited or damaged"),
        (lambda lines: [*lines[:4], lines[4][:30] + "\n", *lines[5:]], "bad.cursor:5: a line that no export writes"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "bad.cursor:3: rows out of order"),
        (lambda _lines: [], "this is no cursor"),
        (lambda _lines: ["old_iccid,new_iccid\n"], "bad.cursor:1: this is no cursor"),
        (lambda lines: [lines[0].replace('"cursor_version": 1', '"cursor_version": 9'), *lines[1:]], "another version"),
    ],
)
def test_a_cursor_that_is_not_whole_is_refused_and_nothing_is_written(
    desk: Desk, spoil: Callable[[list[str]], list[str]], words: str
) -> None:
    lines = Path("all.csv.cursor").read_text(encoding="utf-8").splitlines(keepends=True)
    desk.write("bad.cursor", "".join(spoil(lines)))
    told = refused(desk)
    assert words in told
    assert "leave --since out once" in told


def test_a_cursor_that_is_not_there_is_named(desk: Desk) -> None:
    assert "bad.cursor does not exist" in refused(desk)
