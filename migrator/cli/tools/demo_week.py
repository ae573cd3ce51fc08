"""Words of the demo's second part: a week of a campaign."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from migrator.core.fleet.units import counted, money
from migrator.files import private_folder
from migrator.wiring import SystemClock
from migrator.workflows.rehearsal.week import REF, Week, WeekDay, rehearse_week

__all__ = ["week_shown"]

FOLDER = "week"
BEGIN = f"""
For months there is the campaign: one policy with bounds, one approval, one line for cron. A week of it, on a clock that
jumps: `campaign create --policy policy.toml`, `campaign approve --ref {REF}`, and each evening `campaign run --once`.
"""
INDENT = " " * 12


def week_shown(folder: Path, seed: int, say: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    """Run the week in a folder of its own, day by day.

    Args:
        folder: of the demo.
        seed: the same seed makes the same fleet.
        say: prints the lines of each day.

    Returns: the result as JSON values, and the words that end it.
    Raises: MigratorError, where the simulators saw what must never happen.
    """
    place = folder / FOLDER
    private_folder(place)
    say(BEGIN)
    days: list[WeekDay] = []

    def tell(day: WeekDay) -> None:
        days.append(day)
        say(_lines(day))

    week = rehearse_week(place, now=SystemClock().now(), seed=seed, tell=tell)
    return _told(week, days), _words(week)


def _lines(day: WeekDay) -> str:
    done = f"{counted(day.claimed, 'card')} claimed, {counted(day.switched_off, 'old SIM')} off"
    end = "; ".join(day.reasons) or "all is done that was due"
    lines = [*day.people, f"{done}; exit {int(day.exit_code)}: {end}"]
    lines += [f"and a person looks: {day.after}"] if day.after else []
    return f"{day.day:%a %d %b}  " + f"\n{INDENT}".join(lines)


def _words(week: Week) -> str:
    page = next(file for file in week.report.files if file.suffix == ".html")
    return (
        f"\nBy the carriers' own ledgers: {week.cards} cards charged {money(week.charged)} in all, none of them twice, "
        f"at most {week.most_a_day} a day;\n{week.off} old SIMs are off, each with a living new SIM in its unit.\n"
        f"Idle: {week.idle}.\n"
        f"Report: {week.report.headline}\n"
        f"        {page}"
    )


def _told(week: Week, days: list[WeekDay]) -> dict[str, Any]:
    return {
        "folder": str(week.folder),
        "days": [
            {
                "day": day.day.isoformat(),
                "claimed": day.claimed,
                "switched_off": day.switched_off,
                "exit_code": int(day.exit_code),
                "reasons": list(day.reasons),
            }
            for day in days
        ],
        "cards_charged": week.cards,
        "charged": money(week.charged),
        "most_charged_on_a_day": week.most_a_day,
        "old_sims_off": week.off,
        "idle": week.idle,
        "report": [str(file) for file in week.report.files],
    }
