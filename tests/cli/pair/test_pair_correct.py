"""`pair correct` as it is typed: what it says, what it refuses with file and line, and how it ends."""

import pytest

from migrator.store import Store
from migrator.wiring import SystemClock, owner
from tests.cli.conftest import Desk

URL = "sqlite:///migrator.db"
TITLES = "source_iccid,target_iccid,evidence"


@pytest.fixture
def crossed(desk: Desk) -> tuple[Desk, list[list[str]]]:
    """A migrated fleet, and a file in which two units have each other's card. Returns: the desk, and the pairs."""
    desk.applied()
    desk.run("pair", "export", "pairs.csv")
    pairs = [line.split(",") for line in (desk.folder / "pairs.csv").read_text().splitlines()[1:]]
    (one, one_card), (other, other_card), *_ = pairs
    desk.write("found.csv", f"{TITLES}\n{one},{other_card},IMEI of meter 1\n{other},{one_card},IMEI of meter 2\n")
    return desk, pairs


def test_a_swap_is_told_old_and_new_and_the_next_plan_claims_nothing(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, pairs = crossed
    charged = dict(desk.rehearsal.hologram.ledger.charges)
    ended = desk.run("pair", "correct", "found.csv", "--by", "Ann Field")
    assert ended.code == 0
    assert "2 pairs corrected" in ended.out
    assert pairs[1][1] in ended.out
    assert "Ann Field" in ended.out
    plan = desk.json("plan", "create", "--policy", "policy.toml").data
    assert (plan["claims"], plan["counts"]["UPDATE"]) == (0, 2)
    assert desk.run("apply", plan["plan_id"]).code == 0
    assert dict(desk.rehearsal.hologram.ledger.charges) == charged
    again = desk.json("pair", "correct", "found.csv", "--by", "Ann Field")
    assert (again.code, again.data["corrected"], again.data["unchanged"]) == (0, 0, 2)


def test_every_bad_line_is_named_and_nothing_is_changed(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, ((one, card), (other, _), *_) = crossed
    unknown = "8988280999999999999"
    lines = [
        f"{one},{one},seen",  # an old card as new
        f"{unknown},89445000000009999991,seen",
        f"{other},{card},",  # no evidence
        f"{other},89445000000009999983,seen",  # twice
        f"{other},8.9445E+19,seen",
        ",89445000000009999975,seen",
    ]
    desk.write("bad.csv", "\n".join([TITLES, *lines, ""]))
    before = desk.run("pair", "export", "-").out
    ended = desk.json("pair", "correct", "bad.csv")
    assert ended.code == 2
    codes = [error["code"] for error in ended.document["errors"]]
    assert sorted(codes[:-1]) == [
        "empty_old",
        "no_evidence",
        "old_twice",
        "rounded_by_spreadsheet",
        "target_is_source",
        "unknown_source",
    ]
    assert all(f"bad.csv:{line}" in " ".join(e["message"] for e in ended.document["errors"]) for line in range(2, 8))
    assert desk.run("pair", "export", "-").out == before


def test_a_file_without_the_columns_names_them(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, _ = crossed
    desk.write("other.csv", "meter,card\n1,2\n")
    ended = desk.run("pair", "correct", "other.csv")
    assert ended.code == 2
    assert "no column source_iccid, target_iccid" in ended.err


def test_own_titles_are_told_by_hand(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, ((one, one_card), (other, other_card), *_) = crossed
    desk.write("own.csv", f"meter,card,note\n{one},{other_card},seen\n{other},{one_card},seen\n")
    columns = ("--column", "source_iccid=meter", "--column", "target_iccid=card", "--column", "evidence=note")
    assert desk.json("pair", "correct", "own.csv", *columns).data["corrected"] == 2


def test_beside_a_run_it_waits(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, _ = crossed
    before = desk.run("pair", "export", "-").out
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=now) as store:
        me = owner(now)
        store.lease.acquire(me, now, is_gone=lambda _owner: False)
        assert desk.run("pair", "correct", "found.csv").code == 9
        store.lease.release(me)
    assert desk.run("pair", "export", "-").out == before
    assert desk.run("pair", "correct", "found.csv").code == 0


def test_a_paid_card_without_a_unit_needs_a_reason_and_is_warned_of(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, ((one, card), (other, other_card), *_) = crossed
    desk.write("single.csv", f"{TITLES}\n{one},{other_card},seen\n")
    ended = desk.run("pair", "correct", "single.csv")
    assert ended.code == 2
    assert "single.csv:2" in ended.err
    assert "would have cost two cards" in ended.err
    ended = desk.json("pair", "correct", "single.csv", "--reason", "the first card broke")
    assert ended.code == 0
    assert (ended.data["left_without"], ended.data["cards_without_unit"]) == ([other], [card])


def test_only_lines_that_evidence_settles_are_taken_from_a_discovery(crossed: tuple[Desk, list[list[str]]]) -> None:
    desk, ((one, one_card), (other, other_card), (third, third_card), *_) = crossed
    lines = [
        f"{one},{other_card},contradicts,seen",
        f"{other},{one_card},contradicts,seen",
        f"{third},89445000000009999991,ambiguous,two of them",
        f"{third},{third_card},known,seen",
        ",89445000000009999983,never_seen,",
    ]
    desk.write("out.csv", "\n".join(["source_iccid,target_iccid,bucket,evidence", *lines, ""]))
    data = desk.json("pair", "correct", "out.csv").data
    assert (data["corrected"], data["unchanged"], data["passed_over"]) == (2, 1, 2)
