"""Commands that would change what a begun plan lives by: pairs and the inventory."""

from collections.abc import Callable

import pytest

from migrator.store import Store
from migrator.wiring import SystemClock, owner
from tests.cli.conftest import Desk

URL = "sqlite:///migrator.db"


@pytest.fixture
def begun(make_desk: Callable[..., Desk]) -> tuple[Desk, str]:
    """A plan of which a part is claimed, and a file that gives its last SIM another card."""
    desk = make_desk(sims=8)
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "2").code == 6
    desk.run("pair", "export", "pairs.csv")
    title, *_, last = (desk.folder / "pairs.csv").read_text().splitlines()
    desk.write("mended.csv", f"{title}\n{last.partition(',')[0]},89445000000009999991\n")
    desk.write("old.txt", f"{last.partition(',')[0]}\n")
    return desk, plan["plan_id"]


def test_a_pair_that_a_begun_plan_still_has_to_claim_is_kept_and_the_ways_on_are_named(begun: tuple[Desk, str]) -> None:
    desk, plan_id = begun
    before = (desk.folder / "pairs.csv").read_text()
    ended = desk.run("pair", "import", "mended.csv", "--replace")
    assert ended.code == 2
    assert f"plan {plan_id} was begun" in ended.err
    assert f"migrator skip {plan_id} --iccids" in ended.err
    desk.run("pair", "export", "again.csv")
    assert (desk.folder / "again.csv").read_text() == before


def test_beside_a_run_it_is_the_run_that_must_be_waited_for(begun: tuple[Desk, str]) -> None:
    desk, plan_id = begun
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=now) as store:
        store.lease.acquire(owner(now), now, is_gone=lambda _owner: False)
    ended = desk.json("pair", "import", "mended.csv", "--replace")
    assert ended.code == 9
    first, second = ended.document["errors"]
    assert (first["code"], second["code"]) == ("pair_in_use", "pair_in_use")
    assert plan_id in first["message"]
    assert "migrator run abort" in second["hint"]


def test_the_way_that_is_named_leads_on(begun: tuple[Desk, str]) -> None:
    desk, plan_id = begun
    assert desk.run("skip", plan_id, "--iccids", "old.txt").code == 0
    assert desk.run("pair", "import", "mended.csv", "--replace").code == 0
    assert desk.run("apply", plan_id).code == 0
    charged = desk.rehearsal.hologram.ledger.charges
    assert len(charged) == desk.json("status").data["claims"] - 1
    assert set(charged.values()) == {1}


def test_pairs_that_no_plan_waits_for_may_be_made_beside_a_run(begun: tuple[Desk, str]) -> None:
    desk, _ = begun
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=now) as store:
        store.lease.acquire(owner(now), now, is_gone=lambda _owner: False)
    assert desk.run("pair", "identity").code == 0
    assert desk.run("pair", "import", "pairs.csv", "--replace").code == 0


def test_the_inventory_that_a_run_lives_by_is_not_replaced_beside_it(begun: tuple[Desk, str]) -> None:
    """An old SIM that is gone is one whose new one nobody should claim."""
    desk, _ = begun
    desk.run("inventory", "export", "fleet.csv")
    now = SystemClock().now().timestamp()
    with Store.open(URL, now=now) as store:
        store.lease.acquire(owner(now), now, is_gone=lambda _owner: False)
    assert desk.run("inventory", "pull").code == 9
    assert desk.run("inventory", "import", "fleet.csv", "--replace").code == 9
