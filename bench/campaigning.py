"""What the fleet over all plans takes for 100,000 SIMs: counts, pages, idle cards, and the report."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.commands import Desk
from bench.measures import MIB, Measure
from bench.reporting import stored_fleet
from migrator.core.campaign.life import ExceptionCode, LifeStage
from migrator.store import Store
from tests.store.store_kit import NOW

__all__ = ["campaigning"]

SIMS = 100_000
LATER = NOW + 20 * 86_400.0
MOST_COUNTS_S, MOST_PAGE_S, MOST_REPORT_S, MOST_BYTES = 1.0, 0.3, 20.0, 200 * MIB


def campaigning(folder: Path) -> Iterator[Measure]:
    """A store as `apply` leaves it, then what a page and a report ask of it."""
    stored_fleet(folder, SIMS)
    with Store.open(f"sqlite:///{folder / 'migrator.db'}", now=NOW) as store:
        lives = store.lives
        counts = _seconds(lambda: lives.counts(LATER))
        yield Measure(what=f"lives of {SIMS:,} SIMs, counted", value=counts, unit="s", most=MOST_COUNTS_S)
        first = _seconds(lambda: lives.page(LATER))
        yield Measure(what="... first page of 100", value=first, unit="s", most=MOST_PAGE_S)
        lives.page(LATER, stage=LifeStage.EXCEPTION)
        kept = _seconds(lambda: lives.page(LATER, code=ExceptionCode.MISMATCH, max_age_s=60.0))
        yield Measure(what="... page of one code, chosen a minute ago", value=kept, unit="s", most=MOST_PAGE_S)
        idle = _seconds(lambda: store.idle(LATER))
        yield Measure(what=f"idle money of {SIMS:,} cards", value=idle, unit="s")
    ended = Desk(folder).run("campaign", "report", "--out", "out")
    yield Measure(what=f"`campaign report` of {SIMS:,} SIMs", value=ended.seconds, unit="s", most=MOST_REPORT_S)
    yield Measure(what="... peak memory", value=ended.peak_bytes, unit="MiB", most=MOST_BYTES)


def _seconds(body: Callable[[], Any]) -> float:
    began = time.perf_counter()
    body()
    return time.perf_counter() - began
