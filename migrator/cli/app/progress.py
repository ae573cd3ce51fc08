"""Progress of a command while work goes on.

A terminal shows a bar. Elsewhere there are lines, or NDJSON with --events.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from migrator.cli.app import voice
from migrator.cli.app.common import Globals
from migrator.core.fleet.spelling import json_text
from migrator.ports import WAITS, Progress

__all__ = ["watching"]

WORDS = {
    "page": "{total} SIMs listed",
    "again": "the list moved while it was read: reading it again",
    "one_by_one": "what the list does not tell of {sims} SIMs is asked for one by one: up to {requests} requests",
    "quotas": "what remains: {total} SIMs read",
    "observing": "reading {sims} target SIMs at Hologram",
    "planning": "{total} SIMs planned",
    "price_fell": "a SIM costs {now} now, and cost {was} when the plan was made",
    "no_price": "Hologram shows no price: [caps] max_spend_now cannot be checked, only max_sims holds",
    "no_balance": "Hologram shows no balance (an invoiced organization?): only the caps hold the cost",
    "wave": "wave {wave}",
    "resting": "wave {wave} rests for {left_s} s before the next one opens",
    "stuck": "{sims} SIMs stuck: Hologram has moved them for more than {minutes} minutes; ask its support about them",
    "claimed": "{total} SIMs claimed",
    "pair_changed": "{sims} SIMs left out: their pair is another now than the plan says",
    "server_changed": "the database is on another server than last time, or on a promoted standby, and may not know "
    "of what was sent last: all SIMs are read twice more, over {wait_s} s, before any claim",
    "orders_may_be_lost": "the database is on another server than when this plan was made, or on a promoted standby, "
    "and may not know of what was sent last: SIMs that are found as wanted are ordered again",
    "claim_lost": "a claim of {sims} SIMs was not answered: reading what it did",
    "settling": "{sims} SIMs uncertain: sent, and not seen on the record yet; reading until it is sure",
    "securing": "{sims} SIMs may be without a limit, as the order was not answered; nothing else is sent meanwhile",
    "limits": "{total} SIMs: limits sent",
    "state": "{total} SIMs: state sent",
    "tag": "{total} SIMs: tag sent",
    "untag": "{total} SIMs: the stock's tag taken off",
    "name": "{total} SIMs named",
    "verified": "{total} SIMs read and compared",
    "judged": "{total} SIMs judged",
    "asking_old_sims": "asking {source} whether {sims} old SIMs are silent: {requests} requests, about {minutes} min",
    "reading_devices": "reading {sims} devices at Hologram: about {requests} requests",
    "devices": "{total} devices read",
    "lives": "{total} SIMs asked for signs of life",
    "switched": "{total} SIMs: order sent to the source",
    "proved": "{total} SIMs proved by reading",
    "put_to_rest": "{total} SIMs: pause sent to Hologram",
    "unproved": "{sims} SIMs not proved yet; waiting up to {left_s} s more",
    "paused": "{order}: standing still until `migrator run resume`",
    "resumed": "resumed after {paused_s} s",
    "held": "{carrier} asks to wait until {until}: the next request goes out at {again}. Ctrl-C stops at once; the "
    "same command goes on later",
    "waiting": "{sims} SIMs pending, not as planned yet; waiting up to {left_s} s more",
}
ONCE = {
    "price_fell",
    "pair_changed",
    "no_balance",
    "no_price",
    "again",
    "one_by_one",
    "observing",
    "wave",
    "resting",
    "stuck",
    "server_changed",
    "orders_may_be_lost",
    "claim_lost",
    "settling",
    "securing",
    "asking_old_sims",
    "reading_devices",
    "unproved",
    "waiting",
    "paused",
    "resumed",
    "held",
}
"""Events that get their own line where stderr is no terminal.

All other events are printed as a total at the end.
"""


_ONE = re.compile(r"(?<!\d)1 SIMs")


@contextmanager
def watching(shared: Globals, *, is_dry_run: bool = False) -> Iterator[Progress]:
    """Yield a function that reports progress while the block runs.

    A report never stops the work.

    Args:
        shared: the global options.
        is_dry_run: nothing that is reported really happens, so lines say so.
    """
    voice.last()
    with _shown(shared, is_dry_run=is_dry_run) as progress:
        waits, log = _Waits(progress), logging.getLogger(WAITS)
        log.addHandler(waits)
        try:
            yield progress
        finally:
            log.removeHandler(waits)


@contextmanager
def _shown(shared: Globals, *, is_dry_run: bool) -> Iterator[Progress]:
    if shared.events:
        yield _as_json
    elif shared.quiet:
        yield lambda _event, _values: None
    elif voice.is_terminal(err=True):
        with _bar() as progress:
            yield progress
    else:
        lines = _Lines("dry run: " if is_dry_run else "")
        yield lines.tell
        lines.close()


class _Waits(logging.Handler):
    """Log handler that reports long waits as progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Report one wait."""
        self._progress("held", getattr(record, "held", {}))


def _as_json(event: str, values: Mapping[str, Any]) -> None:
    voice.tell(json_text({"event": event, **values}), err=False)


class _Lines:
    """Plain lines on stderr, where stderr is no terminal.

    Turning points are printed as they come, totals at the end.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._totals: Counter[str] = Counter()

    def tell(self, event: str, values: Mapping[str, Any]) -> None:
        """Note one event, and print a turning point."""
        self._totals[event] += values.get("sims", 0)
        if event in ONCE:
            voice.tell(self._prefix + _words(event, values, 0), err=True)

    def close(self) -> None:
        """Print the totals."""
        for event, total in self._totals.items():
            if event not in ONCE and event in WORDS:
                voice.tell(self._prefix + _words(event, {}, total), err=True)


@contextmanager
def _bar() -> Iterator[Progress]:

    totals: Counter[str] = Counter()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    shown = Console(file=cast("IO[str]", voice.Unbreakable()))
    with Bar(*columns, console=shown, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("starting", total=None)

        def tell(event: str, values: Mapping[str, Any]) -> None:
            totals[event] += values.get("sims", 0)
            listed = values.get("listed")
            bar.update(
                task,
                description=_words(event, values, totals[event]),
                total=listed,
                completed=totals[event] if listed else 0,
            )

        yield tell


def _words(event: str, values: Mapping[str, Any], total: int) -> str:
    return _ONE.sub("1 SIM", WORDS.get(event, event).format(total=total, **values))
