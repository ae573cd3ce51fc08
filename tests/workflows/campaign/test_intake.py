"""Files in the intake that are none of ours to read."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from migrator.core.run.results import ExitCode
from tests.worlds.campaigned import CampaignWorld


def test_a_spreadsheet_is_refused_with_what_to_do(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=4, seed=3)
    world.began()
    intake = tmp_path / "campaign" / "intake"
    for name in ("swaps.XLSX", "~$swaps.xlsx", "half.csv.part", ".half.csv"):
        (intake / name).write_bytes(b"PK")
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.ATTENTION
    assert ticked.told["files_refused"] == 1
    (problems,) = (intake / "refused").glob("*swaps.XLSX.problems.txt")
    assert "save it as CSV" in problems.read_text()
    assert sorted(file.name for file in intake.iterdir() if file.is_file()) == [
        ".half.csv",
        "half.csv.part",
        "~$swaps.xlsx",
    ]
    assert world.tick().exit_code is ExitCode.ATTENTION


def test_a_file_that_is_written_on_is_left_until_it_is_whole(tmp_path: Path) -> None:
    """By a program that holds it open: before the tick comes to it, and after the tick moved it."""
    world = CampaignWorld(tmp_path, sims=8, seed=3)
    world.began()
    intake, olds = tmp_path / "campaign" / "intake", world.on()
    rows = [f"{old},{card}\n" for old, card in zip(olds, world.cards, strict=False)]
    world.hand_in_pairs("early.csv", [(olds[0], world.cards[0])])
    late = (intake / "late.csv").open("w", encoding="utf-8")
    late.write("source_iccid,target_iccid\n" + rows[1])
    late.flush()

    def writes_on(event: str, values: Mapping[str, Any]) -> None:
        if event == "campaign_stage" and values["stage"] == "1NCE":
            with (intake / "early.csv").open("a", encoding="utf-8") as early:
                early.write(rows[2])
        if event == "campaign_stage" and values["stage"] == "claims":
            late.write("".join(rows[3:]))
            late.close()

    ticked = world.tick(writes_on)
    assert ticked.exit_code is ExitCode.RESUMABLE
    assert {one.words for one in ticked.held} == {
        f"{name} is still being written" for name in ("early.csv", "late.csv")
    }
    assert sorted(file.name for file in intake.iterdir() if file.is_file()) == ["early.csv", "late.csv"]
    assert world.claims() == 1
    assert world.tick().exit_code is ExitCode.DONE
    assert world.claims() == len(olds)


def test_a_file_or_folder_that_cannot_be_used_stops_nobody(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=8, seed=3)
    world.began()
    campaign, olds = tmp_path / "campaign", world.on()
    first, *rest = zip(olds, world.cards, strict=False)
    for name in ("report", "handover"):
        (campaign / name).write_text("a file in the way")
    world.hand_in_pairs("first.csv", [first])
    ticked = world.tick()
    assert (ticked.exit_code, world.claims()) == (ExitCode.INPUT, 1)
    assert {one.words.split(":")[0] for one in ticked.held} == {"report", "handover"}
    for name in ("report", "handover"):
        (campaign / name).unlink()
    assert {"report", "handover"} <= world.tick().told.keys(), "what could not be written is, though nothing changed"
    (campaign / "intake" / "taken").rename(campaign / "intake" / "away")
    (campaign / "intake" / "taken").write_text("a file in the way")
    world.hand_in_pairs("rest.csv", rest)
    world.swap(olds[0])
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.ATTENTION
    assert [one.words.split(":")[0] for one in ticked.held] == ["rest.csv cannot be taken"]
    assert ticked.told["newly_alive"] == 1, "the other stages go on"
    (campaign / "intake" / "taken").unlink()
    assert world.tick().exit_code is ExitCode.DONE
    assert world.claims() == len(olds)


def test_a_folder_that_is_away_is_told_and_no_other_one_is_made(tmp_path: Path) -> None:
    """A share that this machine lost: people go on to put files into the true one."""
    world = CampaignWorld(tmp_path, sims=8, seed=3)
    world.began()
    campaign, olds = tmp_path / "campaign", world.on()
    pairs = list(zip(olds, world.cards, strict=False))
    world.hand_in_pairs("first.csv", pairs[:1])
    world.tick()
    world.swap(olds[0])
    world.hand_in_pairs("rest.csv", pairs[1:])
    campaign.rename(tmp_path / "away")
    ticked = world.tick()
    words = [f"the campaign's folder {campaign} is not there: no file is taken, and no report written"]
    assert [one.words for one in ticked.held] == words
    assert ticked.exit_code is ExitCode.ATTENTION, "a worker goes on with the account, and others may have the folder"
    assert ticked.told["newly_alive"] == 1, "the other stages go on"
    world.wait(60)
    assert [one.words for one in world.tick().held] == words
    assert not campaign.exists()
    (tmp_path / "away").rename(campaign)
    ticked = world.tick()
    assert (ticked.exit_code, world.claims()) == (ExitCode.DONE, len(olds))
    assert "handover" in ticked.told, "the rows that could not be written are"


def test_what_is_wrong_with_a_row_names_no_option_of_a_tick(tmp_path: Path) -> None:
    """A tick has none: a command by hand does it, and is named."""
    world = CampaignWorld(tmp_path, sims=8, seed=3)
    world.began()
    old, (first, second, *_) = world.on()[0], world.cards
    world.hand_in_pairs("a.csv", [(old, first)])
    world.hand_in("b.csv", [("source_iccid", "target_iccid", "scanned_at"), (old, second, "")])
    world.hand_in("c.csv", [("source_iccid", "target_iccid", "scanned_at"), (world.on()[1], second, "soon")])
    world.tick()
    left = [file.read_text() for file in (tmp_path / "campaign" / "intake" / "taken").glob("*exceptions.csv")]
    assert len(left) == 2
    for words in left:
        option = re.search(r"--(replace|column)", words)
        assert option is not None
        assert re.search(r"`migrator pair import FILE --(replace|column)[^`]*`", words), words


def test_each_file_of_one_moment_has_its_own_list_of_what_was_left_out(tmp_path: Path) -> None:
    """Files that differ in their ending alone, and a list that was put right beside a file of its name."""
    world = CampaignWorld(tmp_path, sims=8, seed=3)
    world.began()
    olds = world.on()
    handed = {name: f"898800000000000000{number}" for number, name in enumerate(("a.csv", "a.txt", "A.b.csv"), 1)}
    for name, old in handed.items():
        world.hand_in_pairs(name, [(old, world.cards[0])])
    world.hand_in_pairs("c.csv", [(olds[0], world.cards[0])])
    world.hand_in_pairs("c.exceptions.csv", [(olds[1], world.cards[1])])
    ticked = world.tick()
    taken = tmp_path / "campaign" / "intake" / "taken"
    assert ticked.told["files_taken"] == 5
    lists = {one.words.partition(":")[0]: Path(one.hint.removesuffix(" has each with why")) for one in ticked.held}
    for name, old in handed.items():
        assert old in lists[name].read_text(encoding="utf-8"), name
    assert world.claims() == 2
    (told,) = [one.words for one in world.tick().held]
    assert told.startswith(f"{taken} has 3 files of rows left out: ")


def test_a_list_with_rows_left_out_is_told_again_however_its_ending_is_written(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=4, seed=3)
    world.began()
    world.hand_in_pairs("SWAPS.CSV", [("8988000000000000009", world.cards[0])])
    world.tick()
    taken = tmp_path / "campaign" / "intake" / "taken"
    words = [f"{taken} has 1 file of rows left out: SWAPS.exceptions.csv"]
    assert [one.words for one in world.tick().held] == words


def test_three_files_that_were_refused_are_named_and_the_others_counted(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=4, seed=3)
    world.began()
    intake = tmp_path / "campaign" / "intake"
    for number in range(5):
        world.hand_in(f"2026-11-2{number}-swaps.csv", [("colour", "size"), ("red", "9")])
    world.tick()
    named = "2026-11-20-swaps.csv, 2026-11-21-swaps.csv, 2026-11-22-swaps.csv and 2 more"
    words = [f"{intake / 'refused'} has 5 files that cannot be used: {named}"]
    assert [one.words for one in world.tick().held] == words


@pytest.mark.parametrize("name", [b"a\xffb.csv", b"shipped\xff.csv", b"stock\xff.txt"])
def test_a_name_that_is_not_utf8_is_refused_and_the_next_file_is_taken(tmp_path: Path, name: bytes) -> None:
    world = CampaignWorld(tmp_path, sims=4, seed=3)
    world.began()
    intake, olds = tmp_path / "campaign" / "intake", world.on()
    Path(os.fsdecode(os.fsencode(intake) + b"/" + name)).write_text(
        f"source_iccid,target_iccid\n{olds[0]},{world.cards[0]}\n"
    )
    world.hand_in_pairs("z.csv", [(olds[1], world.cards[1])])
    ticked = world.tick()
    shown = os.fsdecode(name).replace("\udcff", r"\udcff")
    assert [one.words for one in ticked.held] == [f"{shown} cannot be used: its name is not in UTF-8"]
    assert world.claims() == 1
    assert len(list((intake / "refused").glob("*.problems.txt"))) == 1
    assert world.tick().exit_code is ExitCode.ATTENTION


@pytest.mark.parametrize("name", ["l" * 248 + ".csv", "\u00fc" * 124 + ".csv", "two\nlines\x1b.csv"])
def test_a_long_or_odd_name_is_taken_under_another_one(tmp_path: Path, name: str) -> None:
    world = CampaignWorld(tmp_path, sims=4, seed=3)
    world.began()
    unknown = "8988000000000000009"
    world.hand_in_pairs(name, [(unknown, world.cards[0]), (world.on()[1], world.cards[1])])
    ticked = world.tick()
    assert ticked.told["files_taken"] == 1
    assert world.claims() == 1
    (held,) = ticked.held
    assert held.words == name.replace("\n", r"\n").replace("\x1b", r"\x1b") + ": rows left out: 1"
    (left,) = (tmp_path / "campaign" / "intake" / "taken").glob("*.exceptions.csv")
    assert unknown in left.read_text(encoding="utf-8")
