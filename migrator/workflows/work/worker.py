"""Worker: takes accounts in turn until told to stop.

The register says whose turn it is, and who has an account; the queue hands turns out; the lease of each account keeps
two processes from writing to it. So it does no harm where the queue hands a job out twice, or late, or where a worker
that was taken for dead wakes up.
"""

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from anyio import to_thread

from migrator.chunks import chunks
from migrator.core.accounts.overview import SILENT_S
from migrator.core.accounts.records import Account, SecretsHere
from migrator.core.accounts.turns import after_job, next_turns
from migrator.core.run.results import ExitCode
from migrator.errors import MigratorError, StoreBusy, StoreLost
from migrator.ports import JobQueue
from migrator.reports.model import moment
from migrator.store.register import Register
from migrator.version import VERSION
from migrator.wiring import SystemClock
from migrator.workflows.work.child import Child, ChildEnd
from migrator.workflows.work.desk import AGAIN_S, LONGEST_S, Desk

__all__ = ["Made", "Worker", "worker_name"]

SWEEP_S = 2.0
"""Seconds between two looks at the register.

Each look is a sign of life.
"""

PATIENCE_S = 30.0
"""Seconds after an outage for which nobody counts as dead.

The others try again up to 15 s apart, and so may not have spoken yet.
"""

TELL_S, LONGEST_TELL_S = 60.0, 3600.0
"""Seconds between two looks for notices that are due.

Also those until the process that delivers them for an account is begun again, at first and at most: whom it cannot
reach has a time of its own in the outbox.
"""

DELIVERY_S = 30.0
"""Most seconds that a draining worker waits for notices under way."""

MOST_LOOKED = 50
"""Outboxes that are looked at together."""

SECRETS_S, LACK_S = 300.0, 60.0
"""Seconds for which a look for secrets counts.

Then those where one is missing. Each may be a process that asks a vault. A turn looks again by itself, so that one
that was withdrawn is told of.
"""


