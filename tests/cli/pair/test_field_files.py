"""`pair import` of technicians' files: whose SIM a row means, what is kept of its unit, and which scan counts."""

import csv
import errno
import json
import os
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.app.root import run
from migrator.core.fleet.identifiers import luhn_digit
from migrator.core.run.states import StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.store import Store
from tests.builders import sim, source_iccid, target, target_iccid
from tests.cli.conftest import Ended
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned, pulled, url_of

FIRST, THEN = "2025-11-20T08:00:00+01:00", "2025-11-20T08:30:00Z"


def imei(number: int) -> str:
    body = f"35693803564{number:03d}"
    return body + luhn_digit(body)


HEAD = "old SIM,new SIM,unit,scanned_at\n"
S = [source_iccid(number).digits for number in range(10)]
T = [target_iccid(number).digits for number in range(10)]
FLEET = {
    1: {"imei": imei(1) + "0", "imsi": "901405100000001", "msisdn": "882285000000001", "ip_address": "10.0.0.1"},
    2: {"imei": imei(2)},
    3: {"label": "twice", "imei": imei(9)},
    4: {"label": "twice", "imei": imei(9)[:14] + "77"},
    5: {"imei": "000000000000000", "label": "unit 5"},
    6: {},
}


@dataclass(slots=True)
class Yard:
    """A folder with a store of six old SIMs, and the command line."""

    folder: Path
    read: Callable[[], tuple[str, str]]

    def run(self, *words: str) -> Ended:
        """Run one command with --json."""
        code = run(("--json", "--state", url_of(self.folder), *words))
        out, err = self.read()
        assert "Traceback" not in err
        return Ended(code, out, err)

    def take(self, text: str, *options: str, name: str = "field.csv") -> Ended:
        """Import a file of this text."""
        Path(name).write_text(text, encoding="utf-8")
        return self.run("pair", "import", name, *options)

    def store(self) -> Any:
        """The open store."""
        return closing(open_store(self.folder))

    def pairs(self) -> dict[int, int]:
        """The pairs, by the numbers of old and new SIM."""
        with self.store() as store:
            return {S.index(one.source.digits): T.index(one.target.digits) for one in store.pairs.all()}

    def facts(self, number: int) -> Any:
        """The facts about the unit of an old SIM."""
        with self.store() as store:
            return store.unit_facts.by_source_keys([key(number)]).get(key(number))


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Yard:
    monkeypatch.chdir(tmp_path)
    with open_store(tmp_path) as store:
        pulled(store, [sim(number, **values) for number, values in FLEET.items()])
    return Yard(tmp_path, capfd.readouterr)


def codes(ended: Ended) -> list[tuple[str, str]]:
    """Code and place of each problem of a row."""
    errors = ended.document["errors"]
    told = [(one["code"], one["message"].split(": ")[0]) for one in errors]
    return [one for one in told if one[1].startswith("field.csv:")]


# --- columns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Old SIM", "New SIM"),
        ("Alte SIM-Karte", "Neue SIM-Karte"),
        ("ICCID antigua", "ICCID nueva"),
        ("Ancienne SIM", "Nouvelle SIM"),
        ("Vecchia SIM", "Nuova SIM"),
        ("Cartão antigo", "Cartão novo"),
        ("Oude SIM", "Nieuwe SIM"),
    ],
)
def test_titles_are_known_in_seven_languages(yard: Yard, old: str, new: str) -> None:
    assert yard.take(f"{old};{new}\n{S[1]};{T[1]}\n").code == 0
    assert yard.pairs() == {1: 1}


def test_facts_of_the_unit_are_kept_beside_the_pair(yard: Yard) -> None:
    head = "Techniker,Gerät,Standort,Auftrag,Zeitstempel,IMEI,alte SIM,neue SIM"
    ended = yard.take(f"{head}\nAnna,pump 1,Hall 3,CHG7,{FIRST},{imei(1)},{S[1]},{T[1]}\n")
    assert (ended.code, ended.data["added"], ended.data["imei"]["agree"]) == (0, 1, 1)
    facts = yard.facts(1)
    assert (facts.unit, facts.site, facts.ticket, facts.scanned_by) == ("pump 1", "Hall 3", "CHG7", "Anna")
    assert (facts.imei, facts.scanned_at, facts.origin) == (imei(1), 1_763_622_000.0, "field.csv:2")


