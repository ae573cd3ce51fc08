"""`inventory import` from the command line: all or nothing, told in words, and an inventory like any other."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.cli.inventory import sim_values
from migrator.core.fleet.sims import QuotaReading, SourceSim, SourceStatus, data_limit
from migrator.core.fleet.units import Bytes
from migrator.engine.run.context import quiet
from migrator.inputs.inventory.file import opened_inventory
from migrator.wiring import SystemClock
from migrator.workflows.import_inventory import import_inventory
from tests.builders import sim, source_iccid
from tests.cli.conftest import POLICY, Desk
from tests.store.store_kit import open_store, pulled

PIN = "73519428"
HEADER = "ICCID;Status;Bezeichnung;PIN;Datenkontingent (MB);SMS-Kontingent\n"


def line(number: int, *, status: str = "Aktiviert", label: str = "pump", quota: str = "500") -> str:
    return f"{source_iccid(number)};{status};{label};{PIN};{quota};250\n"


def sims_file(desk: Desk, *lines: str) -> str:
    return desk.write("sims.csv", HEADER + "".join(lines))


def exported(desk: Desk) -> bytes:
    assert desk.run("inventory", "export", "out.jsonl").code == 0
    return Path("out.jsonl").read_bytes()


def test_a_portal_file_becomes_the_inventory_and_says_what_it_read_from_where(desk: Desk) -> None:
    ended = desk.run("inventory", "import", sims_file(desk, line(1), line(2, status="Deaktiviert")))
    assert ended.code == 0, ended.err
    assert "2 SIMs in the inventory, from sims.csv" in ended.out
    assert "Bezeichnung" in ended.out
    assert "hold secrets of the SIMs: PIN" in ended.err
    shown = desk.run("inventory", "show")
    assert "import of sims.csv at 20" in shown.out
    data = desk.json("inventory", "show").data
    assert (data["count"], data["api_version"], data["origin"]) == (2, "import", "sims.csv")
    assert data["statuses"] == {"disabled": 1, "enabled": 1}


def test_no_pin_reaches_the_store_the_screen_or_the_problem_file(desk: Desk) -> None:
    ended = desk.run("inventory", "import", sims_file(desk, line(1)))
    bad = desk.run("inventory", "import", sims_file(desk, line(1), f"x{line(2)}"), "--problems", "found.txt")
    assert (ended.code, bad.code) == (0, 2)
    for path in Path().iterdir():
        if path.name != "sims.csv":
            assert PIN.encode() not in path.read_bytes()
    assert PIN not in ended.out + ended.err + bad.out + bad.err


def test_a_file_with_problems_changes_nothing_and_all_of_them_are_told(desk: Desk) -> None:
    assert desk.run("inventory", "import", sims_file(desk, line(1))).code == 0
    before = exported(desk)
    ended = desk.json(
        "inventory", "import", sims_file(desk, line(2), "x;;;;;\n", line(3, quota="1.024"), line(2, label="other"))
    )
    assert ended.code == 2
    codes = [error["code"] for error in ended.document["errors"]]
    assert codes == ["inventory_import", "not_an_iccid", "unclear_volume", "iccid_twice"]
    assert "sims.csv:5: SIM" in ended.document["errors"][3]["message"]
    assert "line 2 already" in ended.document["errors"][3]["message"]
    assert "read as: iccid = 'ICCID' (by title)" in ended.document["errors"][0]["hint"]
    assert exported(desk) == before
    assert desk.json("inventory", "show").data["open"] is None


def test_more_problems_than_fit_on_a_screen_are_all_in_a_file(desk: Desk) -> None:
    bad = sims_file(desk, *("x;;;;;\n" for _ in range(120)))
    ended = desk.run("inventory", "import", bad)
    assert ended.code == 2
    assert ended.err.count("is not an ICCID") == 50
    assert "120 problems" in ended.err
    assert "import-problems.txt" in ended.err
    assert len(Path("import-problems.txt").read_text().splitlines()) == 120


def test_few_problems_are_in_a_file_only_when_it_is_asked_for(desk: Desk) -> None:
    bad = sims_file(desk, "x;;;;;\n")
    assert desk.run("inventory", "import", bad).code == 2
    assert not Path("import-problems.txt").exists()
    assert desk.run("inventory", "import", bad, "--problems", "found.txt").code == 2
    assert len(Path("found.txt").read_text().splitlines()) == 1


def test_a_sound_file_leaves_no_problem_file(desk: Desk) -> None:
    assert desk.run("inventory", "import", sims_file(desk, line(1)), "--problems", "found.txt").code == 0
    assert not Path("found.txt").exists()


def test_rows_that_say_the_same_are_one_sim(desk: Desk) -> None:
    with_check_digit = line(1).replace(str(source_iccid(1)), "89882280000000000014")
    ended = desk.json("inventory", "import", sims_file(desk, line(1), line(1), with_check_digit))
    assert ended.code == 0, ended.err
    assert (ended.data["sims"], ended.data["repeated"]) == (1, 2)


def test_iccids_that_end_in_zeros_are_refused_unless_something_vouches_for_them(desk: Desk) -> None:
    zeros = [f"89882280{number:07d}0000;Aktiviert;u{number};;5;5\n" for number in range(1, 4)]
    for some in (zeros[:1], zeros):
        ended = desk.json("inventory", "import", sims_file(desk, line(1), *some))
        assert ended.code == 2
        assert [error["code"] for error in ended.document["errors"][1:]] == ["rounded_by_spreadsheet"] * len(some)
        assert "as text" in ended.document["errors"][1]["hint"]
    neighbour = zeros[0].replace("0000;", "0001;", 1)
    beside = desk.run("inventory", "import", sims_file(desk, line(1), zeros[0], neighbour))
    assert beside.code == 0
    assert "ends in zeros, as a spreadsheet leaves them: sims.csv:3" in beside.err
    known = desk.run("inventory", "import", sims_file(desk, zeros[0]), "--replace")
    assert known.code == 0, known.err
    in_groups = zeros[2].replace("89882280000000300", "8988 2280 0000 0030 0")
    assert desk.run("inventory", "import", sims_file(desk, in_groups), "--replace").code == 0


def test_two_sims_that_rounding_made_one_are_told_as_that(desk: Desk) -> None:
    rounded = "8988228000000010000;Aktiviert;{};;5;5\n"
    ended = desk.json("inventory", "import", sims_file(desk, line(1), rounded.format("a"), rounded.format("b")))
    assert ended.code == 2
    assert {error["code"] for error in ended.document["errors"][1:]} == {"rounded_by_spreadsheet"}


def test_a_status_that_nobody_knows_is_said_and_never_acted_on(desk: Desk) -> None:
    ended = desk.run("inventory", "import", sims_file(desk, line(1), line(2, status="Gesperrt")))
    assert ended.code == 3
    assert "'Gesperrt' (1)" in ended.err
    desk.run("pair", "pool", desk.pool())
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    assert plan["reasons"]["status_unknown"] == 1


def test_sims_without_a_quota_are_said_and_blocked_by_a_policy_that_needs_it(desk: Desk) -> None:
    ended = desk.run("inventory", "import", desk.write("list.csv", f"ICCID,Status\n{source_iccid(1)},Activated\n"))
    assert ended.code == 0
    assert "1 SIM without a booked data volume" in ended.err
    desk.run("pair", "pool", desk.pool())
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    assert plan["reasons"] == {"quota_missing": 1}


def test_a_plan_made_from_an_import_is_not_stale_when_a_pull_finds_the_same(desk: Desk) -> None:
    """The file knows neither quotas nor addresses, and has the portal's word for a status."""
    desk.run("inventory", "pull")
    rows = [json.loads(text) for text in exported(desk).splitlines()]
    words = {"Enabled": "Activated", "Disabled": "Deactivated"}
    content = "ICCID\tStatus\tLabel\n"
    for row in rows:
        label = '"' + (row["label"] or "").replace('"', '""') + '"'
        content += f"{row['iccid']}\t{words.get(row['status_word'], row['status_word'])}\t{label}\n"
    Path("migrator.db").unlink()
    assert desk.run("inventory", "import", desk.write("list.csv", content)).code in {0, 3}
    desk.run("pair", "pool", desk.pool())
    fixed = POLICY + '[data_limit]\nbasis = "fixed"\nfixed_mb = 50\n[sms_limit]\nbasis = "keep"\n'
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", fixed)).data
    assert plan["claims"] > 0
    assert desk.run("inventory", "pull").code == 0
    assert "1NCE's API v2" in desk.run("inventory", "show").out
    ended = desk.run("apply", "--confirm", str(plan["claims"]))
    assert ended.code != 5, ended.err
    assert len(desk.rehearsal.hologram.ledger.charges) == plan["claims"]


