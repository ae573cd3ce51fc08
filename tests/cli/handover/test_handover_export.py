"""`handover export`: a row a unit, with both SIMs, whole or not at all."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store import Store
from tests.cli.conftest import Desk
from tests.cli.cutover.test_cutover import QUICK, alive, cut_over, pairs_of, pass_data, unit_of
from tests.cli.handover.handover_desk import exported, lines_of, matched, rows_of, swapped_pairs

SIMS = 12
NAMES = (
    "=1+1",
    "+49 30 1",
    "-12",
    "@SUM(A1)",
    "\uff1dcmd",
    "tab\tin it",
    "line\nbreak",
    "bell \x07",
    "a;b,c",
    'say "hi"',
    "'quoted'",
    "  padded  ",
    "12E3",
    "007",
    "1234567890123456789",
    "🚜 Tractor",
    "Z\u00e4hler",
    "right to left \u202e and back",
    "null",
    "{{ 7 * 7 }}{% raw %}",
)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A migrated fleet of which all but two new SIMs passed data, each in the unit of its old one."""
    made: Desk = make_desk(sims=SIMS, onence=QUICK, epoch=datetime.now(UTC))
    alive(made, but=2)
    return made


def proved(desk: Desk) -> list[dict[str, Any]]:
    assert desk.run("verify", "--traffic").code in {0, 3}
    return rows_of(desk)


def test_a_row_has_the_identifiers_of_both_sims_as_the_carriers_have_them(desk: Desk) -> None:
    rows = proved(desk)
    new_of = {old: new for new, old in pairs_of(desk).items()}
    assert [row["old"]["iccid"] for row in rows] == sorted(sim.iccid for sim in desk.rehearsal.onence.fleet)
    for row in rows:
        sim = desk.rehearsal.onence.fleet.find(row["old"]["iccid"])
        assert sim is not None
        old = row["old"]
        assert (old["iccid_with_luhn"], old["imsi"], old["msisdn"]) == (sim.iccid_with_luhn, sim.imsi, sim.msisdn)
        link = desk.rehearsal.hologram.sims[new_of[sim.iccid]]
        new = row["new"]
        assert (new["device_id"], new["link_id"], new["simcard_id"]) == (
            link.device_id,
            link.link_id,
            link.simcard_id,
        )
        assert (new["iccid_with_luhn"], new["imsi"], new["state"]) == (link.iccid, str(link.imsi), "LIVE")
        assert (new["name"], new["data_plan_id"], new["zone"]) == (link.name, 2096, "global")
        assert row["live_at"] == f"{link.claimed_at:%Y-%m-%dT%H:%M:%SZ}"


def test_csv_and_json_lines_say_the_same_in_plain_digits(desk: Desk) -> None:
    rows = proved(desk)
    exported(desk, "units.csv")
    flat = [
        {
            **{name: value for name, value in row.items() if name not in {"old", "new", "handover_version"}},
            **{f"old_{name}": value for name, value in row["old"].items()},
            **{f"new_{name}": value for name, value in row["new"].items()},
        }
        for row in rows
    ]
    told = lines_of("units.csv")
    assert len(told) == SIMS
    for line, row in zip(told, flat, strict=True):
        assert line.keys() == row.keys()
        plain = {name for name in row if not name.endswith(("label", "name", "in_service"))}
        assert {name: line[name] for name in plain} == {
            name: "" if row[name] is None else str(row[name]) for name in plain
        }
        assert line["in_service"] == json.dumps(row["in_service"])


