"""Whatever a plan used makes it stale once it is another, and nothing else does: from the command line."""

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.core.fleet.sims import AccountLimits
from migrator.store import Store
from tests.cli.conftest import POLICY, Desk

NAMED = POLICY + '[name]\ntemplate = "{ip_address}"\n'
CAPPED = POLICY + '[data_limit]\nbasis = "monthly_limit"\n'
REMAINING = POLICY + '[data_limit]\nbasis = "remaining"\nwhen_zero = "pause"\n'
RULED = POLICY + '[[rule]]\nname = "pumps"\nwhen = { label = "pump" }\n[rule.data_limit]\nbasis = "remaining"\n'


def planned(desk: Desk, policy: str, *words: str) -> int:
    """A plan is there. Returns: how many SIMs it claims."""
    pulled(desk, "--quotas")
    assert desk.run("pair", "pool", desk.pool()).code == 0
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", policy), *words)
    assert plan.code == 0
    assert plan.data["claims"] > 0
    return int(plan.data["claims"])


def pulled(desk: Desk, *words: str) -> None:
    assert desk.run("inventory", "pull", *words).code == 0


def capped(megabytes: str | None) -> None:
    """Have the store know this monthly cap of the account."""
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        store.inventory.save_account_limits(AccountLimits(None if megabytes is None else Decimal(megabytes)))


def claimed_sim(desk: Desk) -> SimulatedSourceSim:
    """An old SIM whose new one the plan claims."""
    listed = desk.json("plan", "show", "--action", "CLAIM", "--sims", "1").data["sims"]
    return next(sim for sim in desk.rehearsal.onence.fleet if sim.iccid == listed[0]["source_iccid"])


def refused(desk: Desk) -> str:
    """What `apply` and `plan approve` say who both refuse the plan; nothing is sent."""
    told = desk.run("apply", "--dry-run")
    claims = str(desk.json("plan", "list").data["plans"][0]["claims"])
    approved = desk.run("plan", "approve", "--as", "ann", "--confirm", claims)
    assert (told.code, approved.code) == (5, 5)
    assert [entry for entry in desk.rehearsal.hologram.ledger.entries if entry.method != "GET"] == []
    return told.err


def is_fresh(desk: Desk) -> bool:
    return desk.run("apply", "--dry-run").code == 0


# --- names --------------------------------------------------------------------------------------------------------


def test_a_name_that_would_be_another_one_now(desk: Desk) -> None:
    planned(desk, NAMED)
    pulled(desk)
    assert is_fresh(desk)
    sim = claimed_sim(desk)
    before, sim.ip_address = sim.ip_address, "192.0.2.77"
    pulled(desk)
    assert f"{sim.iccid}: its name was planned as '{before}' and would be '192.0.2.77'" in refused(desk)


def test_an_address_that_no_name_has_is_no_matter(desk: Desk) -> None:
    planned(desk, POLICY)
    claimed_sim(desk).ip_address = "192.0.2.77"
    pulled(desk)
    assert is_fresh(desk)


def test_twenty_names_are_told_and_the_others_counted(desk: Desk) -> None:
    claims = planned(desk, NAMED)
    for number, sim in enumerate(desk.rehearsal.onence.fleet):
        sim.ip_address = f"192.0.2.{number}"
    pulled(desk)
    told = refused(desk)
    assert told.count("its name was planned") == min(claims, 20)
    assert claims <= 20 or f"and {claims - 20} more" in told


# --- the cap of the account ---------------------------------------------------------------------------------------


def test_another_cap_of_the_account(desk: Desk) -> None:
    capped("16")
    planned(desk, CAPPED)
    capped("16.0")
    assert is_fresh(desk)
    capped("1")
    assert "the monthly data limit of the account was 16 MB and is 1 MB" in refused(desk)
    capped(None)
    assert "was 16 MB and is not set" in refused(desk)


def test_a_plan_that_is_made_again_goes_by_the_cap_of_then(desk: Desk) -> None:
    """The largest limit of the policy hides the cap, so that both plans are the same to the letter."""
    capped("16")
    planned(desk, CAPPED + "maximum_mb = 1\n")
    capped("15")
    assert not is_fresh(desk)
    desk.run("plan", "create", "--policy", "policy.toml")
    assert is_fresh(desk)