def test_a_column_by_hand_and_a_column_left_out(yard: Yard) -> None:
    text = f"what,old,new,scanned_at\npump 1,{S[1]},{T[1]},03/04/2026\n"
    by_hand = ("--column", "unit=what", "--column", "source_iccid=old", "--column", "target_iccid=new")
    assert yard.take(text, *by_hand).code == 2
    assert yard.take(text, *by_hand, "--column", "scanned_at=").code == 0
    assert (yard.facts(1).unit, yard.facts(1).scanned_at) == ("pump 1", None)


def test_unknown_and_empty_columns_are_named_once(yard: Yard) -> None:
    ended = yard.take(f"old SIM,new SIM,unit,site,note\n{S[1]},{T[1]},pump,,x\n{S[2]},{T[2]},,,y\n")
    assert ended.data["unused_columns"] == ["note"]
    assert ended.data["empty_columns"] == ["site"]
    assert "columns without any value: site" in ended.err


# --- whose SIM ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "value", "number"),
    [
        ("label", "unit 1", 1),
        ("Rufnummer", "+882285000000001", 1),
        ("IMSI", "901405100000001", 1),
        ("IP-Adresse", "10.0.0.1", 1),
        ("IMEI", imei(1), 1),
        ("IMEI", imei(1)[:14] + "99", 1),
        ("IMEI", imei(2), 2),
    ],
)
def test_an_old_sim_may_be_named_by_what_only_it_has(yard: Yard, title: str, value: str, number: int) -> None:
    assert yard.take(f"{title},new ICCID\n{value},{T[7]}\n").code == 0
    assert yard.pairs() == {number: 7}


@pytest.mark.parametrize(
    ("title", "value", "code", "words"),
    [
        ("label", "twice", "several_old_sims", f"{S[3]} and {S[4]}"),
        ("IMEI", imei(9), "several_old_sims", f"{S[3]} and {S[4]}"),
        ("IMEI", "000000000000000", "unknown_source", "no old SIM"),
        ("label", "nobody", "unknown_source", "no old SIM"),
        ("label", "", "empty_source", "no old SIM"),
    ],
)
def test_what_names_no_single_sim_is_a_problem(yard: Yard, title: str, value: str, code: str, words: str) -> None:
    ended = yard.take(f"{title},new ICCID,unit\n{value},{T[7]},pump\n")
    assert (ended.code, codes(ended)) == (2, [(code, "field.csv:2")])
    assert words in ended.err
    assert yard.pairs() == {}


def test_an_empty_cell_of_the_old_iccid_is_filled_by_a_name(yard: Yard) -> None:
    assert yard.take(f"source_iccid,label,target_iccid\n{S[2]},unit 5,{T[2]}\n,unit 1,{T[1]}\n").code == 0
    assert yard.pairs() == {1: 1, 2: 2}  # the ICCID counts where there is one


def test_names_of_two_old_sims_in_one_row_are_a_problem(yard: Yard) -> None:
    ended = yard.take(f"label,IMSI,new ICCID\nunit 2,901405100000001,{T[1]}\n")
    assert codes(ended) == [("old_sims_differ", "field.csv:2")]


def test_the_imei_of_another_unit_does_not_contradict_the_label(yard: Yard) -> None:
    """The card may have been in another unit: that is a warning."""
    ended = yard.take(f"label,IMEI,new ICCID\nunit 2,{imei(1)},{T[1]}\n")
    assert (ended.code, yard.pairs(), ended.data["imei"]["old_differs"]) == (0, {2: 1}, 1)