def test_a_file_that_leaves_sims_out_changes_nothing_and_says_how_many(desk: Desk) -> None:
    desk.paired()
    before = exported(desk)
    ended = desk.json("inventory", "import", sims_file(desk, line(1), line(2)))
    assert (ended.code, ended.document["errors"][0]["code"]) == (2, "inventory_shrinks")
    assert f"{desk.sims} of its SIMs, {desk.sims} of them with a pair" in ended.document["errors"][0]["message"]
    assert "--replace" in ended.document["errors"][0]["hint"]
    assert exported(desk) == before
    assert desk.json("plan", "create", "--policy", desk.write("p.toml", POLICY)).data["claims"] > 0


def test_a_file_of_as_many_other_sims_is_refused_too(desk: Desk) -> None:
    desk.run("inventory", "import", sims_file(desk, line(1), line(2)))
    assert desk.run("inventory", "import", sims_file(desk, line(2), line(3))).code == 2


def test_a_file_may_leave_sims_out_when_told_and_its_pairs_stay(desk: Desk) -> None:
    desk.run("inventory", "import", sims_file(desk, line(1), line(2), line(3)))
    desk.run("pair", "pool", desk.pool())
    ended = desk.json("inventory", "import", sims_file(desk, line(3)), "--replace")
    assert ended.code == 0, ended.err
    dropped = ended.data["dropped"]
    assert (dropped["sims"], dropped["paired"]) == (2, 2)
    assert dropped["first"] == [source_iccid(1).digits, source_iccid(2).digits]
    assert "is this the right 1NCE account?" in ended.err
    assert len(desk.run("pair", "export", "-").out.splitlines()) == 1 + 3