def test_a_cap_that_no_limit_came_from_is_no_matter(desk: Desk) -> None:
    capped("16")
    planned(desk, POLICY)
    capped("1")
    assert is_fresh(desk)


# --- what is left of a volume -------------------------------------------------------------------------------------


def test_another_remaining_volume_where_the_limit_came_from_it(desk: Desk) -> None:
    planned(desk, REMAINING)
    pulled(desk, "--quotas")
    assert is_fresh(desk)
    sim = claimed_sim(desk)
    sim.data_remaining_mb -= 1
    pulled(desk)
    assert is_fresh(desk), "it was not read, so nobody knows of anything new"
    pulled(desk, "--quotas")
    assert f"{sim.iccid}: its remaining data volume was " in refused(desk)


@pytest.mark.parametrize("policy", [POLICY, RULED])
def test_what_is_left_of_a_sim_that_has_its_limit_from_elsewhere_is_no_matter(desk: Desk, policy: str) -> None:
    desk.rehearsal.onence.fleet[0].label = "pump"
    planned(desk, policy)
    for sim in desk.rehearsal.onence.fleet[1:]:
        sim.data_remaining_mb -= 1
        sim.sms_remaining -= 1
    pulled(desk, "--quotas")
    assert is_fresh(desk)


# --- --where ------------------------------------------------------------------------------------------------------


def test_a_sim_that_where_would_not_pick_any_more(desk: Desk) -> None:
    planned(desk, POLICY, "--where", 'ip_address like "10.*"')
    pulled(desk)
    sim = claimed_sim(desk)
    sim.ip_address = "10.99.99.99"
    pulled(desk)
    assert is_fresh(desk), "it is picked all the same"
    sim.ip_address = "192.0.2.77"
    pulled(desk)
    assert f"{sim.iccid}: --where picks it no more" in refused(desk)


def test_a_sim_that_where_left_out_is_no_matter(desk: Desk) -> None:
    sim = desk.rehearsal.onence.fleet[0]
    planned(desk, NAMED, "--where", f'iccid != "{sim.iccid}"')
    sim.ip_address = "192.0.2.77"
    pulled(desk)
    assert is_fresh(desk)


def test_where_goes_by_what_was_left_until_that_is_read_again(desk: Desk) -> None:
    planned(desk, POLICY, "--where", "data_remaining_mb > 0")
    pulled(desk)
    assert is_fresh(desk)
    claimed_sim(desk).data_remaining_mb = Decimal(-1)
    pulled(desk, "--quotas")
    assert "--where picks it no more" in refused(desk)


# --- the policy ---------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Go to another folder, with the same store."""

    def go() -> None:
        monkeypatch.setenv("MIGRATOR_STATE", f"sqlite:///{desk.folder / 'migrator.db'}")
        (desk.folder / "elsewhere").mkdir()
        monkeypatch.chdir(desk.folder / "elsewhere")

    return go


def test_a_policy_that_was_changed_is_found_from_any_folder(desk: Desk, elsewhere: Callable[[], None]) -> None:
    planned(desk, POLICY)
    elsewhere()
    assert is_fresh(desk)
    Path("policy.toml").write_text("a policy of somebody else", encoding="utf-8")
    assert is_fresh(desk)
    desk.write("policy.toml", POLICY.replace("count = 3", "count = 4"))
    words = f"the policy {desk.folder / 'policy.toml'} was changed since: waves.canary.count was 3 and is 4\n"
    assert words in refused(desk)


def test_the_folder_is_no_part_of_the_plan(desk: Desk, elsewhere: Callable[[], None]) -> None:
    planned(desk, POLICY)
    desk.run("plan", "export", "plan.jsonl")
    elsewhere()
    Path("policy.toml").write_text(POLICY, encoding="utf-8")
    assert desk.run("plan", "create", "--policy", "policy.toml", "--out", "plan.jsonl").code == 0
    assert Path("plan.jsonl").read_bytes() == (desk.folder / "plan.jsonl").read_bytes()
    (desk.folder / "policy.toml").unlink()
    assert "not there any more" not in desk.run("apply", "--dry-run").err, "it was made again from here"