# --- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2025-11-20T08:00:00", "time_without_zone"),
        ("2025-11-20", "time_without_zone"),
        ("03/04/2025", "time_unclear"),
        ("03.04.2025 10:00", "time_unclear"),
        ("45981.5", "time_unclear"),
        ("2062-11-20T08:00:00Z", "time_to_come"),
    ],
)
def test_a_time_is_never_guessed(yard: Yard, text: str, code: str) -> None:
    ended = yard.take(f"old SIM,new SIM,scanned_at\n{S[1]},{T[1]},{text}\n")
    assert (ended.code, codes(ended)) == (2, [(code, "field.csv:2")])
    assert "--column scanned_at=" in ended.err


# --- which scan counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "turned around"])
def test_the_later_scan_of_an_old_sim_counts_and_is_told(yard: Yard, order: int) -> None:
    rows = [f"{S[1]},{T[1]},pump,{FIRST}\n", f"{S[1]},{T[2]},pump,{THEN}\n"][::order]
    ended = yard.take("old SIM,new SIM,unit,scanned_at\n" + "".join(rows))
    assert (ended.code, yard.pairs(), ended.data["superseded"]) == (0, {1: 2}, 1)
    assert "old SIM" in ended.data["changes"][0]["why"]
    assert ended.data["changes"][0]["was"] == T[1]


def test_the_later_scan_of_a_unit_counts(yard: Yard) -> None:
    rows = f"{S[1]},{T[1]},pump,{FIRST}\n{S[2]},{T[2]},pump,{THEN}\n{S[6]},{T[6]},x,{THEN}\n"
    ended = yard.take(f"{HEAD}{rows}")
    assert (ended.code, yard.pairs()) == (0, {2: 2, 6: 6})
    assert "unit pump was scanned again on line 3" in ended.out


def test_the_later_scan_of_a_card_counts(yard: Yard) -> None:
    ended = yard.take(f"old SIM,new SIM,scanned_at\n{S[1]},{T[1]},{FIRST}\n{S[2]},{T[1]},{THEN}\n")
    assert (ended.code, yard.pairs()) == (0, {2: 1})


@pytest.mark.parametrize("at", ["", FIRST], ids=["no times", "one time"])
def test_a_card_in_two_rows_is_a_problem_of_both(yard: Yard, at: str) -> None:
    ended = yard.take(f"old SIM,new SIM,scanned_at\n{S[1]},{T[1]},{at}\n{S[2]},{T[1]},{at}\n")
    assert codes(ended) == [("target_twice", "field.csv:2"), ("target_twice", "field.csv:3")]


def test_two_cards_for_one_old_sim_without_times_are_a_problem_of_both(yard: Yard) -> None:
    ended = yard.take(f"old SIM,new SIM,unit,scanned_at\n{S[1]},{T[1]},a,{FIRST}\n{S[1]},{T[2]},a,\n")
    assert codes(ended) == [("source_twice", "field.csv:2"), ("source_twice", "field.csv:3")]


def test_a_unit_with_two_sims_and_no_times_keeps_both(yard: Yard) -> None:
    assert yard.take(f"old SIM,new SIM,unit\n{S[1]},{T[1]},pump\n{S[2]},{T[2]},pump\n").code == 0
    assert yard.pairs() == {1: 1, 2: 2}


def test_a_row_that_is_there_twice_counts_once_with_its_last_facts(yard: Yard) -> None:
    ended = yard.take(f"old SIM,new SIM,unit,scanned_at\n{S[1]},{T[1]},b,{THEN}\n{S[1]},{T[1]},a,{FIRST}\n")
    assert (ended.data["added"], ended.data["unchanged"], yard.facts(1).unit) == (1, 1, "b")


def test_a_later_scan_replaces_what_the_store_has_and_an_earlier_one_does_not(yard: Yard) -> None:
    assert yard.take(f"{HEAD}{S[1]},{T[1]},pump,{FIRST}\n").code == 0
    later = yard.take(f"{HEAD}{S[1]},{T[2]},pump,{THEN}\n")
    assert (later.code, later.data["replaced"], yard.pairs()) == (0, 1, {1: 2})
    early = yard.take(f"{HEAD}{S[1]},{T[1]},pump,{FIRST}\n")
    assert (early.code, early.data["earlier"], yard.pairs()) == (0, 1, {1: 2})
    assert yard.facts(1).scanned_at == 1_763_627_400.0


