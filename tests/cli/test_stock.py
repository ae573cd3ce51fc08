"""Cards that are claimed before anybody knows their unit: taken in, claimed once, adopted by their unit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.carriers.dryrun import NEW_TAG_ID
from migrator.carriers.hologram.simulator.model import SimulatedTag
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.inputs.policy.file import read_policy, stored_policy
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import Rehearsal
from tests.cli.conftest import POLICY, Desk
from tests.worlds.world import Crash, crash_at, new_sims

CARDS = new_sims(12)
STOCK = """
[stock]
max_cards = 8
data_limit_mb = 2
sms_limit = 3
tag = "shelf"
name = "card {target_iccid}"
"""


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with 24 old SIMs, twelve cards at Hologram that are in stock, and a policy that allows eight."""
    desk = make_desk()
    desk.rehearsal.hologram.stock(CARDS)
    desk.write("cards.txt", "".join(f"{iccid}\n" for iccid in CARDS))
    desk.write("policy.toml", POLICY + STOCK)
    assert desk.run("inventory", "pull").code == 0
    assert desk.run("stock", "import", "cards.txt").code == 0
    return desk


def claim(desk: Desk, count: int, *more: str) -> Any:
    return desk.run("stock", "claim", "--policy", "policy.toml", "--count", str(count), "--confirm", str(count), *more)


