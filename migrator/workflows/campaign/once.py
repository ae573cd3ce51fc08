"""Tick of a campaign: its whole day in one repeatable call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from migrator.core.run.results import ExitCode
from migrator.inputs.policy.file import read_policy
from migrator.workflows.campaign.cutovers import cut_over
from migrator.workflows.campaign.discovery import find_pairs
from migrator.workflows.campaign.intake import take_files
from migrator.workflows.campaign.make import with_bounds
from migrator.workflows.campaign.plans import claim_due, go_on
from migrator.workflows.campaign.reads import read_source, read_target
from migrator.workflows.campaign.tick import Held, Tick
from migrator.workflows.campaign.told import count_exceptions, notices_of, write_deltas, write_report
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.site import Site, holding

__all__ = ["Ticked", "run_once"]


@dataclass(frozen=True, slots=True)
class Ticked:
    """Result of one tick.

    Args:
        tick_no: its number.
        exit_code: 0 all well, 3 exceptions need a person, 6 outside of the approval, 7 the next call goes on.
        reason: in one line.
        held: all that held it up, with the commands that go on.
        told: counts of what was done.
    """

    tick_no: int
    exit_code: ExitCode
    reason: str
    held: Sequence[Held]
    told: Mapping[str, Any]


def run_once(site: Site) -> Ticked:
    """Do all that is due now, within the standing approval.

    Takes files in, reads both carriers, goes on with what was begun, claims, finds pairs, cuts over, and writes what
    others need. Killed anywhere, the next call goes on: claims in doubt are settled before anything is sent.

    Args:
        site: the store of the campaign.

    Raises: StoreBusy, while another run holds the store; InputError, without a campaign, or for a policy that cannot be
        read; StoreError.
    """
    campaign = site.store.campaigns.required()
    loaded = with_bounds(read_policy(Path(campaign.policy_file)))
    assert loaded.policy.campaign is not None  # noqa: S101 - it has bounds
    with holding(site) as me:
        tick = Tick(replace(site, held_by=me), campaign, loaded, loaded.policy.campaign, me)
        tick_no = site.store.ticks.begin(campaign.campaign_no, site.now())
        tick.is_approved()  # said first, also where nothing is due
        with tick.stage(site.settings.carrier.name):
            read_source(tick)
        if site.store.inventory.summary().get("count"):  # without old SIMs every file would be refused
            with tick.stage("intake"):
                take_files(tick)
        for name, stage in _STAGES:
            with tick.stage(name):
                stage(tick)
        code = tick.exit_code()
        told, notices = tick.told, notices_of(tick, code)
        site.store.ticks.end(tick_no, exit_code=code, reason=tick.reason(), told=told, now=site.now(), notices=notices)
    deliver_after_run(site)
    return Ticked(tick_no, code, tick.reason(), tuple(tick.held), tick.told)


_STAGES = (
    ("Hologram", read_target),
    ("begun plans", go_on),
    ("claims", claim_due),
    ("discovery", find_pairs),
    ("cutover", cut_over),
    ("exceptions", count_exceptions),
    ("report", write_report),
    ("handover", write_deltas),
)