def worker_name() -> str:
    """Return a name that no other worker has."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True)
class Made:
    """Parts that a worker is made of.

    Args:
        open_register: opens a session on the register.
        queue: hands turns out.
        close: ends the sessions of the queue.
        child: makes the process for the job of an account.
        teller: makes the process that tells why an account stands, and delivers what is due in its outbox.
        secrets: looks for the secrets of accounts on this machine, and tells of each as it is known; it may take a
            while.
        tell: called with the name of each event and its values.
    """

    open_register: Callable[[], Register]
    queue: JobQueue
    close: Callable[[], None]
    child: Callable[[Account], Child]
    teller: Callable[[Account], Child]
    secrets: Callable[[Sequence[Account]], Iterable[tuple[str, SecretsHere]]]
    tell: Callable[[str, Mapping[str, Any]], None]


@dataclass(slots=True)
class Worker:
    """Worker of some slots.

    Args:
        name: its name.
        made: its parts.
        slots: jobs at a time.
        only: names of the accounts that it may take; None for all whose secrets are here.
    """

    name: str
    made: Made
    slots: int = 1
    only: Collection[str] | None = None
    at_work: dict[str, Child | None] = field(default_factory=dict, init=False)
    jobs: int = field(default=0, init=False)
    _desk: Desk = field(init=False)
    _stop: anyio.Event = field(default_factory=anyio.Event, init=False)
    _secrets: dict[str, tuple[SecretsHere, float]] = field(default_factory=dict, init=False)  # and when, monotonic
    _tries: dict[str, "_Try"] = field(default_factory=dict, init=False)
    _looked_at: float | None = field(default=None, init=False)  # for notices that are due: when, monotonic
    _one_tells: anyio.Lock = field(default_factory=anyio.Lock, init=False)
    _known: Mapping[str, Account] = field(default_factory=dict, init=False)
    _patient_until: float = field(default=0.0, init=False)
    _trouble: MigratorError | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._desk = Desk(self.made.open_register, self.made.queue, self._stop, self._warn)

    async def run(self, *, once: bool = False) -> None:
        """Take accounts until told to stop.

        SIGTERM or Ctrl-C drains: nothing new is taken, processes are told to end in good order. A second one kills
        them.

        Args:
            once: whether to end when it is nobody's turn.

        Raises: errors of a store, where the worker cannot go on: the register is not there, or of another release.
        """
        try:
            await self._desk.ask(self._look)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._obey_signals)
                tasks.start_soon(self._sweep_forever)
                if once:
                    await self._look_for_secrets()
                tasks.start_soon(self._keep_secrets_known)
                tasks.start_soon(self._keep_told)
                await (self._work_once() if once else self._work())
                with anyio.move_on_after(DELIVERY_S):  # one that is cut off would be sent again
                    await self._one_tells.acquire()
                tasks.cancel_scope.cancel()
            with suppress(MigratorError):
                await self._desk.ask(lambda register: register.left(self.name))
        finally:
            self._desk.close()
            self.made.close()
        if self._trouble is not None:
            raise self._trouble

    def stop(self) -> None:
        """Take nothing new, and end what is under way.

        The processes end in good order.
        """
        if not self._stop.is_set():
            self._stop.set()
            self.made.tell("draining", {"accounts": sorted(self.at_work)})
        for child in self._children():
            child.interrupt()

    def _children(self) -> list[Child]:
        return [child for child in self.at_work.values() if child is not None]

    def _warn(self, words: str) -> None:
        self.made.tell("trouble", {"message": words})

    async def _obey_signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self._stop.is_set():
                    self.made.tell("killing", {"accounts": sorted(self.at_work)})
                    for child in self._children():
                        child.kill()
                else:
                    self.stop()

    # --- jobs -----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Take jobs; the engine is begun again if it ends by itself."""
        pause_s = AGAIN_S
        while not self._stop.is_set():
            began_at = anyio.current_time()
            await self._engine(once=False)
            if anyio.current_time() - began_at > LONGEST_S:
                pause_s = AGAIN_S
            with anyio.move_on_after(pause_s):
                await self._stop.wait()
            pause_s = min(2 * pause_s, LONGEST_S)

    async def _work_once(self) -> None:
        while not self._stop.is_set():
            done = self.jobs
            await self._desk.ask_until_heard(self._sweep)
            await self._engine(once=True)
            if self.jobs == done:
                await self._tell_untold()
                return

    async def _engine(self, *, once: bool) -> None:
        run = self.made.queue.run(
            self._job, worker=self.name, slots=self.slots, once=once, serves=self._serves, stop=self._stop
        )
        try:
            await run
        except (StoreLost, StoreBusy) as error:
            self._warn(f"{error.message}; trying again")
        except MigratorError as error:
            self._give_up(error)

    def _give_up(self, error: MigratorError) -> None:
        self._trouble = self._trouble or error
        self.stop()

    async def _job(self, name: str) -> None:
        """Do the job of an account, if it is its turn.

        Who is at work on it already is not asked again: what a person said meanwhile would count as heard.
        """
        if self._stop.is_set() or name in self.at_work:
            return
        self.at_work[name] = None
        try:
            account = await self._desk.ask(lambda register: register.began(name, self.name))
            if account is not None:
                await self._work_on(account)
        except (StoreLost, StoreBusy):
            return  # the next look at the register finds out what came of it
        except MigratorError as error:
            self._give_up(error)
        finally:
            del self.at_work[name]

    async def _work_on(self, account: Account) -> None:
        self.made.tell("began", {"account": account.name})
        began_s = time.monotonic()
        ended = await self._done(account)
        values = {"account": account.name, "exit_code": ended.exit_code, "words": ended.words, "worker": self.name}
        values["seconds"] = round(time.monotonic() - began_s, 1)
        self.jobs += 1
        after: Account | None = None
        try:
            after = await self._desk.ask_until_heard(partial(self._note, account.name, ended))
        finally:
            state, due_at = (None, None) if after is None else (after.word, after.turn.at)
            self.made.tell("ended", {**values, "state": state, "due_at": moment(due_at)})

    async def _done(self, account: Account) -> ChildEnd:
        child = self.at_work[account.name] = self.made.child(account)
        if self._stop.is_set():
            child.interrupt()
        try:
            return await child.run()
        except OSError as error:
            return ChildEnd(ExitCode.ERROR, f"its process could not be started: {error.strerror}")

    def _note(self, name: str, ended: ChildEnd, register: Register) -> Account | None:
        now = register.now()
        again_at = None if ended.again_at is None else now + (ended.again_at - SystemClock().now().timestamp())
        is_crash = not self._stop.is_set() and (ended.exit_code < 0 or ended.exit_code == ExitCode.INTERRUPTED)
        turn = after_job(ended.exit_code, now=now, again_at=again_at, words=ended.words, is_crash=is_crash)
        after = register.ended(
            name, self.name, turn, order_done=ended.order_done, is_crash=is_crash, is_told=ended.is_told
        )
        if after is None:
            self._warn(f"{name}: it was given back meanwhile, so the end of its job is not noted")
        return after

    # --- what no job delivered ------------------------------------------------------------------------------------

    async def _keep_told(self) -> None:
        while True:
            await anyio.sleep(SWEEP_S)
            await self._tell_untold()

    async def _tell_untold(self) -> None:
        """Tell of accounts that stand untold, and deliver notices that are due.

        Another worker may do the same: a notice has a key, and is made once; a delivery is taken up by one.
        """
        async with self._one_tells:
            serves = set(self._serves())
            free = [one for one in self._known.values() if one.candidate is not None and one.name in serves]
            due = await self._with_due_notices([one.name for one in free])
            for account in sorted(free, key=lambda one: not one.is_untold):
                if self._stop.is_set():
                    return
                if (account.is_untold or account.name in due) and self._may_try(account):
                    await self._tell_of(account)

    async def _with_due_notices(self, names: Sequence[str]) -> set[str]:
        """Return the accounts with a notice that is due, once a minute."""
        now = time.monotonic()
        if self._looked_at is not None and now - self._looked_at < TELL_S:
            return set()
        self._looked_at = now
        by_our_clock = SystemClock().now().timestamp()  # as the process that delivers has it
        due = set[str]()
        with suppress(MigratorError):  # the next look at the register tells it
            for some in chunks(names, MOST_LOOKED):  # signs of life go between
                due |= await self._desk.ask(partial(Register.with_due_notices, names=some, now=by_our_clock))
        return due

    def _may_try(self, account: Account) -> bool:
        tries = self._tries.get(account.name)
        return tries is None or tries.ended_at != account.ended_at or time.monotonic() >= tries.next_at

    async def _tell_of(self, account: Account) -> None:
        try:
            ended = await self.made.teller(account).run()
        except OSError as error:
            ended = ChildEnd(ExitCode.ERROR, f"the process for it could not be started: {error.strerror}")
        before, pause_s = self._tries.get(account.name), TELL_S
        if ended.exit_code != ExitCode.DONE:
            has_time = ended.exit_code == ExitCode.RESUMABLE and ended.again_at is not None
            if not has_time and before is not None and before.ended_at == account.ended_at:
                pause_s = min(2 * before.pause_s, LONGEST_TELL_S)  # where the outbox has no time for it
            self._warn(f"{account.name}: its receivers were not told yet: {ended.words}")
        self._tries[account.name] = _Try(account.ended_at, time.monotonic() + pause_s, pause_s)
        if account.is_untold and (ended.is_told or ended.exit_code == ExitCode.DONE):
            with suppress(MigratorError):  # it is told again otherwise, under the same key
                await self._desk.ask(lambda register: register.told(account.name, account.ended_at))

    # --- turns ----------------------------------------------------------------------------------------------------

    async def _sweep_forever(self) -> None:
        """Look at the register every few seconds.

        Each look is a sign of life, also while the worker drains.
        """
        while True:
            try:
                await self._desk.ask_until_heard(self._sweep)
            except MigratorError as error:
                self._give_up(error)
                return
            await anyio.sleep(SWEEP_S)

    def _look(self, register: Register) -> set[str]:
        """Give a sign of life, and learn which accounts there are.

        The accounts of workers that are dead, or that nobody knows any more, are freed; after an outage not at once.

        Returns: the accounts that some living worker serves.
        """
        serves = self._serves()
        silent_s = register.beat(self.name, host=socket.gethostname(), version=VERSION, slots=self.slots, serves=serves)
        now, served = register.now(), set(serves)
        if silent_s > SILENT_S:
            self._patient_until = now + PATIENCE_S
        living = [other for other in register.workers() if now - other.seen_at <= SILENT_S]
        for other in living:
            served |= set(other.serves)
        known = register.accounts()
        silent = {account.worker for account in known if account.worker} - {one.name for one in living}
        for worker in sorted(silent) if now >= self._patient_until else ():
            if names := register.freed(worker, SILENT_S):
                self.made.tell("freed", {"worker": worker, "accounts": names})
                known = register.accounts()
        self._known = {account.name: account for account in known}
        return served

    def _sweep(self, register: Register) -> None:
        """Queue the accounts whose turn it is."""
        served = self._look(register)
        queue, now = self.made.queue, register.now()
        queue.rescue(SILENT_S)
        for job in queue.overview():
            if job.worker is None and job.account not in served:
                queue.cancel(job.account)  # it would hold up the other accounts of its customer
        if self._stop.is_set():
            return
        free = [one for account in self._known.values() if (one := account.candidate) is not None]
        for one in next_turns(free, now, is_served=served_by(self._serves())):
            queue.enqueue(one.name, one.turn.at or now, lock=one.lock)
        for account in self._known.values():
            if account.worker == self.name and account.name not in self.at_work:  # the answer to `began` was lost
                queue.enqueue(account.name, now, lock=account.lock)

    # --- secrets --------------------------------------------------------------------------------------------------

    def _serves(self) -> list[str]:
        """Return the accounts that this worker may take, by name."""
        return [name for name in self._known if name in self._secrets and not self._secrets[name][0].missing]

    async def _keep_secrets_known(self) -> None:
        while True:
            await self._look_for_secrets()
            await anyio.sleep(SWEEP_S)

    async def _look_for_secrets(self) -> None:
        """Look which secrets are here, of new accounts and after a while."""
        mine = [one for one in self._known.values() if self.only is None or one.name in self.only]
        if asked := [one for one in mine if self._must_look(one.name)]:
            await to_thread.run_sync(self._looked_for, asked)

    def _must_look(self, name: str) -> bool:
        if name not in self._secrets:
            return True
        found, at = self._secrets[name]
        return time.monotonic() - at >= (LACK_S if found.missing else SECRETS_S)

    def _looked_for(self, accounts: Sequence[Account]) -> None:
        """Note what each look finds; tell of trouble once."""
        for name, found in self.made.secrets(accounts):
            before = self._secrets[name][0].trouble if name in self._secrets else ""
            self._secrets[name] = found, time.monotonic()
            if found.trouble and found.trouble != before:
                self._warn(f"{name}: {found.trouble}")


@dataclass(frozen=True, slots=True)
class _Try:
    """Try to tell of an account.

    Args:
        ended_at: when its last job had ended; after another one it is tried anew.
        next_at: when it may be tried again (monotonic).
        pause_s: how long that is after the last try.
    """

    ended_at: float | None
    next_at: float
    pause_s: float


def served_by(names: Collection[str]) -> Callable[[str], bool]:
    """Return whether a name is one of these."""
    return set(names).__contains__
