"""`work` by the command line: what `fleet go` ordered is done, in a process of its own, and the list tells of it."""

import json
import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from migrator.core.campaign.notices import sims_notice
from migrator.core.policy.outside import NoticeEvent
from migrator.inputs.policy.file import stored_policy
from migrator.reports.model import moment
from migrator.store import Store
from tests.cli.conftest import Desk
from tests.server import sql

pytestmark = pytest.mark.server


@pytest.mark.loopback
def test_an_order_is_carried_out_by_a_worker(desk: Desk, registered: str) -> None:
    at = ("--account", registered)
    assert desk.run(*at, "inventory", "pull").code == 0
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    count = str(plan["claims"])
    assert desk.run("fleet", "go", registered, "--plan", plan["plan_id"], "--confirm", count, "--by", "ada").code == 0
    worked = desk.run("work", "--once", "--slots", "1", "--accounts", registered)
    assert worked.code == 0, worked.err
    assert f"{registered}: begun" in worked.err
    assert f"{registered}: exit 0" in worked.err
    assert len(desk.rehearsal.hologram.ledger.charges) == plan["claims"]
    shown = desk.json("fleet", "show", registered)
    assert "done" in shown.out
    assert "every SIM of the plan is verified" in shown.out
    again = desk.json("work", "--once")
    assert (again.code, again.data["jobs"]) == (0, 0), "nothing is due"


@pytest.mark.loopback
def test_what_was_begun_by_hand_is_named_and_left_alone_until_it_is_ordered(desk: Desk, registered: str) -> None:
    at, told = ("--account", registered), desk.rehearsal.environment()
    assert desk.run(*at, "inventory", "pull").code == 0
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    count = str(plan["claims"])
    assert desk.run(*at, "apply", "--confirm", count, "--max-sims", "2").code == 6
    command = f"migrator fleet go {registered} --plan {plan['plan_id']} --confirm {count}"
    bound = ("--onence-client-id", told["ONENCE_CLIENT_ID"], "--hologram-org", told["HOLOGRAM_ORG_ID"])
    for words in (
        ("fleet", "go", registered),
        ("fleet", "remove", registered),
        ("fleet", "add", registered, *bound),  # a store with a plan that is begun is taken up
    ):
        said = desk.run(*words)
        assert (said.code, command in said.out) == (0, "remove" not in words), (words, said.out)
    assert desk.run("work", "--once").code == 0
    assert len(desk.rehearsal.hologram.ledger.charges) == 2
    shown = desk.run("fleet", "show", registered).out
    assert f"nobody ordered what is begun: plan {plan['plan_id']}" in " ".join(shown.split())
    assert command not in desk.run(*command.split()[1:]).out, "it is ordered now"
    assert desk.run("work", "--once").code == 0
    assert len(desk.rehearsal.hologram.ledger.charges) == plan["claims"]


@pytest.mark.parametrize(("version", "remedy"), [("0016", "has schema 0016"), ("9999", "newer than this tool")])
def test_a_store_of_another_schema_is_tried_again_until_the_team_is_of_one_release(
    desk: Desk, registered: str, url: str, version: str, remedy: str
) -> None:
    assert desk.run("--account", registered, "inventory", "pull").code == 0
    sql(url, f"UPDATE a_{registered}.alembic_version SET version_num = '{version}'")  # noqa: S608 - our own
    told = desk.json("--account", registered, "advance")
    assert (told.code, remedy in told.document["errors"][0]["message"]) == (7, True)
    assert desk.run("work", "--once").code == 0
    ((state, words, waits_s),) = sql(
        url, "SELECT state, words, due_at - extract(epoch FROM clock_timestamp()) FROM fleet.accounts"
    )
    assert (state, remedy in words, 0 < waits_s <= 60) == ("ready", True, True)


def test_an_account_that_is_not_registered_is_not_named_in_vain(desk: Desk, registered: str) -> None:
    told = desk.run("work", "--once", "--accounts", f"{registered}x")
    assert (told.code, registered in told.err) == (2, True)


POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
[status]
disabled = "skip"
"""
RECEIVER = """
[[notify]]
to = "command"
command = ["sh", "-c", "test ! -e away && cat >>told.txt && echo >>told.txt"]
"""


def told(desk: Desk) -> list[dict[str, Any]]:
    """What came to the receiver of the policy."""
    file = desk.folder / "told.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.loopback
def test_an_account_whose_processes_die_tells_its_receivers_where_and_how_it_stands(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--account", registered)
    assert desk.run(*at, "inventory", "pull").code == 0
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", POLICY + RECEIVER)).data
    assert desk.run(*at, "advance", "--tell").code == 0
    order = ("--plan", plan["plan_id"], "--confirm", str(plan["claims"]))
    assert desk.run("fleet", "go", registered, *order).code == 0
    sql(url, "UPDATE fleet.accounts SET crashes = 4")
    monkeypatch.setenv("MIGRATOR_CRASH_AT", "after_intent:claim:1")
    worked = desk.run("work", "--once")
    assert worked.code == 0, worked.err
    assert "; attention, at " in worked.err
    assert f"{registered}: killed after " in worked.err, worked.err
    (body,) = told(desk)
    assert (body["event"], body["told"]["account"], body["told"]["state"]) == ("stopped", registered, "attention")
    ends = "5 times in a row its process did not end by itself: its process was killed (SIGKILL)"
    assert body["told"]["reason"].startswith(ends)
    assert body["told"]["plan_id"] == plan["plan_id"]
    machine = body["told"]["machine"]
    assert machine.split("/")[0] == socket.gethostname()
    assert f"`migrator fleet go {registered}`" in body["told"]["then"]
    shown = " ".join(desk.run("fleet", "show", registered).out.split())
    assert f"ended at {machine}" in shown
    assert desk.json("fleet", "list").data["accounts"][0]["last_worker"] == machine
    assert desk.run(*at, "advance", "--tell").code == 0
    assert len(told(desk)) == 1, "once"
    key = desk.rehearsal.environment()["HOLOGRAM_API_KEY"]
    sql(url, f"UPDATE fleet.accounts SET words = 'refused: {key}', is_untold = true")  # noqa: S608 - our own
    assert desk.run(*at, "advance", "--tell").code == 0
    assert told(desk)[1]["told"]["reason"] == "refused: ***"
    (desk.folder / "away").touch()
    sql(url, "UPDATE fleet.accounts SET words = 'another', is_untold = true")
    assert desk.run(*at, "advance", "--tell").code == 7, "its receiver is away"
    sql(url, "UPDATE fleet.accounts SET words = 'told by its turn', is_untold = false")
    ended = desk.run(*at, "--json", "advance", "--tell")
    (again_at,) = sql(url, f"SELECT min(next_at) FROM a_{registered}.deliveries WHERE state = 'waiting'")[0]  # noqa: S608 - our own
    assert (ended.code, json.loads(ended.out)["data"]["again_at"]) == (7, moment(again_at))
    (desk.folder / "away").unlink()
    sql(url, f"UPDATE a_{registered}.deliveries SET next_at = 0")  # noqa: S608 - our own
    assert desk.run(*at, "advance", "--tell").code == 0
    assert [one["told"]["reason"] for one in told(desk)[2:]] == ["another"]


@pytest.mark.loopback
def test_an_order_that_cannot_begin_is_told_once_its_receiver_is_there(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--account", registered)
    assert desk.run(*at, "inventory", "pull").code == 0
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", POLICY + RECEIVER)).data
    order = ("--plan", plan["plan_id"], "--confirm", str(plan["claims"]))
    assert desk.run("fleet", "go", registered, *order).code == 0
    key = desk.rehearsal.environment()["HOLOGRAM_API_KEY"]
    monkeypatch.setenv("MIGRATOR_CRASH_AT", f"nowhere {key}")
    (desk.folder / "away").touch()
    assert desk.run("work", "--once").code == 0
    (desk.folder / "away").unlink()
    assert desk.run("work", "--once").code == 0
    assert told(desk) == [], "the outbox has its time of retry"
    shown = " ".join(desk.run("fleet", "show", registered).out.split())
    assert "notices 1 waits" in shown, shown
    assert "no crash point" in shown
    kept = [sql(url, f"SELECT * FROM fleet.{table}") for table in ("accounts", "events")]  # noqa: S608 - our own
    assert key not in f"{shown} {kept}"
    sql(url, f"UPDATE a_{registered}.deliveries SET next_at = 0")  # noqa: S608 - our own
    assert desk.run("work", "--once").code == 0
    assert ["no crash point" in one["told"]["reason"] for one in told(desk)] == [True]
    assert told(desk)[0]["told"]["machine"].count("/") == 2, "the worker, as the register names it"


def test_a_worker_delivers_nothing_to_receivers_of_a_plan_that_nobody_approved(
    desk: Desk, registered: str, url: str
) -> None:
    """A receiver may be a program. What a person found with `verify` is left to commands of persons."""
    at, policy = ("--account", registered), POLICY + "[approvals]\nrequired = 2\n" + RECEIVER
    assert desk.run(*at, "inventory", "pull").code == 0
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan_id = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", policy)).data["plan_id"]
    now = time.time()
    with Store.open(url, account=registered, now=now) as store:
        (receiver,) = stored_policy(store.plans.policy_text(plan_id), name="it").notify
        everything = replace(receiver, on=tuple(NoticeEvent))
        notices = sims_notice(
            NoticeEvent.DRIFT, plan_id, ["8944 tag"], {"next": f"migrator report {plan_id}"}, (everything,)
        )
        assert store.outbox.tell(notices, now) == 1
        assert store.outbox.add(NoticeEvent.DAILY, "day", {}, now, (replace(everything, command=("false",)),))
    for _ in range(2):
        ended = desk.run(*at, "--json", "advance", "--tell")
        assert (ended.code, json.loads(ended.out)["data"]["again_at"]) == (7, None), "one is due that it must leave"
    assert told(desk) == []
    assert desk.run(*at, "notify", "deliver").code == 0
    (body,) = told(desk)
    assert (body["told"]["account"], body["told"]["store"]) == (registered, registered)
    assert body["told"]["next"] == f"migrator --account {registered} report {plan_id}"
    assert body["subject"] == f"migrator: Drift ({registered})"


def test_nothing_is_told_from_a_store_that_moved(desk: Desk, registered: str, url: str) -> None:
    """Else a process for it would be begun each hour, without end."""
    assert desk.run("--account", registered, "inventory", "pull").code == 0
    mark = json.dumps({"standing": "moved", "token": "t", "old": "here", "new": "there"})
    sql(url, f"INSERT INTO a_{registered}.meta VALUES ('move', '{mark}')")  # noqa: S608 - our own
    sql(url, "UPDATE fleet.accounts SET state = 'attention', words = 'it moved', is_untold = true, ended_at = 5")
    worked = desk.run("work", "--once")
    assert (worked.code, "were not told" in worked.err) == (0, False)
    assert sql(url, "SELECT is_untold FROM fleet.accounts") == [(False,)]
