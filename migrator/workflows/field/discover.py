"""Discovery of pairs by the hardware of all SIMs.

Works from what is on disk. `live` reads the device list first, and asks the source only about old SIMs that a new one
seems to have replaced.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from migrator import wiring
from migrator.chunks import chunks
from migrator.core.cutover.discovery import CardBucket, CardFinding, Code, DiscoveryTally
from migrator.core.cutover.old_use import KeptUse, days_to_ask, kept_use
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import PairValues, TargetLink
from migrator.engine.cutover.context import in_parallel
from migrator.engine.run.context import Stopper
from migrator.errors import WireMismatch
from migrator.files import LineSpool, PlacedText, as_csv, placed_text
from migrator.inputs.pairing.unit_imeis import read_unit_imeis
from migrator.ports import Clock, Progress, SourceUsage, TargetPlatform
from migrator.store import Discovery, Store
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.check_pairs import last_organization
from migrator.workflows.cutover.judge_old_sims import asking, calls_for_use
from migrator.workflows.site import Site, required_inventory

__all__ = ["OUT_COLUMNS", "Discovered", "ask_live", "ask_old_sims", "discover", "judged", "read_devices"]

MOST_PAGES = 100_000
WORKERS = 8
ASKED_AT_ONCE = 400
ORIGIN = "discovered by IMEI"
OUT_COLUMNS = (
    *("source_iccid", "target_iccid", "bucket", "code", "evidence", "imei", "source_imei", "session_at"),
    *("old_used_on", "target_paired_with", "source_paired_with", "near_source_iccid", "near_imei"),
)


@dataclass(slots=True)
class Discovered:
    """Result of a discovery.

    Args:
        tally: the new SIMs that were looked at, by bucket and code.
        accepted: pairs that were added.
        devices: devices that were read live; None where nothing was read.
        asked: old SIMs that the source was asked about.
        near: new SIMs whose IMEI is one digit off that of an old SIM.
        first: some of each bucket that a person has to look at, in words.
    """

    tally: DiscoveryTally = field(default_factory=DiscoveryTally)
    accepted: int = 0
    devices: int | None = None
    asked: int = 0
    near: int = 0
    first: dict[CardBucket, list[CardFinding]] = field(default_factory=dict)

    def keep_first(self, one: CardFinding, most: int) -> None:
        """Keep one of the first SIMs of its bucket."""
        some = self.first.setdefault(one.bucket, [])
        if len(some) < most:
            some.append(one)


def discover(
    site: Site,
    *,
    live: bool = False,
    units: Path | str | None = None,
    out: Path | str | None = None,
    exceptions: Path | str | None = None,
    accept_exact: bool = False,
    shown: int = 3,
) -> Discovered:
    """Find the old SIM of every new SIM by its hardware.

    Args:
        site: the store, with an inventory.
        live: whether to read Hologram's device list first, and to ask the source about old SIMs where that decides; the
            carrier of a file cannot be asked.
        units: the customer's own list: old ICCID (or unit) and IMEI.
        out: where a CSV of all new SIMs goes; `pair correct` reads it.
        exceptions: where a CSV of those goes that the evidence does not settle.
        accept_exact: whether to add the pairs that are exact, each with its evidence in the log.
        shown: how many SIMs of each bucket to return.

    Returns: the counts; pairs that contradict are never touched.
    Raises: InputError, for a file that cannot be used; PlatformError. A file is written whole or not at all.
    """
    store, result = site.store, Discovered()
    required_inventory(store)
    org_id = last_organization(store)
    if live:
        org_id = site.outside.run_async(lambda stopper: _read_live(site, stopper, result))

    def hardware() -> Discovery:
        if units is None:
            return store.discovery(org_id)
        listed = read_unit_imeis(Path(units), sources=store.inventory.iccids, by_label=store.inventory.keys_by_label)
        return store.discovery(org_id, listed)

    with collecting_rarely(), closing(hardware()) as seen:
        if live:
            site.outside.run_async(lambda stopper: ask_live(site, seen, stopper, result))
        judged(
            seen,
            result,
            out=_path(out),
            exceptions=_path(exceptions),
            accept=store if accept_exact else None,
            now=site.now(),
            shown=shown,
        )
    return result


def _path(file: Path | str | None) -> Path | None:
    return None if file is None else Path(file)


async def _read_live(site: Site, stopper: Stopper, result: Discovered) -> int:
    async with site.outside.target(site.settings, site.store, stopper, read_only=True) as target:
        account = await target.account()
        result.devices = await read_devices(
            site.store, target, clock=site.clock, stopper=stopper, progress=site.progress
        )
        return account.org_id


async def ask_live(site: Site, seen: Discovery, stopper: Stopper, result: Discovered) -> None:
    """Open the chosen source, and ask it about replaced old SIMs.

    The carrier of a file is not asked.
    """
    if not wiring.is_asked(site.settings, site.store):
        return
    async with site.outside.source(site.settings, site.store, stopper) as source:
        result.asked = await ask_old_sims(
            seen,
            source,
            source=site.settings.carrier.name,
            rps=site.settings.source_rps,
            clock=site.clock,
            stopper=stopper,
            progress=site.progress,
        )


# --- reading ------------------------------------------------------------------------------------------------------


async def read_devices(
    store: Store, target: TargetPlatform, *, clock: Clock, stopper: Stopper, progress: Progress, announces: bool = True
) -> int:
    """Read every device of the organization, and keep what is seen.

    A request per page of the list, and none per device: the list tells the IMEI. How many requests it takes is asked
    for and told first, where somebody watches.

    Returns: the number of devices.
    Raises: WireMismatch, if the list goes in a circle; PlatformError.
    """
    count = await target.device_count() if announces else None
    if count is not None:
        progress("reading_devices", {"sims": count, "requests": math.ceil(count / target.page_size) or 1})
    cursor: str | None = None
    seen, devices = set[str](), 0
    for _ in range(MOST_PAGES):
        await stopper.checkpoint()
        asked_at = clock.now().timestamp()
        page = await target.devices(cursor)
        store.journal.observed([*page.links, *_paired_profiles(store, page.links)], (), now=asked_at)
        devices += len(page.links)
        progress("devices", {"sims": len(page.links)})
        cursor = page.cursor
        if cursor is None:
            return devices
        if cursor in seen:
            raise WireMismatch(f"the device list goes in a circle: {cursor} was read before")
        seen.add(cursor)
    raise WireMismatch(f"the device list has more than {MOST_PAGES} pages")


def _paired_profiles(store: Store, links: Sequence[TargetLink]) -> Iterator[TargetLink]:
    """Yield devices under another profile, where a pair names that one."""
    others = {iccid.key: (link, iccid) for link in links for iccid in link.other_iccids}
    for key in store.pairs.by_target_keys(others):
        link, iccid = others[key]
        yield replace(link, iccid=iccid)


async def ask_old_sims(
    seen: Discovery, usage: SourceUsage, *, source: str, rps: float, clock: Clock, stopper: Stopper, progress: Progress
) -> int:
    """Ask the source about old SIMs that seem to be replaced.

    Only those are asked about whose silence decides; how many requests that takes is told first.

    Returns: the number of old SIMs.
    """

    def open_() -> Iterator[CardFinding]:
        return (one for one in seen.found() if one.code is Code.OLD_SIM_NOT_ASKED)

    today = clock.now().astimezone(UTC).date()
    calls = [calls_for_use(days_to_ask(one.sight.life, today), usage) for one in open_()]
    if not calls:
        return 0
    progress("asking_old_sims", asking(source, len(calls), sum(calls), rps))
    asked = 0
    for some in chunks(open_(), ASKED_AT_ONCE):
        now, answers = clock.now(), dict[str, KeptUse]()

        ask = partial(_ask, usage, now.astimezone(UTC).date(), answers)
        await in_parallel(some, ask, workers=WORKERS, stopper=stopper)
        seen.keep_uses(answers, now.timestamp())
        asked += len(answers)
    return asked


async def _ask(usage: SourceUsage, today: date, answers: dict[str, KeptUse], one: CardFinding) -> None:
    days = days_to_ask(one.sight.life, today)
    if one.source is not None and days is not None:
        answers[one.source.key] = kept_use(days, await usage.used_days(one.source, *days))


# --- judging ------------------------------------------------------------------------------------------------------


def judged(
    seen: Discovery,
    result: Discovered,
    *,
    out: Path | None,
    exceptions: Path | None,
    accept: Store | None,
    now: float,
    shown: int = 3,
) -> None:
    """Judge every new SIM, write the files, and add the exact pairs.

    Args:
        seen: the hardware of old and new SIMs.
        result: gets the counts.
        out: the CSV of all; None for none.
        exceptions: the CSV of what the evidence does not settle; None for none.
        accept: where exact pairs are added; None to add none.
        now: UTC seconds.
        shown: how many SIMs of each bucket to keep in the result.

    Raises: InputError; then nothing was added, and no file was written.
    """
    with ExitStack() as stack:
        everything, rest = (None if file is None else stack.enter_context(_table(file)) for file in (out, exceptions))
        taken = None if accept is None else stack.enter_context(LineSpool("no pair was added"))
        for some in chunks(_counted(seen, result, shown)):
            lines = [] if everything is rest is None else list(as_csv(_row(*one) for one in some))
            if everything is not None:
                everything("".join(lines))
            if rest is not None:
                rest("".join(line for line, (one, _) in zip(lines, some, strict=True) if not one.bucket.is_settled))
            if taken is not None:
                taken.add(json.dumps(_told(one)) for one, _ in some if one.bucket is CardBucket.EXACT)
        for table in (everything, rest):
            if table is not None:
                table.to_disk()  # before a pair is added
        if accept is not None and taken is not None:
            result.accepted = _added(accept, taken, now)


def _counted(seen: Discovery, result: Discovered, shown: int) -> Iterator[tuple[CardFinding, tuple[Iccid, str] | None]]:
    """Yield every new SIM, with its near miss if any."""
    near = seen.near_misses()
    for one in seen.found():
        missed = near.get(one.sight.target.key)
        if missed is not None and one.code is Code.UNKNOWN_IMEI:
            one = _near(one, *missed)  # noqa: PLW2901 - the same SIM, with what a person should look at
            result.near += 1
        result.tally.add(one)
        result.keep_first(one, shown)
        yield one, missed


def _near(one: CardFinding, source: Iccid, imei: str) -> CardFinding:
    words = f"{one.words}; one digit off IMEI {imei} of old SIM {source}: mistyped, or another unit"
    return CardFinding(one.sight, one.bucket, Code.ONE_DIGIT_OFF, None, words)


@contextmanager
def _table(file: Path) -> Iterator[PlacedText]:
    with placed_text(file) as place:
        place("".join(as_csv([OUT_COLUMNS])))
        yield place


def _row(one: CardFinding, missed: tuple[Iccid, str] | None) -> list[str]:
    sight, near = one.sight, ("", "") if missed is None else (str(missed[0]), missed[1])
    return [
        "" if one.source is None else one.source.digits,
        sight.target.digits,
        one.bucket,
        one.code,
        one.words,
        sight.imei or "",
        sight.source_imei or "",
        _at(sight.life.alive_s),
        "" if one.old_used_on is None else one.old_used_on.isoformat(),
        "" if sight.paired_source is None else str(sight.paired_source),
        "" if sight.paired_target is None else str(sight.paired_target),
        *near,
    ]


def _at(alive_s: float | None) -> str:
    if alive_s is None:
        return ""
    return f"{datetime.fromtimestamp(alive_s, UTC).isoformat()[:19]}Z"  # half the time of a format


def _told(one: CardFinding) -> dict[str, Any]:
    """Return an exact pair with its evidence, as JSON values."""
    sight, source = one.sight, one.source
    assert source is not None  # noqa: S101 - an exact pair has both
    alive_s = sight.life.alive_s
    return {
        "source_key": source.key,
        "source": source.digits,
        "target_key": sight.target.key,
        "target": sight.target.digits,
        "imei": sight.imei,
        "session_at": None if alive_s is None else datetime.fromtimestamp(alive_s, UTC).isoformat(),
        "old_used_on": None if one.old_used_on is None else one.old_used_on.isoformat(),
        "evidence": one.words,
    }


def _added(store: Store, taken: Iterable[str], now: float) -> int:
    """Add the exact pairs, each with its evidence in the log."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from map(json.loads, taken)  # from the first row: they are read twice, one after the other

    def values() -> Iterable[PairValues]:
        for one in rows():
            origin = f"{ORIGIN} {one['imei']}"
            yield one["source_key"], one["source"], one["target_key"], one["target"], origin, None

    shown = (_without_keys(one) for one in rows())
    counts = store.pairs.add_values(values(), replace=False, now=now, evidence=shown)
    return counts["added"]


def _without_keys(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if not name.endswith("_key")}
