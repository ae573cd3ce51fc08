"""`handover check`: the customer's own records against the units that have moved."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Desk, Ended
from tests.cli.cutover.test_cutover import QUICK, alive, cut_over
from tests.cli.handover.handover_desk import matched, rows_of, unmatched

BUCKETS = ("unreadable", "still_old", "back_to_old", "new", "not_yet", "unknown", "without")


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A fleet of which some units are in service, some silent."""
    made: Desk = make_desk(sims=10, onence=QUICK, epoch=datetime.now(UTC))
    alive(made, but=2)
    assert made.run("verify", "--traffic").code in {0, 3}
    return made


def check(desk: Desk, text: str, *words: str) -> Ended:
    """Check records. The buckets always sum."""
    ended = desk.json("handover", "check", "--against", desk.write("assets", text), *words)
    if ended.code in {0, 3}:
        assert sum(ended.data[name] for name in BUCKETS) == ended.data["records"]
    return ended


def counts(ended: Ended) -> dict[str, int]:
    return {name: ended.data[name] for name in BUCKETS if ended.data[name]}


def test_a_record_with_the_old_iccid_of_a_unit_in_service_is_told_with_line_and_new_identifiers(desk: Desk) -> None:
    row, waiting = matched(rows_of(desk))[0], unmatched(rows_of(desk))[0]
    old, new = row["old"], row["new"]
    text = f"Asset;SIM ICCID\npump;{waiting['old']['iccid']}\nmeter;{old['iccid_with_luhn']}\n"
    ended = check(desk, text)
    assert ended.code == 3
    assert counts(ended) == {"still_old": 1, "not_yet": 1}
    (found,) = ended.data["findings"]
    assert (found["line"], found["old_iccid"], found["new_iccid"]) == (3, old["iccid"], new["iccid"])
    assert (found["device_id"], found["new_imsi"]) == (new["device_id"], new["imsi"])
    said = desk.run("handover", "check", "--against", "assets")
    assert f"assets:3: holds {old['iccid']}; the unit's SIM is {new['iccid']}" in said.err


def test_records_count_once_by_what_they_hold(desk: Desk) -> None:
    rows = rows_of(desk)
    one, two, three = matched(rows)[:3]
    waiting = unmatched(rows)[0]
    held = {
        "new": one["new"]["iccid_with_luhn"],
        "old beside new": f"{two['old']['iccid']}, {two['new']['iccid']}",
        "old": three["old"]["iccid"],
        "not yet": waiting["old"]["iccid"],
        "stranger": "8931440000000000015",
        "nothing": "",
        "no SIM": "n/a",
        "rounded": "8.98823E+18",
        "in zeros": "8988228066600000000",
    }
    lines = "".join(f'{name},"{value}"\n' for name, value in held.items())
    ended = check(desk, f"what,ICCID\n{lines}")
    assert ended.code == 3
    assert counts(ended) == {"unreadable": 2, "still_old": 1, "new": 2, "not_yet": 1, "unknown": 1, "without": 2}
    assert ended.data["units_in_no_record"] == len(rows) - 4
    named = {one["old"]["iccid"], two["old"]["iccid"], three["old"]["iccid"], waiting["old"]["iccid"]}
    assert set(ended.data["missing"]) == {row["old"]["iccid"] for row in rows} - named


def test_records_that_are_right_need_nothing(desk: Desk) -> None:
    rows = rows_of(desk)
    lines = [row["new" if row["in_service"] else "old"]["iccid"] for row in rows]
    ended = check(desk, "iccid\n" + "\n".join(lines) + "\n")
    assert (ended.code, ended.data["to_change"], ended.data["units_in_no_record"]) == (0, 0, 0)


def test_after_a_cutover_the_old_iccid_is_out_of_date_and_after_a_rollback_the_new_one_is(desk: Desk) -> None:
    alive_only = [row for row in rows_of(desk) if row["status"] == "alive"]
    old = "iccid\n" + "".join(f"{row['old']['iccid']}\n" for row in alive_only)
    new = "iccid\n" + "".join(f"{row['new']['iccid']}\n" for row in alive_only)
    assert counts(check(desk, old)) == {"not_yet": len(alive_only)}
    cut_over(desk)
    assert counts(check(desk, old)) == {"still_old": len(alive_only)}
    assert counts(check(desk, new)) == {"new": len(alive_only)}
    back = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    assert counts(check(desk, old)) == {"not_yet": len(alive_only)}
    ended = check(desk, new)
    assert (ended.code, counts(ended)) == (3, {"back_to_old": len(alive_only)})


