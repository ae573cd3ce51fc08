"""Assembly of the real parts, and the only place for it."""

import getpass
import hashlib
import os
import random
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from migrator.engine.run.context import Stopper
from migrator.errors import LeaseLost, StoreError
from migrator.inputs.settings.account_names import account_of, with_account
from migrator.inputs.settings.addresses import used_address
from migrator.interrupts import signals_kept
from migrator.wiring.fleet.bound import bound_to_register
from migrator.wiring.gc import collecting_rarely
from migrator.wiring.holding import file_held
from migrator.wiring.pace import ceiling, keeping_pace, remember, steer
from migrator.wiring.sources import REGISTRY, SourceApi, is_asked, must_be_asked, must_be_of_account

if TYPE_CHECKING:
    import httpx

    from migrator.carriers.hologram.adapter import HologramTarget
    from migrator.carriers.pacing import Pacer
    from migrator.engine.run.context import Hooks
    from migrator.inputs.settings.settings import HologramSettings, Settings, SourceSettings
    from migrator.ports import Clock, SourceReads, SourceWrites
    from migrator.store import Owner, Store

__all__ = [
    "Outside",
    "SystemClock",
    "account",
    "first_error",
    "heartbeat",
    "holding_lease",
    "is_asked",
    "is_of_accounts",
    "least_settings",
    "must_be_asked",
    "must_be_of_account",
    "open_file",
    "open_store",
    "operator",
    "owner",
    "person",
    "place_of",
    "process_is_alive",
    "process_is_gone",
    "run_async",
    "runner",
    "settings",
    "source",
    "source_control",
    "source_rps",
    "store_of",
    "target",
]

T = TypeVar("T")
USER_AGENT = "migrator"
HEARTBEAT_S = 10.0
START_RPS = 10.0
"""Requests per second at which the adaptive rate begins.

They are the default of `HOLOGRAM_MAX_RPS`. Nobody knows Hologram's limit, so a rate above that rises step by step.
"""


class SystemClock:
    """Clock of the machine."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)


def settings(config: Path | None) -> "Settings":
    """Read settings from the environment and a file.

    Where accounts are registered, an account's source, customer and organization are those of the register.

    Raises: InputError, naming every problem; for an account that is not registered; StoreLost.
    """
    from migrator.inputs.settings.settings import load_settings

    return bound_to_register(load_settings(with_account(os.environ), config))


def least_settings(config: Path | None) -> "Settings":
    """Return what can be known where the settings cannot be used.

    See `inputs.settings.settings.least_settings`.

    Raises: InputError, where nobody can tell which store is meant.
    """
    from migrator.inputs.settings import settings as of_input

    return of_input.least_settings(with_account(os.environ), config)


def place_of(state: str | None, config: Path | None) -> str:
    """Return the URL of the store that options and settings name.

    With an account, the register of accounts has a word in it.

    Raises: InputError.
    """
    return settings(config).state if state is None or account() is not None else state


@contextmanager
def open_store(url: str, *, create: bool = False, upgrade: bool | None = None) -> Iterator["Store"]:
    """Open the state store, and bring a file up to date.

    `upgrade` is as for `Store.open`.

    The account that was chosen is the account in the store.

    Raises: InputError, if there is none and `create` is not set; or if an account was chosen and the store is a file.
    """
    from migrator.store import Store

    chosen = account()
    now = SystemClock().now().timestamp()
    with Store.open(url, now=now, create=create, upgrade=upgrade, account=chosen) as store:
        yield store


@contextmanager
def open_file(path: Path, *, create: bool = False) -> Iterator["Store"]:
    """Open a store in a file, whatever account was chosen.

    For stores of the tool's own, as those of the demo.
    """
    from migrator.store import Store

    with Store.open(f"sqlite:///{path}", now=SystemClock().now().timestamp(), create=create) as store:
        yield store


def account() -> str | None:
    """Return the account that was chosen, or None.

    Raises: InputError, for what is no name of an account.
    """
    return account_of(with_account(os.environ))


def operator() -> str:
    """Return who gives an order: user and machine.

    The text is for other operators to read.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"
    return f"{user} on {socket.gethostname()}"


