"""`campaign status`: how far a campaign is."""

from datetime import UTC, datetime
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, warned
from migrator.cli.campaign.campaign import bounds_table
from migrator.core.campaign.life import MEANINGS, STAGE_WORDS, LifeStage
from migrator.core.fleet.units import grouped, money
from migrator.workflows.campaign.status import CampaignStatus, campaign_status
from migrator.workflows.site import open_site

__all__ = ["status"]

STEPS = 3
"""Most steps that are shown; `--json` and the report have all."""


@click.command("status", epilog="Exit codes: 0 done, 2 no campaign.")
@global_options
@click.pass_obj
def status(shared: Globals, /) -> int:
    """Show how far the campaign is, and what it may still do.

    Without an open one: the last that was ended.
    """

    def body() -> Outcome:
        with open_site(shared.state, config=shared.config, warn=warned) as site:
            return _told(campaign_status(site))

    return finish("campaign status", shared, body)


def _told(found: CampaignStatus) -> Outcome:
    campaign, bounds, spent = found.campaign, found.bounds, found.spent
    ticks = [
        {
            "tick": one.tick_no,
            "began_at": _moment(one.began_s),
            "ended_at": None if one.ended_s is None else _moment(one.ended_s),
            "exit_code": one.exit_code,
            "reason": one.reason,
            "told": dict(one.told),
        }
        for one in found.ticks
    ]
    data = {
        "campaign": campaign.name,
        "state": campaign.state.value,
        "ended_at": None if campaign.ended_s is None else _moment(campaign.ended_s),
        "people": list(found.people),
        "required": bounds.approvals,
        "until": bounds.until.isoformat(),
        "claims": {
            "today": spent.sims_today,
            "per_day": bounds.claims_per_day,
            "so_far": spent.sims,
            "total": bounds.claims_total,
        },
        "money": {
            "today": money(spent.money_today),
            "per_day": money(bounds.spend_per_day),
            "so_far": money(spent.money),
            "total": money(bounds.spend_total),
        },
        "sims": {stage.value: found.counts.of(stage) for stage in LifeStage},
        "exceptions": {code.value: sims for code, sims in found.counts.codes.items() if sims},
        "idle": found.idle.as_dict(),
        "ticks": ticks,
        "headline": found.headline,
        "next": list(found.steps),
    }
    used = [
        ("claims today", f"{spent.sims_today:,} of {bounds.claims_per_day:,}"),
        ("claims in all", f"{spent.sims:,} of {bounds.claims_total:,}"),
        ("money today", f"{grouped(money(spent.money_today))} of {grouped(money(bounds.spend_per_day))}"),
        ("money in all", f"{grouped(money(spent.money))} of {grouped(money(bounds.spend_total))}"),
    ]
    stages = [(words, f"{found.counts.of(stage):,}") for stage, words in STAGE_WORDS.items() if found.counts.of(stage)]
    ended = "" if campaign.ended_s is None else f" at {_moment(campaign.ended_s)}"
    people = f"approved by {len(found.people)} of {bounds.approvals}"
    text: list[Any] = [
        f"Campaign {campaign.name!r}: {campaign.state.value}{ended}, {people}.",
        found.headline,
        *([table("Where the SIMs are", ("", "SIMs"), stages)] if stages else []),
        f"Idle: {found.idle.words}." if found.idle.all.cards else "Idle: no card.",
        table("Used", ("", ""), used),
        bounds_table(bounds),
    ]
    if data["exceptions"]:
        codes = [(code.value, sims, MEANINGS[code]) for code, sims in found.counts.codes.items() if sims]
        text.append(table("Exceptions: `migrator campaign exceptions` lists them", ("code", "SIMs", "meaning"), codes))
    rows = [(one["tick"], one["began_at"], _ended(one["exit_code"]), one["reason"]) for one in ticks]
    text += [table("Newest ticks", ("tick", "began", "exit", "reason"), rows)] if rows else []
    text += [f"{'Then' if place else 'Next'}: {step}" for place, step in enumerate(found.steps[:STEPS])]
    return Outcome(data, text)


def _ended(code: Any) -> str:
    return "killed, or at work" if code is None else str(code)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