def test_json_lines_are_read_wherever_the_iccid_stands_in_them(desk: Desk) -> None:
    one, two, three = (row["old"]["iccid"] for row in matched(rows_of(desk))[:3])
    records: list[dict[str, Any]] = [
        {"name": "a", "iccid": one},
        {"name": "b", "attributes": {"sim": {"iccid": int(two)}}},
        {"name": "c", "sims": [{"ICCID": three}], "active": True},
        {"name": "d", "note": one},
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    ended = check(desk, text)
    assert counts(ended) == {"still_old": 3, "without": 1}
    assert [found["line"] for found in ended.data["findings"]] == [1, 2, 3]
    only = check(desk, text, "--column", "iccid=attributes.sim.iccid")
    assert [found["line"] for found in only.data["findings"]] == [2]
    both = check(desk, text, "--column", "iccid=note", "--column", "iccid=sims.ICCID")
    assert [found["line"] for found in both.data["findings"]] == [3, 4]


@pytest.mark.share(3)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("form", ["{0}", '="{0}"', "'{0}", '"{0}"', "{0}F"])
def test_iccids_are_read_as_people_and_spreadsheets_write_them(desk: Desk, newline: str, form: str) -> None:
    old = matched(rows_of(desk))[0]["old"]["iccid"]
    assert counts(check(desk, f"unit\talte ICCID{newline}7\t{form.format(old)}{newline}")) == {"still_old": 1}


def test_a_list_without_titles_is_read_too(desk: Desk) -> None:
    old = matched(rows_of(desk))[0]["old"]["iccid"]
    ended = check(desk, f"{old},pump\n8931440000000000015,meter\n")
    assert counts(ended) == {"still_old": 1, "unknown": 1}
    assert ended.data["findings"][0]["line"] == 1


def test_a_file_takes_every_finding_and_the_units_in_no_record(desk: Desk) -> None:
    rows = rows_of(desk)
    here = matched(rows)[0]
    ended = check(desk, f"iccid\n{here['old']['iccid']}\n", "--out", "findings.jsonl")
    told = [json.loads(line) for line in Path("findings.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["holds"] for one in told] == ["still_old", *["no_record"] * (len(rows) - 1)]
    assert told[0] == ended.data["findings"][0]


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("", (), "assets is empty"),
        ("name,colour\npump,red\n", (), "no column of ICCIDs; found name, colour"),
        ("name,colour\npump,red\n", ("--column", "iccid=SIM-Nr"), "no column 'SIM-Nr'; found name, colour"),
        ('{"name": "a"}\n', (), "no field of ICCIDs"),
        ('{"iccid": 1}\n{"iccid"\n', (), "assets:2: no JSON object"),
        ('[{"iccid": "8988228066603000034"}]\n', (), "jq -c '.[]'"),
        ("iccid\n1\n", ("--column", "card=SIM"), "there is no field 'card'"),
        ("iccid\n1\n", ("--column", "iccid="), "names no column"),
        ('iccid\n"open\n', (), "not readable as CSV"),
        ("name,iccid\npump,\nmeter,n/a\n", (), "none of 2 records holds an ICCID in the columns that are read"),
        ("name,iccid\npump,8931440000000000015\n", ("--column", "iccid=name"), "none of 1 record holds an ICCID"),
        ("iccid\n", (), "none of 0 records holds an ICCID"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(
    desk: Desk, text: str, words: tuple[str, ...], told: str
) -> None:
    ended = check(desk, text, *words)
    assert ended.code == 2
    assert told in json.dumps(ended.document["errors"], ensure_ascii=False)


def test_a_secret_beside_an_iccid_is_in_no_message(desk: Desk) -> None:
    ended = check(desk, "iccid,puk\n8988228066603000034 12345678,87654321\n")
    assert counts(ended) == {"unreadable": 1}
    assert "12345678" not in ended.out + ended.err
    assert "87654321" not in ended.out + ended.err
