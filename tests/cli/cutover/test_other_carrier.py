"""A fleet of another carrier: from its file to Hologram, and a list of what a person switches off."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from migrator import wiring
from migrator.core.cutover.plan import Direction
from migrator.errors import InputError
from migrator.wiring.rehearsal.rehearsal import pool_of
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.site import Site
from tests.cli.conftest import CAMPAIGN, Desk

MEGABYTE = 1_048_576
SIMS = 4
OLD = [f"8945730{number:012d}" for number in range(1, SIMS + 1)]
IMEIS = [f"3569380356400{number}0" for number in range(1, SIMS + 1)]
POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
tag = "from-elsewhere"
[status]
disabled = "pause"
[sms_limit]
basis = "keep"
[name]
when_missing = "elsewhere-{source_iccid}"
[cutover]
old_sim = "if_known"
[[waves]]
name = "first"
count = 1
[[waves]]
name = "rest"
"""


@pytest.fixture
def make_desk(make_desk: Callable[..., Desk]) -> Callable[..., Desk]:
    """Carriers whose clocks agree with ours."""
    return partial(make_desk, epoch=datetime.now(UTC))


def fleet(desk: Desk, off: int = 0) -> str:
    """The carrier's file, with the first few SIMs off."""
    rows = (
        f"{iccid},pump {at},{'Suspended' if at <= off else 'Activated'},{imei},500\n"
        for at, (iccid, imei) in enumerate(zip(OLD, IMEIS, strict=True), start=1)
    )
    return desk.write("fleet.csv", "iccid,label,status,imei,Data limit (MB)\n" + "".join(rows))


def imported(desk: Desk, off: int = 0, *more: str) -> Any:
    named = ("--source-name", "Elsewhere", "--value", "status:Suspended=disabled", "--megabyte", "1000000")
    return desk.json("inventory", "import", fleet(desk, off), *named, *more)


def migrated(desk: Desk, policy: str = POLICY) -> None:
    """Each SIM has a new one, which lived in its unit an hour ago; nothing of 1NCE is set."""
    assert imported(desk).code == 0
    new = pool_of(SIMS)
    desk.rehearsal.hologram.stock(new)
    pairs = "".join(f"{old},{card}\n" for old, card in zip(OLD, new, strict=True))
    assert desk.run("pair", "import", desk.write("pairs.csv", f"source_iccid,target_iccid\n{pairs}")).code == 0
    plan = desk.json("plan", "create", "--policy", desk.write("policy.toml", policy))
    assert plan.code == 0, plan.out
    assert "1NCE" not in plan.out
    assert desk.run("apply", "--confirm", str(SIMS)).code == 0
    live_in_units(desk)


def live_in_units(desk: Desk) -> None:
    """Each new SIM lived in its unit an hour ago."""
    for card, imei in zip(pool_of(SIMS), IMEIS, strict=True):
        link = desk.rehearsal.hologram.sims[card]
        assert link.claimed_at is not None
        link.claimed_at -= timedelta(hours=1)
        desk.rehearsal.hologram.add_session(card, link.claimed_at + timedelta(seconds=5), MEGABYTE, imei)


