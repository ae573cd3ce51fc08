"""The lease: one run at a time holds the store.

A run that died is replaced. Each holder has a number, its fence; a later holder has a greater one. Every write of a
holder compares the fence in the store with its own, so that a run which was replaced writes nothing more, and so sends
nothing more: a request leaves only after its intent was written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, delete, select, update

from migrator.errors import LeaseLost, StoreBusy
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.database.sql import changed_rows, insert
from migrator.store.facts import fact, fact_named, keep_fact
from migrator.store.log import LAST_COLUMNS, remember_last
from migrator.store.moved import must_be_here
from migrator.store.tables.plans import lease

__all__ = ["EXPIRY_S", "Lease", "Owner", "lost_to", "owner_of", "raise_fence"]

EXPIRY_S = 60.0
"""Seconds of silence after which a holder is taken for dead.

A holder that is known to live is not taken for dead. A holder beats every 10 s.
"""

_FENCE = "lease_fence"
_HOLDER = select(lease)


@dataclass(frozen=True, slots=True)
class Owner:
    """Process that may hold the store.

    Its start time (UTC seconds) distinguishes the process from a later process with the same number.
    """

    host: str
    pid: int
    started_at: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _nobody_knows(_owner: Owner) -> bool:
    return False


class Lease:
    """The one row that says who may write to the carriers."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def acquire(
        self,
        owner: Owner,
        now: float,
        *,
        is_gone: Callable[[Owner], bool],
        is_alive: Callable[[Owner], bool] = _nobody_knows,
        expiry_s: float = EXPIRY_S,
        to_move: bool = False,
    ) -> Owner | None:
        """Take the lease.

        If the owner has the lease already, only the heartbeat changes. A heartbeat that lies in the future, by a clock
        that was ahead, is set back to `now`: a holder that lives beats again, and one that died frees the lease a
        minute later, as any other.

        Args:
            now: UTC seconds. PostgreSQL judges by its own clock: those of several machines differ.
            is_gone: whether a holder is known to be dead; this can be known only of a holder on this host.
            is_alive: whether a holder is known to live. Such a holder of a file is never replaced, however long it was
                silent. In PostgreSQL it is: nobody may be there to wake it, and its fence keeps it from writing.
            expiry_s: seconds after its last heartbeat until any other holder is taken for dead.
            to_move: True to take it of a store that moves, or moved since it was opened.

        Returns: the dead owner that was replaced; None if the lease was free, or ours.
        Raises: StoreBusy, with the holder and its last heartbeat, or for a store that moves; InputError, if it moved.
        """
        with self._db.write(is_fenced=False) as connection:
            if not to_move:
                must_be_here(connection)
            now = self._db.time(connection, now)
            if self._db.is_silence_death:
                is_alive = _nobody_knows
            held = _holder(connection)
            refusal = None if held is None else _refusal(held, owner, now, is_gone, is_alive, expiry_s)
            if refusal is not None:
                connection.execute(update(lease).where(lease.c.heartbeat_at > now).values(heartbeat_at=now))
            elif held is not None and owner_of(held) == owner:
                connection.execute(update(lease).values(heartbeat_at=now))
            else:
                connection.execute(delete(lease))
                connection.execute(insert(lease).values(one=1, **_values(owner, now)))
                raise_fence(connection)
            fence = _fence(connection)
        if refusal is not None:
            raise refusal
        self._db.guard = lambda connection: _must_be(connection, fence)
        return None if held is None or owner_of(held) == owner else owner_of(held)

    def busy(self, now: float, *, is_gone: Callable[[Owner], bool]) -> StoreBusy:
        """Return the error for a store file that another process locked.

        The process is alive, however long it was silent. The process may have the file by another name. Then its lease
        is in a `-wal` that this name does not show.
        """
        with self._db.read() as connection:
            held = _holder(connection)
        if held is not None and not is_gone(owner_of(held)):
            return _held_by(held, now, EXPIRY_S)
        path = self._db.place
        return StoreBusy(
            f"another run holds the file of the state store {path}, perhaps by another name of it",
            hint=f"wait for it; `lsof {path}` tells which process it is",
        )

    def beat(self, owner: Owner, now: float) -> None:
        """Note that the holder is alive.

        Raises: LeaseLost, if somebody else took over.
        """
        with self._db.write(is_fenced=False) as connection:
            beat_at = self._db.time(connection, now)
            moved = connection.execute(update(lease).where(_is(owner)).values(heartbeat_at=beat_at))
            if changed_rows(moved) != 1:
                raise lost_to(_holder(connection))

    def release(self, owner: Owner) -> None:
        """Give the lease back; nothing happens if somebody else took over."""
        with self._db.write(is_fenced=False) as connection:
            connection.execute(delete(lease).where(_is(owner)))
        self._db.guard = None

    def living(self, now: float = 0.0) -> Owner | None:
        """Return the holder, if it was heard of within a minute.

        `now` is in UTC seconds; PostgreSQL goes by its own clock.
        """
        with self._db.read() as connection:
            held, now = _holder(connection), self._db.time(connection, now)
        return None if held is None or now - held.heartbeat_at >= EXPIRY_S else owner_of(held)

    def holder(self) -> tuple[Owner, float] | None:
        """Return the holder of the store, or None if free.

        The second value is when the holder was last heard of (UTC seconds).
        """
        with self._db.read() as connection:
            held = _holder(connection)
        return None if held is None else (owner_of(held), held.heartbeat_at)


