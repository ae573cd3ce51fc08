"""The burn-down: it ends at the numbers of now, and its forecast stays on the drawing."""

from datetime import date

from migrator.core.campaign.forecast import Day, Forecast
from migrator.reports.formats.burn_down import BOTTOM, LEFT, RIGHT, TOP, WIDTH, BurnDown, burn_down

TODAY = date(2026, 11, 20)
DAYS = [Day("2026-11-10", 40, 10, 0), Day("2026-11-16", 40, 30, 20), Day("2026-11-19", 0, 20, 30, 10)]


def drawn(told: Forecast, days: list[Day] | None = None) -> BurnDown:
    made = burn_down(DAYS if days is None else days, told, 100, TODAY)
    assert made is not None
    return made


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in text.split())]


def sims(y: float) -> int:
    return round(100 * (BOTTOM - y) / (BOTTOM - TOP))


def test_earlier_days_are_counted_back_from_now() -> None:
    line = drawn(Forecast(60, why_not="no forecast yet"))
    assert [sims(y) for _, y in points(line.left)] == [100, 100, 80, 60, 60]
    assert [sims(y) for _, y in points(line.silent)] == [100, 90, 60, 40, 40]
    assert line.rows[0] == ("2026-11-19", "0", "20", "30", "10", "60")
    assert line.rows[-1][-1] == "100"
    assert line.ahead == line.range == ""


def test_what_was_moved_by_others_bends_no_line_out_of_the_drawing() -> None:
    line = drawn(Forecast(95, why_not="no forecast yet"))
    assert all(TOP <= y <= BOTTOM for _, y in points(line.left))


def test_a_forecast_goes_down_to_its_day_within_its_range() -> None:
    line = drawn(Forecast(60, 5.0, "2026-12-04", "2026-12-01", "2026-12-08", 5))
    (now, left), (end, done) = points(line.ahead)
    assert (sims(left), sims(done)) == (60, 0)
    assert now == line.today < end
    corners = points(line.range)
    assert corners[1][0] < end < corners[2][0] == WIDTH - RIGHT


def test_a_far_end_leaves_at_the_edge_and_is_not_bent_to_it() -> None:
    line = drawn(Forecast(60, 0.1, "2028-12-04", "2028-06-01", None, 5))
    end, y = points(line.ahead)[1]
    assert end == WIDTH - RIGHT
    assert 40 < sims(y) < 60
    assert sims(points(line.range)[2][1]) == 60, "the slower pace has no end"


def test_before_anything_happened_there_is_no_line() -> None:
    assert burn_down([], Forecast(100), 100, TODAY) is None
    assert burn_down(DAYS, Forecast(0), 0, TODAY) is None


def test_one_day_is_a_line_too() -> None:
    line = drawn(Forecast(100, why_not="no forecast yet"), [Day("2026-11-20", 5)])
    assert points(line.left)[0][0] == LEFT
    assert points(line.left)[-1][0] == WIDTH - RIGHT
