"""Work of `verify --watch`: repeated fresh reads, and their changes."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import ExitCode
from migrator.core.run.steps import Verdict
from migrator.core.run.verify import beside_a_pause
from migrator.engine.run.context import Stopper
from migrator.errors import Interrupted, StoreError, Transient
from migrator.workflows.cutover.status import taken_back
from migrator.workflows.notices.deliver import deliver_due
from migrator.workflows.notices.found import tell_drift
from migrator.workflows.site import Site
from migrator.workflows.verify.record import read_records

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["MOST_FAILURES", "Drift", "DriftWatch", "NewFinding", "drift_of", "watch_plan"]

MOST_FAILURES = 5
"""Most rounds in a row that may fail in passing.

Then the watch gives up.
"""

LASTING = {Verdict.MISMATCH, Verdict.MISSING}
"""Verdicts that count as drift.

A pending SIM is no drift until its time is up.
"""


@dataclass(frozen=True, slots=True)
class NewFinding:
    """Finding that is new on a SIM, or gone from it.

    `key` is the SIM's source ICCID without check digit.
    """

    key: str
    finding: Finding
    is_new: bool


Drift = dict[tuple[str, str], Finding]
"""Findings by SIM and code."""


def drift_of(store: "Store", plan_id: str, since_s: float) -> Drift:
    """Return the lasting differences that were found since `since_s`.

    `since_s` is in UTC seconds. The size of the result grows with the drift, not with the SIMs. SIMs that an operator
    skipped are no longer read: what was found of them before is no drift. Nor is the pause that a rollback ordered.
    """
    back = taken_back(store, plan_id)
    return {
        (verified.key, finding.code.value): finding
        for verified, at_s in store.journal.verified_rows(plan_id)
        if verified.verdict in LASTING and at_s >= since_s
        for finding in (beside_a_pause(verified.findings) if verified.key in back else verified.findings)
        if finding.code is not FindingCode.STATE_PENDING
    }


@dataclass(slots=True)
class DriftWatch:
    """Read, compare with the round before, report, and wait.

    Args:
        look: reads every SIM of the plan afresh, and returns the differences as `drift_of` does.
        tell: called with each finding that came or went.
        trouble: called with the error of a round that failed in passing.
        every_s: seconds between two rounds.
        goes_on: whether drift does not end the watch.

    Attributes:
        rounds: how many were finished.
        seen: whether any of them found drift.
        drift: what the last of them found.
    """

    look: Callable[[], Awaitable[Drift]]
    tell: Callable[[NewFinding], None]
    trouble: Callable[[Transient], None]
    every_s: float
    goes_on: bool
    rounds: int = field(default=0, init=False)
    seen: bool = field(default=False, init=False)
    drift: Drift = field(default_factory=dict, init=False)

    async def run(self, stopper: Stopper) -> None:
        """Repeat rounds until there is drift, or until stopped.

        Raises: Interrupted, when the stopper stops the watch; Transient, after several rounds that failed;
            PlatformError.
        """
        failures = 0
        while True:
            try:
                now = await self.look()
            except Transient as error:
                failures += 1
                if failures >= MOST_FAILURES:
                    raise
                self.trouble(error)
            else:
                failures = 0
                for moved in _moves(self.drift, now):
                    self.tell(moved)
                self.drift = now
                self.rounds += 1
                self.seen = self.seen or bool(now)
                if self.seen and not self.goes_on:
                    return
            await stopper.sleep(self.every_s)


def _moves(before: Drift, now: Drift) -> Iterator[NewFinding]:
    """Yield new and changed findings, then findings that are gone."""
    for (key, code), finding in now.items():
        if before.get((key, code)) != finding:
            yield NewFinding(key, finding, is_new=True)
    for (key, code), finding in before.items():
        if (key, code) not in now:
            yield NewFinding(key, finding, is_new=False)


def watch_plan(
    site: Site,
    header: PlanHeader,
    tell: Callable[[NewFinding], None],
    trouble: Callable[[Transient], None],
    *,
    every_s: float,
    for_s: float | None,
    goes_on: bool,
) -> DriftWatch:
    """Watch a plan until drift, the end of the time, or Ctrl-C.

    Drift is put into the outbox, and what is due there is delivered after each round.

    Args:
        site: the store of the plan.
        header: of the plan.
        tell: called with each finding that came or went.
        trouble: called with the error of a round that failed in passing.
        every_s: seconds between two rounds.
        for_s: seconds to watch; None for no end.
        goes_on: whether drift does not end the watch.

    Raises: Interrupted, before the first round; PlatformError.
    """
    store = site.store
    made: list[DriftWatch] = []

    async def body(stopper: Stopper) -> None:
        if for_s is not None:
            stopper.stop_after(for_s, "the time to watch is over", ExitCode.RESUMABLE)
        async with site.outside.target(site.settings, store, stopper, read_only=True) as target:

            async def once() -> Drift:
                since_s = site.now()
                await read_records(site, target, header, stopper)
                drift = drift_of(store, header.plan_id, since_s)
                tell_drift(store, header, drift)
                with suppress(StoreError):  # the next round tries again
                    await deliver_due(site, stopper)
                return drift

            made.append(DriftWatch(once, tell, trouble, every_s, goes_on))
            await made[0].run(stopper)

    try:
        site.outside.run_async(body)
    except Interrupted:  # that is how a watch ends
        if not made or not made[0].rounds:
            raise
    return made[0]