def person() -> str | None:
    """Return the person at this machine as USER@HOST, or None.

    Approvals name people in this form. None where nobody knows the login name.
    """
    try:
        return " ".join(f"{getpass.getuser()}@{socket.gethostname()}".split())
    except (KeyError, OSError, ImportError):
        return None


def runner(me: "Owner") -> str:
    """Return who runs, for the journal: person and process.

    The person is named as far as known; the process is the one that holds the store.
    """
    return ", ".join(filter(None, (person(), str(me))))


def is_of_accounts(chosen: "Settings") -> bool:
    """True if the settings name a database of accounts, and no account."""
    from migrator.store.opening import is_postgresql

    return chosen.account is None and is_postgresql(chosen.state)


@contextmanager
def store_of(state: str | None, config: Path | None, *, upgrade: bool | None = None) -> Iterator["Store"]:
    """Open the store that options and settings name.

    The store must be there already. `upgrade` is as for `Store.open`.
    """
    with open_store(place_of(state, config), upgrade=upgrade) as store:
        yield store


@contextmanager
def holding_lease(
    store: "Store",
    warn: Callable[[str], None] = lambda _words: None,
    *,
    clock: "Clock | None" = None,
    to_move: bool = False,
) -> Iterator["Owner"]:
    """Hold the store and its file for one run.

    The file is held whatever its name is. `warn` is called where the system has no locks. `clock`: None for that of the
    machine. `to_move` is as for `Lease.acquire`.

    A holder that is a dead process of this machine is replaced at once. A holder that is known to live is never
    replaced, and any other holder after a minute without a heartbeat.

    Raises: StoreBusy, naming who holds it; InputError, if the file has several names.
    """
    me = owner((clock or SystemClock()).now().timestamp())
    with file_held(store, me.started_at, is_gone=process_is_gone, warn=warn):
        store.lease.acquire(me, me.started_at, is_gone=process_is_gone, is_alive=process_is_alive, to_move=to_move)
        try:
            yield me
        finally:
            if not store.presence.ended_badly():
                store.lease.release(me)


@asynccontextmanager
async def heartbeat(store: "Store", me: "Owner", stopper: Stopper, clock: "Clock | None" = None) -> AsyncIterator[None]:
    """Renew the lease every ten seconds.

    Once another process took the lease over, no request leaves any more.
    """
    clock = clock or SystemClock()
    stopper.while_leased(store.signs, me)

    async def beat() -> None:
        while True:
            await anyio.sleep(HEARTBEAT_S)
            try:
                store.lease.beat(me, clock.now().timestamp())
            except LeaseLost as error:
                stopper.stop(error.message, error.exit_code)
                return
            except StoreError:
                continue  # such trouble may pass before the lease runs out

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def source(
    chosen: "Settings", store: "Store | None", stopper: Stopper, *, new_login: bool = False
) -> AsyncIterator["SourceReads"]:
    """Open the chosen source over HTTP, at the allowed request rate.

    Args:
        chosen: the settings.
        store: holds the operator's ceiling and whose SIMs these are; None where there is none yet.
        stopper: checked before each request leaves.
        new_login: whether the login may be another than that by which the store's SIMs were read.

    Raises: InputError, naming the settings that are missing; or if the store has the SIMs of another carrier or
        account.
    """
    if store is not None:
        must_be_asked(chosen, store)
    settings, api = _source_settings(chosen), REGISTRY[chosen.carrier.key]
    if store is not None and not new_login:
        must_be_of_account(store, chosen.carrier.name, settings.account)
    pacer = _source_pacer(api, settings.max_rps)
    if store is not None:
        steer(pacer, stopper, store, chosen.carrier.key, settings.max_rps)
    async with _http(settings.base_url) as http:
        yield api.reader(http, settings, pacer)


@asynccontextmanager
async def source_control(
    chosen: "Settings", store: "Store", stopper: Stopper, *, read_only: bool = False
) -> AsyncIterator["SourceWrites"]:
    """Open the chosen source over HTTP, with the right to switch SIMs.

    Only cutover and rollback use this. `read_only` puts a transport below it that lets no write through but the login.

    Raises: InputError, also if the store has the SIMs of another carrier or account.
    """
    must_be_asked(chosen, store)
    settings, api = _source_settings(chosen), REGISTRY[chosen.carrier.key]
    must_be_of_account(store, chosen.carrier.name, settings.account)
    pacer = _source_pacer(api, settings.max_rps)
    steer(pacer, stopper, store, chosen.carrier.key, settings.max_rps)
    async with _http(settings.base_url, read_only=read_only, login=api.login) as http:
        yield api.control(http, settings, pacer)


