"""The adaptive pacer before carriers that refuse, on a virtual clock: its pace, its refusals, its cold start.

"Known" is a pacer that knows the limit at all times, before the same carrier in the same run: nobody can do better.
"""

from collections.abc import Iterator
from pathlib import Path

from bench.measures import Measure
from migrator.carriers.pacing import AdaptivePacer
from migrator.wiring import START_RPS
from tests.worlds.refusing import Refusing, fare, fare_knowing

__all__ = ["pacing"]

DEFAULT_RPS, FASTEST_RPS, QUICK_RPS = 10.0, 20.0, 200.0
REQUESTS = 10_000
LEAST_USED, MOST_REFUSED, MOST_MORE_REFUSED = 0.85, 0.02, 0.02
BY_CHANCE = {0.01: 8.0, 0.02: 7.0, 0.05: 5.0}
"""Part that is refused at random, and the least requests per second that should be served."""
MOVES = ((0.0, 10.0), (300.0, 4.0), (600.0, 8.0), (900.0, 12.0), (1200.0, 5.0))


def pacing(_folder: Path) -> Iterator[Measure]:
    """Refusals by chance, a hidden limit, one that moves, both at once; and a start where there is none."""
    for share, least in BY_CHANCE.items():
        yield _by_chance(share, least)
    for rate in (3.0, 7.0, 15.0):
        yield from _limited(f"hidden limit {rate:g}/s", Refusing(limits=((0.0, rate),)))
    yield from _limited("hidden limit that moves", Refusing(limits=MOVES))
    yield from _limited("… of one request at once", Refusing(limits=MOVES, burst=1))
    for share in BY_CHANCE:
        yield from _both(f"hidden limit 7/s and {share:.0%} refused at random", Refusing(limits=((0, 7),), share=share))
        yield from _both(f"… that moves, and {share:.0%}", Refusing(limits=MOVES, share=share))
    yield _cold()


def _pacer(ceiling: float) -> AdaptivePacer:
    return AdaptivePacer(min(START_RPS, ceiling), ceiling=ceiling)


def _by_chance(share: float, least: float) -> Measure:
    """Hold the pace against that of a pacer that never goes slower for a refusal."""
    how = Refusing(share=share)
    known = fare_knowing(DEFAULT_RPS, how, REQUESTS).per_second
    return Measure(
        what=f"pacer, {share:.0%} refused at random, ceiling 10/s: served",
        value=fare(lambda: _pacer(DEFAULT_RPS), how, REQUESTS).per_second,
        unit="/s",
        against=known,
        against_what="known",
        least=least / known,
    )


def _limited(what: str, how: Refusing) -> Iterator[Measure]:
    fared = fare(lambda: _pacer(FASTEST_RPS), how, REQUESTS)
    yield Measure(
        what=f"pacer, {what}: served",
        value=fared.per_second,
        unit="/s",
        against=how.allowed(fared.took_s),
        against_what="allowed",
        least=LEAST_USED,
    )
    yield Measure(what="… refused", value=fared.refused, most=MOST_REFUSED)


def _both(what: str, how: Refusing) -> Iterator[Measure]:
    fared = fare(lambda: _pacer(FASTEST_RPS), how, REQUESTS)
    known = fare_knowing(FASTEST_RPS, how, REQUESTS)
    yield Measure(
        what=f"pacer, {what}: served",
        value=fared.per_second,
        unit="/s",
        against=known.per_second,
        against_what="known",
        least=LEAST_USED,
    )
    yield Measure(what="… refused more than that", value=fared.refused - known.refused, most=MOST_MORE_REFUSED)


def _cold() -> Measure:
    how = Refusing(latency_s=0.05, workers=20)
    return Measure(
        what="pacer, cold start, no limit, ceiling 200/s, 50 ms replies: 3,000 served in",
        value=fare(lambda: _pacer(QUICK_RPS), how, 3000).took_s,
        unit="s",
        against=fare_knowing(QUICK_RPS, how, 3000).took_s,
        against_what="known",
        most=1.25,
    )
