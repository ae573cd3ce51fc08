"""A worker on a true server: whose turns it takes, what becomes of them, and how it ends."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from migrator.core.accounts.records import Account, SecretsHere, TurnOrder
from migrator.core.accounts.turns import AccountState, Turn
from migrator.errors import InputError, StoreError
from migrator.jobs.queue import PostgresQueue
from migrator.jobs.schema import make_queue
from migrator.store.register import Register
from migrator.workflows.work import worker as worker_module
from migrator.workflows.work.child import Child
from migrator.workflows.work.team import made_of
from migrator.workflows.work.worker import Made, Worker
from tests.server import MISSING, running, sql
from tests.store.store_kit import NOW

pytestmark = [pytest.mark.server, pytest.mark.skipif(running() is None, reason=MISSING)]
READY, DONE, ATTENTION = AccountState.READY, AccountState.DONE, AccountState.ATTENTION

SCRIPT = """\
import json, os, signal, sys, time
from pathlib import Path
told = json.loads(sys.argv[1])
with Path(told["log"]).open("a") as log:
    log.write(told["account"] + "\\n")
signal.signal(signal.SIGTERM, signal.SIG_IGN if told.get("deaf") else lambda *_: sys.exit(130))
print("begun", file=sys.stderr, flush=True)
time.sleep(told["seconds"])
if told.get("told"):
    print(json.dumps({"event": "told"}))
if told.get("dies"):
    os.kill(os.getpid(), signal.SIGKILL)
