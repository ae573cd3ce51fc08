"""`pair discover`: pairs by the hardware that both carriers saw."""

from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, warned
from migrator.cli.app.files import refuse_unwritable
from migrator.cli.app.progress import watching
from migrator.core.cutover.discovery import CardBucket, Code
from migrator.core.fleet.sims import ONENCE
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.workflows.field.discover import Discovered, discover
from migrator.workflows.site import open_site

__all__ = ["discover_pairs"]

WORDS = {
    CardBucket.KNOWN: "paired so already",
    CardBucket.EXACT: "one old, one new, a session since the claim, the old SIM silent since",
    CardBucket.CONTRADICTS: "as exact, and in another pair: `pair correct`",
    CardBucket.WAITING: "one old, one new, and something is not known yet",
    CardBucket.AMBIGUOUS: "several old or several new SIMs",
    CardBucket.UNKNOWN_HARDWARE: "in hardware in which no old SIM was, or without a name",
    CardBucket.NEVER_SEEN: "in no hardware since their claim, as far as Hologram tells",
}
CODES = {
    Code.OLD_SIM_NOT_ASKED: "whether the old SIM is silent since is not on disk: --live asks its carrier",
    Code.OLD_SIM_IN_USE: "the old SIM was used since",
    Code.OLD_SIM_UNKNOWN: "its carrier does not tell whether the old SIM is silent",
    Code.OLD_SIM_GONE: "the inventory does not hold the old SIM any more",
    Code.SEEN_LATER: "the old SIM came into this hardware later",
    Code.SHARED_IMEI: "several old SIMs with one IMEI",
    Code.TWO_NEW_IN_UNIT: "two new SIMs in one unit",
    Code.OLD_SIM_TWICE: "the old SIM was in the hardware of two new ones",
    Code.FILLER: "an IMEI that stands for no hardware",
    Code.UNKNOWN_IMEI: "an IMEI that no old SIM had",
    Code.ONE_DIGIT_OFF: "one digit off the IMEI of an old SIM: mistyped, or another unit",
    Code.NO_IMEI: "no IMEI",
    Code.NOT_SINCE_CLAIM: "no session since the claim",
    Code.NOT_SINCE_SWAP: "no session since its scan",
}


NOT_TOLD = "whether the old SIM is silent since is not known: nobody can ask {source}, but a file may show it as off"


@click.command(
    "discover",
    epilog="Exit codes: 0 all settled, 2 bad file or no inventory, 3 a person must look at some, 4, 7: --live.",
)
@click.option("--live", is_flag=True, help="Read Hologram's device list first, and ask the source where that decides.")
@click.option(
    "--units",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your own list: source_iccid (or unit, the label) and imei.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write all; `pair correct` reads it.")
@click.option("--exceptions", metavar="FILE", type=click.Path(path_type=Path), help="Write those that are not settled.")
@click.option("--accept", type=click.Choice(["exact"]), help="Add the pairs that are exact and in no pair yet.")
@global_options
@click.pass_obj
def discover_pairs(
    shared: Globals,
    /,
    *,
    live: bool,
    units: Path | None,
    out: Path | None,
    exceptions: Path | None,
    accept: str | None,
) -> int:
    """Find the old SIM of each new SIM by the IMEI.

    Every new SIM of the organization is held against every IMEI that an old SIM ever had. Each is in one bucket.

    Without --live nothing is asked of a carrier. Only exact pairs can be accepted, each with its evidence in the log;
    those that contradict a pair are never touched: give --out to `pair correct`.
    """
    body = (live, units, out, exceptions, accept is not None)
    return finish("pair discover", shared, lambda: _discover(shared, *body))


def _discover(  # noqa: PLR0917 - the options
    shared: Globals, live: bool, units: Path | None, out: Path | None, exceptions: Path | None, accepts: bool
) -> Outcome:
    for file in (out, exceptions):
        if file is not None:
            refuse_unwritable(file)
    with (
        watching(shared) as progress,
        open_site(shared.state, config=shared.config, progress=progress, warn=warned) as site,
    ):
        result = discover(site, live=live, units=units, out=out, exceptions=exceptions, accept_exact=accepts)
        source = site.store.inventory.source_name()
    return _told(result, out, exceptions, accepts=accepts, source=source)


def _told(found: Discovered, out: Path | None, exceptions: Path | None, *, accepts: bool, source: str) -> Outcome:
    tally = found.tally
    counts = {bucket.value: tally.buckets[bucket] for bucket in CardBucket}
    codes = {f"{bucket.value}.{code.value}": sims for (bucket, code), sims in sorted(tally.codes.items()) if code}
    data: dict[str, Any] = {
        "looked_at": tally.looked_at,
        **counts,
        "codes": codes,
        "accepted": found.accepted,
        "near_misses": found.near,
        "devices_read": found.devices,
        "old_sims_asked": found.asked,
        "out": None if out is None else str(out),
        "exceptions": None if exceptions is None else str(exceptions),
    }
    text: list[Any] = [
        table(
            "New SIMs by their hardware",
            ("", "SIMs", ""),
            [(b.value, counts[b.value], WORDS[b]) for b in CardBucket],
        ),
        f"{counted(tally.looked_at, 'new SIM')} = {' + '.join(f'{sims} {name}' for name, sims in counts.items())}.",
    ]
    if codes:
        meanings = CODES if source == ONENCE else CODES | {Code.OLD_SIM_NOT_ASKED: NOT_TOLD.format(source=source)}
        rows = [(b.value, sims, meanings[code]) for (b, code), sims in sorted(tally.codes.items()) if code]
        text.append(table("Why", ("", "SIMs", ""), rows))
    first = [
        (str(one.source or ""), str(one.sight.target), bucket.value, one.words)
        for bucket in (
            CardBucket.EXACT,
            CardBucket.CONTRADICTS,
            CardBucket.WAITING,
            CardBucket.AMBIGUOUS,
        )
        for one in found.first.get(bucket, ())
    ]
    if first:
        text.append(table("The first of them", ("old SIM", "new SIM", "", "evidence"), first))
    if accepts:
        text.append(f"{counted(found.accepted, 'pair')} added.")
    text += [f"Written to {file}." for file in (out, exceptions) if file is not None]
    problems = list(_problems(found, accepts=accepts, source=source))
    return Outcome(data, text, ExitCode.ATTENTION if problems else ExitCode.DONE, problems)


def _problems(found: Discovered, *, accepts: bool, source: str) -> list[Problem]:
    buckets = found.tally.buckets
    hints = {
        CardBucket.EXACT: "" if accepts else "`migrator pair discover --accept exact` adds these pairs",
        CardBucket.CONTRADICTS: "look at them (--out FILE), then `migrator pair correct FILE`",
        CardBucket.WAITING: "`migrator pair discover --live` asks the source about old SIMs; --exceptions FILE lists "
        "the reasons"
        if source == ONENCE
        else f"a later file of {source} that shows the old SIMs as off settles them: `migrator inventory import`",
        CardBucket.AMBIGUOUS: "a person must decide: --exceptions FILE lists them; then `migrator pair correct`",
        CardBucket.UNKNOWN_HARDWARE: "--units FILE takes the IMEIs of your own list; --exceptions FILE lists them",
    }
    return [
        Problem("attention", f"new SIMs that are {bucket.value}: {buckets[bucket]}", hint)
        for bucket, hint in hints.items()
        if buckets[bucket] and hint
    ]