def source_rps(chosen: "Settings", store: "Store") -> float:
    """Return how many requests a second may go to the chosen source.

    That is what the settings and an operator's order allow.
    """
    return ceiling(store, chosen.carrier.key, chosen.source_rps)


@asynccontextmanager
async def target(
    chosen: "Settings", store: "Store | None", stopper: Stopper, *, read_only: bool = False
) -> AsyncIterator["HologramTarget"]:
    """Open Hologram over HTTP, at the request rate that the store allows.

    The rate also follows what an earlier process found out.

    Args:
        chosen: the settings.
        store: holds the operator's ceiling and what the pacer learned; None where there is none yet.
        stopper: checked before each request leaves.
        read_only: put a transport below it that lets no write through, and keep nothing in the store.
    """
    from migrator.carriers.hologram.adapter import HologramTarget
    from migrator.carriers.pacing import AdaptivePacer

    hologram = _hologram(chosen)
    pacer = AdaptivePacer(min(START_RPS, hologram.max_rps), ceiling=hologram.max_rps, chance=random.Random())
    if store is not None:
        steer(pacer, stopper, store, "hologram", hologram.max_rps)
        remember(pacer, store, SystemClock().now().timestamp())
    async with _http(hologram.base_url, read_only=read_only) as http:
        target = HologramTarget(
            http,
            api_key=hologram.api_key.reveal(),
            org_id=hologram.org_id,
            pacer=pacer,
            batch_size=chosen.batch,
            claim_timeout_s=chosen.claim_timeout_s,
        )
        async with nullcontext() if read_only or store is None else keeping_pace(pacer, store, SystemClock()):
            yield target


def _source_settings(chosen: "Settings") -> "SourceSettings":
    """Return the settings for the chosen source, about to be used."""
    settings = chosen.source()
    used_address(chosen.carrier.name, settings.base_url, settings.own_url)
    return settings


def _source_pacer(api: SourceApi, max_rps: float) -> "Pacer":
    from migrator.carriers.pacing import AdaptivePacer, Pacer

    if api.has_known_rate:
        return Pacer(max_rps, chance=random.Random())
    return AdaptivePacer(min(START_RPS, max_rps), ceiling=max_rps, chance=random.Random())


def _hologram(chosen: "Settings") -> "HologramSettings":
    """Return the settings for Hologram, about to be used."""
    from migrator.inputs.settings.settings import HOLOGRAM_URL

    hologram = chosen.hologram()
    used_address("Hologram", hologram.base_url, HOLOGRAM_URL)
    return hologram


def _http(base_url: str, *, read_only: bool = False, login: str | None = None) -> "httpx.AsyncClient":
    import httpx

    from migrator.carriers.readonly import ReadOnlyTransport
    from migrator.wiring.proxies import transport_for

    transport: httpx.AsyncBaseTransport = transport_for(base_url)
    if read_only:
        transport = ReadOnlyTransport(transport, login=login)
    return httpx.AsyncClient(
        transport=transport,
        base_url=base_url.rstrip("/") + "/",
        timeout=httpx.Timeout(None, connect=10.0, pool=30.0),  # the whole exchange is bounded where it is sent
        headers={"user-agent": USER_AGENT, "accept": "application/json"},
    )


def owner(now: float) -> "Owner":
    """Return this process as an owner of the lease."""
    from migrator.store import Owner

    return Owner(host=_here(), pid=os.getpid(), started_at=now)


@cache
def _here() -> str:
    """Return the name of this machine for the lease.

    The name has a mark that tells this machine from another machine of the same name. Containers may share a name and a
    volume, and do not see each other's processes.
    """
    marks = []
    with suppress(OSError):  # both are Linux's own
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    mark = f"#{hashlib.sha256(''.join(marks).encode()).hexdigest()[:6]}" if marks else ""
    return f"{socket.gethostname()}{mark}"