def dies(desk: Desk, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A claim of five cards whose process ends after so many writes reached Hologram."""
    hooks = crash_at("after_effect", count)
    with monkeypatch.context() as dying:
        dying.setattr("migrator.wiring.crash_points.hooks_from_environment", lambda: hooks)
        with pytest.raises(Crash):
            claim(desk, 5)


def charged(rehearsal: Rehearsal) -> dict[str, int]:
    return dict(rehearsal.hologram.ledger.charges)


def counts(desk: Desk) -> dict[str, int]:
    found: dict[str, int] = desk.json("stock", "list").data["counts"]
    return found


def test_cards_are_taken_in_once(desk: Desk) -> None:
    again = desk.json("stock", "import", "cards.txt").data
    assert (again["added"], again["known"], again["total"]) == (0, 12, 12)
    assert counts(desk) == {"free": 12}
    assert charged(desk.rehearsal) == {}


def test_a_list_of_old_sims_is_no_stock(desk: Desk) -> None:
    old = [sim["iccid"] for sim in map(json.loads, desk.run("inventory", "export", "-").out.splitlines())]
    desk.write("old.txt", f"{old[0]}\n")
    refused = desk.run("stock", "import", "old.txt")
    assert refused.code == 2
    assert "old.txt:1" in refused.err
    assert "is an old SIM of the inventory" in refused.err


def test_cards_are_claimed_as_the_stock_says_and_no_others(desk: Desk) -> None:
    done = claim(desk, 5)
    assert done.code == 0, done.err
    assert charged(desk.rehearsal) == dict.fromkeys(CARDS[:5], 1)
    card = desk.rehearsal.hologram.sims[CARDS[0]]
    tags = {desk.rehearsal.hologram._world.tags[tag_id].name for tag_id in card.tag_ids}
    assert (card.name, card.overage_limit, card.sms_limit, tags) == (f"card {CARDS[0]}", 2 * 1_048_576, 3, {"shelf"})
    assert counts(desk) == {"claimed": 5, "free": 7}


@pytest.mark.parametrize("confirm", [(), ("--confirm", "4")])
def test_a_number_that_is_not_confirmed_claims_nothing(desk: Desk, confirm: tuple[str, ...]) -> None:
    refused = desk.run("stock", "claim", "--policy", "policy.toml", "--count", "5", *confirm)
    assert refused.code == 2
    assert "--confirm 5" in refused.err
    assert charged(desk.rehearsal) == {}


def test_the_cap_counts_all_plans(desk: Desk) -> None:
    assert claim(desk, 5).code == 0
    refused = claim(desk, 4)
    assert refused.code == 6
    assert "5 cards were claimed for the stock, and 4 more are past [stock] max_cards = 8" in refused.err
    assert claim(desk, 3).code == 0
    assert len(charged(desk.rehearsal)) == 8


@pytest.mark.parametrize(
    ("policy", "words"),
    [(POLICY, "allows no card"), (POLICY + STOCK.replace('"shelf"', '"from-1nce"'), "are both 'from-1nce'")],
)
def test_a_policy_without_a_stock_of_its_own_claims_nothing(desk: Desk, policy: str, words: str) -> None:
    desk.write("policy.toml", policy)
    refused = claim(desk, 1)
    assert refused.code == 2
    assert words in refused.err
    assert charged(desk.rehearsal) == {}


def test_cards_that_somebody_claimed_meanwhile_are_left_alone(desk: Desk) -> None:
    """They may be in a unit: neither their name nor their limit is touched."""
    used = ["8944400000000000001", "8944400000000000002"]
    desk.rehearsal.hologram.stock_claimed(used, name="in a pump")
    desk.write("used.txt", "".join(f"{iccid}\n" for iccid in used))
    assert desk.run("stock", "import", "used.txt").code == 0
    assert claim(desk, 5).code == 0
    assert set(charged(desk.rehearsal)) == set(CARDS[:5])
    assert {desk.rehearsal.hologram.sims[iccid].name for iccid in used} == {"in a pump"}


def test_a_risky_setting_is_told_before_cards_are_claimed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATOR_CLAIM_TIMEOUT_S", "60")
    assert "below the usual 180 s" in claim(desk, 1).err


def test_bounds_on_failures_are_those_of_the_policy(desk: Desk) -> None:
    gates = "\n[gates]\nverified_share = 0.5\nmax_failures = 7\nmax_failure_share = 0.25\nmin_sample = 3\n"
    text = POLICY.split("[gates]")[0] + STOCK + gates + "max_failures_by_code = { claimed_elsewhere = 2 }\n"
    desk.write("policy.toml", text)
    assert claim(desk, 1).code == 0
    plan = next(one["plan_id"] for one in desk.json("plan", "list").data["plans"] if one["kind"] == "stock")
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        kept = stored_policy(store.plans.policy_text(plan), name="kept")
    assert kept.gates == read_policy(Path("policy.toml")).policy.gates
    assert kept.caps == read_policy(Path("policy.toml")).policy.caps


def test_more_cards_than_are_free_are_refused(desk: Desk) -> None:
    desk.write("policy.toml", POLICY + STOCK.replace("max_cards = 8", "max_cards = 100"))
    refused = claim(desk, 13)
    assert refused.code == 2
    assert "12 in stock are free" in refused.err
    assert charged(desk.rehearsal) == {}


def test_a_claim_that_died_goes_on_and_is_not_made_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    dies(desk, monkeypatch, 1)
    other = claim(desk, 3)
    assert other.code == 2
    assert "was not finished" in other.err
    assert claim(desk, 5).code == 0
    assert charged(desk.rehearsal) == dict.fromkeys(CARDS[:5], 1)


def test_a_card_whose_claim_is_in_doubt_is_settled_before_its_unit_claims_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies(desk, monkeypatch, 2)
    assert desk.run("pair", "pool", "cards.txt", "--partial").code == 0
    plan = desk.json("plan", "create", "--policy", "policy.toml").data
    assert plan["counts"]["UPDATE"] == 5
    assert desk.run("apply", "--confirm", str(plan["claims"])).code in {0, 3}
    assert charged(desk.rehearsal) == dict.fromkeys(CARDS, 1)


def test_a_card_in_stock_is_adopted_by_its_unit_and_never_claimed_again(desk: Desk) -> None:
    assert claim(desk, 5).code == 0
    assert desk.run("pair", "pool", "cards.txt", "--partial").code == 0
    plan = desk.json("plan", "create", "--policy", "policy.toml").data
    assert (plan["counts"]["UPDATE"], plan["counts"]["CLAIM"]) == (5, 7)
    assert desk.run("apply", "--confirm", "7").code in {0, 3}
    assert set(charged(desk.rehearsal).values()) == {1}
    assert len(charged(desk.rehearsal)) == 12
    assert desk.rehearsal.hologram.sims[CARDS[0]].name != f"card {CARDS[0]}"
    assert counts(desk) == {"paired": 12}
    assert {desk.rehearsal.hologram.sims[card].tags for card in CARDS} == {frozenset({"from-1nce"})}
    assert desk.json("verify").data["verdicts"] == {"ok": 12}


def test_a_tag_of_somebody_else_stays_on_a_card_that_was_claimed_for_the_stock(desk: Desk) -> None:
    """Only the stock's own tag goes, from cards that this store claimed, and a dry run asks for just that."""
    assert claim(desk, 3).code == 0
    hologram = desk.rehearsal.hologram
    world = hologram._world
    world.tags[900] = SimulatedTag(900, "pumps", hologram.org_id)
    hologram.sims[CARDS[0]].tag_ids |= {900}
    used = "8944400000000000001"
    shelf = next(tag_id for tag_id, tag in world.tags.items() if tag.name == "shelf")
    hologram.stock_claimed([used])
    hologram.sims[used].tag_ids = frozenset({shelf})
    desk.write("pool.txt", "".join(f"{iccid}\n" for iccid in (*CARDS[:2], used)))
    assert desk.run("pair", "pool", "pool.txt", "--partial").code == 0
    desk.json("plan", "create", "--policy", "policy.toml", "--where", "paired")
    old = next(one["source_iccid"] for one in desk.json("plan", "show").data["sims"] if one["target_iccid"] == CARDS[0])
    told = next(one for one in desk.json("plan", "explain", old).data["values"] if one["what"] == "tag")
    assert (told["before"], told["planned"]) == ("shelf", "from-1nce")
    dry = desk.run("apply", "--dry-run", "--requests", "-")
    asked = [json.loads(line) for line in dry.out.splitlines() if line.startswith("{")]
    assert [one["path"] for one in asked if "/tags/" in one["path"]] == [
        f"/devices/tags/{number}/{verb}?orgid={hologram.org_id}"
        for number, verb in ((NEW_TAG_ID, "link"), (shelf, "unlink"))
    ]
    assert desk.run("apply").code in {0, 3}
    assert {card: hologram.sims[card].tags for card in (*CARDS[:3], used)} == {
        CARDS[0]: {"from-1nce", "pumps"},
        CARDS[1]: {"from-1nce"},
        CARDS[2]: {"shelf"},
        used: {"from-1nce", "shelf"},
    }


def test_an_answer_that_was_lost_leaves_no_stock_tag_behind(desk: Desk) -> None:
    assert claim(desk, 2).code == 0
    desk.rehearsal.hologram.faults = FaultPlan(
        scripted=[Fault.LOSE_AFTER], scripted_for=lambda _, path: path.endswith("/unlink")
    )
    desk.write("pool.txt", "".join(f"{iccid}\n" for iccid in CARDS[:2]))
    assert desk.run("pair", "pool", "pool.txt", "--partial").code == 0
    desk.json("plan", "create", "--policy", "policy.toml", "--where", "paired")
    assert desk.run("apply").code in {0, 3}
    assert {desk.rehearsal.hologram.sims[card].tags for card in CARDS[:2]} == {frozenset({"from-1nce"})}


def test_a_claim_for_the_stock_that_goes_on_late_leaves_the_units_of_its_cards_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small limit of the stock would silence a unit that lives."""
    dies(desk, monkeypatch, 2)
    assert desk.run("pair", "pool", "cards.txt", "--partial").code == 0
    plan = desk.json("plan", "create", "--policy", "policy.toml").data
    assert desk.run("apply", "--confirm", str(plan["claims"])).code in {0, 3}
    hologram = desk.rehearsal.hologram
    before = {iccid: (hologram.sims[iccid].name, hologram.sims[iccid].overage_limit) for iccid in CARDS}
    assert claim(desk, 5).code == 0
    assert {iccid: (hologram.sims[iccid].name, hologram.sims[iccid].overage_limit) for iccid in CARDS} == before
    assert not any(str(name).startswith("card ") for name, _ in before.values())
    assert charged(desk.rehearsal) == dict.fromkeys(CARDS, 1)


def test_a_pair_with_a_card_that_the_stock_claimed_is_corrected_and_not_replaced(desk: Desk) -> None:
    """Its old SIM would cost two cards, and nobody would have said why."""
    assert claim(desk, 5).code == 0
    assert desk.run("pair", "pool", "cards.txt", "--partial").code == 0
    desk.run("pair", "export", "pairs.csv")
    (old, card), *_ = [line.split(",")[:2] for line in (desk.folder / "pairs.csv").read_text().splitlines()[1:]]
    assert card in CARDS[:5]
    desk.write("other.csv", f"source_iccid,target_iccid\n{old},8944500000000009999\n")
    refused = desk.run("pair", "import", "other.csv", "--replace")
    assert refused.code == 2
    assert "claimed for already" in refused.err


def test_the_plans_of_units_are_the_newest_ones_all_the_same(desk: Desk) -> None:
    assert desk.run("pair", "pool", "cards.txt", "--partial").code == 0
    plan = desk.json("plan", "create", "--policy", "policy.toml").data
    desk.write("more.txt", "".join(f"{iccid}\n" for iccid in ("8944500000000009001", "8944500000000009002")))
    desk.rehearsal.hologram.stock(["8944500000000009001", "8944500000000009002"])
    desk.run("stock", "import", "more.txt")
    assert claim(desk, 2).code == 0
    assert desk.json("plan", "show").data["plan_id"] == plan["plan_id"]
    stock = next(one["plan_id"] for one in desk.json("plan", "list").data["plans"] if one["kind"] == "stock")
    refused = desk.run("cutover", "plan", stock)
    assert refused.code == 2
    assert "none of them has an old SIM" in refused.err
    kinds = {one["kind"] for one in desk.json("plan", "list").data["plans"]}
    assert kinds == {"migrate", "stock"}
    assert desk.run("audit", "verify").code == 0