@pytest.fixture
def desk(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = make_desk(sims=SIMS)
    for name in ("ONENCE_CLIENT_ID", "ONENCE_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    return made


def listed(file: str) -> list[str]:
    with Path(file).open(encoding="utf-8", newline="") as lines:
        return [row["iccid"] for row in csv.DictReader(lines)]


def requests_at_1nce(desk: Desk) -> int:
    return int(desk.rehearsal.onence.ledger.as_dict()["requests"])


def test_a_fleet_of_another_carrier_goes_the_whole_way(desk: Desk) -> None:
    migrated(desk)
    limits = {sim.overage_limit for sim in desk.rehearsal.hologram.sims.values()}
    assert limits == {500_000_000}
    plan = desk.json("cutover", "plan").data
    assert (plan["count"], plan["old_sims"]["unknown"], plan["calls"]["requests"]) == (SIMS, SIMS, 0)
    told = " ".join(plan["reminders"])
    assert "nobody can ask Elsewhere whether an old SIM is silent" in told
    assert f"Elsewhere does not tell whether they are in use: {SIMS}" in told
    assert "1NCE" not in told
    refused = desk.json("cutover", "export")
    assert refused.document["errors"][0]["code"] == "confirm"
    first = desk.json("cutover", "export", "--confirm", str(SIMS), "--out", "off.csv")
    assert first.code == 0, first.out
    assert listed("off.csv") == OLD[:1]
    reported = desk.run("campaign", "report")
    cutover = first.data["switch_id"]
    way = f"`migrator cutover export {cutover}` goes on with what was begun, once the portal's next file is in"
    assert (reported.code, way in " ".join(reported.out.split())) == (0, True), reported.out
    page = Path("reports/campaign/campaign.html").read_text(encoding="utf-8")
    assert (f"cutover apply {cutover}" in page, f"cutover export {cutover}" in page) == (False, True)
    again = desk.json("cutover", "export", "--out", "again.csv")
    assert (again.code, listed("again.csv")) == (0, OLD[:1])
    assert imported(desk, 1).code == 0
    second = desk.json("cutover", "export", "--out", "off.csv")
    assert (second.code, second.data["proved"], listed("off.csv")) == (0, 1, OLD[1:])
    assert imported(desk, SIMS).code == 0
    done = desk.json("cutover", "export")
    assert (done.code, done.data["proved"], done.data["listed"]) == (0, SIMS, 0)
    assert desk.json("cutover", "show").data["state"] == "finished"
    assert desk.run("audit", "verify").code == 0
    assert requests_at_1nce(desk) == 0


def test_no_order_about_such_a_fleet_reaches_1nce(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(sims=SIMS)  # with the login of a 1NCE account at hand
    migrated(desk)
    count = str(desk.json("cutover", "plan").data["count"])
    for words in (
        ("cutover", "apply", "--confirm", count),
        ("cutover", "apply", "--dry-run"),
        ("rollback", "plan"),
        ("inventory", "pull"),
        ("verify", "--source"),
    ):
        refused = desk.json(*words)
        assert refused.code == 2, words
        (problem,) = refused.document["errors"]
        assert problem["code"] == "other_source"
        assert "Elsewhere" in problem["message"]
    with wiring.open_store("sqlite:///migrator.db") as store:
        header = store.cutovers.header(str(store.cutovers.newest(Direction.CUTOVER)))
        site = Site(store, wiring.settings(None))
        with pytest.raises(InputError, match="Elsewhere"):
            carry_out_cutover(site, header, CutoverBounds())
    assert requests_at_1nce(desk) == 0


def test_a_policy_that_wants_silence_lists_nothing_and_says_why(desk: Desk) -> None:
    migrated(desk, POLICY.replace("if_known", "must_be_silent"))
    plan = desk.json("cutover", "plan").data
    assert (plan["count"], plan["reasons"]) == (0, {"old_sim_unknown": SIMS})
    assert any("--old-sim if_known goes without" in words for words in plan["reminders"])
    nothing = desk.json("cutover", "export")
    assert (nothing.code, nothing.data["listed"]) == (0, 0)
    assert desk.json("cutover", "plan", "--old-sim", "if_known").data["count"] == SIMS


def test_what_the_plan_saw_is_judged_again_before_a_sim_is_listed(desk: Desk) -> None:
    migrated(desk, POLICY.split("[[waves]]", maxsplit=1)[0])
    assert desk.json("cutover", "plan").data["count"] == SIMS
    sims, (dead, moved, *_) = desk.rehearsal.hologram.sims, pool_of(SIMS)
    sims[dead].state = "PAUSED-USER"
    later = (sims[moved].claimed_at or datetime.now(UTC)) + timedelta(minutes=5)
    desk.rehearsal.hologram.add_session(moved, later, MEGABYTE, "490154203237518")
    ended = desk.json("cutover", "export", "--confirm", str(SIMS), "--out", "off.csv")
    assert (ended.code, ended.data["aside"]) == (3, {"new_sim_not_alive": 1, "other_unit": 1})
    assert listed("off.csv") == OLD[2:]


def test_a_sim_that_died_after_it_was_listed_is_not_listed_again(desk: Desk) -> None:
    migrated(desk)
    assert desk.run("cutover", "plan").code == 0
    assert desk.json("cutover", "export", "--confirm", str(SIMS), "--out", "off.csv").data["listed"] == 1
    desk.rehearsal.hologram.sims[pool_of(SIMS)[0]].state = "PAUSED-USER"
    again = desk.json("cutover", "export", "--out", "off.csv")
    assert again.code != 0
    assert again.data["aside"] == {"new_sim_not_alive": 1}
    assert listed("off.csv") == []


def test_what_a_person_switched_off_by_our_list_is_planned_by_its_status_before(desk: Desk) -> None:
    migrated(desk)
    assert desk.run("cutover", "plan", "--waves", str(SIMS)).code == 0
    assert desk.json("cutover", "export", "--confirm", str(SIMS), "--out", "off.csv").data["listed"] == SIMS
    assert imported(desk, SIMS).code == 0
    plan = desk.json("plan", "create", "--policy", "policy.toml")
    assert plan.data["counts"] == {"NO_OP": SIMS}  # [status] disabled = "pause" would pause every new SIM


def test_plans_and_reports_speak_of_the_carrier_by_its_name(desk: Desk) -> None:
    migrated(desk)
    assert desk.run("report", "--format", "md,json,html", "--out", "report").code in {0, 3}
    pages = [path.read_text(encoding="utf-8") for path in Path("report").rglob("*.*") if path.suffix != ".csv"]
    assert len(pages) >= 3
    assert [page for page in pages if "1NCE" in page] == []
    by_sms = desk.write("sms.toml", POLICY.replace('basis = "keep"', 'basis = "total"'))
    refused = desk.run("plan", "create", "--policy", by_sms)
    assert refused.code == 2
    assert '[sms_limit] basis = "total" needs a booked SMS volume of each SIM, and Elsewhere tells none' in refused.err


def test_a_store_has_the_sims_of_one_carrier(desk: Desk) -> None:
    assert imported(desk).code == 0
    other = desk.json("inventory", "import", fleet(desk), "--source-name", "Else", "--preset", "emnify")
    assert (other.code, other.document["errors"][0]["code"]) == (2, "other_source")
    nameless = desk.json("inventory", "import", fleet(desk))
    assert (nameless.code, nameless.document["errors"][0]["code"]) == (2, "other_source")
    assert '--source-name "Elsewhere"' in nameless.document["errors"][0]["hint"]
    assert "else: --state gives another carrier's SIMs a store" in nameless.document["errors"][0]["hint"]
    assert desk.json("inventory", "show").data["source"] == "Elsewhere"
    assert "import of Elsewhere of fleet.csv" in desk.run("inventory", "show").out
    renamed = ("--preset", "emnify", "--megabyte", "1000000", "--replace")
    assert desk.json("inventory", "import", fleet(desk), *renamed).code == 0
    assert desk.json("inventory", "show").data["source"] == "emnify"


def test_a_sim_without_a_limit_in_the_file_is_not_sent_to_a_pull(desk: Desk) -> None:
    text = Path(fleet(desk)).read_text(encoding="utf-8")
    desk.write("fleet.csv", text.replace(f"{IMEIS[1]},500", f"{IMEIS[1]},"))
    words = ("--source-name", "Elsewhere", "--megabyte", "1000000", "--value", "status:Suspended=disabled")
    assert desk.run("inventory", "import", "fleet.csv", *words).code == 0
    assert desk.run("pair", "pool", desk.pool()).code == 0
    assert desk.run("plan", "create", "--policy", desk.write("policy.toml", POLICY)).code == 0
    assert desk.run("report", "--format", "json", "--out", "report").code in {0, 3}
    (page,) = Path("report").rglob("*.json")
    findings = json.loads(page.read_text(encoding="utf-8"))["findings"]
    (blocked,) = (one for one in findings if one["bucket"] == "blocked")
    assert (blocked["code"], blocked["sims"]) == ("quota_not_read", 1)
    assert "Give it a data limit at Elsewhere" in blocked["remedy"]


def test_a_pull_without_a_login_names_the_file_fleet_and_not_the_login_of_1nce(
    desk: Desk,
) -> None:
    told = desk.json("inventory", "pull").document["errors"]
    assert "ONENCE_CLIENT_ID is not set" in str(told)
    assert not Path("migrator.db").exists()
    assert imported(desk).code == 0
    (told,) = desk.json("inventory", "pull").document["errors"]
    assert (told["code"], "Elsewhere's, from a file" in told["message"]) == ("other_source", True)


def test_a_plan_holds_the_name_of_the_carrier(desk: Desk) -> None:
    migrated(desk)
    back = desk.json("inventory", "import", fleet(desk), "--preset", "emnify", "--megabyte", "1000000", "--replace")
    assert (back.code, back.document["errors"][0]["code"]) == (2, "other_source")


def test_a_fleet_of_1nce_is_switched_by_orders_not_by_lists(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=SIMS)
    desk.applied()
    refused = desk.json("cutover", "export")
    assert (refused.code, refused.document["errors"][0]["code"]) == (2, "has_api")


def test_the_new_sims_of_such_a_fleet_are_discovered_by_imei(desk: Desk) -> None:
    migrated(desk)
    second = ("--state", "sqlite:///second.db")
    assert imported(desk, 0, *second).code == 0
    found = desk.json("pair", "discover", "--live", "--out", "found.csv", *second)
    assert (found.code, found.data["codes"]) == (3, {"waiting.old_sim_not_asked": SIMS})
    assert "a later file of Elsewhere" in found.document["errors"][0]["hint"]
    assert imported(desk, SIMS, *second).code == 0
    settled = desk.json("pair", "discover", "--live", "--accept", "exact", *second)
    assert (settled.code, settled.data["exact"], settled.data["accepted"]) == (0, SIMS, SIMS)


BOUNDS = f"""{CAMPAIGN}cutover = "auto"
cutover_rest = "0s"
"""


def test_a_campaign_moves_such_a_fleet_and_leaves_its_old_sims_to_a_person(desk: Desk) -> None:
    assert imported(desk).code == 0
    new = pool_of(SIMS)
    desk.rehearsal.hologram.stock(new)
    pairs = "".join(f"{old},{card}\n" for old, card in zip(OLD, new, strict=True))
    assert desk.run("pair", "import", desk.write("pairs.csv", f"source_iccid,target_iccid\n{pairs}")).code == 0
    policy = desk.write("policy.toml", POLICY.split("[[waves]]", maxsplit=1)[0] + BOUNDS)
    assert desk.run("campaign", "create", "--policy", policy, "--name", "north").code == 0
    assert desk.run("campaign", "approve", "--by", "ann").code == 0
    ran = desk.json("campaign", "run", "--once")
    assert (ran.code, ran.data["told"]["claimed"]) == (0, SIMS), ran.out
    live_in_units(desk)
    ran = desk.run("campaign", "run", "--once")
    told = " ".join(ran.err.split())
    assert ran.code == 3
    assert f"--confirm {SIMS}` lists them for the portal of Elsewhere" in told
    assert "`migrator cutover export c" in told
    assert "cutover apply" not in told
    confirm = ("--confirm", str(SIMS), "--out", "off.csv")
    assert desk.json("cutover", "export", *confirm).data["listed"] == SIMS
    assert "migrator cutover export" in desk.run("show", OLD[0]).out
    assert imported(desk, SIMS).code == 0
    assert desk.json("cutover", "export").data["proved"] == SIMS
    assert desk.run("campaign", "run", "--once").code == 0
    assert requests_at_1nce(desk) == 0


def test_doctor_asks_no_login_for_such_a_fleet(desk: Desk) -> None:
    assert desk.run("doctor").code == 2, "of a store that is not there, the login of 1NCE is missing"
    assert imported(desk).code == 0
    told = desk.run("doctor")
    assert told.code == 0
    assert "SIMs of Elsewhere, from a file: no API is asked about them" in told.out
    assert "1NCE" not in told.out + told.err