def test_without_a_later_time_a_pair_of_the_store_is_contradicted(yard: Yard) -> None:
    assert yard.take(f"{HEAD}{S[1]},{T[1]},pump,{FIRST}\n").code == 0
    for at in ("", FIRST):
        ended = yard.take(f"{HEAD}{S[1]},{T[2]},pump,{at}\n")
        assert (ended.code, codes(ended)) == (2, [("contradicts_pair", "field.csv:2")])
    assert yard.take(f"{HEAD}{S[1]},{T[2]},pump,\n", "--replace").code == 0
    assert yard.pairs() == {1: 2}


def test_a_later_scan_of_a_unit_leaves_its_former_old_sim_without_a_pair(yard: Yard) -> None:
    assert yard.take(f"{HEAD}{S[1]},{T[1]},pump,{FIRST}\n").code == 0
    ended = yard.take(f"{HEAD}{S[2]},{T[2]},pump,{THEN}\n")
    assert (ended.code, yard.pairs(), ended.data["left_without"]) == (0, {2: 2}, 1)
    assert yard.facts(1) is None
    again = yard.take(f"{HEAD}{S[1]},{T[1]},pump,{FIRST}\n")
    assert (again.data["earlier"], yard.pairs()) == (1, {2: 2})


def test_a_later_scan_of_a_card_takes_it_from_its_former_old_sim(yard: Yard) -> None:
    assert yard.take(f"{HEAD}{S[1]},{T[1]},a,{FIRST}\n").code == 0
    assert yard.take(f"{HEAD}{S[2]},{T[1]},b,{THEN}\n").code == 0
    assert yard.pairs() == {2: 1}


def test_two_units_whose_cards_are_crossed_are_set_right_by_later_scans(yard: Yard) -> None:
    assert yard.take(f"{HEAD}{S[1]},{T[1]},a,{FIRST}\n{S[2]},{T[2]},b,{FIRST}\n").code == 0
    ended = yard.take(f"{HEAD}{S[1]},{T[2]},a,{THEN}\n{S[2]},{T[1]},b,{THEN}\n")
    assert (ended.code, ended.data["left_without"], yard.pairs()) == (0, 0, {1: 2, 2: 1})


# --- cards and sides ----------------------------------------------------------------------------------------------


def test_old_and_new_that_are_swapped_are_told_so(yard: Yard) -> None:
    ended = yard.take(f"{HEAD}{T[1]},{S[1]},pump,\n{S[2]},{S[3]},pump,\n")
    assert codes(ended) == [("swapped", "field.csv:2"), ("target_is_source", "field.csv:3")]
    assert "old and new are swapped" in ended.err


def claimed(yard: Yard, number: int) -> None:
    with yard.store() as store:
        planned(store, [change(number)])
        begun(store, number)


def begun(store: Store, number: int) -> None:
    run_id = store.journal.start_run("p1", "me", NOW)
    request = store.journal.begin(run_id, StepKind.CLAIM, [key(number)], SENT, wave="all", now=NOW)
    store.journal.answered(request, RequestOutcome.ACCEPTED, now=NOW)


@pytest.mark.parametrize(
    "row",
    [f"{S[1]},{T[2]},pump,{THEN}", f"{S[2]},{T[1]},other,{THEN}", f"{S[2]},{T[2]},pump,{THEN}"],
    ids=["old SIM", "card", "unit"],
)
def test_a_later_scan_against_a_claimed_pair_names_the_command_for_it(yard: Yard, row: str) -> None:
    assert yard.take(f"{HEAD}{S[1]},{T[1]},pump,{FIRST}\n").code == 0
    claimed(yard, 1)
    ended = yard.take(f"{HEAD}{row}\n", "--take-good")
    assert (ended.code, codes(ended), yard.pairs()) == (3, [("already_claimed", "field.csv:2")], {1: 1})
    assert "migrator pair correct" in ended.err


