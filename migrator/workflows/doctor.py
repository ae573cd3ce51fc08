"""Checks of `doctor`: settings, both carriers, rights, prices, disk.

The checks only read, and each check gives one finding.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator import wiring
from migrator.core.fleet.units import money
from migrator.core.run.results import ExitCode
from migrator.core.run.sources import api_words
from migrator.engine.run.context import Stopper
from migrator.errors import InputError, MigratorError, NoStore, StoreError

if TYPE_CHECKING:
    from migrator.inputs.settings.settings import Settings
    from migrator.ports import TargetIdentity, TargetPlatform
    from migrator.store import Store

__all__ = ["CheckResult", "disk", "examined"]

NEEDED = {"activation": "claim SIMs"}
ENOUGH_BYTES = 2 * 1024**3
"""Bytes for a million SIMs: the store, its log, one backup."""
FAR_S, APART_S = 0.003, 5.0
"""Seconds to a database that are too many, and between two clocks."""

LEAST_BYTES = 64 * 1024**2
"""Bytes below which the disk counts as full.

They are what the store's `-wal` and a small fleet take."""
PROBE_BYTES = 1024**2
"""Bytes that are written to try the disk.

The file has no name, and is gone once closed. A quota does not show in the disk's free bytes.
"""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one check.

    `exit_code` 0 with a hint is a warning.
    """

    what: str
    told: str
    hint: str = ""
    exit_code: int = ExitCode.DONE

    @property
    def word(self) -> str:
        """Word for the result: "good", "look" or "bad"."""
        if self.exit_code:
            return "bad"
        return "look" if self.hint else "good"


def examined(chosen: "Settings", state: str) -> list[CheckResult]:
    """Make all checks.

    `state` is the URL of the store.
    """
    findings = _of_carriers(chosen, asks_source=not _is_of_file(chosen, state)) + _patience(chosen)
    try:
        findings.append(disk(state))
        findings += _of_store(chosen, state)
    except MigratorError as error:
        findings.append(CheckResult("store", error.message, error.hint, error.exit_code))
    return findings


def _is_of_file(chosen: "Settings", state: str) -> bool:
    """True if the SIMs of the store are those of a file."""
    with suppress(MigratorError), wiring.open_store(state) as store:  # what is wrong with it is told below
        return not wiring.is_asked(chosen, store)
    return False


def _of_carriers(chosen: "Settings", *, asks_source: bool) -> list[CheckResult]:

    async def body(stopper: Stopper) -> list[CheckResult]:
        findings = []
        async for finding in _carriers(chosen, stopper, asks_source=asks_source):
            stopper.check()
            findings.append(finding)
        return findings

    return wiring.run_async(body)


def _of_store(chosen: "Settings", state: str) -> list[CheckResult]:
    """Return the schema of a store and whose SIMs it has.

    Nothing is returned if there is no store.

    Raises: InputError, if the SIMs are those of another source or account than the settings choose.
    """
    try:
        with wiring.open_store(state) as store:
            info, whose = store.info(), _whose_sims(chosen, store)
    except NoStore:
        return []
    return [CheckResult("schema", f"{info['schema']}, lineage {info['lineage']}"), *whose]


async def _carriers(chosen: "Settings", stopper: Stopper, *, asks_source: bool) -> AsyncIterator[CheckResult]:
    """Check both carriers, one request after the other.

    If a carrier refuses one request, the other requests are still sent. `asks_source` is False for the SIMs of a file,
    about which no API is asked.
    """
    yield _proxies(chosen, asks_source=asks_source)
    if asks_source:
        yield await _asked(f"{chosen.carrier.name} login", lambda: _source(chosen, stopper))
    try:
        async with wiring.target(chosen, None, stopper, read_only=True) as target:
            account = await target.account()
            yield _account(account)
            for what, look in _LOOKS.items():
                yield await _asked(what, lambda look=look: look(target))  # type: ignore[misc]  # mypy cannot see its type
            yield _names(account)
    except MigratorError as error:
        yield _failed("Hologram key and organization", error)


def _proxies(chosen: "Settings", *, asks_source: bool) -> CheckResult:
    """Tell the ways to the carriers that are asked."""
    from migrator.wiring.proxies import proxy_for, shown_proxy

    urls = {chosen.carrier.name: chosen.source_url} if asks_source else {}
    urls["Hologram"] = chosen.base_url("HOLOGRAM_BASE_URL")
    ways = {carrier: proxy_for(url) for carrier, url in urls.items()}
    told = [f"{carrier} by {shown_proxy(proxy)}" if proxy else f"{carrier} directly" for carrier, proxy in ways.items()]
    return CheckResult("proxy", ", ".join(told))


async def _asked(what: str, look: Callable[[], Awaitable[CheckResult]]) -> CheckResult:
    try:
        return await look()
    except MigratorError as error:
        return _failed(what, error)


def _failed(what: str, error: MigratorError) -> CheckResult:
    return CheckResult(what, error.message, error.hint or "see the message", error.exit_code)


async def _source(chosen: "Settings", stopper: Stopper) -> CheckResult:
    async with wiring.source(chosen, None, stopper) as source:
        version = await source.open()
        page = await source.page(1)
        total = len(page.rows) if page.total_sims is None else page.total_sims
        return CheckResult(f"{source.name} login", f"{api_words(version)}, {total} SIMs listed", source.warning)


def _account(account: "TargetIdentity") -> CheckResult:
    what, told = "Hologram key and organization", f"{account.org_id} ({account.org_name}) as {account.email}"
    if account.permissions is None:
        return CheckResult(what, told, "Hologram does not say what this key may do: the first claim will tell")
    missing = [words for right, words in NEEDED.items() if right not in account.permissions]
    if missing:
        hint = "use a key of a member with the Manager role or above"
        return CheckResult(what, f"{told}; it may not {' or '.join(missing)}", hint, ExitCode.REFUSED)
    return CheckResult(what, told)


async def _plans(target: "TargetPlatform") -> CheckResult:
    """List every open data plan with its zones and prices.

    A policy may name these.
    """
    lines = [
        f'data_plan_id = {plan.data_plan_id} ({plan.name}), zone = "{zone}": {_price(prices.per_period)}'
        for plan in await target.data_plans()
        if plan.enabled
        for zone, prices in plan.zones.items()
    ]
    if not lines:
        hint = "ask Hologram which data plan this organization may use"
        return CheckResult("data plans", "none is open", hint, ExitCode.INPUT)
    return CheckResult("data plans", "\n".join(lines))


def _price(price: object) -> str:
    return "no price shown" if price is None else f"{money(price)} a period"  # type: ignore[arg-type]  # a Decimal


async def _balance(target: "TargetPlatform") -> CheckResult:
    balance = await target.balance()
    if balance is None:
        return CheckResult(
            "balance", "none to read", "an invoiced organization? Only the policy's caps hold the cost then"
        )
    return CheckResult("balance", str(money(balance)))


async def _jobs(target: "TargetPlatform") -> CheckResult:
    if await target.jobs() is None:
        return CheckResult("job list", "not for this key (403)", "no trouble: the devices themselves are read instead")
    return CheckResult("job list", "may be read")


_LOOKS = {"data plans": _plans, "balance": _balance, "job list": _jobs}


def _names(account: "TargetIdentity") -> CheckResult:
    if account.features is None:
        return CheckResult(
            "shared names", "Hologram does not list its features", "tried once, then one by one if refused"
        )
    if "bulk_rename" in account.features:
        return CheckResult("shared names", "in one call (bulk_rename)")
    return CheckResult("shared names", "one by one", "the organization lacks bulk_rename: a request for each SIM")


def _whose_sims(chosen: "Settings", store: "Store") -> list[CheckResult]:
    """Check that the settings choose the source of the store.

    Raises: InputError, for another source or account.
    """
    kept = store.inventory.source_account()
    if not store.inventory.fingerprint():
        return []
    if not wiring.is_asked(chosen, store):
        return [CheckResult("inventory", f"SIMs of {kept.name}, from a file: no API is asked about them")]
    account = kept.account
    with suppress(InputError):  # settings that are missing were told at the login
        account = chosen.source().account
    wiring.must_be_of_account(store, kept.name, account or "")
    return [CheckResult("inventory", ", ".join(filter(None, (f"SIMs of {kept.name}", kept.account))))]


def _patience(chosen: "Settings") -> list[CheckResult]:
    """Check the waits that are set.

    Returns: a result for each that is short.
    """
    hint = "set MIGRATOR_CLAIM_TIMEOUT_S to 180s, or leave it out"
    return [CheckResult("claims", words, hint) for words in chosen.warnings]


def disk(state: str) -> CheckResult:
    """Check the room for the store, or the server that holds it.

    Raises: InputError, for an address that names no file, or a folder that is not there; StoreError, if nothing can be
    written there, or no server answers.
    """
    from migrator.store.opening import is_postgresql

    if is_postgresql(state):
        return server(state)
    from migrator.store.database.faults import file_trouble
    from migrator.store.database.sqlite import path_of

    path = path_of(state)
    try:
        free = shutil.disk_usage(path.parent).free
        told = f"{path}, {'there' if path.exists() else 'not there yet'}; {free // 1024**2} MiB free"
        if free < LEAST_BYTES:
            hint = f"the disk is full: make room on the disk of {path.parent.absolute()}, or use --state"
            return CheckResult("store", told, hint, StoreError.exit_code)
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise file_trouble(error, path) from None
    if free < ENOUGH_BYTES:
        return CheckResult("store", told, "a fleet of a million SIMs takes up to 2 GiB: make room, or use --state")
    return CheckResult("store", told)


def server(state: str) -> CheckResult:
    """Check the distance, the clock and the safety of a database server.

    Raises: InputError, StoreLost.
    """
    from migrator.store.database.postgresql.server import look_at_server

    found = look_at_server(state, lambda: wiring.SystemClock().now().timestamp())
    told = f"{found.shown}, PostgreSQL {found.version}, {found.away_s * 1000:.1f} ms away"
    if not found.keeps:
        return CheckResult("store", told, "a power cut takes back what was claimed: turn `fsync` on at the server")
    if abs(found.ahead_s) > APART_S:
        apart = f"the clocks of this machine and of the server are {abs(found.ahead_s):.0f} s apart: set both by NTP"
        return CheckResult("store", told, apart)
    if found.standbys and not found.synchronous:
        return CheckResult(
            "store",
            f"{told}, {found.standbys} standbys",
            "a standby may lack the last claims: name it in `synchronous_standby_names` before you rely on it",
        )
    if found.away_s > FAR_S:
        far = "a request asks the store a dozen times: work on a machine near the database"
        return CheckResult("store", told, far)
    return CheckResult("store", told)
