"""Tick of a campaign: its whole day in one repeatable call."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from migrator.core.campaign.state import Campaign
from migrator.core.plan.refs import ref_of
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Interrupted
from migrator.inputs.policy.file import LoadedPolicy, read_policy
from migrator.reports.campaign.model import MOST_DEATHS
from migrator.reports.model import moment
from migrator.store.campaigns.ticks import HELD, without_end
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.campaign.cutovers import cut_over
from migrator.workflows.campaign.discovery import find_pairs
from migrator.workflows.campaign.intake import files_of, give_back, take_files
from migrator.workflows.campaign.make import kept_policy, with_bounds
from migrator.workflows.campaign.notices import (
    HANDOVER,
    campaign_stopped,
    count_exceptions,
    end_failed,
    end_interrupted,
    notices_of,
    write_deltas,
    write_report,
)
from migrator.workflows.campaign.plans import claim_due, go_on
from migrator.workflows.campaign.reads import read_source, read_target
from migrator.workflows.campaign.tick import Held, Tick
from migrator.workflows.notices.deliver import deliver, deliver_after_run
from migrator.workflows.notices.stopped import NOT_TOLD, TOLD, Standstill, standstill_of
from migrator.workflows.site import Site, holding

__all__ = ["Ticked", "run_once"]


@dataclass(frozen=True, slots=True)
class Ticked:
    """Result of one tick.

    Args:
        tick_no: its number.
        exit_code: 0 all well, 2 the policy cannot be used, 3 exceptions need a person, 6 outside of the approval, 7
            the next call goes on.
        reason: in one line.
        held: all that held it up, with the commands that go on.
        told: counts of what was done.
    """

    tick_no: int
    exit_code: ExitCode
    reason: str
    held: Sequence[Held]
    told: Mapping[str, Any]


def run_once(site: Site, *, ref: str = "") -> Ticked:
    """Do all that is due now, within the standing approval.

    Takes files in, reads both carriers, goes on with what was begun, claims, finds pairs, cuts over, and writes what
    others need. Killed anywhere, the next call goes on: claims in doubt are settled before anything is sent.

    Args:
        site: the store of the campaign.
        ref: the change or ticket that the call is for; "" for that of the newest approval.

    Raises: StoreBusy, while another run holds the store; InputError, without a campaign; StoreError.
    """
    campaign = site.store.campaigns.required()
    ref, (loaded, trouble) = ref_of(ref or None), _policy_of(campaign)
    assert loaded.policy.campaign is not None  # noqa: S101 - it has bounds
    with holding(site) as me, collecting_rarely():
        of_call, bounds = replace(site, held_by=me, campaign=campaign.name), loaded.policy.campaign
        tick = Tick(of_call, campaign, loaded, bounds, me, trouble, ref, files_of(campaign))
        tick.told |= {"ref": tick.ref()} if tick.ref() else {}
        tick_no = site.store.ticks.begin(campaign.campaign_no, site.now(), ref=ref)
        with _ending(tick, tick_no):
            _tell_of_dead(tick)
            _go_through(tick)
            code, tick.told[HELD] = tick.exit_code(), tick.lasting()
            told, notices = tick.told, notices_of(tick, code)
            site.store.ticks.end(
                tick_no, exit_code=code, reason=tick.reason(), told=told, now=site.now(), notices=notices
            )
        site.progress(TOLD, {})
    deliver_after_run(site)
    return Ticked(tick_no, code, tick.reason(), tuple(tick.held), tick.told)


def _go_through(tick: Tick) -> None:
    """Carry out all stages, in their order."""
    tick.is_approved()  # said first, also where nothing is due
    with tick.stage(tick.site.settings.carrier.name):
        read_source(tick)
    if next(tick.site.store.inventory.sims(), None) is not None:  # without old SIMs every file would be refused
        with tick.stage("intake"):
            take_files(tick)
    for name, stage in _STAGES:
        with tick.stage(name):
            stage(tick)


@contextmanager
def _ending(tick: Tick, tick_no: int) -> Iterator[None]:
    """End a tick that fails as a whole, and tell its receivers.

    The error goes on as it is; so it does where nobody can be told. A tick that somebody stopped is no dead one, and
    is told to nobody.
    """
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        with suppress(Exception):
            end_interrupted(tick.site, tick_no)
        raise
    except NOT_TOLD:
        raise
    except Exception as error:
        with suppress(Exception):
            end_failed(tick.site, tick.campaign, tick_no, standstill_of(error), tick.ref())
            tick.site.progress(TOLD, {})
            deliver(tick.site)
        raise


def _tell_of_dead(tick: Tick) -> None:
    """Tell at once of calls that died: this one may die, too."""
    own = [one for one in tick.earlier() if one.campaign_no == tick.campaign.campaign_no]
    died = without_end(own)
    if died < MOST_DEATHS:
        return
    last = moment(own[0].began_s)  # when this is read, later calls may have ended
    words = f"{died} calls of `campaign run` in a row did not end, the last one of {last}"
    hint = "look for what ends them: time limits of the scheduler, memory, the machine"
    stop = Standstill(ExitCode.ERROR, words, hint, cause="calls do not end")
    if tick.site.store.outbox.tell(campaign_stopped(tick.site, tick.campaign, stop, tick.ref()), tick.site.now()):
        deliver_after_run(tick.site)


def _policy_of(campaign: Campaign) -> tuple[LoadedPolicy, Held | None]:
    """Return the policy of now, and what is wrong with its file.

    A file that cannot be used lets the policy that is kept go on for reads, reports and notices. Nothing is sent by it.
    """
    file = Path(campaign.policy_file)
    try:
        return with_bounds(read_policy(file)), None
    except InputError as error:
        first, *more = error.problems
        others = f" (and {len(more)} more)" if more else ""
        words = f"the policy cannot be used, and nothing is sent: {first.message}{others}"
        hint = f"put it right: {first.hint}" if first.hint else f"put {file} right"
        hint += "; with the approved values the next tick goes on, others need `migrator campaign approve`"
        return LoadedPolicy(str(file), kept_policy(campaign), campaign.policy_text, {}), Held(
            ExitCode.INPUT, words, hint
        )


_STAGES = (
    ("Hologram", read_target),
    ("begun plans", go_on),
    ("claims", claim_due),
    ("discovery", find_pairs),
    ("cutover", cut_over),
    ("intake again", give_back),
    ("exceptions", count_exceptions),
    ("report", write_report),
    (HANDOVER, write_deltas),
)
