"""Register: who may work on which account, when, and who does.

The times in it are those of the server's clock. It answers for turns alone: that two workers do not write to one
account is the matter of the account's own lease.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from migrator.core.accounts.records import EVERY_S, Account, AccountStanding, Event, KnownWorker, TurnOrder
from migrator.core.accounts.turns import AccountState, Turn
from migrator.errors import InputError
from migrator.nearest import nearest
from migrator.store.database.database import Database
from migrator.store.database.sql import changed_rows
from migrator.store.database.sql import insert as upsert
from migrator.store.register.opening import bring_up_to_date, is_there, must_be_current, opened_register
from migrator.store.register.outboxes import names_with_due_notices
from migrator.store.register.roles import are_made, grant_account, grant_register, make_roles
from migrator.store.register.standings import read_standings
from migrator.store.register.tables import accounts, events, workers

__all__ = ["Register"]

FORGOTTEN_S = 7 * 86_400.0
"""Seconds of silence after which a worker is forgotten."""

MOST_CRASHES = 5
"""Jobs in a row that crash until a person must speak."""

MOST_WORDS = 2_000
"""Most characters of a job's last words."""


class Register:
    """Open register, with a session of its own.

    Only one thread uses it. A connection that broke is not replaced: every call raises StoreLost then.
    """

    def __init__(self, database: Database, closing: ExitStack) -> None:
        self._db = database
        self._closing = closing

    # --- opening --------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, url: str, *, writable: bool = True) -> Self:
        """Open the register of a database.

        Args:
            url: address of the database.
            writable: False for a session that can write nothing.

        Raises: InputError (`not_there`, if `fleet init` was never run; wrong address, no driver, no right), StoreLost,
            StoreError, for a register of another schema.
        """
        found, place = cls._looked_for(url, writable=writable)
        if found is None:
            raise InputError(
                f"there is no {place.removeprefix('the ')}",
                code="not_there",
                hint="`migrator fleet init` makes one; --state (MIGRATOR_STATE) points to another database",
            )
        return found

    @classmethod
    def find(cls, url: str, *, writable: bool = True) -> Self | None:
        """Open the register, or return None where `fleet init` was never run.

        Raises: as `open`.
        """
        return cls._looked_for(url, writable=writable)[0]

    @classmethod
    def _looked_for(cls, url: str, *, writable: bool) -> tuple[Self | None, str]:
        """Return the open register, or None, and its place."""
        with ExitStack() as closing:
            database = opened_register(url, writable=writable)
            closing.callback(database.close)
            if not is_there(database):
                return None, database.place
            must_be_current(database)
            return cls(database, closing.pop_all()), database.place

    @classmethod
    def make(cls, url: str, now: float) -> bool:
        """Make the register, or bring its schema up to date.

        `now` is in UTC seconds.

        Returns: True if it was made.

        Raises: InputError, StoreLost, StoreError.
        """
        with ExitStack() as closing:
            database = opened_register(url, writable=True)
            closing.callback(database.close)
            return bring_up_to_date(database, now) is None

    def make_roles(self) -> list[str]:
        """Make the roles of a team, and give them their rights.

        See `store.register.roles`.

        Returns: names of the roles that were made.

        Raises: InputError, where this user may not do that.
        """
        made = make_roles(self._db)
        grant_register(self._db)
        for account in self.accounts():
            grant_account(self._db, account.name)
        return made

    def has_roles(self) -> bool:
        """True if the roles of a team have rights here."""
        return are_made(self._db)

    def grant(self, name: str) -> None:
        """Give the roles of a team their rights in an account's store.

        Raises: InputError, where the store is another user's.
        """
        grant_account(self._db, name)

    @property
    def place(self) -> str:
        """Place of the register, without any password."""
        return self._db.place

    def version(self) -> int:
        """Return a number that changes once somebody wrote."""
        return self._db.version()

    def now(self) -> float:
        """Return the time (UTC seconds) by the server's clock."""
        with self._db.read() as connection:
            return self._db.time(connection, 0.0)

    # --- accounts -------------------------------------------------------------------------------------------------

    def accounts(self) -> list[Account]:
        """Return all accounts, by name."""
        return [_account(row) for row in self._db.rows(select(accounts).order_by(accounts.c.name))]

    def account(self, name: str) -> Account:
        """Return an account, with the number of its last standstill.

        Raises: InputError, with the nearest name, if it is not registered.
        """
        stood = select(func.max(events.c.event_no)).where(events.c.account == name, events.c.kind == "attention")
        with self._db.read() as connection:
            found = self._registered(connection, name)
            return replace(found, standstill=connection.scalar(stood) or 0)

    def standings(self, names: Iterable[str]) -> dict[str, AccountStanding]:
        """Return how accounts stand, by their own stores.

        See `store.register.standings`.
        """
        return read_standings(self._db, names)

    def with_due_notices(self, names: Iterable[str], now: float) -> set[str]:
        """Return the accounts in whose outbox a notice is due.

        See `store.register.outboxes`.
        """
        return names_with_due_notices(self._db, names, now)

    def add(
        self,
        name: str,
        *,
        carrier: str,
        customer: str,
        organization: int | None,
        by: str,
        every_s: float = EVERY_S,
        is_held: bool = False,
    ) -> Account:
        """Add an account, due at once unless it is held.

        Its name was checked before. The parameters are those of `Account`.

        Raises: InputError, if it is registered already.
        """
        with self._db.write() as connection:
            if connection.execute(select(accounts.c.name).where(accounts.c.name == name)).first():
                raise InputError(
                    f"account {name} is registered already",
                    code="account_registered",
                    hint=f"`migrator fleet show {name}` tells what is known of it",
                )
            now = self._db.time(connection, 0.0)
            connection.execute(
                insert(accounts).values(
                    name=name,
                    carrier=carrier,
                    customer=customer,
                    organization=organization,
                    state=AccountState.READY.value,
                    due_at=now,
                    words="",
                    is_held=is_held,
                    is_woken=False,
                    crashes=0,
                    is_untold=False,
                    every_s=every_s,
                    added_at=now,
                    added_by=by,
                )
            )
            told = f"{carrier or 'from files'}, customer {customer or '-'}, organization {organization or '-'}"
            self._note(connection, name, "added", by, told)
            return self._registered(connection, name)

    def remove(self, name: str, by: str) -> None:
        """Take an account out of the register.

        Its store stays as it is.

        Raises: InputError, if it is not registered, or a worker is at it.
        """
        with self._db.write() as connection:
            found = self._registered(connection, name)
            if found.worker is not None:
                raise InputError(
                    f"worker {found.worker} is at account {name}",
                    code="account_at_work",
                    hint=f"`migrator fleet hold {name}`, and remove it once the worker is done",
                )
            connection.execute(delete(accounts).where(accounts.c.name == name))
            self._note(connection, name, "removed", by, "")

    def hold(self, name: str, by: str, words: str = "") -> Account:
        """Let nobody take an account until a person lets it go.

        A job that is under way goes on to its end. An order that is not carried out is taken back.

        Returns: the account, with the worker that is still at it.

        Raises: InputError, if it is not registered.
        """
        with self._db.write() as connection:
            found = self._registered(connection, name)
            changes = update(accounts).where(accounts.c.name == name)
            connection.execute(changes.values(is_held=True, is_woken=False, order_json=None))
            dropped = [] if found.order is None else [f"the order to begin plan {found.order.plan} was taken back"]
            self._note(connection, name, "held", by, "; ".join([*filter(None, [words]), *dropped]))
            return self._registered(connection, name)

    def go(self, name: str, at: float | None, by: str, order: TurnOrder | None = None) -> Account:
        """Let an account be taken, also after attention or a hold.

        Args:
            name: the account.
            at: when (UTC seconds); None for at once.
            by: who says so.
            order: what a worker is to begin, in place of a former order; None leaves that as it is. Its time is the
                server's.

        Returns: the account.

        Raises: InputError, if it is not registered.
        """
        with self._db.write() as connection:
            now = self._db.time(connection, 0.0)
            found = self._registered(connection, name)
            values: dict[str, Any] = {"is_held": False, "state": AccountState.READY.value, "words": "", "crashes": 0}
            values |= {"due_at": now if at is None else at, "is_woken": found.worker is not None, "is_untold": False}
            if order is not None:
                values["order_json"] = json.dumps(asdict(order) | {"at": now})
            connection.execute(update(accounts).where(accounts.c.name == name).values(**values))
            self._note(connection, name, "go", by, "" if order is None else _order_words(order))
            return self._registered(connection, name)

    def wake(self, name: str) -> bool:
        """Let an account have its turn at once.

        A person did something. Nothing is done where it is held, or not registered. A job under way is followed by
        another one.

        Returns: whether its turn is now.
        """
        with self._db.write() as connection:
            now = self._db.time(connection, 0.0)
            is_due = and_(accounts.c.state == AccountState.READY.value, accounts.c.due_at <= now)
            woken = update(accounts).where(accounts.c.name == name, accounts.c.is_held == false())
            values = {
                "due_at": case((is_due, accounts.c.due_at), else_=now),
                "words": case((accounts.c.state == AccountState.READY.value, accounts.c.words), else_=""),
                "state": AccountState.READY.value,
                "is_woken": accounts.c.worker.is_not(None),
                "crashes": 0,
                "is_untold": False,
            }
            return changed_rows(connection.execute(woken.values(**values))) > 0

    # --- jobs -----------------------------------------------------------------------------------------------------

    def began(self, name: str, worker: str) -> Account | None:
        """Give a worker an account whose turn it is.

        The turn is judged by the server's clock. A worker that has the account already gets it again, as it may not
        have heard the answer: it must know itself whether it is at it, and ask only if it is not, as what a person said
        before counts as heard from now on.

        Returns: the account; None if it is held, not due, at another worker, or not registered, or while a worker is at
            another account of the same customer, as they share a rate.
        """
        with self._db.write() as connection:
            now = self._db.time(connection, 0.0)
            is_free = and_(
                accounts.c.worker.is_(None), accounts.c.state == AccountState.READY.value, accounts.c.due_at <= now
            )
            is_mine = accounts.c.worker == worker
            other = accounts.alias()
            is_shared = select(other.c.name).where(
                other.c.carrier == accounts.c.carrier,
                other.c.customer == accounts.c.customer,
                other.c.customer != "",
                other.c.name != accounts.c.name,
                other.c.worker.is_not(None),
            )
            is_free = and_(is_free, ~is_shared.correlate(accounts).exists())
            taken = update(accounts).where(
                accounts.c.name == name, accounts.c.is_held == false(), or_(is_free, is_mine)
            )
            values = {"worker": worker, "since": now, "is_woken": False}
            row = connection.execute(taken.values(**values).returning(*accounts.c)).first()
            return None if row is None else _account(row)

    def ended(
        self,
        name: str,
        worker: str,
        turn: Turn,
        *,
        order_done: float | None = None,
        is_crash: bool = False,
        is_told: bool = False,
    ) -> Account | None:
        """Note what becomes of an account whose job ended.

        Nothing is noted if another worker has the account by now. If a person spoke during the job, the account has its
        turn again, whatever the job said; and an order that the job did not carry out stays.

        Args:
            name: the account.
            worker: who was at it.
            turn: the next turn.
            order_done: when the order was given (UTC seconds) that is carried out, or can never be; None for none.
            is_crash: whether its process did not end by itself; after a few in a row a person must speak.
            is_told: whether the job put into its outbox what is to be told of its end. The death of a process is never
                among that.

        Returns: the account after it; None if nothing was noted.
        """
        with self._db.write() as connection:
            is_mine = and_(accounts.c.name == name, accounts.c.worker == worker)
            found = connection.execute(select(accounts).where(is_mine)).first()
            if found is None:
                return None
            now = self._db.time(connection, 0.0)
            crashes = found.crashes + 1 if is_crash else 0
            if crashes >= MOST_CRASHES:
                words = f"{crashes} times in a row its process did not end by itself: {turn.words}"
                turn = Turn(AccountState.ATTENTION, None, words)
            elif is_crash:
                turn = replace(turn, words=f"{turn.words}; {_next_of_crash(crashes)}")
            values: dict[str, Any] = {"worker": None, "since": None, "is_woken": False, "crashes": crashes}
            values |= {"words": turn.words[:MOST_WORDS], "last_worker": worker, "ended_at": now}
            is_news = turn.state is AccountState.ATTENTION and not found.is_woken
            values["is_untold"] = is_news and (is_crash or not is_told)
            if not found.is_woken:
                values |= {"state": turn.state.value, "due_at": turn.at}
            order = _order(found)
            if order is not None and order.at == order_done:
                values["order_json"] = None
            connection.execute(update(accounts).where(is_mine).values(**values))
            if turn.state is AccountState.ATTENTION:
                self._note(connection, name, "attention", worker, values["words"])
            return self._registered(connection, name)

    def told(self, name: str, ended_at: float | None) -> None:
        """Note that an outbox has the notice why its account stands.

        Args:
            name: the account.
            ended_at: when the job ended that is told of; a later one has told nobody by that.
        """
        with self._db.write() as connection:
            mine = and_(accounts.c.name == name, accounts.c.ended_at == ended_at)
            connection.execute(update(accounts).where(mine).values(is_untold=False))

    def freed(self, worker: str, silent_s: float) -> list[str]:
        """Give the accounts of a dead worker back: their turn is now.

        Args:
            worker: its name.
            silent_s: seconds of silence after which it is dead; one that nobody knows any more is.

        Returns: their names; none if it gave a sign of life meanwhile.
        """
        with self._db.write() as connection:
            seen_at = self._seen_at(connection, worker)
            if seen_at is not None and self._db.time(connection, 0.0) - seen_at <= silent_s:
                return []
            return self._free(connection, worker, "its worker gave no sign of life any more")

    def _seen_at(self, connection: Connection, worker: str) -> float | None:
        return connection.execute(select(workers.c.seen_at).where(workers.c.name == worker)).scalar()

    def _free(self, connection: Connection, worker: str, words: str) -> list[str]:
        lost = update(accounts).where(accounts.c.worker == worker)
        now = self._db.time(connection, 0.0)
        values = {"worker": None, "since": None, "state": AccountState.READY.value, "due_at": now}
        rows = connection.execute(lost.values(**values).returning(accounts.c.name)).all()
        names = sorted(row.name for row in rows)
        for name in names:
            self._note(connection, name, "freed", worker, words)
        return names

    # --- workers --------------------------------------------------------------------------------------------------

    def beat(self, worker: str, *, host: str, version: str, slots: int, serves: Sequence[str]) -> float:
        """Note a sign of life of a worker.

        Args:
            worker: its name.
            host: the machine.
            version: of the tool.
            slots: how many jobs it does at a time.
            serves: names of the accounts whose secrets it has.

        Returns: seconds since its last one; zero for the first.
        """
        told = {"host": host, "version": version, "slots": slots, "serves": json.dumps(list(serves))}
        with self._db.write(durable=False) as connection:
            now = self._db.time(connection, 0.0)
            seen_at = self._seen_at(connection, worker)
            put = upsert(workers).values(name=worker, started_at=now, seen_at=now, **told)
            renewed = {"seen_at": now, **told}
            connection.execute(put.on_conflict_do_update(index_elements=[workers.c.name], set_=renewed))
            connection.execute(delete(workers).where(_forgotten(now)))
            return 0.0 if seen_at is None else now - seen_at

    def left(self, worker: str) -> None:
        """Forget a worker that ended in good order.

        Accounts that it still has, as the end of a job could not be noted, are given back.
        """
        with self._db.write() as connection:
            self._free(connection, worker, "its worker went, and what its job came to was not noted")
            connection.execute(delete(workers).where(workers.c.name == worker))

    def workers(self) -> list[KnownWorker]:
        """Return all workers, by name.

        Those that have been silent for up to a week are among them.
        """
        with self._db.read() as connection:
            rows = connection.execute(select(workers).order_by(workers.c.name)).all()
            taken = select(accounts.c.worker, accounts.c.name).where(accounts.c.worker.is_not(None))
            at_work: dict[str, list[str]] = {}
            for worker, name in connection.execute(taken.order_by(accounts.c.name)):
                at_work.setdefault(worker, []).append(name)
        return [
            KnownWorker(
                row.name,
                row.host,
                row.version,
                row.slots,
                row.started_at,
                row.seen_at,
                tuple(json.loads(row.serves)),
                tuple(at_work.get(row.name, ())),
            )
            for row in rows
        ]

    # --- events ---------------------------------------------------------------------------------------------------

    def events(self, name: str | None = None, *, most: int = 50) -> list[Event]:
        """Return what was done to accounts, newest first.

        Args:
            name: of the account; None for all.
            most: how many at most.
        """
        which = true() if name is None else events.c.account == name
        rows = self._db.rows(select(events).where(which).order_by(events.c.event_no.desc()).limit(most))
        return [Event(row.at, row.account, row.kind, row.by_whom, row.db_user, row.words) for row in rows]

    def _note(self, connection: Connection, name: str, kind: str, by: str, words: str) -> None:
        told = {"at": self._db.time(connection, 0.0), "account": name, "kind": kind, "by_whom": by, "words": words}
        connection.execute(insert(events).values(told))

    # --- the rest -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the session.

        May be called twice.
        """
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _registered(self, connection: Connection, name: str) -> Account:
        row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
        if row is not None:
            return _account(row)
        known = connection.execute(select(accounts.c.name).order_by(accounts.c.name)).scalars().all()
        raise InputError(
            f"account {name} is not in {self._db.place}",
            code="account_unknown",
            hint=f"{nearest(name, known) if known else 'none is'} (`migrator fleet add` adds one)",
        )


def _forgotten(now: float) -> ColumnElement[bool]:
    is_busy = select(accounts.c.name).where(accounts.c.worker == workers.c.name).exists()
    return and_(workers.c.seen_at < now - FORGOTTEN_S, ~is_busy)


def _next_of_crash(crashes: int) -> str:
    number = {1: "1st", 2: "2nd", 3: "3rd"}.get(crashes, f"{crashes}th")
    person = f"needs a person after {MOST_CRASHES} such ends in a row (this was the {number})"
    return f"it is begun again in a minute, and {person}"


def _order_words(order: TurnOrder) -> str:
    told = [f"begin plan {order.plan}"]
    for name, value in (
        ("confirm", order.confirm),
        ("confirm-pauses", order.confirm_pauses),
        ("wave", order.wave),
        ("max-sims", order.max_sims),
        ("ref", order.ref or None),
    ):
        if value is not None:
            told.append(f"{name} {value}")
    return ", ".join(told)


def _order(row: Row[Any]) -> TurnOrder | None:
    return None if row.order_json is None else TurnOrder(**json.loads(row.order_json))


def _account(row: Row[Any]) -> Account:
    return Account(
        name=row.name,
        carrier=row.carrier,
        customer=row.customer,
        organization=row.organization,
        turn=Turn(AccountState(row.state), row.due_at, row.words),
        is_held=row.is_held,
        order=_order(row),
        every_s=row.every_s,
        worker=row.worker,
        since=row.since,
        added_at=row.added_at,
        added_by=row.added_by,
        last_worker=row.last_worker,
        ended_at=row.ended_at,
        is_untold=row.is_untold,
    )
