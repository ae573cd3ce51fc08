"""`campaign create`, `approve`, `pause`, `resume`, `retry` and `end`."""

from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, warned
from migrator.cli.app.refs import ref_option
from migrator.core.campaign.state import Campaign, CampaignState
from migrator.core.fleet.units import grouped, money, span
from migrator.core.policy.policy import CampaignPolicy
from migrator.errors import InputError
from migrator.inputs.files.iccids import read_iccids
from migrator.workflows.campaign.make import (
    INTAKE,
    approve_campaign,
    create_campaign,
    end_campaign,
    pause_campaign,
    resume_campaign,
    retry_refused,
)
from migrator.workflows.campaign.status import campaign_status
from migrator.workflows.site import open_site

__all__ = ["approve", "bounds_table", "create", "end", "pause", "resume", "retry"]

CODES = "Exit codes: 0 done, 2 input, or no campaign."
_BY = click.option("--by", metavar="NAME", help="Who gives the order [the login name, at this host].")


@click.command("create", epilog="Exit codes: 0 done, 2 a bad policy, or another campaign is not ended.")
@click.option(
    "--policy", "policy_file", required=True, type=click.Path(path_type=Path), help="Policy with [campaign] (TOML)."
)
@click.option("--name", metavar="NAME", help="For people [the name of the file].")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="For intake, reports, exceptions [campaign, beside the policy]."
)
@global_options
@click.pass_obj
def create(shared: Globals, /, *, policy_file: Path, name: str | None, folder: Path | None) -> int:
    """Make a campaign of POLICY; nothing is sent before it is approved.

    Its folder gets `intake`: field files, lists of shipped cards (`shipped*.csv`) and of cards in stock (`stock*.csv`)
    are taken from there by `campaign run`.
    """

    def body() -> Outcome:
        with open_site(shared.state, config=shared.config, create=True, warn=warned) as site:
            made = create_campaign(site, policy_file, name=name, folder=folder)
        text = (
            f"Campaign {made.name!r} is made. Files go into {Path(made.folder) / INTAKE}.",
            "Next: `migrator campaign approve`.",
        )
        return Outcome(_told(made), text)

    return finish("campaign create", shared, body)


@click.command("approve", epilog=CODES)
@_BY
@ref_option
@click.option("--note", default="", help="Words to keep with it.")
@global_options
@click.pass_obj
def approve(shared: Globals, /, *, by: str | None, ref: str | None, note: str) -> int:
    """Approve the bounds of the campaign's policy, as its file is now.

    Within them nothing is asked any more; outside of them nothing is sent. A changed file needs a new approval. With
    `[campaign] approvals = N`, N different people approve.
    """

    def body() -> Outcome:
        with open_site(shared.state, config=shared.config, warn=warned) as site:
            campaign, loaded = approve_campaign(site, by=by, ref=ref or "", note=note)
            people = site.store.campaigns.people(campaign)
        bounds = loaded.policy.campaign
        assert bounds is not None  # noqa: S101 - it was approved
        text: list[Any] = [bounds_table(bounds)]
        text.append(f"Approved by {', '.join(people)}: {len(people)} of {bounds.approvals} needed.")
        if campaign.state is CampaignState.PAUSED:
            text.append("The campaign is paused: `migrator campaign resume --by NAME` lets it go on.")
        elif len(people) >= bounds.approvals:
            text.append("Next: `migrator campaign run --once`, once a day or oftener.")
        return Outcome(_told(campaign) | {"people": people, "required": bounds.approvals}, text)

    return finish("campaign approve", shared, body)


@click.command("pause", epilog=CODES)
@_BY
@global_options
@click.pass_obj
def pause(shared: Globals, /, *, by: str | None) -> int:
    """Begin no run until somebody resumes the campaign.

    Reads and reports go on. A run that is at work ends what it began: `migrator run pause` holds it at once.
    """
    return finish("campaign pause", shared, lambda: _ordered(shared, "paused", by))


@click.command("resume", epilog=CODES)
@_BY
@global_options
@click.pass_obj
def resume(shared: Globals, /, *, by: str | None) -> int:
    """Let the campaign go on after a pause or many failures.

    The error budget begins anew.
    """
    return finish("campaign resume", shared, lambda: _ordered(shared, "resumed", by))


@click.command("end", epilog=CODES)
@_BY
@global_options
@click.pass_obj
def end(shared: Globals, /, *, by: str | None) -> int:
    """End the campaign for good; its plans stay as they are."""
    return finish("campaign end", shared, lambda: _ordered(shared, "ended", by))


@click.command("retry", epilog=CODES)
@click.option("--iccids", type=click.Path(path_type=Path), help="File of old ICCIDs, one a line.")
@click.option(
    "--code", metavar="CODE", help="All with this code: refused, blocked, mismatch, or one that `show` names."
)
@_BY
@global_options
@click.pass_obj
def retry(shared: Globals, /, *, iccids: Path | None, code: str | None, by: str | None) -> int:
    """Let refused or blocked SIMs go again, and set changed cards again."""

    def body() -> Outcome:
        if (iccids is None) is (code is None):
            words = "name the SIMs: either --iccids or --code"
            raise InputError(words, code="bad_options", hint="`migrator campaign status` counts them by code")
        lines = None if iccids is None else read_iccids(iccids)
        with open_site(shared.state, config=shared.config, warn=warned) as site:
            sims = retry_refused(site, keys=lines, code=code, by=by)
        return Outcome({"sims": sims}, (f"SIMs that `campaign run` takes up again: {sims}.",))

    return finish("campaign retry", shared, body)


_ORDERS = {"paused": pause_campaign, "resumed": resume_campaign, "ended": end_campaign}


def _ordered(shared: Globals, word: str, by: str | None) -> Outcome:
    with open_site(shared.state, config=shared.config, warn=warned) as site:
        campaign = _ORDERS[word](site, by=by)
        begun = [f"Next: {step}" for step in campaign_status(site).steps[:1]] if word == "ended" else []
    return Outcome(_told(campaign), (f"Campaign {campaign.name!r} is {word}.", *begun))


def _told(campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign": campaign.name,
        "state": campaign.state.value,
        "policy_sha256": campaign.policy_sha256,
        "folder": campaign.folder,
    }


def bounds_table(bounds: CampaignPolicy) -> Any:
    """Return the bounds of a standing approval as a table."""
    hours = bounds.quiet_hours
    quiet = "none" if hours is None else "-".join(f"{at // 60:02d}:{at % 60:02d}" for at in hours.span)
    rows = [
        ("until", f"{bounds.until} ({bounds.time_zone})"),
        ("claims a day", f"{bounds.claims_per_day:,}"),
        ("claims in all", f"{bounds.claims_total:,}"),
        ("money a day", grouped(money(bounds.spend_per_day))),
        ("money in all", grouped(money(bounds.spend_total))),
        ("cutover", f"{bounds.cutover.value}, after {span(bounds.cutover_rest_s)}"),
        ("quiet hours", quiet),
        ("pairs that the hardware settles", bounds.discover.value),
        (
            "failures",
            f"past {bounds.most_failures:,} of the newest {bounds.last_units:,} units nothing is claimed",
        ),
    ]
    return table("Standing approval", ("bound", "value"), rows)
