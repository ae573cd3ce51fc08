"""`plan create --where`: a plan that acts on some SIMs and accounts for all."""

from pathlib import Path

from tests.cli.conftest import POLICY, Desk


def test_only_selected_sims_are_claimed_and_every_sim_is_in_one_bucket(desk: Desk) -> None:
    desk.paired()
    some = sorted(sim.iccid for sim in desk.rehearsal.onence.fleet)[:7]
    where = "iccid in ({})".format(", ".join(f'"{iccid}"' for iccid in some))
    plan = desk.json("plan", "create", "--policy", desk.write("p.toml", POLICY), "--where", where).data
    assert plan["reasons"]["not_selected"] == desk.sims - 7
    assert sum(plan["counts"].values()) == desk.sims
    assert desk.run("apply", "--confirm", str(plan["claims"])).code in {0, 3}
    assert len(desk.rehearsal.hologram.ledger.charges) == plan["claims"] <= 7
    report = desk.json("report").data
    assert report["buckets"]["excluded"] == desk.sims - 7
    assert sum(report["buckets"].values()) == desk.sims


def test_the_expression_is_in_the_plan_and_shown(desk: Desk) -> None:
    desk.paired()
    desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY), "--where", 'status == "enabled"')
    assert desk.json("plan", "show").data["where"] == 'status == "enabled"'
    assert 'Only SIMs where status == "enabled"' in desk.run("plan", "show").out
    desk.run("plan", "export", "plan.jsonl")
    assert 'status == \\"enabled\\"' in Path("plan.jsonl").read_text(encoding="utf-8").splitlines()[0]


def test_another_expression_is_another_plan_even_if_it_selects_the_same(desk: Desk) -> None:
    desk.paired()
    policy = desk.write("p.toml", POLICY)
    made = {
        desk.json("plan", "create", "--policy", policy, *where).data["plan_id"]
        for where in ([], ["--where", "paired"], ["--where", "paired "], ["--where", "paired or paired"])
    }
    assert len(made) == 3


def test_what_becomes_of_a_sim_that_was_left_out_does_not_make_the_plan_stale(desk: Desk) -> None:
    desk.paired()
    first, second = desk.rehearsal.onence.fleet[:2]
    first.label, second.label = "chosen", "other"
    desk.run("inventory", "pull")
    policy = desk.write("p.toml", POLICY)
    plan = desk.json("plan", "create", "--policy", policy, "--where", 'label == "chosen"').data
    second.label = "renamed"
    desk.run("inventory", "pull")
    assert desk.run("apply", "--dry-run").code == 0
    first.label = "renamed, too"
    desk.run("inventory", "pull")
    stale = desk.run("apply", "--confirm", str(plan["claims"]))
    assert stale.code == 5
    assert "its label was 'chosen'" in stale.err


def test_a_mistake_in_the_expression_ends_with_exit_2_before_anything_is_read(desk: Desk) -> None:
    desk.paired()
    before = len(desk.rehearsal.hologram.ledger.entries)
    ended = desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY), "--where", 'labl == "x"')
    assert ended.code == 2
    assert "column 1" in ended.err
    assert "did you mean" in ended.err
    assert len(desk.rehearsal.hologram.ledger.entries) == before


def test_targets_of_sims_that_were_left_out_are_not_looked_up(desk: Desk) -> None:
    desk.paired()
    ledger = desk.rehearsal.hologram.ledger
    before = len(ledger.entries)
    one = desk.rehearsal.onence.fleet[0].iccid
    desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY), "--where", f'iccid == "{one}"')
    asked = [entry.query["sims"] for entry in ledger.entries[before:] if entry.path.endswith("links/cellular")]
    assert [len(sims.split(",")) for sims in asked] == [1]
