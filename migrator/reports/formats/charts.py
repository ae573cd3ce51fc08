"""Geometry of the charts, in the units of their drawings.

The template draws the charts, and the words of each cell.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from migrator.core.run.states import RunState
from migrator.core.run.steps import JobRecord
from migrator.core.run.verify import Bucket
from migrator.reports.model import Pace, moment
from migrator.reports.tally import Tally

__all__ = [
    "AxisMark",
    "Bar",
    "BarChart",
    "TimeLine",
    "amounts_chart",
    "limits_chart",
    "outcomes_chart",
    "shares_chart",
    "time_line",
    "waves_chart",
]

WIDTH, LABEL, VALUE, ROW = 560, 128, 126, 26
MOST_BARS = 30
"""Maximum number of bars in a chart.

A chart of more bars says how many bars are left out. The chart's table has all.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Piece of a bar.

    `kind` names the colour of the piece. `words` say what the piece is.
    """

    x: float
    width: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Row of a chart.

    `cells` are the texts that the chart's table shows for the row.
    """

    label: str
    y: float
    parts: Sequence[Part]
    value: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars, one under the other.

    `head` has the heads of the columns of the chart's table. `kinds` are the colours of the chart in order.
    """

    name: str
    title: str
    about: str
    head: Sequence[str]
    bars: Sequence[Bar]
    left_out: int = 0
    kinds: Sequence[str] = ()
    width: int = WIDTH
    label: int = LABEL

    @property
    def height(self) -> int:
        """Height that the bars of the chart need."""
        return ROW * len(self.bars) + 6


def outcomes_chart(tally: Tally) -> BarChart:
    """Build the chart of SIMs in each bucket, also empty buckets."""
    rows = [(name, sims, name) for name, sims in tally.by_bucket().items()]
    about = f"{tally.total:,} SIMs by bucket; every SIM is in exactly one."
    return amounts_chart("outcomes", "Outcomes", about, ("bucket", "SIMs", "share"), rows)


def amounts_chart(
    name: str, title: str, about: str, head: Sequence[str], rows: Sequence[tuple[str, int, str]]
) -> BarChart:
    """Build the chart of parts of a whole.

    `rows` have the label, the SIMs and the colour of each bar.
    """
    total, most = sum(sims for _, sims, _ in rows), max(*(sims for _, sims, _ in rows), 1)
    bars = [
        Bar(
            label=label,
            y=ROW * place,
            parts=[Part(LABEL, _length(sims, most), kind, f"{label}: {sims:,} SIMs")],
            value=f"{sims:,} · {_share(sims, total)}",
            cells=(label, f"{sims:,}", _share(sims, total)),
        )
        for place, (label, sims, kind) in enumerate(rows)
    ]
    return BarChart(name, title, about, head, bars)


def waves_chart(tally: Tally, waves: Sequence[str]) -> BarChart:
    """Build the chart of waves.

    Each wave is one bar of its outcomes. All bars are equally long.
    """
    names = [wave for wave in waves if wave in tally.waves] + sorted(set(tally.waves) - set(waves))
    return shares_chart("Progress by wave", {wave: tally.waves[wave] for wave in names})


def shares_chart(title: str, waves: Mapping[str, Counter[str]]) -> BarChart:
    """Build the chart of waves from their SIMs by bucket."""
    kinds = [name.value for name in Bucket if any(counts[name.value] for counts in waves.values())]
    shown = list(waves.items())[:MOST_BARS]
    bars = [_wave_bar(wave, place, counts, kinds) for place, (wave, counts) in enumerate(shown)]
    number = "1 wave" if len(waves) == 1 else f"{len(waves)} waves, each"
    about = f"{number} with the share of its SIMs in every bucket."
    head = ("wave", *kinds, "SIMs")
    return BarChart("waves", title, about, head, bars, max(len(waves) - MOST_BARS, 0), kinds)


def _wave_bar(wave: str, place: int, counts: Counter[str], kinds: Sequence[str]) -> Bar:
    total, x, parts = counts.total(), float(LABEL), []
    for kind in kinds:
        width = (WIDTH - LABEL - VALUE) * counts[kind] / (total or 1)
        if counts[kind]:
            parts.append(Part(x, width, kind, f"{wave}: {counts[kind]:,} {kind}"))
        x += width
    cells = (wave, *(f"{counts[kind]:,}" for kind in kinds), f"{total:,}")
    return Bar(wave, ROW * place, parts, f"{total:,} SIMs", cells)


def limits_chart(tally: Tally) -> BarChart:
    """Build the chart of SIMs for each planned data limit."""
    limits = tally.limits()
    most = max((bar.sims for bar in limits), default=1)
    bars = [
        Bar(
            label=bar.words,
            y=ROW * place,
            parts=[Part(LABEL, _length(bar.sims, most), "limit", f"{bar.words}: {bar.sims:,} SIMs")],
            value=f"{bar.sims:,}",
            cells=(bar.words, f"{bar.sims:,}"),
        )
        for place, bar in enumerate(limits)
    ]
    about = "Planned data limits past the data plan, per billing period; 1 MB is 1,048,576 bytes."
    return BarChart("limits", "Data limits planned", about, ("limit", "SIMs"), bars)


def _length(sims: int, most: int) -> float:
    """Return the length of the bar for a number of SIMs.

    The bar is long enough to be seen, however few the SIMs are. For no SIMs, the length is 0.
    """
    return max((WIDTH - LABEL - VALUE) * sims / most, 2.0) if sims else 0.0


def _share(sims: int, total: int) -> str:
    """Return a share in per cent, as text.

    The share is rounded so that only all is 100 % and only none is 0 %.
    """
    share = 100 * sims / total if total else 0.0
    if 0 < share < 0.1:  # noqa: PLR2004 - the last digit shown
        return "< 0.1 %"
    return "> 99.9 %" if 99.9 < share < 100 else f"{share:.1f} %"  # noqa: PLR2004 - the same


# --- the time line ------------------------------------------------------------------------------------------------

LINE_WIDTH, LINE_LEFT, LINE_TOP, LINE_HEIGHT = 1160, 56, 30, 150
TICKS = 6
MINUTE_S, DAY_S = 60, 86_400


@dataclass(frozen=True, slots=True)
class AxisMark:
    """A time below the axis."""

    x: float
    words: str


@dataclass(frozen=True, slots=True)
class StackedColumn:
    """Requests of one kind within one stretch of time.

    The column stands on top of the columns of other kinds.
    """

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Runs, requests and claimed SIMs over time.

    Runs are bands, requests are columns, and claimed SIMs are a growing line. `rows` are the rows of the time line's
    table.
    """

    about: str
    runs: Sequence[StackedColumn]
    columns: Sequence[StackedColumn]
    line: str
    ticks: Sequence[AxisMark]
    most_requests: int
    most_claimed: int
    kinds: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Scale from UTC seconds to the drawing's x."""

    begin: float
    end: float

    def x(self, at: float) -> float:
        share = (min(max(at, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return round(LINE_LEFT + share * (LINE_WIDTH - 2 * LINE_LEFT), 1)


def time_line(tally: Tally, runs: Sequence[JobRecord], pace: Pace, *, now: float) -> TimeLine | None:
    """Build the time line of requests and claims, or return None.

    None means that nothing ever ran.
    """
    claims = sorted((_seconds(at), sims) for at, sims in tally.claims.items())
    times = [run.started_at for run in runs] + [run.ended_at for run in runs if run.ended_at is not None]
    times += [at for at, _ in claims]
    if pace.sent:
        times += [pace.begin, pace.begin + pace.width_s * len(next(iter(pace.sent.values())))]
    if not times:
        return None
    scale = _Scale(min(times), max(*times, min(times) + 1))
    columns, most = _columns(pace, scale)
    line, claimed = _claims_line(claims, scale)
    requests = sum(map(sum, pace.sent.values()))
    return TimeLine(
        about=f"{len(runs)} runs, {requests:,} requests and {claimed:,} claimed SIMs over time, in UTC.",
        runs=[_band(run, scale, now) for run in runs],
        columns=columns,
        line=line,
        ticks=_ticks(scale),
        most_requests=most,
        most_claimed=claimed,
        kinds=list(pace.sent),
        rows=_pace_rows(pace, claims),
    )


def _columns(pace: Pace, scale: _Scale) -> tuple[list[StackedColumn], int]:
    heaps = [sum(counts) for counts in zip(*pace.sent.values(), strict=True)]
    most, columns = max(heaps, default=0), []
    tops = [0.0] * len(heaps)
    for kind, counts in pace.sent.items():
        for place, sent in enumerate(counts):
            if sent:
                begin = pace.begin + place * pace.width_s
                x, height = scale.x(begin), round(LINE_HEIGHT * sent / most, 1)
                tops[place] += height
                y = round(LINE_TOP + LINE_HEIGHT - tops[place], 1)
                width = max(scale.x(begin + pace.width_s) - x - 1, 1.5)
                words = f"{moment(begin)}: {sent:,} requests ({kind})"
                columns.append(StackedColumn(x, y, round(width, 1), height, kind, words))
    return columns, most


def _claims_line(claims: Sequence[tuple[float, int]], scale: _Scale) -> tuple[str, int]:
    """Return the points of the line of claimed SIMs, and its end.

    The line steps up with every answered claim. The end is the number of SIMs at the end of the line.
    """
    total, claimed = sum(sims for _, sims in claims), 0
    if not total:
        return "", 0
    base, points = LINE_TOP + LINE_HEIGHT, []
    for x, at_x in groupby(claims, key=lambda claim: round(scale.x(claim[0]))):
        points.append(f"{x},{base - LINE_HEIGHT * claimed / total:.1f}")
        claimed += sum(sims for _, sims in at_x)
        points.append(f"{x},{base - LINE_HEIGHT * claimed / total:.1f}")
    return " ".join((f"{LINE_LEFT},{base}", *points, f"{scale.x(scale.end)},{LINE_TOP}")), total


def _band(run: JobRecord, scale: _Scale, now: float) -> StackedColumn:
    """Return the band of a run.

    A run whose process died has no end. The band of such a run shows only its beginning.
    """
    x, is_running = scale.x(run.started_at), run.state == RunState.RUNNING
    width = max(scale.x(run.ended_at or (now if is_running else run.started_at)) - x, 3)
    code = "no exit code" if run.exit_code is None else f"exit {run.exit_code}"
    words = f"run {run.run_id}: {moment(run.started_at)} to {moment(run.ended_at) or 'no end on record'}, {code}"
    return StackedColumn(x, 6, round(width, 1), 12, "good" if run.exit_code == 0 else "other", words)


def _ticks(scale: _Scale) -> list[AxisMark]:
    span = scale.end - scale.begin
    shape = "%H:%M:%S" if span < 10 * MINUTE_S else "%H:%M" if span < DAY_S else "%m-%d %H:%M"
    times = [scale.begin + span * number / (TICKS - 1) for number in range(TICKS)]
    return [AxisMark(scale.x(at), datetime.fromtimestamp(at, UTC).strftime(shape)) for at in times]


def _pace_rows(pace: Pace, claims: Sequence[tuple[float, int]]) -> list[tuple[str, ...]]:
    """Return a row for each stretch of time with requests.

    A row has the time, the requests by kind, and the SIMs claimed by then.
    """
    rows = []
    for place, counts in enumerate(zip(*pace.sent.values(), strict=True)):
        if any(counts):
            begin = pace.begin + place * pace.width_s
            claimed = sum(sims for at, sims in claims if at <= begin + pace.width_s)
            rows.append((moment(begin) or "", *(f"{count:,}" for count in counts), f"{claimed:,}"))
    return rows


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
