"""`fleet`: accounts are registered, looked at, steered and reported; each goes by what the register says of it."""

import csv
import json
import os
from pathlib import Path

import pytest

from migrator.core.accounts.records import TurnOrder
from migrator.core.accounts.turns import AccountState, Turn
from migrator.store import Store
from migrator.store.register import Register
from tests.cli.conftest import POLICY, Desk
from tests.schema.test_schema_postgresql import RELEASED, of_revision
from tests.server import running, sql


def for_account(desk: Desk, account: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A plan of the account. Returns: its data."""
    monkeypatch.setenv("MIGRATOR_ACCOUNT", account)
    plan = desk.planned(POLICY)
    monkeypatch.delenv("MIGRATOR_ACCOUNT")
    return plan


def test_an_account_goes_by_the_register_the_whole_way(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = for_account(desk, registered, monkeypatch)
    claims = str(plan["claims"])
    assert plan["org_id"] == int(desk.rehearsal.environment()["HOLOGRAM_ORG_ID"])
    (line,) = desk.json("fleet", "list").data["accounts"]
    assert (line["phase"], line["sims"], line["verified"], line["plan"]) == ("planned", desk.sims, 0, plan["plan_id"])
    assert line["secrets_missing"] == []

    assert desk.run("--account", registered, "apply", "--confirm", claims).code == 0
    silent = ("--require", "verified", "--accept-silent-units", "--old-sim", "not_asked", "--rest", "0s")
    planned = desk.json("--account", registered, "cutover", "plan", *silent)
    assert planned.code == 0, planned.out
    cutover = planned.data
    go = ("fleet", "go", registered, "--plan", cutover["switch_id"], "--confirm", str(cutover["count"]))
    for words, code in (((), 0), (("--max-sims", "1"), 2), (("--wave", "nowhere"), 2), (("--confirm", "1"), 2)):
        assert desk.run(*go, *words).code == code, words
    (line,) = desk.json("fleet", "list").data["accounts"]
    assert (line["phase"], line["verified"]) == ("migrated", plan["claims"])
    listed = desk.run("fleet", "list").out
    assert f"{registered} " in listed
    assert "1 in all" in listed

    assert desk.run("fleet", "report", "--out", "all", "--each").code == 0
    page = Path("all/accounts.html").read_text(encoding="utf-8")
    assert f'href="{registered}/reconciliation.html"' in page
    assert Path(f"all/{registered}/reconciliation.html").is_file()
    told = json.loads(Path("all/accounts.json").read_text(encoding="utf-8"))
    assert (told["total"]["sims"], told["total"]["verified"]) == (desk.sims, plan["claims"])
    with Path("all/accounts.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["account"], row["sims"], row["state"]) == (registered, str(desk.sims), "ready")
    assert "hunter" not in page
    assert sql(url, "SELECT count(*) FROM fleet.accounts") == [(1,)]


@pytest.mark.skipif(os.name != "posix", reason="programs of POSIX")
def test_a_command_for_secrets_that_fails_is_told_by_the_list(
    desk: Desk, registered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"HOLOGRAM_API_KEY__{registered.upper()}")
    monkeypatch.setenv("MIGRATOR_SECRETS_COMMAND", "/bin/sh -c 'echo a-secret; exit 7'")
    told = desk.run("fleet", "list")
    words = f"Account {registered}: HOLOGRAM_API_KEY of account {registered}: the command of MIGRATOR_SECRETS_COMMAND "
    assert (told.code, f"{words}ended with exit code 7." in " ".join(told.out.split())) == (0, True), told.out
    assert "a-secret" not in told.out + told.err


def test_an_account_that_waits_for_another_one_of_its_customer_says_so(desk: Desk, registered: str, url: str) -> None:
    client = desk.rehearsal.environment()["ONENCE_CLIENT_ID"]
    assert desk.run("fleet", "add", "waits", "--onence-client-id", client).code == 0
    with Register.open(url) as register:
        assert register.began(registered, "w1") is not None
        assert register.began("waits", "w2") is None
    for command in (("fleet", "list"), ("fleet", "show", "waits")):
        assert f"after {registered}" in desk.run(*command).out


def test_the_report_takes_the_place_of_no_store(desk: Desk, registered: str) -> None:
    assert registered
    Path("all").mkdir()
    stores = [Path("migrator.db"), Path("all/accounts.csv")]
    for store, out in zip(stores, ("migrator.db", "all"), strict=True):
        Store.open(f"sqlite:///{store}", now=0.0).close()
        before = store.read_bytes()
        refused = desk.run("fleet", "report", "--out", out)
        assert (refused.code, str(store) in refused.err) == (2, True)
        assert store.read_bytes() == before
    assert [path.name for path in Path("all").iterdir()] == ["accounts.csv"]


def test_an_account_that_is_not_registered_is_refused_and_not_made(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = f"{registered}0"
    monkeypatch.setenv(f"HOLOGRAM_API_KEY__{wrong.upper()}", "k")
    monkeypatch.setenv(f"ONENCE_CLIENT_SECRET__{wrong.upper()}", "k")
    for words in (("status",), ("inventory", "pull"), ("state", "info"), ("doctor",), ("serve",)):
        for more in ((), ("--state", url)):
            refused = desk.run(*more, "--account", wrong, *words)
            assert (refused.code, f'"{registered}"' in refused.err) == (2, True), (words, refused.err)
    assert sql(url, f"SELECT 1 FROM pg_namespace WHERE nspname = 'a_{wrong}'") == []  # noqa: S608 - our own


@pytest.mark.parametrize("name", ["HOLOGRAM_ORG_ID", "ONENCE_CLIENT_ID", "MIGRATOR_SOURCE"])
def test_a_machine_that_says_something_else_than_the_register_is_refused(
    desk: Desk, registered: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"HOLOGRAM_ORG_ID": "99", "ONENCE_CLIENT_ID": "7_other", "MIGRATOR_SOURCE": "onomondo"}[name]
    for variable in (name, f"{name}__{registered.upper()}"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, other)
            refused = desk.run("--account", registered, "inventory", "pull")
        assert (refused.code, f"{name}__{registered.upper()}" in refused.err) == (2, True)
    same = desk.rehearsal.environment() | {"MIGRATOR_SOURCE": "1nce"}
    monkeypatch.setenv(name, same[name])
    assert desk.run("--account", registered, "inventory", "pull").code == 0


def test_a_store_that_is_there_is_taken_up_only_by_what_it_is_of(
    desk: Desk, registered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_account(desk, registered, monkeypatch)
    assert desk.run("fleet", "remove", registered, "--by", "ada").code == 0
    told = desk.rehearsal.environment()
    client, org = told["ONENCE_CLIENT_ID"], told["HOLOGRAM_ORG_ID"]
    for words, hint in (
        (("--onence-client-id", "7_other", "--hologram-org", org), "client id"),
        (("--onence-client-id", client, "--hologram-org", "99"), f"--hologram-org {org}"),
        (("--source", "onomondo", "--customer", "x", "--hologram-org", org), "--source 1nce"),
    ):
        refused = desk.run("fleet", "add", registered, *words)
        assert (refused.code, hint in refused.err) == (2, True), refused.err
    taken = desk.json("fleet", "add", registered, "--onence-client-id", client, "--hologram-org", org)
    assert (taken.code, taken.data["has_store"]) == (0, True)


def test_an_order_is_checked_before_a_worker_gets_it(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = for_account(desk, registered, monkeypatch)
    plan_id, claims = str(plan["plan_id"]), str(plan["claims"])
    go = ("fleet", "go", registered, "--by", "ada")
    for words, code in (
        (("--plan", "p99", "--confirm", claims), "no_such_plan"),
        (("--plan", plan_id), "confirm"),
        (("--plan", plan_id, "--confirm", "1"), "confirm"),
        (("--plan", plan_id, "--confirm", claims, "--wave", "nowhere"), "no_wave"),
        (("--confirm", claims), "bad_options"),
    ):
        refused = desk.json(*go, *words)
        assert (refused.code, refused.document["errors"][0]["code"]) == (2, code), words
    with Register.open(url) as register:
        assert register.account(registered).order is None
    given = desk.json(
        *go, "--plan", plan_id, "--confirm", claims, "--wave", "canary", "--max-sims", "2", "--ref", "CHG-1"
    )
    assert given.code == 0
    with Register.open(url) as register:
        order = register.account(registered).order
    assert order is not None
    assert (order.plan, order.confirm, order.wave, order.max_sims, order.ref) == (
        plan_id,
        plan["claims"],
        "canary",
        2,
        "CHG-1",
    )
    held = desk.json("fleet", "hold", registered, "--why", "a customer called", "--by", "bob")
    (one,) = held.data["accounts"]
    assert (one["state"], one["order"]) == ("held", None)
    events = desk.json("fleet", "show", registered).data["events"]
    assert [(one["what"], one["by"]) for one in events] == [("held", "bob"), ("go", "ada"), ("added", "ada")]


def test_who_waits_for_a_person_is_named_with_the_command(desk: Desk, registered: str, url: str) -> None:
    with Register.open(url) as register:
        register.beat("rome/1", host="rome", version="1", slots=2, serves=[registered])
        assert register.began(registered, "rome/1")
        at_work = desk.json("fleet", "show", registered).data
        assert (at_work["state"], at_work["worker"], at_work["serving"][0]["worker"]) == ("at work", "rome/1", "rome/1")
        assert f"rome/1 since {at_work['since']}" in desk.run("fleet", "show", registered).out
        assert desk.run("fleet", "remove", registered).code == 2
        words = "the plan is stale\x1b[2J"
        register.ended(registered, "rome/1", Turn(AccountState.ATTENTION, None, words))
    listed = desk.run("fleet", "list").out
    assert "the plan is stale" in listed
    assert "\x1b" not in listed
    assert f"fleet go {registered}" in listed
    assert desk.run("fleet", "go", registered).code == 0
    assert desk.json("fleet", "list").data["accounts"][0]["state"] == "ready"


def test_a_store_that_cannot_be_read_hides_no_other(desk: Desk, registered: str, url: str) -> None:
    assert desk.run("--account", registered, "inventory", "pull").code == 0
    assert desk.run("fleet", "add", "other", "--source", "portal").code == 0
    Store.open(url, account="other", now=0.0).close()
    for change, trouble in (
        ("UPDATE a_other.alembic_version SET version_num = '0016'", "state upgrade"),
        ("UPDATE a_other.alembic_version SET version_num = '9999'", "newer"),
        ("DROP TABLE a_other.verifications CASCADE", "schema"),
    ):
        sql(url, change)
        lines = desk.json("fleet", "list").data["accounts"]
        found = {line["account"]: line for line in lines}
        assert found[registered]["sims"] == desk.sims
        assert (found["other"]["phase"], trouble in found["other"]["trouble"]) == ("unknown", True)
    assert "newer" in desk.run("fleet", "show", "other").out
    assert desk.run("fleet", "report", "--each", "--out", "all").code == 0
    sql(url, "DROP SCHEMA a_other CASCADE")


def test_without_a_register_nothing_is_asked_of_it_and_each_command_says_how_to_make_it(desk: Desk, url: str) -> None:
    for words in (("list",), ("show", "acme"), ("go", "acme"), ("hold", "acme"), ("remove", "acme"), ("report",)):
        refused = desk.run("fleet", *words)
        assert (refused.code, "fleet init" in refused.err) == (2, True)
    refused = desk.run("serve")
    assert (refused.code, "--account" in refused.err, "fleet init" in refused.err) == (2, True, True)
    refused = desk.run("--state", "sqlite:///x.db", "fleet", "init")
    assert (refused.code, "postgresql://" in refused.err) == (2, True)
    assert not list(Path().glob("*.db"))
    assert sql(url, "SELECT 1 FROM pg_namespace WHERE nspname = 'fleet'") == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("Acme", "--onence-client-id", "1_x"), "no name of an account"),
        (("acme",), "--onence-client-id"),
        (("acme", "--onence-client-id", "a b"), "no blank"),
        (("acme", "--onence-client-id", "1_x", "--customer", "y"), "--customer"),
        (("acme", "--source", "onomondo"), "--customer"),
        (("acme", "--source", "Deutsche Telekom"), "--source"),
        (("acme", "--source", "portal", "--onence-client-id", "1_x"), "--customer"),
        (("acme", "--onence-client-id", "1_x", "--every", "1s"), "--every"),
        (("acme", "--onence-client-id", "1_x", "--every", "often"), "--every"),
        (("acme", "--onence-client-id", "1_x", "--hologram-org", "0"), "--hologram-org"),
    ],
)
def test_what_no_account_may_be_is_told_by_its_option(desk: Desk, url: str, words: tuple[str, ...], told: str) -> None:
    desk.run("fleet", "init")
    refused = desk.run("fleet", "add", *words)
    assert (refused.code, told in refused.err) == (2, True), refused.err
    assert sql(url, "SELECT count(*) FROM fleet.accounts") == [(0,)]


def test_what_a_person_does_wakes_the_account_unless_it_is_held(
    desk: Desk, registered: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = for_account(desk, registered, monkeypatch)
    count, at = ("--confirm", str(plan["claims"])), ("--account", registered)
    desk.run(*at, "run", "pause")
    for words in (("plan", "approve", *count), ("run", "resume"), ("skip", "--wave", "canary")):
        with Register.open(url) as register:
            register.go(registered, None, "ada")
            assert register.began(registered, "w")
            register.ended(registered, "w", Turn(AccountState.ATTENTION, None, "looks"))
        done = desk.run(*at, *words)
        assert (done.code, f"{registered} is due now" in done.out) == (0, True), (words, done.err)
        assert desk.json("fleet", "list").data["accounts"][0]["state"] == "ready"
    desk.run("fleet", "hold", registered)
    held = desk.run(*at, "plan", "approve", *count)
    assert (held.code, f"fleet go {registered}" in held.out) == (0, True)
    assert desk.json("fleet", "list").data["accounts"][0]["state"] == "held"
    sql(url, "ALTER TABLE fleet.meta ADD CHECK (value = 'no') NOT VALID")
    told = desk.run(*at, "plan", "approve", *count)
    assert (told.code, "workers were not told" in told.err) == (0, True)


def test_many_accounts_are_held_at_once_and_those_go_again_that_this_has_held(
    desk: Desk, registered: str, url: str
) -> None:
    for name in ("bolt", "coil", "dora"):
        assert desk.run("fleet", "add", name, "--source", "portal").code == 0
    assert desk.run("fleet", "hold", "coil", "--why", "a customer called").code == 0
    refused = desk.run("fleet", "hold", "bolt", "nobody")
    assert (refused.code, "nobody" in refused.err) == (2, True)
    for words in ((), ("--all", "bolt")):
        assert desk.run("fleet", "hold", *words).code == 2
    with Register.open(url) as register:
        assert [one.name for one in register.accounts() if one.is_held] == ["coil"], "all or none"
    held = desk.run("fleet", "hold", "--all", "--why", "upgrade")
    again = held.out.partition("`migrator fleet go ")[2].partition("`")[0].split()
    assert sorted(again) == sorted([registered, "bolt", "dora"])
    assert desk.json("fleet", "go", *again, "--by", "ada").code == 0
    with Register.open(url) as register:
        assert [one.name for one in register.accounts() if one.is_held] == ["coil"], "who was held before stays so"
    for of_all in (["hold", "--all"], ["upgrade"]):
        refused = desk.run("--account", "bolt", "fleet", *of_all)
        assert (refused.code, "for all accounts" in refused.err) == (2, True)
    with Register.open(url) as register:
        order = TurnOrder("p9", 480, None, "canary", None, "CHG 1", "ada")
        register.go("bolt", None, "ada", order)
    given_again = "fleet go bolt --plan p9 --confirm 480 --wave canary --ref 'CHG 1'"
    assert given_again in desk.run("fleet", "hold", "--all").out.replace("\n", " "), (
        "an order is taken back with its remedy"
    )
    refused = desk.run("fleet", "go", "bolt", "dora", "--plan", "p1", "--confirm", "1")
    assert (refused.code, "one account" in refused.err) == (2, True)


@pytest.mark.usefixtures("account")
def test_the_stores_of_all_accounts_are_upgraded_and_what_is_left_is_named(desk: Desk, url: str) -> None:
    names = ("bolt", "coil", "dora", "newer")
    for name in names:
        assert desk.run("fleet", "add", name, "--source", "portal").code == 0
    server = running()
    assert server is not None
    for name in ("bolt", "coil"):
        of_revision(server, RELEASED[-2], account=name)
    Store.open(url, account="newer", now=0.0).close()
    sql(url, "UPDATE a_newer.alembic_version SET version_num = '9999'")
    with Register.open(url) as register:
        register.beat("rome/1", host="rome", version="1", slots=2, serves=["coil"])
        assert register.began("coil", "rome/1")
    done = desk.json("fleet", "upgrade")
    found = {one["name"]: (one["is_new"], one["is_left"], one["words"]) for one in done.data["accounts"]}
    assert done.code == 1
    assert found["bolt"] == (True, False, "was upgraded")
    assert found["dora"] == (False, False, "has no store yet")
    assert (found["coil"][:2], "rome/1 is at it" in found["coil"][2]) == ((False, True), True)
    assert (found["newer"][:2], "newer" in found["newer"][2]) == ((False, True), True)
    assert "fleet upgrade coil newer" in done.document["errors"][0]["hint"]
    with Register.open(url) as register:
        register.left("rome/1")
    held = (
        "INSERT INTO a_coil.lease VALUES (1, 'rome', 7, 0, extract(epoch FROM now()), extract(epoch FROM now()) - {})"
    )
    sql(url, held.format(10))
    by_hand = desk.json("fleet", "upgrade", "coil").data["accounts"][0]
    assert (by_hand["is_left"], "rome" in by_hand["words"]) == (True, True)
    sql(url, "DELETE FROM a_coil.lease", held.format(70))  # whoever held it is dead
    assert desk.json("fleet", "upgrade", "coil").data["accounts"][0]["words"] == "was upgraded"
    assert desk.json("fleet", "upgrade", "coil").data["accounts"][0]["words"] == "is up to date"
    assert desk.run("fleet", "upgrade", "nobody").code == 2
    sql(url, *(f"DROP SCHEMA IF EXISTS a_{name} CASCADE" for name in names))