def test_one_sim_is_told_in_the_singular(desk: Desk) -> None:
    ended = desk.run("inventory", "import", sims_file(desk, line(1)))
    assert "1 SIM listed" in ended.err
    assert "1 SIM in the inventory" in ended.out
    eleven = desk.run("inventory", "import", sims_file(desk, *map(line, range(1, 12))))
    assert "11 SIMs listed" in eleven.err


def test_a_file_that_only_adds_sims_needs_no_word(desk: Desk) -> None:
    desk.run("inventory", "import", sims_file(desk, line(1)))
    ended = desk.json("inventory", "import", sims_file(desk, line(2), line(1)))
    assert (ended.code, ended.data["dropped"]["sims"]) == (0, 0)


def test_a_pull_tells_of_sims_that_are_gone(desk: Desk) -> None:
    desk.paired()
    desk.rehearsal.onence.fleet.pop()
    ended = desk.json("inventory", "pull")
    assert (ended.code, ended.data["dropped"]["sims"], ended.data["dropped"]["paired"]) == (0, 1, 1)
    assert "1 of its SIMs, 1 of them with a pair" in ended.err


def test_a_pull_replaces_an_import(desk: Desk) -> None:
    desk.run("inventory", "import", sims_file(desk, line(1)))
    assert desk.run("inventory", "pull").code == 0
    assert desk.json("inventory", "show").data["count"] == desk.sims


def test_the_export_of_a_pull_comes_back_byte_for_byte(desk: Desk) -> None:
    desk.run("inventory", "pull", "--quotas")
    before = exported(desk)
    Path("migrator.db").unlink()
    Path("copy.jsonl").write_bytes(before)
    assert desk.run("inventory", "import", "copy.jsonl").code in {0, 3}
    assert exported(desk) == before


def test_our_own_csv_comes_back_too(desk: Desk) -> None:
    desk.run("inventory", "pull", "--quotas")
    before = exported(desk)
    desk.run("inventory", "export", "own.csv")
    assert desk.run("inventory", "import", "own.csv").code in {0, 3}
    assert exported(desk) == before


def test_standard_input_is_a_file_too(desk: Desk) -> None:
    content = Path(sims_file(desk, line(1)))
    kept = os.dup(0)
    try:
        with content.open("rb") as stream:
            os.dup2(stream.fileno(), 0)
            ended = desk.json("inventory", "import", "-")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert ended.code == 0, ended.err
    assert ended.data["inventory"]["origin"] == "stdin"


@pytest.mark.parametrize(
    "content", [b"", b"ICCID;Label\n", b"\0" * 9, b"\xff\xfe\x00", b'ICCID\n"8988', b"{}\n", b"x" * 2_000_000]
)
def test_a_hostile_file_ends_with_exit_2_and_no_store_is_left_changed(desk: Desk, content: bytes) -> None:
    Path("bad.csv").write_bytes(content)
    ended = desk.json("inventory", "import", "bad.csv")
    assert ended.code == 2
    assert ended.document["errors"][0]["message"]
    assert desk.run("inventory", "show").code == 2


