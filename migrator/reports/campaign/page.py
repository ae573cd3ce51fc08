"""The report over all plans as one HTML file.

Nothing is fetched, and no script runs.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import jinja2
from markupsafe import Markup

from migrator.core.campaign.budget import BoundUsed
from migrator.core.campaign.life import MEANINGS, REMEDIES, ExceptionCode, LifeStage
from migrator.reports.campaign.charts import bounds_chart, funnel_chart, idle_chart
from migrator.reports.campaign.model import FleetReport, amount, headline, life_values_of, money_words, next_commands
from migrator.reports.formats.burn_down import burn_down
from migrator.reports.formats.html_page import sha256_of
from migrator.reports.formats.page_kit import TEMPLATES as SHARED
from migrator.reports.formats.page_kit import page_environment
from migrator.reports.model import moment

__all__ = ["write_html"]

TEMPLATES = Path(__file__).with_name("templates")
MOST_EXCEPTIONS, MOST_IDLE, MOST_PLANS = 200, 50, 50
"""Most rows of each table; the JSON has all."""


def write_html(report: FleetReport, out: TextIO) -> None:
    """Write the page."""
    out.writelines(_environment().get_template("campaign.html.j2").generate(_values(report)))


@cache
def _environment() -> jinja2.Environment:
    return page_environment(TEMPLATES, SHARED)


def _values(report: FleetReport) -> dict[str, Any]:
    counts, idle = report.counts, report.idle
    style = (SHARED / "page.css").read_text(encoding="utf-8") + (TEMPLATES / "campaign.css").read_text(encoding="utf-8")
    today = datetime.fromtimestamp(report.generated_at, UTC).date()
    told = [(age.value, one.as_dict()) for age, one in idle.ages.items()]
    ages = [(days, one["cards"], _so_far(one), one["in_a_month"]) for days, one in told]
    exceptions = list(islice(report.exceptions(), MOST_EXCEPTIONS))
    return {
        "report": report,
        "counts": counts,
        "of": {stage.value: counts.of(stage) for stage in LifeStage},
        "headline": headline(report),
        "next_steps": next_commands(report),
        "charts": [
            funnel_chart(counts),
            *([] if report.campaign is None else [bounds_chart(report.campaign.bounds)]),
            idle_chart(ages),
        ],
        "campaign": report.campaign,
        "used": [] if report.campaign is None else [_bound(one) for one in report.campaign.bounds],
        "burn_down": burn_down(report.days, report.forecast, counts.total - counts.of(LifeStage.LEFT_ALONE), today),
        "codes": [
            (code.value, counts.codes[code], MEANINGS[code], REMEDIES[code])
            for code in ExceptionCode
            if counts.codes.get(code)
        ],
        "exceptions": [life_values_of(life) for life in exceptions],
        "more_exceptions": max(counts.exceptions - len(exceptions), 0),
        "idle": idle.as_dict(),
        "idle_words": idle.words,
        "idle_cards": list(report.idle_cards)[:MOST_IDLE],
        "plans": list(report.plans)[:MOST_PLANS],
        "more_plans": max(len(report.plans) - MOST_PLANS, 0),
        "runs": list(report.runs)[:MOST_PLANS],
        "money": money_words(report.money),
        "generated_at": moment(report.generated_at),
        "style": Markup(style),  # noqa: S704 - our own files
        "style_hash": sha256_of(style),
    }


def _bound(one: BoundUsed) -> tuple[str, str, str]:
    """Return what is used of a bound, and at most, for people."""
    return one.bound.value, amount(one, one.used), amount(one, one.at_most)


def _so_far(values: Mapping[str, Any]) -> str:
    """Return the money so far, or that nobody knows."""
    is_unknown = values["cards"] and values["without_price"] == values["cards"]
    return "price unknown" if is_unknown else str(values["so_far"])
