"""`pair import` says what it changed, and `pair check` counts every SIM once and looks at the targets."""

import os
import threading
from pathlib import Path
from typing import Any

from migrator.core.fleet.identifiers import Eid
from migrator.core.fleet.sims import Pair
from migrator.store import Store
from migrator.workflows.check_pairs import count_pairs
from tests.builders import ORG, sim, source_iccid, target, target_iccid
from tests.cli.conftest import Desk
from tests.store.store_kit import NOW, open_store, pulled

EID, OTHER_EID = "89049032000000000000000000000163", "89049032000000000000000000000260"
SIX = [target_iccid(number).digits for number in range(1, 7)]


def pairs_file(desk: Desk, targets: list[str], *, name: str = "pairs.csv", eids: bool = False) -> str:
    """The first SIMs of the fleet, in ICCID order, with these targets."""
    fleet = sorted(one.iccid for one in desk.rehearsal.onence.fleet)
    lines = [f"{source},{new}" + (f",{EID}" if eids else "") for source, new in zip(fleet, targets, strict=False)]
    return desk.write(name, "\n".join(["source_iccid,target_iccid" + (",eid" if eids else ""), *lines]) + "\n")


def sums(data: dict[str, Any]) -> bool:
    """Whether the five counts sum to what `pair check` says they sum to."""
    sources = data["paired"] + data["unpaired"] + data["conflicting"] + data["excluded"]
    targets = data["paired"] + data["conflicting"] + data["unused"]
    return (sources, targets) == (data["inventory"], data["targets"])


def test_every_target_that_cannot_be_claimed_is_found_before_planning(desk: Desk) -> None:
    hologram = desk.rehearsal.hologram
    hologram.stock([SIX[0]])
    hologram.stock_claimed([SIX[1]])
    hologram.stock_test_mode([SIX[2]])
    hologram.stock_dead([SIX[3]])
    hologram.stock_other_org([SIX[4]])  # the sixth is not stocked, and Hologram shows no SIM before it is claimed
    desk.run("inventory", "pull")
    assert desk.run("pair", "import", pairs_file(desk, SIX)).code == 0
    blind = desk.json("pair", "check")
    assert blind.data["seen"] == {"not_read": 6}
    live = desk.json("pair", "check", "--live")
    assert live.code == 3
    assert live.data["seen"] == {"dead": 1, "foreign": 1, "not_seen": 2, "ours": 1, "test_mode": 1}
    assert [one["code"] for one in live.data["conflicts"]] == ["test_mode", "dead", "foreign"]
    assert (live.data["paired"], live.data["conflicting"]) == (3, 3)
    assert sums(live.data)
    assert [entry.method for entry in hologram.ledger.entries if entry.method != "GET"] == []


def test_without_live_it_tells_what_the_last_look_showed(desk: Desk) -> None:
    desk.rehearsal.hologram.stock_dead([SIX[0]])
    desk.run("inventory", "pull")
    desk.run("pair", "import", pairs_file(desk, SIX[:1]))
    desk.run("pair", "check", "--live")
    asked = len(desk.rehearsal.hologram.ledger.entries)
    again = desk.run("pair", "check")
    assert again.code == 3
    assert "deactivated (DEAD), for ever" in again.out
    assert len(desk.rehearsal.hologram.ledger.entries) == asked


def test_the_sums_are_printed_for_a_person(desk: Desk) -> None:
    desk.paired()
    ended = desk.run("pair", "check")
    assert ended.code == 0
    assert f"{desk.sims} source SIMs = {desk.sims} paired + 0 unpaired + 0 conflicting + 0 excluded." in ended.out
    assert f"{desk.sims} known target SIMs = {desk.sims} in pairs of these + 0 unused." in ended.out


def test_an_import_says_what_is_new_the_same_and_replaced(desk: Desk) -> None:
    desk.run("inventory", "pull")
    desk.run("pair", "import", pairs_file(desk, SIX[:3]))
    swapped = pairs_file(desk, [SIX[0], SIX[5], SIX[2], SIX[3]], name="new.csv")
    assert desk.run("pair", "import", swapped).code == 2
    ended = desk.json("pair", "import", swapped, "--replace")
    counts = {name: ended.data[name] for name in ("added", "replaced", "unchanged", "completed")}
    assert counts == {"added": 1, "replaced": 1, "unchanged": 2, "completed": 0}
    assert [(one["was"], one["is"], one["origin"]) for one in ended.data["changes"]] == [(SIX[1], SIX[5], "new.csv:3")]
    desk.run("pair", "import", pairs_file(desk, SIX[:3], name="back.csv"), "--replace")
    assert SIX[5] in desk.run("pair", "import", swapped, "--replace").out


