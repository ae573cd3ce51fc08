"""What `report` takes for 100,000 SIMs of a plan that was carried out: all four formats, seconds and memory."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.commands import Desk
from bench.measures import MIB, Measure
from migrator.core.fleet.sims import TargetLink
from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.plan import Action, Change, Reason
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome, Verdict, Verified
from migrator.ports import Request
from migrator.store import Store
from tests.builders import pair, sim, target
from tests.store.store_kit import NOW, change, header_for, key, page_of

__all__ = ["reporting", "stored_fleet"]

SIMS = 100_000
CLAIM = 2500
MOST_S, MOST_BYTES = 20.0, 200 * MIB
STRAY, BLOCKED = 97, 211
"""Every so many SIMs one has another name, and one is blocked."""
LIMIT = 500 * 1_048_576


def reporting(folder: Path) -> Iterator[Measure]:
    """A store as `apply` leaves it, then `report` as a process of its own."""
    stored_fleet(folder, SIMS)
    ended = Desk(folder).run("report", "--out", "out")
    page = (folder / "out" / "reconciliation.html").stat().st_size
    yield Measure(what=f"`report`, four formats of {SIMS:,} SIMs", value=ended.seconds, unit="s", most=MOST_S)
    yield Measure(what="… CPU seconds of it", value=ended.cpu_s, unit="s")
    yield Measure(what="… peak memory", value=ended.peak_bytes, unit="MiB", most=MOST_BYTES)
    yield Measure(what="… size of the page", value=page, unit="MiB")


def stored_fleet(folder: Path, sims: int) -> None:
    """A store in `migrator.db` with a plan `p1` that was carried out."""
    with closing(Store.open(f"sqlite:///{folder / 'migrator.db'}", now=NOW)) as store:
        _inventory(store, sims)
        _plan(store, sims)
        acting = [number for number in range(sims) if number % BLOCKED]
        _requests(store, acting)
        for start in range(0, len(acting), CLAIM):
            numbers = acting[start : start + CLAIM]
            store.journal.observed(map(_observed, numbers), [], now=NOW + 9000)
            store.journal.verified("p1", map(_judged, numbers), now=NOW + 9000)


def _inventory(store: Store, sims: int) -> None:
    snapshot = store.inventory.open_snapshot("v2", NOW).snapshot_id
    for page, start in enumerate(range(0, sims, 1000), 1):
        store.inventory.save_pages(snapshot, 1, [page_of(map(sim, range(start, min(start + 1000, sims))), page)], NOW)
    store.inventory.end_pass(snapshot, 1)
    store.inventory.complete_snapshot(snapshot, 1, NOW)
    store.pairs.add(map(pair, range(sims)), replace=False, now=NOW)


def _plan(store: Store, sims: int) -> None:
    with store.plans.draft(NOW) as draft:
        for start in range(0, sims, CLAIM):
            draft.add([_planned(number) for number in range(start, min(start + CLAIM, sims))])
        draft.finish(lambda sha256: header_for(store, [change(1)], sha256, plan_id="p1"))


def _planned(number: int) -> Change:
    if number % BLOCKED:
        return change(number, name=f"unit {number}", overage_limit_bytes=LIMIT, sms_limit=100)
    return change(number, Action.BLOCK, reason=Reason.LIMIT_ZERO, detail="no volume is booked")


def _requests(store: Store, numbers: list[int]) -> None:
    """Claims of 2,500 SIMs, then a name for each SIM: as many requests as a migration really sends."""
    run = store.journal.start_run("p1", "process 1 on bench", NOW)
    for kind, most in ((StepKind.CLAIM, CLAIM), (StepKind.NAME, 50)):
        for start in range(0, len(numbers), most):
            keys = [key(number) for number in numbers[start : start + most]]
            method = "POST" if kind is StepKind.CLAIM else "PUT"
            sent = Request(method, "/somewhere", {"sims": keys})
            now = NOW + start / 20
            request = store.journal.begin(run, kind, keys, sent, wave="all", now=now)
            store.journal.answered(request, RequestOutcome.ACCEPTED, now=now + 1)
            store.journal.move("p1", kind, StepEvent.CONFIRMED, dict.fromkeys(keys, ("", "")), now=now + 1)


def _observed(number: int) -> TargetLink:
    return target(number, name="another" if number % STRAY == 0 else f"unit {number}")


def _judged(number: int) -> Verified:
    if number % STRAY:
        return Verified(key(number), Verdict.OK)
    found = Finding(FindingCode.WRONG_NAME, f"unit {number}", "another")
    return Verified(key(number), Verdict.MISMATCH, (found,))
