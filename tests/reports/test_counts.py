"""What a report counts and draws, also where there is much of it, or nothing."""

from pathlib import Path

import pytest

from migrator.core.run.steps import JobRecord
from migrator.reports.formats.charts import LABEL, VALUE, WIDTH, outcomes_chart, time_line, waves_chart
from migrator.reports.model import Pace, Reconciliation
from migrator.reports.tally import Tally, limit_words
from tests.reports.samples import NOW, reconciliation, row, rows, written

MB = 1_048_576


def tally_of(report: Reconciliation) -> Tally:
    tally = Tally()
    for one in report.rows():
        tally.add(one)
    return tally


def tally_of_limits(*limits: int) -> list[tuple[str, int]]:
    tally = Tally()
    for number, limit in enumerate(limits):
        tally.add(row(number, overage_limit_planned=limit))
    return [(bar.words, bar.sims) for bar in tally.limits()]


def test_a_few_different_limits_have_a_bar_each_smallest_first_and_no_limit_last() -> None:
    limits = tally_of_limits(-1, 500 * MB, 500 * MB, 0, 1000)
    assert limits == [("0 MB", 1), ("1,000 bytes", 1), ("500 MB", 2), ("no limit", 1)]


def test_many_different_limits_are_sorted_into_steps_that_lose_none() -> None:
    limits = tally_of_limits(-1, 0, *(number * MB + 1 for number in range(11_000)))
    assert limits[0] == ("0 MB", 1)
    assert limits[-1] == ("no limit", 1)
    assert ("200 to 500 MB", 300) in limits
    assert ("over 10,000 MB", 1000) in limits
    assert sum(sims for _, sims in limits) == 11_002


@pytest.mark.parametrize(("limit", "words"), [(-1, "no limit"), (MB, "1 MB"), (MB + MB // 2, "1.5 MB"), (1, "1 bytes")])
def test_limits_in_words(limit: int, words: str) -> None:
    assert limit_words(limit) == words


def test_the_parts_of_a_wave_fill_its_bar_and_its_table_has_every_count() -> None:
    tally = tally_of(reconciliation(500))
    chart = waves_chart(tally, ["canary"])
    for bar in chart.bars:
        assert sum(part.width for part in bar.parts) == pytest.approx(WIDTH - LABEL - VALUE)
        assert sum(int(cell) for cell in bar.cells[1:-1]) == int(bar.cells[-1])
    assert chart.bars[0].label == "canary"


def test_a_bucket_with_few_sims_can_be_seen_and_an_empty_one_is_named() -> None:
    tally = Tally()
    for number in range(5000):
        tally.add(row(number, bucket="failed" if number == 7 else "verified"))
    bars = {bar.label: bar for bar in outcomes_chart(tally).bars}
    assert bars["failed"].parts[0].width >= 2
    assert bars["failed"].cells[-1] == "< 0.1 %"
    assert bars["verified"].cells[-1] == "> 99.9 %"
    assert bars["blocked"].parts[0].width == 0


def test_there_is_no_time_line_where_nothing_ever_ran() -> None:
    assert time_line(Tally(), [], Pace(), now=NOW) is None


def test_the_time_line_ends_at_every_claimed_sim_and_stays_within_its_drawing() -> None:
    report = reconciliation(2000)
    line = time_line(tally_of(report), report.runs, report.pace, now=NOW)
    assert line is not None
    assert line.most_claimed == sum(one.claimed_at is not None for one in rows(2000))
    columns = [*line.columns, *line.runs]
    assert all(column.x >= 56 and column.x + column.width <= 1104 + 3 for column in columns)
    assert all(column.y >= 6 and column.y + column.height <= 180.1 for column in columns)
    assert line.most_requests == max(map(sum, zip(*report.pace.sent.values(), strict=True)))


def test_a_run_that_goes_on_reaches_to_now_and_one_that_died_is_a_beginning() -> None:
    runs = [
        JobRecord(1, "p", "stopped", "me", NOW - 100),
        JobRecord(2, "p", "running", "me", NOW - 50),
        JobRecord(3, "p", "completed", "me", NOW - 40, NOW),
    ]
    line = time_line(Tally(), runs, Pace(), now=NOW)
    assert line is not None
    dead, running, _ = line.runs
    assert dead.width == 3
    assert running.x + running.width == pytest.approx(1104)


def test_a_report_of_nothing_can_be_written(tmp_path: Path) -> None:
    empty = Reconciliation(plan_id="p0", inventory_total=0, rows=lambda: iter(()), plan={"audit_head": "0" * 64})
    told = written(tmp_path, empty)
    assert told.shortfall == ""
    page = (tmp_path / "reconciliation.html").read_text(encoding="utf-8")
    assert "No run of <code>apply</code> yet." in page


def test_many_requests_are_cut_short_on_the_page_and_all_in_the_json(tmp_path: Path) -> None:
    (job,) = list(reconciliation().jobs())[:1]
    written(tmp_path, reconciliation(jobs=lambda: (dict(job) | {"request_id": n} for n in range(1000))))
    page = (tmp_path / "reconciliation.html").read_text(encoding="utf-8")
    assert "the first 200; reconciliation.json has all" in page
    assert (tmp_path / "reconciliation.json").read_text(encoding="utf-8").count('"request_id"') == 1000