def test_eids_travel_through_import_and_export(desk: Desk) -> None:
    desk.run("inventory", "pull")
    plain, chipped = pairs_file(desk, SIX[:1]), pairs_file(desk, SIX[:1], name="chips.csv", eids=True)
    desk.run("pair", "import", plain)
    desk.run("pair", "export", "out.csv")
    assert Path("out.csv").read_text().split() == Path(plain).read_text().split()
    ended = desk.json("pair", "import", chipped)
    assert (ended.data["completed"], ended.data["unchanged"]) == (1, 0)
    desk.run("pair", "export", "out.csv")
    assert Path("out.csv").read_text().split() == Path(chipped).read_text().split()


def test_odd_digits_and_columns_without_a_use_are_said(desk: Desk) -> None:
    desk.run("inventory", "pull")
    source = min(one.iccid for one in desk.rehearsal.onence.fleet)
    name = desk.write("pairs.csv", f"source_iccid,target_iccid,eid,note\n{source},{SIX[0]},{EID[:-1]}1,860000\n")
    ended = desk.run("pair", "import", name)
    assert ended.code == 0
    assert "check digits that are not right: 1" in ended.err
    assert "columns not used: note" in ended.err


def test_many_violations_of_a_pairing_file_are_all_in_a_file(desk: Desk) -> None:
    desk.run("inventory", "pull")
    rows = "".join(f"{source_iccid(number)},{target_iccid(number)}\n" for number in range(70))
    ended = desk.run("pair", "import", desk.write("pairs.csv", f"source_iccid,target_iccid\n{rows}"))
    assert ended.code == 2
    assert ended.err.count("is not in the inventory") == 50
    assert "pairing-problems.txt" in ended.err
    assert len(Path("pairing-problems.txt").read_text().splitlines()) == 70


def test_a_file_that_can_be_read_only_once_is_read_once(desk: Desk) -> None:
    desk.run("inventory", "pull")
    sources = sorted(one.iccid for one in desk.rehearsal.onence.fleet)
    rows = "".join(f"{source},{target}\n" for source, target in zip(sources, SIX, strict=False))
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(f"source_iccid,target_iccid,note\n{rows}",))
    writer.start()
    ended = desk.run("pair", "import", "pipe")
    writer.join()
    assert ended.code == 0
    assert "columns not used: note" in ended.err
    assert desk.json("pair", "import", desk.write("again.csv", f"source_iccid,target_iccid\n{rows}")).data["added"] == 0


# --- counts, on a store without a carrier -------------------------------------------------------------------------


def checked(store: Store) -> dict[str, Any]:
    found = count_pairs(store, ORG)
    data = {"inventory": found.inventory, "targets": found.targets, **found.counts}
    assert sums(data)
    return data | {"conflicts": [one.code for one in found.conflicts]}


def test_an_expired_sim_without_a_pair_needs_none(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1, status="Expired"), sim(2, status="Expired"), sim(3), sim(4, status="odd")])
        store.pairs.add([Pair(source_iccid(1), target_iccid(1), "x")], replace=False, now=NOW)
        data = checked(store)
    assert (data["paired"], data["unpaired"], data["excluded"]) == (1, 2, 1)


def test_a_pair_whose_source_is_gone_leaves_its_target_unused(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        store.pairs.add([Pair(source_iccid(n), target_iccid(n), "x") for n in (1, 2)], replace=False, now=NOW)
        data = checked(store)
    assert (data["paired"], data["unused"], data["targets"]) == (1, 1, 2)


def test_a_sim_that_hologram_showed_and_no_pair_names_is_unused(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        store.pairs.add([Pair(source_iccid(1), target_iccid(1), "x")], replace=False, now=NOW)
        store.journal.observed([target(1), target(2)], [target_iccid(3)], now=NOW)
        data = checked(store)
    assert (data["paired"], data["unused"], data["targets"]) == (1, 1, 2)


def test_a_target_in_another_chip_than_the_pair_says_is_a_conflict(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, (1, 2, 3, 4)))
        pairs = [Pair(source_iccid(n), target_iccid(n), "x", Eid(EID)) for n in (1, 2, 3, 4)]
        store.pairs.add(pairs, replace=False, now=NOW)
        as_link, as_device = {"eid": OTHER_EID}, {"links": {"cellular": [{"eid": OTHER_EID}]}}
        records = [as_link, as_device, {"eid": EID}, {"eid": None}]
        store.journal.observed([target(n, raw=raw) for n, raw in enumerate(records, start=1)], [], now=NOW)
        data = checked(store)
    assert (data["conflicts"], data["paired"]) == (["eid_differs"] * 2, 2)


def test_a_target_that_came_into_the_inventory_since_is_a_conflict(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, (1, 2)))
        store.pairs.add([Pair(source_iccid(1), source_iccid(2), "x")], replace=False, now=NOW)
        store.pairs.add([Pair(source_iccid(2), target_iccid(2), "x")], replace=False, now=NOW)
        assert checked(store)["conflicts"] == ["target_is_source"]


def test_a_sim_that_keeps_its_iccid_is_no_conflict(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1)])
        store.pairs.add([Pair(source_iccid(1), source_iccid(1), "identity")], replace=False, now=NOW)
        assert checked(store)["conflicts"] == []
