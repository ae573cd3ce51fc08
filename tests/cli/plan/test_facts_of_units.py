"""Facts of units in plans: `--where`, names, and what makes a plan stale."""

import csv
from pathlib import Path

from tests.cli.conftest import POLICY, Desk

NAMED = POLICY + '[name]\ntemplate = "{unit} {ticket}"\nwhen_missing = "{source_iccid}"\n'


def noted(desk: Desk, unit: str = "pump 1", **more: str) -> str:
    """Facts about the unit of the first paired SIM. Returns: its ICCID."""
    desk.run("pair", "export", "pairs.csv")
    with Path("pairs.csv").open(newline="", encoding="utf-8") as lines:
        first = next(csv.DictReader(lines))
    told = {"unit": unit, "ticket": "CHG1", "site": "Hall 3", "by": "Anna", "scanned_at": "2025-01-01T00:00:00Z"} | more
    head, values = ",".join(told), ",".join(told.values())
    text = f"source_iccid,target_iccid,{head}\n{first['source_iccid']},{first['target_iccid']},{values}\n"
    assert desk.run("pair", "import", desk.write("facts.csv", text)).code == 0
    return first["source_iccid"]


def test_where_picks_by_unit_site_ticket_and_scan(desk: Desk) -> None:
    desk.paired()
    noted(desk)
    policy = desk.write("p.toml", POLICY)
    for where in (
        'unit == "pump 1"',
        'site like "Hall*"',
        'ticket in ("CHG1")',
        'scanned_by == "Anna"',
        'scanned_at < "2025-01-02"',
    ):
        plan = desk.json("plan", "create", "--policy", policy, "--where", where).data
        assert plan["reasons"]["not_selected"] == desk.sims - 1, where


def test_names_are_made_of_facts(desk: Desk) -> None:
    desk.paired()
    source = noted(desk)
    desk.run("plan", "create", "--policy", desk.write("p.toml", NAMED), "--out", "plan.jsonl")
    text = Path("plan.jsonl").read_text(encoding="utf-8")
    (line,) = [one for one in text.splitlines() if f'"source_iccid":"{source}"' in one]
    assert '"name":"pump 1 CHG1"' in line
    assert text.count("pump 1") == 1


def test_a_fact_that_a_name_used_makes_the_plan_stale_when_it_changes(desk: Desk) -> None:
    desk.paired()
    noted(desk)
    plan = desk.json("plan", "create", "--policy", desk.write("p.toml", NAMED)).data
    noted(desk, site="Hall 4")
    assert desk.run("apply", "--dry-run").code == 0  # the name has no site
    noted(desk, unit="pump 2")
    stale = desk.run("apply", "--confirm", str(plan["claims"]))
    assert stale.code == 5
    assert "its name was planned as 'pump 1 CHG1' and would be 'pump 2 CHG1'" in stale.err


def test_a_fact_that_where_used_makes_the_plan_stale_when_it_changes(desk: Desk) -> None:
    desk.paired()
    noted(desk)
    plan = desk.json("plan", "create", "--policy", desk.write("p.toml", POLICY), "--where", 'unit == "pump 1"').data
    noted(desk, ticket="CHG2")
    assert desk.run("apply", "--dry-run").code == 0
    noted(desk, unit="pump 2")
    stale = desk.run("apply", "--confirm", str(plan["claims"]))
    assert (stale.code, "--where picks it no more" in stale.err) == (5, True)


def test_facts_that_no_plan_uses_change_no_plan(desk: Desk) -> None:
    desk.paired()
    policy = desk.write("p.toml", POLICY)
    first = desk.json("plan", "create", "--policy", policy).data
    noted(desk)
    again = desk.json("plan", "create", "--policy", policy).data
    assert again["plan_id"] == first["plan_id"]
    assert desk.run("apply", "--dry-run").code == 0


def test_a_report_has_the_facts(desk: Desk) -> None:
    desk.paired()
    source = noted(desk)
    desk.run("plan", "create", "--policy", desk.write("p.toml", POLICY))
    assert desk.run("report", "--out", "out").code in {0, 3}
    with Path("out/reconciliation.csv").open(newline="", encoding="utf-8") as lines:
        rows = {row["source_iccid"].lstrip("'"): row for row in csv.DictReader(lines)}
    row = rows.pop(source)
    told = [row[name] for name in ("unit_name", "site", "ticket", "scanned_at", "scanned_by")]
    assert told == ["pump 1", "Hall 3", "CHG1", "2025-01-01T00:00:00Z", "Anna"]
    assert {row["unit_name"] for row in rows.values()} == {""}


def test_a_pool_is_dealt_by_facts(desk: Desk) -> None:
    desk.run("inventory", "pull")
    dealt = desk.json("pair", "pool", desk.pool(), "--where", 'unit == "pump 1"').data
    assert (dealt["added"], dealt["left_out"]) == (0, desk.sims)
