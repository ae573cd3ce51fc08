"""Work of `verify`: fresh reads, and the checks that were asked for."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, closing, nullcontext
from dataclasses import dataclass, replace

from migrator.core.cutover.life import Life, Proof
from migrator.core.plan.plan import PlanHeader
from migrator.engine.run.context import Stopper
from migrator.workflows.cutover.status import finding_counts, taken_back_and_no_more
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.notices.found import tell_drift, tell_silent
from migrator.workflows.site import Site
from migrator.workflows.verify.devices import DeviceWatch
from migrator.workflows.verify.drift import drift_of
from migrator.workflows.verify.life import prove_life
from migrator.workflows.verify.record import read_records
from migrator.workflows.verify.source_list import SourceLook, look_at_source

__all__ = ["ROLLED_BACK", "Checks", "Verification", "verify", "verify_plan"]

ROLLED_BACK = "rolled_back"
"""Verdict of SIMs that a rollback took back.

That was ordered, and is no mismatch.
"""


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks to make beyond the record.

    Args:
        thorough: whether to read the whole device list, to find every device that nobody planned.
        source: whether to read the source's list.
        traffic: whether to prove the life of new SIMs.
        old_silent: whether to ask, with `traffic`, what old SIMs used.
        most: how many findings of a kind to keep one by one; None for all.
        keep: given each proof of life.
    """

    thorough: bool = False
    source: bool = False
    traffic: bool = False
    old_silent: bool = False
    most: int | None = None
    keep: Callable[[Proof], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of a verification.

    Args:
        verdicts: SIMs by verdict, and those that a rollback took back.
        findings: SIMs that differ, by code.
        devices: devices that nobody planned, as far as the list was read; None for the record alone.
        source: what changed at the source; None where that was not asked for.
    """

    verdicts: Mapping[str, int]
    findings: Mapping[str, int]
    devices: DeviceWatch | None
    source: SourceLook | None


def verify(site: Site, plan_id: str) -> Mapping[str, int]:
    """Read every SIM of a plan again and compare; send no write.

    Returns: the number of SIMs by verdict: `ok`, `pending`, `mismatch`, `missing`, `staged`, `unread`.
    Raises: InputError, if there is no such plan; PlatformError.
    """
    _verified(site, site.store.plans.header(plan_id), Checks(), None)
    deliver_after_run(site)
    return {verdict: sims for verdict, sims in site.store.journal.verdicts(plan_id).items() if sims}


def verify_plan(site: Site, header: PlanHeader, checks: Checks | None) -> Verification:
    """Read every SIM of a plan again, and compare; send no write.

    Other checks are made as asked.

    Devices that nobody planned are found where the device list is read. Without `checks`, only the record is verified.

    Raises: InputError; NotAuthorised; PlatformError.
    """
    store = site.store
    devices = None if checks is None else DeviceWatch(store, header, checks.most)
    with nullcontext() if devices is None else closing(devices):
        source = _verified(site, header, checks or Checks(), devices)
    deliver_after_run(site)
    verdicts: dict[str, int] = dict(store.journal.verdicts(header.plan_id))
    back = taken_back_and_no_more(store, header.plan_id)
    told = verdicts | {"mismatch": verdicts.get("mismatch", 0) - back, ROLLED_BACK: back}
    found = {verdict: sims for verdict, sims in told.items() if sims}
    return Verification(found, finding_counts(store, header.plan_id), devices, source)


def _verified(site: Site, header: PlanHeader, checks: Checks, devices: DeviceWatch | None) -> SourceLook | None:
    """Make the reads, and put what they found into the outbox."""
    store, silent = site.store, list[str]()

    def keep(proof: Proof) -> None:
        if proof.life is Life.SILENT:
            silent.append(proof.target_iccid)
        checks.keep(proof)

    async def body(stopper: Stopper) -> SourceLook | None:
        await _look_at_target(site, header, replace(checks, keep=keep), devices, stopper)
        if not checks.source:
            return None
        async with site.outside.source(site.settings, store, stopper) as source:
            return await look_at_source(site, source, header, stopper, most=checks.most)

    began_s = site.now()
    found = site.outside.run_async(body)
    tell_drift(store, header, drift_of(store, header.plan_id, began_s))
    if checks.traffic:
        tell_silent(store, header, silent)
    return found


async def _look_at_target(
    site: Site, header: PlanHeader, checks: Checks, devices: DeviceWatch | None, stopper: Stopper
) -> None:
    """Read the plan's SIMs afresh, and what else was asked for.

    That may be the whole device list, and proofs of life.
    """
    store, settings = site.store, site.settings
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(site.outside.target(settings, store, stopper, read_only=True))
        if devices is None:
            await read_records(site, target, header, stopper)
        else:
            await read_records(site, target, header, stopper, devices.see)
            if checks.thorough:
                await devices.read_all(target, stopper)
        if not checks.traffic:
            return
        usage = None
        if checks.old_silent:
            usage = await stack.enter_async_context(site.outside.source(settings, store, stopper))
        await prove_life(
            store,
            target,
            header,
            checks.keep,
            source=usage,
            clock=site.clock,
            stopper=stopper,
            progress=site.progress,
        )