print(json.dumps({"event": "result", "data": told["data"], "errors": told["errors"]}))
sys.exit(told["exit_code"])
"""
"""Process that stands for `advance`."""


@dataclass
class Team:
    """A register, its queue, and what the job of each account does."""

    url: str
    folder: Path
    secrets: set[str] = field(default_factory=lambda: {"a", "b", "c"})
    does: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    said: Callable[[Worker], None] | None = None
    looks: list[str] = field(default_factory=list)
    slow: dict[str, float] = field(default_factory=dict)
    looked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    trouble: dict[str, str] = field(default_factory=dict)
    newest: Worker = field(init=False)
    tells: dict[str, Any] = field(default_factory=dict)
    is_bare: bool = False

    def add(self, *names: str, customer: str = "", **does: Any) -> None:
        """Register accounts whose jobs do the same."""
        with Register.open(self.url) as register:
            for name in names:
                customers = customer or f"customer of {name}"
                register.add(name, carrier="1nce", customer=customers, organization=1, by="ada")
                self.does[name] = does

    def worker(self, name: str = "w1", *, slots: int = 2, only: list[str] | None = None) -> Worker:
        """A worker whose processes do what is told."""
        queue = PostgresQueue(self.url, beat_s=0.2, poll_s=0.1)
        made = Made(
            lambda: Register.open(self.url), queue, queue.close, self._child, self._teller, self._secrets, self._tell
        )
        self.newest = Worker(name, made, slots, only)
        return self.newest

    def _secrets(self, accounts: Sequence[Account]) -> Iterator[tuple[str, SecretsHere]]:
        for account in accounts:
            self.looks.append(account.name)
            if account.name == "d":
                self.looked.release()
            time.sleep(self.slow.get(account.name, 0.0))
            trouble = self.trouble.get(account.name, "")
            yield account.name, SecretsHere(() if account.name in self.secrets else ("it is not here",), trouble)

    def _tell(self, event: str, values: Mapping[str, Any]) -> None:
        self.told.append((event, values))

    def _teller(self, account: Account) -> Child:
        return self._process(account.name, {**self.tells, "log": str(self.folder / "tells")})

    def _child(self, account: Account) -> Child:
        return self._process(account.name, self.does[account.name])

    def _process(self, name: str, does: Mapping[str, Any]) -> Child:
        told = {"exit_code": 0, "seconds": 0.0, "data": {}, "errors": [], "log": str(self.folder / "log"), **does}
        told |= {"account": name}

        async def is_alive() -> bool:
            return True

        def hear(_line: str) -> None:
            if self.said is not None:
                self.said(self.newest)

        python = "/nowhere/python" if self.is_bare else sys.executable
        return Child([python, "-c", SCRIPT, json.dumps(told)], dict(os.environ), is_alive, hear)

    def work(self, *workers: Worker, once: bool = True) -> None:
        """Let workers do what is due, beside each other."""

        async def body() -> None:
            with anyio.fail_after(40.0):
                async with anyio.create_task_group() as tasks:
                    for worker in workers or (self.worker(),):
                        tasks.start_soon(lambda one: one.run(once=once), worker)

        anyio.run(body)

    def done(self) -> list[str]:
        """Accounts whose jobs began, in order."""
        return (self.folder / "log").read_text().split() if (self.folder / "log").exists() else []

    def tellers(self) -> list[str]:
        """Accounts whose receivers a process told, in order."""
        return (self.folder / "tells").read_text().split() if (self.folder / "tells").exists() else []

    def account(self, name: str) -> Account:
        """An account, as the register has it."""
        with Register.open(self.url) as register:
            return register.account(name)

    def go(self, name: str, order: TurnOrder | None = None) -> None:
        """`fleet go`."""
        with Register.open(self.url) as register:
            register.go(name, None, "ada", order)


@pytest.fixture(name="team")
def a_team(tmp_path: Path) -> Team:
    server = running()
    assert server is not None
    if not sql(server.url(), "SELECT 1 FROM pg_database WHERE datname = 'workers'"):
        sql(server.url(), "CREATE DATABASE workers")
    url = server.url("workers")
    sql(url, "DROP SCHEMA IF EXISTS fleet CASCADE", "DROP SCHEMA IF EXISTS queue CASCADE")
    Register.make(url, NOW)
    make_queue(url)
    return Team(url, tmp_path)


def test_a_worker_takes_what_is_due_not_held_and_has_its_secrets_here(team: Team) -> None:
    team.add("a", "b", "c", "d")
    team.does["b"] = {"exit_code": 2, "errors": [{"message": "plan p7: no such plan"}]}
    with Register.open(team.url) as register:
        register.hold("c", "ada")
    team.work()
    assert sorted(team.done()) == ["a", "b"]
    assert team.account("a").turn == Turn(DONE, None, "")
    assert team.account("b").turn == Turn(ATTENTION, None, "plan p7: no such plan")
    assert [team.account(name).turn.state for name in "cd"] == [READY, READY]
    team.work()
    assert sorted(team.done()) == ["a", "b"], "nobody tries again before a person spoke"
    team.does["b"] = {}
    team.go("b")
    team.go("c")
    team.work()
    assert sorted(team.done()) == ["a", "b", "b", "c"]


def test_it_works_while_it_looks_for_the_secrets_of_others(team: Team) -> None:
    team.add("a", "b")
    team.slow["b"] = 2.0
    served: list[str] = []

    def said(worker: Worker) -> None:
        served.extend(worker._serves())
        worker.stop()

    team.said = said
    team.work(once=False)
    assert (team.done(), served) == (["a"], ["a"])


def test_a_look_for_secrets_counts_for_a_while_and_trouble_is_told_once(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.add("a", "d", "e")
    team.secrets = {"a"}
    team.trouble["e"] = "the command does not end"
    monkeypatch.setattr(worker_module, "LACK_S", 0.0)
    monkeypatch.setattr(worker_module, "SWEEP_S", 0.05)

    async def body() -> None:
        worker = team.worker()
        with anyio.fail_after(20.0):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(worker.run)
                await anyio.to_thread.run_sync(lambda: [team.looked.acquire() for _ in range(4)])
                worker.stop()

    anyio.run(body)
    assert team.looks.count("a") == 1, "what is here is not asked for again so soon"
    assert [told["message"] for event, told in team.told if event == "trouble"] == ["e: the command does not end"]


def test_it_takes_the_accounts_alone_that_it_was_given(team: Team) -> None:
    team.add("a", "b")
    team.work(team.worker(only=["b"]))
    assert team.done() == ["b"]


def test_a_time_that_a_job_told_is_kept_by_the_clock_of_the_server(team: Team) -> None:
    team.add("a", exit_code=3, data={"again_at": "2031-01-01T00:00:00Z"}, errors=[{"message": "2 units"}])
    team.work()
    turn = team.account("a").turn
    assert (turn.state, turn.words) == (READY, "2 units")
    assert turn.at == pytest.approx(datetime(2031, 1, 1, tzinfo=UTC).timestamp(), abs=5.0)
    assert team.done() == ["a"]


def test_an_order_is_taken_back_once_its_job_says_that_it_is_done(team: Team) -> None:
    team.add("a", exit_code=6, errors=[{"message": "a gate"}])
    team.go("a", TurnOrder("p7", 12))
    team.work()
    assert team.account("a").order is not None
    order = team.account("a").order
    assert order is not None
    team.does["a"] = {"data": {"order_done": order.at}}
    team.go("a")
    team.work()
    assert team.account("a").order is None


def test_an_order_given_during_a_job_outlives_a_second_fetch_of_that_job(team: Team) -> None:
    """A worker that stood still is freed, wakes up, and is handed the job that it is at."""
    team.add("a", seconds=3.0)
    team.go("a", TurnOrder("p7", 12))
    first = team.account("a").order
    assert first is not None
    team.does["a"]["data"] = {"order_done": first.at}

    def handed_again(_worker: Worker) -> None:
        team.said = Worker.stop
        team.go("a", TurnOrder("p8", 3))
        queue = PostgresQueue(team.url)
        queue.enqueue("a", 1.0, lock="as if rescued")
        queue.close()

    team.said = handed_again
    team.work(once=False)
    order = team.account("a").order
    assert (team.done(), order and order.plan) == (["a", "a"], "p8")


def test_two_workers_share_accounts_and_none_is_taken_twice(team: Team) -> None:
    team.add("a", "b", "c", seconds=1.0)
    team.work(team.worker("w1", slots=1), team.worker("w2", slots=2))
    assert sorted(team.done()) == ["a", "b", "c"]


def test_accounts_of_one_customer_are_worked_on_one_after_the_other(team: Team) -> None:
    team.add("a", "b", customer="c1", seconds=0.5)
    beside: list[int] = []
    team.said = lambda worker: beside.append(len(worker.at_work))
    team.work(team.worker(slots=2))
    assert (sorted(team.done()), beside) == (["a", "b"], [1, 1])


def test_a_worker_that_is_told_to_stop_lets_its_processes_end_in_good_order(team: Team) -> None:
    team.add("a", seconds=60.0)
    team.add("b", "c")
    team.said = lambda _worker: os.kill(os.getpid(), signal.SIGTERM)
    with Register.open(team.url) as register:
        register.hold("b", "ada")
        register.hold("c", "ada")
    team.work(once=False)
    assert team.account("a").worker is None
    assert team.account("a").turn.state is READY
    assert [event for event, _ in team.told] == ["began", "draining", "ended"]
    with Register.open(team.url) as register:
        assert register.workers() == [], "it said that it went"


def test_a_process_that_somebody_else_interrupted_waits_a_minute(team: Team) -> None:
    """Else one that hangs, and is ended for it, comes again at once for ever."""
    team.add("a", exit_code=130)
    team.work()
    with Register.open(team.url) as register:
        turn, now = register.account("a").turn, register.now()
    assert (team.done(), turn.state) == (["a"], READY)
    assert turn.at is not None
    assert 30.0 < turn.at - now <= 60.0
    assert sql(team.url, "SELECT crashes FROM fleet.accounts") == [(1,)]


def test_told_twice_it_kills_them(team: Team) -> None:
    team.add("a", seconds=60.0, deaf=True)

    def told_twice(_worker: Worker) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    team.said = told_twice
    team.work(once=False)
    assert sql(team.url, "SELECT crashes FROM fleet.accounts") == [(0,)]
    assert team.account("a").turn.state is READY
    assert team.account("a").worker is None


def test_accounts_of_a_dead_worker_are_taken_by_another(team: Team) -> None:
    team.add("a")
    with Register.open(team.url) as register:
        register.beat("dead", host="h", version="1", slots=1, serves=["a"])
        assert register.began("a", "dead") is not None
    team.work()
    assert team.done() == [], "it was heard of a moment ago"
    sql(team.url, "UPDATE fleet.workers SET seen_at = seen_at - 16")
    team.work()
    assert team.done() == ["a"]
    assert ("freed", {"worker": "dead", "accounts": ["a"]}) in team.told


def test_accounts_of_a_worker_that_nobody_knows_are_taken_by_another(team: Team) -> None:
    team.add("a")
    with Register.open(team.url) as register:
        assert register.began("a", "gone") is not None
    team.work()
    assert team.done() == ["a"]
    assert ("freed", {"worker": "gone", "accounts": ["a"]}) in team.told


@pytest.mark.parametrize("patience_s", [worker_module.PATIENCE_S, 0.0])
def test_a_worker_that_was_cut_off_waits_until_the_others_had_time_to_speak(
    team: Team, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """Whoever sees the database first after an outage would take living workers for dead."""
    monkeypatch.setattr(worker_module, "PATIENCE_S", patience_s)
    team.add("a")
    with Register.open(team.url) as register:
        register.beat("other", host="h", version="1", slots=1, serves=["a"])
        assert register.began("a", "other") is not None
    team.add("b", seconds=6.0)

    def away(_worker: Worker) -> None:
        team.said = None
        sql(team.url, "UPDATE fleet.workers SET seen_at = seen_at - 16")

    team.said = away
    team.work()
    assert team.done() == (["b"] if patience_s else ["b", "a"])


def test_a_job_whose_account_another_has_by_now_is_told(team: Team) -> None:
    team.add("a", seconds=1.0)

    def taken(_worker: Worker) -> None:
        sql(team.url, "UPDATE fleet.accounts SET worker = 'other'")

    team.said = taken
    with Register.open(team.url) as register:
        register.beat("other", host="h", version="1", slots=1, serves=[])
    team.work()
    assert team.account("a").worker == "other"
    assert ("trouble", {"message": "a: it was given back meanwhile, so the end of its job is not noted"}) in team.told


def test_an_account_that_it_has_without_knowing_it_is_worked_on(team: Team) -> None:
    """The server gave it the account, and the answer was lost."""
    team.add("a")
    with Register.open(team.url) as register:
        assert register.began("a", "w1") is not None
    team.work()
    assert team.done() == ["a"]


def test_a_job_outlives_the_connections_of_its_worker(team: Team) -> None:
    team.add("a", seconds=1.0, errors=[{"message": "held"}], exit_code=6)

    def cut(_worker: Worker) -> None:
        mine = "pid <> pg_backend_pid() AND datname = 'workers'"
        sql(team.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")  # noqa: S608 - our own

    team.said = cut
    team.work()
    assert team.account("a").turn == Turn(ATTENTION, None, "held")
    assert team.done() == ["a"]


def test_a_job_that_nobody_serves_does_not_hold_up_its_customer(team: Team) -> None:
    team.add("d", customer="c1")
    team.add("a", customer="c1")
    queue = PostgresQueue(team.url)
    queue.enqueue("d", 1.0, lock="1nce/c1")
    queue.close()
    team.work()
    assert team.done() == ["a"]


def test_a_worker_without_a_register_does_not_begin(team: Team) -> None:
    worker = team.worker()
    sql(team.url, "DROP SCHEMA fleet CASCADE")
    with pytest.raises(InputError, match="no register"):
        anyio.run(worker.run)


def test_a_tool_without_procrastinate_says_how_to_get_it(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("procrastinate", "migrator.jobs.queue", "migrator.jobs.engine"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError) as refused:
        made_of(team.url, None, lambda _event, _values: None)
    assert (refused.value.code, refused.value.hint) == ("no_driver", "pip install 'migrator[fleet]'")


def test_a_worker_that_cannot_go_on_ends_its_processes_and_says_why(team: Team) -> None:
    team.add("a", seconds=60.0)

    def drop(_worker: Worker) -> None:
        sql(team.url, "DROP SCHEMA fleet CASCADE")

    team.said = drop
    with pytest.raises(StoreError, match="are missing"):
        anyio.run(team.worker().run)
    assert [event for event, _ in team.told][-1] == "ended"


# --- what no job told ---------------------------------------------------------------------------------------------


def test_an_account_that_stands_untold_is_told_of_by_a_process_of_its_own(team: Team) -> None:
    team.add("a", "b", "c", exit_code=6, errors=[{"message": "a gate"}])
    team.does["b"] = {**team.does["b"], "told": True}
    team.does["c"] = {"exit_code": 3, "data": {"again_at": "2031-01-01T00:00:00Z"}}
    team.work()
    assert team.tellers() == ["a"], "b told it itself, and c goes on"
    assert not team.account("a").is_untold
    team.work()
    assert team.tellers() == ["a"]


def test_a_fifth_death_in_a_row_is_told_whatever_the_job_said_before(team: Team) -> None:
    team.add("a", dies=True, told=True)
    team.work()
    assert (team.account("a").turn.state, team.tellers()) == (READY, [])
    sql(team.url, "UPDATE fleet.accounts SET crashes = 4, due_at = 0")
    team.work()
    assert (team.account("a").turn.state, team.tellers()) == (ATTENTION, ["a"])


def test_where_no_process_can_be_started_another_worker_tells(team: Team) -> None:
    team.add("a")
    team.is_bare = True
    team.work()
    turn = team.account("a").turn
    assert (turn.state, turn.words.startswith("its process could not be started")) == (ATTENTION, True)
    assert any("were not told yet" in told["message"] for event, told in team.told if event == "trouble")
    assert team.account("a").is_untold
    team.is_bare = False
    team.work(team.worker("w2"))
    assert (team.tellers(), team.account("a").is_untold) == (["a"], False)


def test_who_cannot_be_told_is_tried_again_until_a_person_spoke(team: Team) -> None:
    team.add("a", exit_code=2)
    team.tells = {"exit_code": 7, "errors": [{"message": "it is held"}]}
    team.work()
    assert team.account("a").is_untold
    team.work()
    assert team.tellers() == ["a", "a"]
    with Register.open(team.url) as register:
        register.hold("a", "ada")
    team.work()
    assert team.tellers() == ["a", "a"], "a person holds it"
    team.go("a")
    assert not team.account("a").is_untold


def has_due_notice(team: Team, name: str, next_at: str = "0") -> None:
    """Let an account have a store whose outbox has a notice, to be tried at a time."""
    sql(
        team.url,
        f"DROP SCHEMA IF EXISTS a_{name} CASCADE; CREATE SCHEMA a_{name}",
        f"CREATE TABLE a_{name}.meta (name text, value text)",
        f"CREATE TABLE a_{name}.deliveries AS SELECT 1 AS notice_no, 'waiting' AS state, {next_at} AS next_at",
    )


def test_a_notice_that_is_due_is_delivered_by_a_process_of_its_own(team: Team) -> None:
    team.add("a", "b", "c", "d", exit_code=6, data={"words": "a gate"}, told=True)
    for name in "abcd":
        has_due_notice(team, name)
    has_due_notice(team, "b", "extract(epoch FROM now()) + 60")
    with Register.open(team.url) as register:
        register.hold("c", "ada")
    team.work()
    assert team.tellers() == ["a"], "b has its time, a person holds c, and d has no secrets here"
    sql(team.url, "UPDATE a_a.deliveries SET state = 'delivered'")
    team.work()
    assert team.tellers() == ["a"]


def test_an_outbox_in_trouble_keeps_no_other_from_its_receivers(team: Team) -> None:
    team.add("a", "b", exit_code=6, data={"words": "a gate"}, told=True)
    has_due_notice(team, "a")
    sql(team.url, "ALTER TABLE a_a.deliveries DROP COLUMN next_at")
    has_due_notice(team, "b")
    team.work()
    assert team.tellers() == ["b"]


def test_a_worker_that_drains_waits_for_the_delivery_under_way(team: Team) -> None:
    """One that is cut off would be sent again."""
    team.add("a", exit_code=6, errors=[{"message": "a gate"}])
    team.tells = {"seconds": 1.0}
    worker = team.worker()

    async def body() -> None:
        with anyio.fail_after(20.0):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(worker.run)
                while not team.tellers():  # noqa: ASYNC110 - what is awaited is done in other processes
                    await anyio.sleep(0.05)
                worker.stop()

    anyio.run(body)
    assert not team.account("a").is_untold


def test_a_notice_that_was_put_into_the_outbox_is_told_though_its_receiver_is_away(team: Team) -> None:
    """The outbox says when it is tried again."""
    team.add("a", exit_code=6, errors=[{"message": "a gate"}])
    team.tells = {"exit_code": 7, "told": True, "errors": [{"message": "not delivered yet: 1 notice"}]}
    team.work()
    assert (team.tellers(), team.account("a").is_untold) == (["a"], False)


HELD = {"exit_code": 9, "errors": [{"message": "it is held"}]}
AWAY = {"exit_code": 7, "data": {"again_at": "2031-01-01T12:00:00Z"}, "errors": [{"message": "a receiver is away"}]}


@pytest.mark.parametrize(
    ("ends", "tell_s", "tries"),
    [((HELD, 2), worker_module.TELL_S, 1), ((HELD, 2), 0.05, 3), ((AWAY, 1), 0.05, 3)],
    ids=["held, once", "held", "the outbox has its time"],
)
def test_a_worker_at_work_tells_and_waits_longer_after_each_try_that_failed(
    team: Team, monkeypatch: pytest.MonkeyPatch, ends: tuple[dict[str, Any], int], tell_s: float, tries: int
) -> None:
    """Where the outbox has a time for what waits, a notice to another receiver does not wait longer for it."""
    team.add("a", exit_code=6, errors=[{"message": "a gate"}])
    team.tells, longer = ends
    monkeypatch.setattr(worker_module, "TELL_S", tell_s)
    monkeypatch.setattr(worker_module, "SWEEP_S", 0.05)
    worker, looks, ask = team.worker(), list[float](), Register.with_due_notices

    def asked(register: Register, names: Sequence[str], now: float) -> set[str]:
        looks.append(now)
        return ask(register, names, now)

    monkeypatch.setattr(Register, "with_due_notices", asked)

    def failed() -> int:
        return sum("were not told yet" in told.get("message", "") for _, told in team.told)

    async def body() -> None:
        with anyio.fail_after(20.0):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(worker.run)
                while failed() < tries:  # noqa: ASYNC110 - what is awaited is done in other processes
                    await anyio.sleep(0.05)
                await anyio.sleep(0.5)
                worker.stop()

    anyio.run(body)
    assert worker._tries["a"].pause_s == tell_s * longer ** (failed() - 1)
    assert failed() >= tries
    assert tell_s < 1.0 or (len(team.tellers()), len(looks)) == (1, 1)


def test_the_end_of_a_job_names_the_state_and_the_worker(team: Team) -> None:
    team.add("a", data={"again_at": "2031-01-01T12:00:00Z"}, exit_code=7)
    team.add("b")
    team.work()
    ends = {told["account"]: told for event, told in team.told if event == "ended"}
    assert (ends["a"]["state"], ends["a"]["due_at"][:10], ends["a"]["worker"]) == ("ready", "2031-01-01", "w1")
    assert (ends["b"]["state"], ends["b"]["due_at"]) == ("done", None)
    after = team.account("b")
    assert (after.worker, after.last_worker) == (None, "w1")
    assert after.ended_at is not None
