"""The report over all plans as JSON, CSV and Markdown.

`campaign.schema.json` beside this module describes the JSON, version 1.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

from migrator.core.campaign.life import MEANINGS, REMEDIES, STAGE_WORDS, ExceptionCode, LifeStage, SimLife
from migrator.core.fleet.units import grouped, money
from migrator.files import as_csv
from migrator.reports.campaign.model import (
    LIFE_COLUMNS,
    CampaignStanding,
    FleetReport,
    amount,
    headline,
    life_values_of,
    money_words,
    next_commands,
)
from migrator.reports.formats.csv_file import as_text
from migrator.reports.model import moment

__all__ = ["CAMPAIGN_VERSION", "exception_lines", "schema_text", "write_bounds", "write_csv", "write_json", "write_md"]

CAMPAIGN_VERSION = 1
MOST_DAYS = 31
"""Days in a ticket; the JSON has all."""
_in_order = itemgetter(*LIFE_COLUMNS)
_encode = json.JSONEncoder(ensure_ascii=False).encode


def schema_text() -> str:
    """Return the JSON Schema of the format, as published."""
    return Path(__file__).with_name("campaign.schema.json").read_text(encoding="utf-8")


def exception_lines(lives: Iterable[SimLife], form: str) -> Iterator[str]:
    """Yield exceptions as lines of CSV, or of a JSON list.

    `form` is "csv" or "json".
    """
    values = map(life_values_of, lives)
    yield from _rows_of(values) if form == "csv" else chain(_list_of(values), "\n")


def write_csv(report: FleetReport, out: TextIO) -> None:
    """Write every SIM of the fleet, one row each."""
    out.writelines(_rows_of(map(life_values_of, report.lives())))


def write_bounds(report: FleetReport, out: TextIO) -> None:
    """Write the campaign's bounds, one row each."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("bound", "used", "at_most", "left"))
    for row in _bounds_of(report.campaign):
        writer.writerow(row.values())


def write_json(report: FleetReport, out: TextIO) -> None:
    """Write counts and money first, then the exceptions, one on a line."""
    text = json.dumps(_head(report), ensure_ascii=False, indent=1)
    out.write(text.removesuffix("\n}"))
    out.write(',\n "exceptions": ')
    out.writelines(_list_of(map(life_values_of, report.exceptions())))
    out.write("\n}\n")


def write_md(report: FleetReport, out: TextIO) -> None:
    """Write the report for a ticket; single SIMs are left out."""
    told, counts = headline(report), report.counts
    out.write(f"# The migration: {told.words}\n\n{told.detail}\n\n{moment(report.generated_at)}, {report.tool}.\n")
    out.write("\n## What to do next\n\n")
    out.writelines(f"1. {step}\n" for step in next_commands(report))
    out.write("\n## Where the SIMs are\n\n| stage | SIMs | meaning |\n|---|---:|---|\n")
    stages = [stage for stage in LifeStage if stage is not LifeStage.IN_STOCK]
    out.writelines(f"| {stage.value} | {counts.of(stage):,} | {STAGE_WORDS[stage]} |\n" for stage in stages)
    out.write(f"| **sum** | {counts.total:,} | the inventory |\n")
    out.write(f"\nCards claimed for the stock, without a unit: {counts.of(LifeStage.IN_STOCK):,}\n")
    if counts.exceptions:
        out.write("\n## Exceptions\n\n| code | SIMs | meaning | what to do |\n|---|---:|---|---|\n")
        out.writelines(
            f"| {code.value} | {counts.codes[code]:,} | {MEANINGS[code]} | {REMEDIES[code]} |\n"
            for code in ExceptionCode
            if counts.codes.get(code)
        )
    out.write(f"\n## Forecast\n\n{report.forecast.words}; {report.forecast.left:,} to go.\n")
    out.write(f"\n## Idle cards\n\n{report.idle.words}.\n\n")
    out.write("| days | cards | so far | in 30 days |\n|---|---:|---:|---:|\n")
    for age, bucket in report.idle.ages.items():
        values = bucket.as_dict()
        out.write(f"| {age.value} | {bucket.cards:,} | {values['so_far']} | {values['in_a_month']} |\n")
    if report.campaign is not None:
        _write_campaign(report.campaign, out)
    out.write("\n## Money and caps\n\n")
    out.writelines(
        f"- {name}: {'unknown' if value is None else grouped(value)}\n"
        for name, value in money_words(report.money).items()
    )
    if report.days:
        out.write("\n## Day by day\n\n| day | claimed | alive | cut over | taken back |\n|---|---:|---:|---:|---:|\n")
        out.writelines(
            f"| {day.day} | {day.claimed:,} | {day.alive:,} | {day.cut_over:,} | {day.taken_back:,} |\n"
            for day in report.days[-MOST_DAYS:]
        )