def test_a_directory_ends_with_exit_2(desk: Desk) -> None:
    ended = desk.run("inventory", "import", ".")
    assert ended.code == 2
    assert "directory" in ended.err


# --- there and back -----------------------------------------------------------------------------------------------

texts = st.none() | st.text(max_size=12)
volumes = st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**12)
fleets = st.lists(
    st.builds(
        SourceSim,
        iccid=st.integers(0, 10**6).map(source_iccid),
        status=st.sampled_from(SourceStatus),
        status_word=st.text(max_size=12),
        label=texts,
        imsi=texts,
        msisdn=texts,
        imei=texts,
        imei_lock=st.none() | st.booleans(),
        ip_address=texts,
        activated_at=texts,
        data_quota_mb=volumes,
        sms_quota=volumes,
        data_reading=st.sampled_from(QuotaReading),
        data_remaining_mb=volumes,
        sms_reading=st.sampled_from(QuotaReading),
        sms_remaining=volumes,
        expires_at=texts,
        data_limit=st.none() | st.builds(data_limit, st.integers(0, 2**63 - 1).map(Bytes), st.text(max_size=12)),
        tags=st.none() | st.lists(st.text(min_size=1, max_size=12), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.iccid.key,
)


def export_lines(sims: Any) -> str:
    return "".join(json.dumps(sim_values(sim), ensure_ascii=False) + "\n" for sim in sims)


@given(fleets)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_fleet_comes_back_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, fleet: list[SourceSim]) -> None:
    folder = tmp_path_factory.mktemp("round")
    with open_store(folder) as store:
        pulled(store, fleet)
        before = export_lines(store.inventory.sims())
        path = folder / "sims.jsonl"
        path.write_text(before, encoding="utf-8", newline="")
        with opened_inventory(path, {}) as file:
            import_inventory(store, file, clock=SystemClock(), note=lambda _problem: None, progress=quiet)
        assert export_lines(store.inventory.sims()) == before
        assert store.inventory.summary()["api_version"] == "import"


def test_one_huge_volume_blocks_its_sim_and_no_other(desk: Desk) -> None:
    lines = [line(1, quota="9000000000000000"), *map(line, range(2, 9))]
    assert desk.run("inventory", "import", sims_file(desk, *lines)).code == 0
    assert desk.run("pair", "pool", desk.pool()).code == 0
    made = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY))
    assert made.code == 0
    assert made.data["reasons"] == {"limit_too_large": 1, "ready": 7}
    explained = desk.run("plan", "explain", source_iccid(1).digits)
    assert "9437184000000000000000 bytes" in explained.out
    assert desk.run("apply", "--confirm", "7").code == 3
    assert len(desk.rehearsal.hologram.ledger.charges) == 7


def test_one_huge_remaining_volume_blocks_its_sim_and_no_other(desk: Desk) -> None:
    huge = Decimal(9_000_000_000_000_000)
    told = [
        sim(number, data_reading=QuotaReading.READ, data_remaining_mb=huge if number == 1 else Decimal(500))
        for number in range(1, 9)
    ]
    desk.write("sims.jsonl", "".join(json.dumps(sim_values(one)) + "\n" for one in told))
    assert desk.run("inventory", "import", "sims.jsonl").code == 0
    assert desk.run("pair", "pool", desk.pool()).code == 0
    policy = POLICY + '[data_limit]\nbasis = "remaining"\n[sms_limit]\nbasis = "keep"\n'
    made = desk.json("plan", "create", "--policy", desk.write("policy.toml", policy))
    assert made.code == 0
    assert made.data["reasons"] == {"limit_too_large": 1, "ready": 7}


def test_a_pull_that_lost_much_of_the_fleet_asks_for_replace_as_an_import_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.paired()
    del desk.rehearsal.onence.fleet[:7]
    ended = desk.json("inventory", "pull")
    (problem,) = ended.document["errors"]
    assert (ended.code, problem["code"]) == (2, "inventory_shrinks")
    assert "7 of its SIMs, 7 of them with a pair" in problem["message"]
    assert "--replace" in problem["hint"]
    assert desk.json("inventory", "show").data["count"] == 24
    monkeypatch.setenv("ONENCE_MOST_DROPPED", "0.2")
    assert desk.run("inventory", "pull").code == 2
    ended = desk.json("inventory", "pull", "--replace")
    assert (ended.code, ended.data["sims"], ended.data["dropped"]["of"]) == (0, 17, 24)
    del desk.rehearsal.onence.fleet[:6]
    monkeypatch.setenv("ONENCE_MOST_DROPPED", "0.5")
    assert desk.run("inventory", "pull").code == 0