# --- good rows, and exceptions ------------------------------------------------------------------------------------

MIXED = (
    "when,old SIM,new SIM,label,PIN1,unit,scanned_at\n"
    f'x,"{S[1]}",{T[1]},,1234,pump 1,{FIRST}\n'
    f"y,,{T[2]},twice,4321,pump 2,{FIRST}\n"
    f"z,'{S[6]},{T[6]},,9999,pump 6,yesterday\n"
)


def test_good_rows_go_in_and_the_others_go_out_with_their_reasons(yard: Yard) -> None:
    ended = yard.take(MIXED, "--take-good", "--exceptions", "rest.csv")
    assert (ended.code, ended.data["added"], ended.data["left_out"]) == (3, 1, 2)
    assert yard.pairs() == {1: 1}
    text = Path("rest.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["when", "old SIM", "new SIM", "label", "unit", "scanned_at", "problem_code", "problem"]
    assert [(row[0], row[1], row[6]) for row in rows[1:]] == [
        ("y", "", "several_old_sims"),
        ("z", f"'{S[6]}", "time_unclear"),
    ]
    assert "4321" not in text
    assert stat.S_IMODE(Path("rest.csv").stat().st_mode) == 0o600


def test_the_mended_exceptions_go_in_and_repeat_nothing(yard: Yard) -> None:
    yard.take(MIXED, "--take-good", "--exceptions", "rest.csv")
    text = Path("rest.csv").read_text(encoding="utf-8")
    mended = text.replace("twice", "unit 2").replace("yesterday", FIRST)
    ended = yard.take(mended, "--take-good", "--exceptions", "rest.csv", name="rest.csv")
    assert (ended.code, ended.data["added"], ended.data["unused_columns"]) == (0, 2, ["when"])
    assert yard.pairs() == {1: 1, 2: 2, 6: 6}
    again = yard.take(mended, "--take-good", name="rest.csv")
    assert (again.code, again.data["added"], again.data["unchanged"]) == (0, 0, 2)
    assert Path("rest.csv").read_text(encoding="utf-8") == mended  # nothing was left out, so nothing was written


def test_exceptions_may_be_imported_again_before_they_are_mended(yard: Yard) -> None:
    yard.take(MIXED, "--take-good", "--exceptions", "rest.csv")
    first = Path("rest.csv").read_text(encoding="utf-8").replace("field.csv:3", "rest.csv:2")
    ended = yard.run("pair", "import", "rest.csv", "--take-good", "--exceptions", "rest.csv")
    assert (ended.code, ended.data["left_out"]) == (3, 2)
    assert Path("rest.csv").read_text(encoding="utf-8") == first.replace("field.csv:4", "rest.csv:3")


def test_a_plain_file_may_leave_rows_out_too(yard: Yard) -> None:
    ended = yard.take(f"{S[1]},{T[1]}\n{S[9]},{T[2]}\n", "--take-good", "--exceptions", "rest.csv")
    assert (ended.code, yard.pairs()) == (3, {1: 1})
    rows = list(csv.reader(Path("rest.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["source_iccid", "target_iccid", "problem_code", "problem"]
    assert rows[1][:3] == [S[9], T[2], "unknown_source"]


def test_without_the_option_a_problem_keeps_all_rows_out(yard: Yard) -> None:
    ended = yard.take(MIXED)
    assert (ended.code, yard.pairs(), yard.facts(1)) == (2, {}, None)


def test_exceptions_need_take_good(yard: Yard) -> None:
    ended = yard.take(MIXED, "--exceptions", "rest.csv")
    assert (ended.code, Path("rest.csv").exists()) == (2, False)
    assert "--take-good" in ended.err


def test_a_header_that_cannot_be_read_is_refused(yard: Yard) -> None:
    ended = yard.take("a,b\n1,2\n", "--take-good", "--exceptions", "rest.csv")
    assert (ended.code, Path("rest.csv").exists()) == (2, False)


def test_a_file_of_exceptions_that_cannot_be_written_changes_nothing(yard: Yard) -> None:
    ended = yard.take(MIXED, "--take-good", "--exceptions", "none/rest.csv")
    assert (ended.code, yard.pairs()) == (2, {})


def test_a_disk_that_is_full_at_the_last_moment_changes_nothing_either(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("rest.csv").write_text("as it was", encoding="utf-8")
    monkeypatch.setattr("os.fsync", full)
    ended = yard.take(MIXED, "--take-good", "--exceptions", "rest.csv")
    assert (ended.code, yard.pairs()) == (2, {})
    assert f"rest.csv cannot be written: {os.strerror(errno.ENOSPC)}" in ended.err
    assert Path("rest.csv").read_text(encoding="utf-8") == "as it was"


def test_a_row_whose_exchange_is_left_out_is_left_out_too(yard: Yard) -> None:
    """A takes B's card, and B's own row is bad: then B would have none."""
    assert yard.take(f"{S[1]},{T[1]}\n{S[2]},{T[2]}\n").code == 0
    ended = yard.take(f"{S[1]},{T[2]}\n{S[2]},{S[3]}\n", "--replace", "--take-good")
    assert (ended.code, yard.pairs()) == (3, {1: 1, 2: 2})
    assert codes(ended) == [("target_twice", "field.csv:1"), ("target_is_source", "field.csv:2")]


# --- IMEIs --------------------------------------------------------------------------------------------------------


def test_an_imei_is_held_against_both_carriers(yard: Yard) -> None:
    with yard.store() as store:
        store.journal.observed([target(2, imei=imei(8)), target(1, imei=imei(1)[:14] + "03")], [], now=NOW)
    near = imei(2)[:13] + str((int(imei(2)[13]) + 1) % 10)
    rows = f"{S[1]},{T[1]},{imei(1)}\n{S[2]},{T[2]},{near}\n{S[6]},{T[6]},{imei(6)}\n{S[5]},{T[5]},12\n"
    ended = yard.take(f"old SIM,new SIM,IMEI\n{rows}")
    assert (ended.code, ended.data["imei"]) == (
        0,
        {"agree": 1, "old_differs": 1, "new_differs": 1, "one_digit_off": 1, "not_seen": 1, "odd": 1},
    )
    assert (
        f"the source saw old SIM {S[2]} in {imei(2)[:14]} and Hologram saw new SIM {T[2]} in {imei(8)[:14]}"
        in ended.err
    )
    assert "likely mistyped" in ended.err
    assert yard.facts(5) is None  # 12 is no IMEI
    assert json.loads(ended.out)["exit_code"] == 0


# --- what the facts are good for ----------------------------------------------------------------------------------


def test_pairs_are_exported_with_their_facts_and_come_back(yard: Yard) -> None:
    head = "old SIM,new SIM,unit,imei,site,ticket,scanned_at,by\n"
    yard.take(f'{head}{S[1]},{T[1]},"a, b",{imei(1)},Hall,CHG1,{THEN},Anna\n{S[2]},{T[2]},,,,,,\n')
    assert yard.run("pair", "export", "out.csv").code == 0
    rows = list(csv.reader(Path("out.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [
        ["source_iccid", "target_iccid", "unit", "imei", "site", "ticket", "scanned_at", "scanned_by"],
        [S[1], T[1], "a, b", imei(1), "Hall", "CHG1", "2025-11-20T08:30:00Z", "Anna"],
        [S[2], T[2], "", "", "", "", "", ""],
    ]
    again = yard.run("pair", "import", "out.csv")
    assert (again.code, again.data["unchanged"]) == (0, 2)


def test_pairs_without_facts_are_exported_as_ever(yard: Yard) -> None:
    yard.take(f"{S[1]},{T[1]}\n")
    yard.run("pair", "export", "out.csv")
    assert Path("out.csv").read_bytes() == f"source_iccid,target_iccid\r\n{S[1]},{T[1]}\r\n".encode()