def _write_campaign(campaign: CampaignStanding, out: TextIO) -> None:
    ref = f", {campaign.ref}" if campaign.ref else ""
    people = f"approved by {len(campaign.people)} of {campaign.required}{ref}; until {campaign.until}"
    out.write(f"\n## The campaign\n\n{_encode(campaign.name)}: {campaign.state}, {people}.\n\n")
    out.write("| bound | used | at most | left |\n|---|---:|---:|---:|\n")
    for one in campaign.bounds:
        shown = " | ".join(amount(one, value) for value in (one.used, one.at_most, one.left))
        out.write(f"| {one.bound} | {shown} |\n")


def _bounds_of(campaign: CampaignStanding | None) -> list[dict[str, str]]:
    """Return the bounds as JSON values: numbers as text, money exact."""
    rows = []
    for one in () if campaign is None else campaign.bounds:
        told = money if one.is_money else str
        row = {"bound": one.bound.value, "used": told(one.used), "at_most": told(one.at_most), "left": told(one.left)}
        rows.append(row)
    return rows


def _campaign_of(campaign: CampaignStanding) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "state": campaign.state,
        "people": list(campaign.people),
        "required": campaign.required,
        "ref": campaign.ref,
        "until": campaign.until.isoformat(),
        "is_over": campaign.is_over,
        "is_changed": campaign.is_changed,
        "cutover": campaign.cutover,
        "due": campaign.due,
        "bounds": _bounds_of(campaign),
        "calls": list(campaign.calls),
        "held": list(campaign.held),
    }


def _head(report: FleetReport) -> dict[str, Any]:
    told, counts = headline(report), report.counts
    return {
        "campaign_report_version": CAMPAIGN_VERSION,
        "generated_at": moment(report.generated_at),
        "generated_by": report.tool,
        "store": report.store,
        "running": report.running,
        "headline": {"tone": told.tone, "words": told.words, "detail": told.detail},
        "next": next_commands(report),
        "lives": counts.as_dict(),
        "codes": [
            {
                "code": code.value,
                "sims": counts.codes[code],
                "meaning": MEANINGS[code],
                "advice": REMEDIES[code],
            }
            for code in ExceptionCode
            if counts.codes.get(code)
        ],
        "forecast": report.forecast.as_dict(),
        "days": [day.as_dict() for day in report.days],
        "idle": report.idle.as_dict(),
        "idle_cards": list(report.idle_cards),
        "campaign": None if report.campaign is None else _campaign_of(report.campaign),
        "money": dict(report.money),
        "plans": list(report.plans),
        "runs": list(report.runs),
    }


def _rows_of(values: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Return a head and a row for each life, as CSV."""
    return as_csv(chain([LIFE_COLUMNS], (map(as_text, _in_order(row)) for row in values)))


def _list_of(values: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "["
    commas = chain(("",), iter(lambda: ",", None))
    yield from (f"{comma}\n  {_encode(value)}" for comma, value in zip(commas, values, strict=False))
    yield "]"