def test_a_policy_that_is_gone_is_told_before_anything_is_sent(desk: Desk) -> None:
    claims = planned(desk, POLICY)
    (desk.folder / "policy.toml").rename(desk.folder / "moved.toml")
    words = f"the policy {desk.folder / 'policy.toml'} is not there any more"
    assert f"warning: {words}" in desk.run("apply", "--dry-run").err
    approved = desk.json("plan", "approve", "--as", "ann", "--confirm", str(claims))
    assert (approved.code, [one["code"] for one in approved.document["errors"]]) == (0, ["warning"])
    assert desk.run("apply").err.startswith(f"warning: {words}"), "also where the number is not confirmed"
    applied = desk.json("apply", "--confirm", str(claims))
    assert applied.document["errors"][0]["message"].startswith(words)
    assert applied.err.count(words) == 1


A = '[[rule]]\nname = "a"\nwhen = { label = "x" }\n[rule.status]\nexpired = "skip"\n'
B = A.replace('"a"', '"b"')
MANY = "[caps]\nmax_sims = 1\nmax_spend_now = 1.0\n[data_limit]\nmaximum_mb = 5\nminimum_mb = 1\nround_up_to_mb = 1\n"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("", "[data_limit]\nmaximum_mb = 5\n", 'data_limit.maximum_mb was not set and is "5"\n'),
        ("[caps]\nmax_sims = 90\n", "", "caps.max_sims was 90 and is 100000\n"),
        (A, A.replace('"x"', '"y*"'), 'rule.a.when.label was "x" and is "y*"\n'),
        (A + B, B + A, "was changed since: the order of its waves or rules\n"),
        ("", MANY + "[sms_limit]\nmaximum = 1\n", "; and 1 more\n"),
        ("", "[cap]\n", "cap: unknown section"),
    ],
)
def test_the_keys_that_a_policy_has_otherwise_now_are_named(desk: Desk, before: str, after: str, words: str) -> None:
    planned(desk, POLICY + before)
    desk.write("policy.toml", POLICY + after)
    assert words in refused(desk)


def test_a_plan_of_an_older_version_goes_by_the_name_of_its_policy(desk: Desk, elsewhere: Callable[[], None]) -> None:
    planned(desk, POLICY)
    with Store.open("sqlite:///migrator.db", now=0.0) as store, store._db.write() as connection:
        connection.exec_driver_sql("DELETE FROM meta WHERE name LIKE 'origin of %'")
    desk.write("policy.toml", POLICY.replace("count = 3", "count = 4"))
    assert "the policy policy.toml was changed since" in refused(desk)
    elsewhere()
    assert "warning: the policy policy.toml is not there any more" in desk.run("apply", "--dry-run").err


def test_a_key_that_is_new_in_this_version_makes_no_plan_of_an_earlier_one_stale(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a plan's policy, and its fingerprint, are without the key; left out, it says what it says now."""
    monkeypatch.setattr("migrator.cli.apply.apply.must_be_whole", lambda *_, **__: None)  # the log stays
    policy = POLICY + "\n[caps]\nmax_sims = 90\n"
    plan = desk.planned(policy)
    with Store.open("sqlite:///migrator.db", now=0.0) as store:
        was = store.plans.policy_json(plan["plan_id"])
        del was["caps"]["scope"]
        fingerprint = hashlib.sha256(json.dumps(was, sort_keys=True).encode()).hexdigest()
        with store._db.write() as connection:
            connection.exec_driver_sql(
                "UPDATE plans SET policy_json = ?, header = json_set(header, '$.fingerprints.policy', ?)",
                (json.dumps(was), fingerprint),
            )
    assert desk.run("apply", "--dry-run").code == 0
    desk.write("policy.toml", policy + 'scope = "plan"\n')
    ended = desk.run("apply", "--dry-run")
    assert ended.code == 5
    assert 'caps.scope was not set and is "plan"' in ended.err