def _refusal(  # noqa: PLR0917 - handed through as they came
    held: AnyRow,
    owner: Owner,
    now: float,
    is_gone: Callable[[Owner], bool],
    is_alive: Callable[[Owner], bool],
    expiry_s: float,
) -> StoreBusy | None:
    """Return the error while somebody else holds the store, or None."""
    holder, is_silent = owner_of(held), now - held.heartbeat_at >= expiry_s
    if holder == owner or is_gone(holder) or (is_silent and not is_alive(holder)):
        return None
    return _held_by(held, now, expiry_s)


def raise_fence(connection: Connection) -> None:
    """Raise the fence of the store by one.

    Whoever holds the lease writes nothing more.
    """
    keep_fact(connection, _FENCE, str(_fence(connection) + 1))


def _fence(connection: Connection) -> int:
    return int(fact(connection, _FENCE) or 0)


_GUARD = select(fact_named(_FENCE).scalar_subquery().label("fence"), *LAST_COLUMNS)
"""Fence and last event: nearly every write adds the next event."""


def _must_be(connection: Connection, fence: int) -> None:
    """Refuse to write under a fence that is not the newest.

    Raises: LeaseLost.
    """
    found = connection.execute(_GUARD).one()
    remember_last(connection, found.seq, found.digest)
    if int(found.fence or 0) != fence:
        raise lost_to(_holder(connection))


_WAIT = (
    "wait for it, or end it with `migrator run abort`; a run that died is replaced: at once on its own machine while "
    "that is up, else a minute after it was last heard of"
)


def _held_by(held: AnyRow, now: float, expiry_s: float) -> StoreBusy:
    holder = owner_of(held)
    began = datetime.fromtimestamp(holder.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    is_ahead, silent_s = held.heartbeat_at > now, max(0.0, now - held.heartbeat_at)
    busy = StoreBusy(
        f"another run holds the store: {holder}, started {began}, has it for "
        f"{max(0.0, now - held.acquired_at):.0f} s, last heard of {silent_s:.0f} s ago"
        f"{', by a clock that is ahead of this one' if is_ahead else ''}",
        hint=_end_it(holder) if silent_s >= expiry_s else _WAIT,
    )
    busy.free_in_s = max(0.0, expiry_s - silent_s)
    return busy


def _end_it(holder: Owner) -> str:
    return (
        f"its process is alive, but stopped or stuck: see `ps -f -p {holder.pid}`; if that is migrator, `kill -CONT "
        f"{holder.pid}` wakes a stopped one, and `kill -KILL {holder.pid}` ends it: what it had sent is settled by the "
        "next run"
    )


def _holder(connection: Connection) -> AnyRow | None:
    return connection.execute(_HOLDER).one_or_none()


def lost_to(held: AnyRow | None) -> LeaseLost:
    """Return the error of a run that another one replaced.

    `held` is the row of the lease, if there is one.
    """
    return LeaseLost(
        f"this run lost the store to {'another one, which is over' if held is None else owner_of(held)}",
        hint="see `migrator status`; the same command goes on once the other run has ended",
    )


def owner_of(row: AnyRow) -> Owner:
    """Return the owner that a row of the lease names."""
    return Owner(row.host, row.pid, row.process_started_at)


def _values(owner: Owner, now: float) -> dict[str, object]:
    return {
        "host": owner.host,
        "pid": owner.pid,
        "process_started_at": owner.started_at,
        "acquired_at": now,
        "heartbeat_at": now,
    }


def _is(owner: Owner) -> ColumnElement[bool]:
    held = lease.c
    return (held.host == owner.host) & (held.pid == owner.pid) & (held.process_started_at == owner.started_at)