def test_every_row_is_as_the_schema_printed_and_the_schema_knows_every_field(desk: Desk) -> None:
    printed = desk.run("handover", "export", "--schema")
    schema = json.loads(printed.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    for row in proved(desk):
        jsonschema.validate(row, schema, jsonschema.Draft202012Validator)
        assert row.keys() == schema["properties"].keys() == set(schema["required"])
        for side in ("old", "new"):
            assert row[side].keys() == schema["properties"][side]["properties"].keys()


def test_a_unit_is_in_service_only_once_its_new_sim_was_seen_in_it(desk: Desk) -> None:
    assert not matched(rows_of(desk)), "nobody looked yet"
    rows = proved(desk)
    fleet = desk.rehearsal.onence.fleet
    for row in rows:
        sim = fleet.find(row["old"]["iccid"])
        assert sim is not None
        sessions = desk.rehearsal.hologram.sims[row["new"]["iccid_with_luhn"]].sessions
        seen = {session.imei[:14] for session in sessions}
        assert row["in_service"] == (bool(sim.imei) and seen == {(sim.imei or "")[:14]})
        assert (row["in_unit_at"] is not None) == row["in_service"]
    assert {row["status"] for row in rows} == {"in_service", "alive", "silent"}


def test_a_new_sim_in_another_unit_is_not_in_service(desk: Desk) -> None:
    here = matched(proved(desk))[0]
    there = matched(proved(desk))[1]
    new = here["new"]["iccid_with_luhn"]
    desk.rehearsal.hologram.sims[new].sessions.clear()
    pass_data(desk, new, unit_of(desk, there["old"]["iccid"]), after_s=60)
    (row,) = [one for one in proved(desk) if one["new"]["iccid_with_luhn"] == new]
    assert (row["status"], row["in_service"], row["in_unit_at"]) == ("other_unit", False, None)


def test_what_proved_one_card_does_not_prove_the_card_that_is_paired_now(desk: Desk) -> None:
    one, other = (row["old"]["iccid"] for row in matched(proved(desk))[:2])
    swapped_pairs(one, other)
    rows = {row["old"]["iccid"]: row for row in rows_of(desk)}
    assert {rows[iccid]["status"] for iccid in (one, other)} == {"alive"}
    assert {rows[iccid]["in_unit_at"] for iccid in (one, other)} == {None}


def test_a_card_that_only_lived_before_its_swap_is_not_in_service(desk: Desk) -> None:
    """Except in the hardware of its own unit: the technician notes the swap when all is done."""
    before = {row["old"]["iccid"]: row["status"] for row in proved(desk)}
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        now = datetime.now(UTC).timestamp()
        store.unit_facts.put([UnitFacts(pair.source.key, scanned_at=now) for pair in store.pairs.all()], now)
    changed = {"alive": "claimed"}
    assert {row["old"]["iccid"]: row["status"] for row in rows_of(desk)} == {
        old: changed.get(status, status) for old, status in before.items()
    }
    assert {row["old"]["iccid"]: row["status"] for row in proved(desk)} == {
        old: "silent" if status == "alive" else status for old, status in before.items()
    }


def test_a_cutover_tells_when_the_old_sim_went_off_and_a_rollback_takes_it_back(desk: Desk) -> None:
    before = {row["old"]["iccid"]: row for row in proved(desk)}
    assert {row["old_off_at"] for row in before.values()} == {None}
    began = datetime.now(UTC).replace(microsecond=0)
    cut_over(desk)
    after = {row["old"]["iccid"]: row for row in rows_of(desk)}
    off = {sim.iccid for sim in desk.rehearsal.onence.fleet if sim.status == "Disabled"} & after.keys()
    moved = {iccid for iccid, row in after.items() if row["old_off_at"] is not None}
    assert moved == {iccid for iccid in off if before[iccid]["status"] in {"in_service", "alive"}}
    assert all(datetime.fromisoformat(after[iccid]["old_off_at"]) >= began for iccid in moved)
    assert {iccid for iccid, row in after.items() if row["status"] == "old_off"} == {
        iccid for iccid in moved if not before[iccid]["in_service"]
    }
    back = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    rows = {row["old"]["iccid"]: row for row in rows_of(desk)}
    assert {rows[iccid]["old_off_at"] for iccid in rows} == {None}
    assert {iccid for iccid, row in rows.items() if row["status"] == "rolled_back"} == moved
    assert not any(rows[iccid]["in_service"] for iccid in moved)


def test_what_people_noted_of_a_unit_stands_in_its_row(desk: Desk) -> None:
    first = rows_of(desk)[0]["old"]["iccid"]
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        (pair,) = [pair for pair in store.pairs.all() if pair.source.digits == first]
        store.unit_facts.put([UnitFacts(pair.source.key, unit="pump 7", site="Graz", ticket="CHG0042")], 1.0)
    row, other, *_ = rows_of(desk)
    assert (row["unit"], row["site"], row["ticket"]) == ("pump 7", "Graz", "CHG0042")
    assert (other["unit"], other["site"], other["ticket"]) == (None, None, None)


# --- odd names and secrets ------------------------------------------------------------------------------------------


def test_odd_names_are_exact_in_json_and_harmless_in_csv(make_desk: Callable[..., Desk]) -> None:
    desk: Desk = make_desk(sims=len(NAMES), onence=QUICK)
    for sim, name in zip(desk.rehearsal.onence.fleet, NAMES, strict=True):
        sim.label = name
    desk.paired()
    told = {row["old"]["iccid"]: row["old"]["label"] for row in rows_of(desk)}
    wanted = {sim.iccid: sim.label or "" for sim in desk.rehearsal.onence.fleet}
    assert told == wanted
    exported(desk, "units.csv")
    text = Path("units.csv").read_bytes().decode()
    assert all(letter.isprintable() or letter in "\r\n" for letter in text)
    assert text.count("\r\n") == text.count("\n") == len(NAMES) + 1
    cells = {line["old_iccid"]: line["old_label"] for line in lines_of("units.csv")}
    formulas = {"=1+1", "-12", "@SUM(A1)", "\uff1dcmd", "+49 30 1"}
    for iccid, name in wanted.items():
        if name in formulas:
            assert cells[iccid] == f"'{name}"
        elif name.isprintable():
            assert cells[iccid] == name
        assert not cells[iccid].startswith(("=", "+", "-", "@"))


def test_no_pin_and_no_puk_is_handed_over(desk: Desk) -> None:
    proved(desk)
    exported(desk, "units.csv")
    exported(desk, "units.jsonl", "--format", "jsonl")
    for name in ("units.csv", "units.jsonl", "units.csv.cursor"):
        text = Path(name).read_text(encoding="utf-8").lower()
        assert not any(f"{word}{end}" in text for word in ("pin", "puk") for end in ('"', ",", "_"))
        assert not any(sim.puk in text for sim in desk.rehearsal.hologram.sims.values())


# --- files ----------------------------------------------------------------------------------------------------------


def test_stdout_has_the_rows_and_nothing_else(desk: Desk) -> None:
    exported(desk, "units.csv")
    piped = desk.run("handover", "export")
    assert piped.out.encode() == Path("units.csv").read_bytes()
    assert "--cursor FILE keeps one" in piped.err
    assert desk.json("handover", "export").code == 2, "stdout cannot hold both"


def test_new_files_are_for_their_owner_alone(desk: Desk) -> None:
    told = exported(desk, "units.csv")
    assert told["cursor"] == "units.csv.cursor"
    modes = {stat.S_IMODE(Path(name).stat().st_mode) for name in ("units.csv", "units.csv.cursor")}
    assert modes == {0o600}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("option", ["--out", "--cursor"])
def test_a_full_disk_is_told_in_words_and_leaves_the_cursor_that_was_there(desk: Desk, option: str) -> None:
    exported(desk, "units.csv")
    before = Path("units.csv.cursor").read_bytes()
    places = {"--out": "more.csv", "--cursor": "units.csv.cursor"} | {option: "/dev/full"}
    ended = desk.run("handover", "export", *(word for pair in places.items() for word in pair))
    assert ended.code == 2
    assert f"/dev/full cannot be written: {os.strerror(errno.ENOSPC)}" in ended.err
    assert Path("units.csv.cursor").read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused_before_anything_is(desk: Desk) -> None:
    ended = desk.run("handover", "export", "--out", "units.csv", "--cursor", "nowhere/c")
    assert ended.code == 2
    assert "nowhere/c cannot be written: there is no folder" in ended.err
    assert not Path("units.csv").exists()


@pytest.mark.parametrize("words", [("--cursor", "same"), ("--since", "same"), ("--template", "same")])
def test_one_file_is_not_named_for_two_things(desk: Desk, words: tuple[str, str]) -> None:
    exported(desk, "units.csv", "--cursor", "same")
    before = Path("same").read_bytes()
    ended = desk.run("handover", "export", "--out", "same", *words)
    assert ended.code == 2
    assert "named for the rows" in ended.err
    assert Path("same").read_bytes() == before


@pytest.mark.slow
def test_a_killed_export_leaves_the_files_that_were_there(desk: Desk) -> None:
    exported(desk, "units.csv")
    before = {name: Path(name).read_bytes() for name in ("units.csv", "units.csv.cursor")}
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    desk.write("slow.j2", f"{{{{ old.iccid }}}}{{% if not first %}}{loop}{{% endif %}}\n")
    words = ("handover", "export", "--template", "slow.j2", "--out", "units.csv")
    process = subprocess.Popen([sys.executable, "-m", "migrator", *words], stderr=subprocess.PIPE)
    try:
        for _ in range(600):
            if list(desk.folder.glob(".units.csv.*")):
                break
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert {name: Path(name).read_bytes() for name in before} == before


def test_without_a_store_or_pairs_it_says_so_or_has_titles_alone(make_desk: Callable[..., Desk]) -> None:
    desk: Desk = make_desk(sims=3, onence=QUICK)
    assert desk.run("handover", "export").code == 2
    assert desk.run("inventory", "pull").code == 0
    assert exported(desk, "units.csv")["rows"] == 0
    assert lines_of("units.csv") == []