def process_is_gone(other: "Owner") -> bool:
    """True if an owner was a process of this machine and ended.

    False for other machines, where nobody can tell.
    """
    if other.host != _here():
        return False
    try:
        os.kill(other.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def process_is_alive(other: "Owner") -> bool:
    """True if an owner is known to live on this machine.

    A stopped process counts as alive. Process numbers are used again, so the process must have begun before the owner
    took the lease, or up to a minute after: a clock that was set forward since makes the process look younger. False
    where nobody can tell: on other machines, and where the system does not say when a process began.
    """
    if other.host != _here():
        return False
    began_at = _began_at(other.pid)
    return began_at is not None and began_at <= other.started_at + STEPPED_S


def _began_at(pid: int) -> float | None:
    """Return when a living process began, or None.

    The time is in UTC seconds, by the clock as it is set now. None if the system does not say.
    """
    with suppress(OSError):
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *rest = told.rpartition(")")[2].split()  # the name before it may hold anything
        if sys.platform == "linux" and state not in _ENDED:
            since_boot_s = int(rest[_STARTTIME]) / os.sysconf("SC_CLK_TCK")
            return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s)
    return None


STEPPED_S = 60.0
_ENDED = {"Z", "X"}
_STARTTIME = 18
"""Index of `starttime` in the fields after a process's state.

Source: proc(5), field 22 of /proc/PID/stat.
"""


def run_async(body: Callable[[Stopper], Awaitable[T]]) -> T:
    """Run `body` with a stopper that signals control.

    The first Ctrl-C, SIGTERM or SIGHUP stops the run; the second ends the process at once.
    """

    async def main() -> T:
        stopper = Stopper(seconds=_seconds)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_obey_signals, stopper)
            try:
                return await body(stopper)
            finally:
                tasks.cancel_scope.cancel()
        raise AssertionError  # the group swallows nothing but its own cancellation

    try:
        with collecting_rarely(), signals_kept():
            return anyio.run(main)
    except BaseExceptionGroup as group:
        raise first_error(group) from None


def _seconds() -> float:
    """Return seconds that pass while the machine sleeps, too.

    Only Linux tells them.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


async def _obey_signals(stopper: Stopper) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, *_hang_ups()) as signals:
        async for _ in signals:
            _leave_lost_terminal()
            if stopper.is_stopping:
                os._exit(130)  # the journal holds every intent: nothing is lost by leaving here
            stopper.stop("interrupted; everything so far is on disk")


def _hang_ups() -> list[signal.Signals]:
    """Return the signals that say that the terminal was closed.

    Empty where the process ignored the signal from the start (`nohup`).
    """
    hang_up = getattr(signal, "SIGHUP", None)  # not on every system
    return [] if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN else [hang_up]


def _leave_lost_terminal() -> None:
    """Discard further output to a terminal that is gone.

    A write to that terminal must not end the run.
    """
    for number in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, however deep it lies."""
    first = group.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first


class Outside:
    """All that lies outside of the process: time, signals and carriers.

    This one is real. Rehearsals give a site another one, and then whole workflows run against simulators.
    """

    @property
    def clock(self) -> "Clock":
        """Clock of every stage."""
        return SystemClock()

    @property
    def hooks(self) -> "Hooks":
        """Crash points of every run."""
        from migrator.wiring.crash_points import hooks_from_environment

        return hooks_from_environment()

    def run_async(self, body: Callable[[Stopper], Awaitable[T]]) -> T:
        """Run `body` with a stopper that signals control."""
        return run_async(body)

    def target(
        self, chosen: "Settings", store: "Store | None", stopper: Stopper, *, read_only: bool = False
    ) -> "AbstractAsyncContextManager[HologramTarget]":
        """Open Hologram, as `target` does."""
        return target(chosen, store, stopper, read_only=read_only)

    def source(
        self, chosen: "Settings", store: "Store | None", stopper: Stopper, *, new_login: bool = False
    ) -> "AbstractAsyncContextManager[SourceReads]":
        """Open the chosen source, as `source` does."""
        return source(chosen, store, stopper, new_login=new_login)

    def source_control(
        self, chosen: "Settings", store: "Store", stopper: Stopper, *, read_only: bool = False
    ) -> "AbstractAsyncContextManager[SourceWrites]":
        """Open the source with the right to switch SIMs, as `source_control` does."""
        return source_control(chosen, store, stopper, read_only=read_only)
