"""Roles and users of the database, by real logins: who may read, give orders, work, and who has approved."""

from collections.abc import Iterator

import pytest

from migrator.core.accounts.turns import AccountState, Turn
from migrator.errors import InputError
from migrator.store import Owner, Store
from migrator.store.register import Register, TurnOrder
from tests.cli.conftest import POLICY, Desk
from tests.schema.test_schema_postgresql import of_revision
from tests.server import running, sql

USERS = {
    "rita": "migrator_reader",
    "olga": "migrator_operator",
    "otto": "migrator_operator",
    "willy": "migrator_worker",
}
ROLES = ("migrator_reader", "migrator_operator", "migrator_worker")
Words = tuple[tuple[str, ...], ...]
TWO_USERS = POLICY + "[approvals]\nrequired = 2\ndatabase_users = true\n"
BOUNDS = """
[campaign]
until = 2099-12-31
claims_per_day = 10
claims_total = 100
spend_per_day = 100
spend_total = 1000
approvals = 2
"""


def without_roles(url: str) -> None:
    """Take away all that a test made of roles and users."""
    for name in (*USERS, "nobody_yet", *ROLES):
        if sql(url, f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):  # noqa: S608 - our own
            sql(url, f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def url(url: str) -> Iterator[str]:
    """The database, without roles."""
    without_roles(url)
    yield url
    without_roles(url)


@pytest.fixture
def logins(registered: str, desk: Desk, url: str) -> dict[str, str]:
    """The address of each user, whose role has its rights in a store of a registered account."""
    del registered
    made = desk.json("fleet", "init", "--roles")
    assert (made.code, made.data["roles_made"]) == (0, list(ROLES))
    for user, role in USERS.items():
        sql(url, f"CREATE ROLE {user} LOGIN", f"GRANT {role} TO {user}")
    sql(url, "CREATE ROLE nobody_yet LOGIN")
    return {user: url.replace("owner@", f"{user}@") for user in (*USERS, "nobody_yet")}


def test_two_approvals_are_of_two_users_of_the_database(
    desk: Desk, registered: str, logins: dict[str, str], url: str
) -> None:
    at = ("--account", registered)
    desk.run(*at, "inventory", "pull")
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", TWO_USERS)).data
    assert desk.run("fleet", "init").code == 0  # whoever made the store gives the roles their rights
    count = ("--confirm", str(plan["claims"]))

    def approved(user: str, name: str) -> dict[str, object]:
        given = desk.json("--state", logins[user], *at, "plan", "approve", *count, "--as", name)
        assert given.code == 0, given.err
        told: dict[str, object] = given.data["approvals"]
        return told

    assert approved("olga", "Olga")["approvers"] == ["Olga (olga)"]
    assert approved("olga", "Otto")["approvers"] == ["Olga (olga)"]
    again = desk.run("--state", logins["olga"], *at, "plan", "approve", *count, "--as", "Otto")
    assert "counts once" in again.out
    halted = desk.run(*at, "apply", *count)
    assert (halted.code, "Olga (olga)" in halted.err) == (6, True)
    assert not desk.rehearsal.hologram.ledger.charges
    assert approved("otto", "olga")["approvers"] == ["Olga (olga)"]
    assert approved("otto", "Otto")["approvers"] == ["Olga (olga)", "Otto (otto)"]
    assert desk.run(*at, "apply", *count).code == 0
    events = sql(url, f"SELECT detail FROM a_{registered}.events WHERE kind = 'plan.approved' ORDER BY seq")  # noqa: S608
    assert '"database_user":"otto"' in events[-1][0].replace(" ", "")


def test_a_campaign_is_approved_by_two_users_too(desk: Desk, registered: str, logins: dict[str, str], url: str) -> None:
    at = ("--account", registered)
    desk.run(*at, "inventory", "pull")
    policy = desk.write("policy.toml", POLICY + BOUNDS + "[approvals]\ndatabase_users = true\n")
    assert desk.run(*at, "campaign", "create", "--policy", policy).code == 0
    assert desk.run("fleet", "init").code == 0
    for user, name, state in (("olga", "Olga", "made"), ("olga", "Otto", "made"), ("otto", "Otto", "approved")):
        given = desk.json("--state", logins[user], *at, "campaign", "approve", "--by", name)
        assert (given.code, given.data["state"]) == (0, state), (user, name, given.err)
    assert given.data["people"] == ["Olga (olga)", "Otto (otto)"]
    assert sql(url, f"SELECT count(DISTINCT db_user) FROM a_{registered}.campaign_approvals") == [(2,)]  # noqa: S608


def test_a_worker_ends_turns_and_sees_which_notices_are_due_and_an_operator_begins_none(
    desk: Desk, registered: str, logins: dict[str, str], url: str
) -> None:
    assert desk.run("--account", registered, "inventory", "pull").code == 0
    assert desk.run("fleet", "init").code == 0  # whoever made the store gives the roles their rights
    sql(
        url,
        f"INSERT INTO a_{registered}.notices VALUES (1, 'stopped', 'key', 0, NULL, '{{}}')",  # noqa: S608 - our own
        f"INSERT INTO a_{registered}.deliveries VALUES (1, '1:command', '{{}}', 'waiting', 0, 50, NULL, '')",  # noqa: S608
    )
    with Register.open(logins["olga"]) as register, pytest.raises(InputError):
        register.began(registered, "w1")
    with Register.open(logins["willy"]) as register:
        assert register.began(registered, "w1")
        after = register.ended(registered, "w1", Turn(AccountState.ATTENTION, None, "a gate"))
        assert after is not None
        assert (after.last_worker, after.is_untold) == ("w1", True)
        register.told(registered, after.ended_at)
        assert not register.account(registered).is_untold
        names = [registered, "not_there"]
        assert [register.with_due_notices(names, now) for now in (49.0, 50.0)] == [set(), {registered}]
        sql(url, f"UPDATE a_{registered}.deliveries SET state = 'sending'")  # noqa: S608 - our own
        assert register.with_due_notices(names, 49.0) == {registered}, "what is on its way has the server's time"
        sql(url, f"UPDATE a_{registered}.deliveries SET next_at = 1e12")  # noqa: S608 - our own
        assert register.with_due_notices(names, 2e12) == set()
        sql(url, f"UPDATE a_{registered}.deliveries SET state = 'waiting', next_at = 50")  # noqa: S608 - our own
        sql(url, f"INSERT INTO a_{registered}.meta VALUES ('move', '{{}}')")  # noqa: S608 - our own
        assert register.with_due_notices(names, 50.0) == set(), "its store moved"
        sql(url, f"DELETE FROM a_{registered}.meta WHERE name = 'move'")  # noqa: S608 - our own
        sql(url, f"REVOKE ALL ON a_{registered}.deliveries FROM migrator_worker")
        assert register.with_due_notices(names, 50.0) == set(), "what it may not read is left alone"


def test_on_a_file_such_a_policy_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIGRATOR_STATE", raising=False)
    desk.paired()
    refused = desk.run("plan", "create", "--policy", desk.write("policy.toml", TWO_USERS))
    assert (refused.code, "database_users" in refused.err, "PostgreSQL" in refused.err) == (2, True, True)


def test_each_role_may_do_what_it_is_for_and_no_more(
    desk: Desk, registered: str, logins: dict[str, str], url: str
) -> None:
    plan_id = "p1"
    at = ("--account", registered)
    desk.run(*at, "inventory", "pull")
    assert desk.run(*at, "pair", "pool", desk.pool()).code == 0
    plan = desk.json(*at, "plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    plan_id = str(plan["plan_id"])
    assert desk.run("fleet", "init").code == 0
    count = ("--confirm", str(plan["claims"]))
    reads: tuple[tuple[str, ...], ...] = (
        ("fleet", "list"),
        (*at, "plan", "show"),
        (*at, "status"),
        (*at, "state", "info"),
    )
    orders: Words = (
        ("fleet", "hold", registered),
        ("fleet", "go", registered, "--plan", plan_id, *count),
        (*at, "plan", "approve", *count),
        (*at, "run", "pause", plan_id),
        (*at, "run", "resume", plan_id),
        (*at, "run", "rate", "500"),
    )
    administers: tuple[tuple[str, ...], ...] = (
        ("fleet", "remove", registered),
        ("fleet", "add", "another", "--source", "portal"),
    )
    words: tuple[str, ...]
    for user in ("rita", "olga", "willy"):
        for words in reads:
            assert desk.run("--state", logins[user], *words).code == 0, (user, words)
    for words in orders:
        refused = desk.run("--state", logins["rita"], *words)
        assert (refused.code, "GRANT" in refused.err) == (2, True), (words, refused.err)
        done = desk.run("--state", logins["olga"], *words)
        assert done.code == 0, (words, done.err)
    for user in ("rita", "olga"):
        for words in ((*at, "apply", *count), (*at, "verify"), (*at, "inventory", "pull"), *administers):
            refused = desk.run("--state", logins[user], *words)
            assert (refused.code, "GRANT" in refused.err) == (2, True), (user, words, refused.err)
    assert not desk.rehearsal.hologram.ledger.charges

    assert desk.run("--state", logins["willy"], *at, "apply", *count).code == 0
    assert set(desk.rehearsal.hologram.ledger.charges.values()) == {1}
    with Register.open(logins["willy"]) as register:
        register.beat("w", host="h", version="1", slots=1, serves=[registered])
        job = register.began(registered, "w")
        assert job is not None
        assert job.order is not None
        assert job.order.plan == plan_id
    for words in (("fleet", "list"), (*at, "status"), (*at, "inventory", "pull")):
        refused = desk.run("--state", logins["nobody_yet"], *words)
        assert (refused.code, "GRANT" in refused.err) == (2, True), (words, refused.err)
    assert sql(url, "SELECT DISTINCT db_user FROM fleet.events WHERE kind <> 'added' ORDER BY 1") == [("olga",)]


def test_an_operator_holds_no_lease_writes_no_step_and_names_no_other_user(
    registered: str, logins: dict[str, str], url: str
) -> None:
    Store.open(url, account=registered, now=0.0).close()
    with Register.open(url) as register:
        register.make_roles()
    with Store.open(logins["olga"], account=registered, now=0.0) as store, pytest.raises(InputError) as caught:
        store.lease.acquire(Owner("h", 1, 0.0), 0.0, is_gone=lambda _owner: False)
    assert caught.value.code == "no_right"
    for user, statement in (
        ("olga", "INSERT INTO a_{0}.steps SELECT * FROM a_{0}.steps"),
        ("olga", "INSERT INTO a_{0}.approvals (db_user) VALUES ('otto')"),
        ("willy", "INSERT INTO a_{0}.approvals (db_user) VALUES ('otto')"),
        ("olga", "UPDATE a_{0}.approvals SET db_user = 'otto'"),
        ("olga", "INSERT INTO fleet.events (db_user) VALUES ('otto')"),
        ("olga", "UPDATE fleet.accounts SET organization = 1"),
        ("willy", "UPDATE fleet.accounts SET customer = 'x'"),
        ("olga", "UPDATE fleet.accounts SET worker = 'w'"),
        ("rita", "UPDATE fleet.accounts SET is_held = true"),
        ("olga", "DELETE FROM a_{0}.events"),
    ):
        with pytest.raises(Exception, match="permission denied"):
            sql(logins[user], statement.format(registered))


def test_an_account_that_is_added_later_has_the_rights_at_once(desk: Desk, logins: dict[str, str], url: str) -> None:
    assert desk.run("fleet", "add", "later", "--source", "portal").code == 0
    with Store.look(logins["rita"], account="later") as store:
        assert store.plans.list() == []
    with Register.open(logins["olga"]) as register:
        register.go("later", None, "olga", TurnOrder("p1", by="olga"))
    sql(url, "DROP SCHEMA a_later CASCADE")


def test_who_may_make_no_roles_hears_what_an_administrator_runs(desk: Desk, url: str) -> None:
    sql(url, "CREATE ROLE nobody_yet LOGIN", "GRANT CREATE ON DATABASE postgres TO nobody_yet")
    refused = desk.run("--state", url.replace("owner@", "nobody_yet@"), "fleet", "init", "--roles")
    assert (refused.code, "CREATE ROLE migrator_reader" in refused.err) == (2, True)
    sql(url, "REVOKE CREATE ON DATABASE postgres FROM nobody_yet")


def test_an_upgrade_with_roles_gives_them_their_rights_in_what_is_new(
    desk: Desk, logins: dict[str, str], url: str
) -> None:
    server = running()
    assert server is not None
    assert desk.run("fleet", "add", "bolt", "--source", "portal").code == 0
    sql(url, "DROP SCHEMA a_bolt CASCADE")
    of_revision(server, "0009", account="bolt")
    init = desk.run("fleet", "init")
    assert init.code == 0, init.err
    for user in USERS:
        refused = desk.json("--state", logins[user], "fleet", "upgrade", "bolt")
        assert refused.code == 1
        assert refused.data["accounts"][0]["is_left"]
    fence = "SELECT value FROM a_bolt.meta WHERE name = 'lease_fence'"
    assert sql(url, fence) == [], "who may not upgrade takes the lease from nobody"
    assert desk.run("fleet", "upgrade", "bolt").code == 0
    assert sql(url, fence) == [("1",)]
    (rights,) = sql(url, "SELECT has_table_privilege('migrator_worker', 'a_bolt.notices', 'INSERT')")
    assert rights == (True,)
    sql(url, "DROP SCHEMA a_bolt CASCADE")
