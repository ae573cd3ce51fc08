"""`cutover`: switch the old SIMs off.

Their new SIMs must have shown that they work.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.asking import can_ask
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination, is_stdout, written
from migrator.cli.app.progress import watching
from migrator.cli.cutover.run import (
    APPLY_CODES,
    alive_within_s,
    applied,
    apply_options,
    options_given,
    rest_s,
    wave_counts,
)
from migrator.cli.cutover.run import verified_share as share_of
from migrator.core.cutover.plan import (
    CutoverAction,
    CutoverHeader,
    CutoverRow,
    Direction,
    Require,
    row_document,
)
from migrator.core.cutover.rules import Demand
from migrator.core.fleet.sims import ONENCE
from migrator.core.fleet.units import grouped
from migrator.core.policy.policy import CutoverPolicy, OldSim, OtherUnits, PairProof
from migrator.errors import InputError
from migrator.reports.model import moment
from migrator.wiring import SystemClock
from migrator.workflows.cutover.lookups import cutover_id_of, cutover_policy
from migrator.workflows.cutover.plan import plan_cutover
from migrator.workflows.cutover.show import CutoverShown, cutover_shown, cutover_standing
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.site import Site

__all__ = ["SHOWN", "apply", "plan", "planned", "show"]

SHOWN = 20
PLAN_CODES = "0 done, 2 input, 4 refused, 5 a plan file of another store, 6 too few are verified, 7 resumable, 9 held."
SILENT = "--accept-silent-units"
OTHER_UNITS = "--accept-other-units"
OLD_SIM = ("must_be_silent", "if_known", "not_asked")


@click.command("plan", epilog=f"Exit codes: {PLAN_CODES}")
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option(
    "--require",
    type=click.Choice([require.value for require in Require]),
    help="What a new SIM must have shown: a data session since its claim, or only the right record. "
    "Default: the policy's, which is traffic unless it says otherwise.",
)
@click.option(SILENT, is_flag=True, help="Where a right record is enough: units may fall silent, and that is accepted.")
@click.option(
    OTHER_UNITS,
    is_flag=True,
    help="New SIMs that were seen in another unit (IMEI) than the old one are accepted: the old unit may fall silent.",
)
@click.option(
    "--old-sim",
    type=click.Choice(OLD_SIM),
    help="What its carrier must say of an old SIM: nothing used since its new SIM lived last; the same where it can "
    "tell; or it is not asked (a request per SIM). Default: the policy's.",
)
@click.option(
    "--alive-within",
    metavar="DURATION",
    help="How long ago a new SIM's newest session may be (14d), now and at `cutover apply`. Default: the policy's.",
)
@click.option(
    "--rest",
    metavar="DURATION",
    help="Only SIMs claimed, and last changed by us, this long ago (24h). Default: the policy's.",
)
@click.option(
    "--verified-share", metavar="SHARE", help="Of PLAN's SIMs, so many must be verified. Default: the policy's."
)
@click.option("--waves", metavar="N,N", help="SIMs in the first waves (10,100); the rest follows. Default: the plan's.")
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Also write it as JSON Lines.")
@global_options
@click.pass_obj
def plan(shared: Globals, /, **options: Any) -> int:
    """Say which old SIMs of PLAN can be switched off, and why.

    Also says which stay on. Sends no write. PLAN is an id or a plan file; default the newest.

    A SIM qualifies when a fresh read finds every planned value and its new link is live and has had a data session
    lately, since it was claimed, in no other unit than the old one, and the old SIM is silent since. `cutover apply`
    switches off nothing else.
    """
    return finish("cutover plan", shared, lambda: _plan(shared, **options))


def _plan(
    shared: Globals,
    *,
    plan_id: str | None,
    waves: str | None,
    out: Path | None,
    **asked: Any,
) -> Outcome:

    counts = wave_counts(waves)
    if out is not None:
        check_destination(shared, out)
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with ExitStack() as stack:
        store = stack.enter_context(wiring.open_store(shared.state or chosen.state))
        migration = store.plans.header(plan_or_file(store, plan_id))
        demand = _demand(shared, cutover_policy(store, migration.plan_id), **asked)
        progress = stack.enter_context(watching(shared))
        header = plan_cutover(Site(store, chosen, progress), migration, demand, waves=counts)
        return planned(cutover_shown(store, header, sims=SHOWN), out)


def _demand(  # one argument per option
    shared: Globals,
    policy: CutoverPolicy,
    *,
    require: str | None,
    rest: str | None,
    verified_share: str | None,
    accept_silent_units: bool,
    accept_other_units: bool,
    old_sim: str | None,
    alive_within: str | None,
) -> Demand:
    """Return what a new SIM must have shown.

    The options come first, else the policy of the migration.
    """
    demand = Demand(
        Require(require or policy.require.value),
        rest_s(rest, policy.rest_s),
        SystemClock().now().timestamp(),
        share_of(verified_share, policy.verified_share),
        accepts_other_units=accept_other_units or policy.other_units is OtherUnits.ACCEPT,
        wants_observed=policy.pairs is PairProof.OBSERVED,
        old_sim=OldSim(old_sim or policy.old_sim),
        alive_within_s=alive_within_s(alive_within, policy.alive_within_s),
    )
    _accept_silence(shared, demand.require, is_accepted=accept_silent_units)
    return demand


def _accept_silence(shared: Globals, require: Require, *, is_accepted: bool) -> None:
    """Ask for the consent to a weaker demand.

    Raises: InputError, without the consent.
    """
    if require is Require.TRAFFIC or is_accepted:
        return
    words = (
        "a right record (require verified) shows that the new SIM is set up, not that it is in the unit: units whose "
        "SIM was not swapped fall silent, and need a visit"
    )
    if not (can_ask(shared) and click.confirm(f"{words}. Accept that?", err=True)):
        raise InputError(words, code="silent_units", hint=f"add {SILENT} to accept that, or --require traffic")


@click.command("apply", epilog=f"Exit codes: {APPLY_CODES}")
@apply_options(Direction.CUTOVER)
@global_options
@click.pass_obj
def apply(shared: Globals, /, **options: Any) -> int:
    """Carry out the cutover plan ID, or go on with it.

    Default: the newest, if you were shown no other since.

    Each SIM is read first at its carrier, and its new SIM at Hologram right before the order; then it is disabled with
    label and IMEI lock as they are, and proved by reading. The same command resumes after any interruption.
    """
    return finish("cutover apply", shared, lambda: applied(shared, options_given(Direction.CUTOVER, **options)))


@click.command("show", epilog="Exit codes: 0 done, 2 no such plan.")
@click.argument("cutover_id", metavar="[ID]", required=False)
@click.option("--sims", default=SHOWN, show_default=True, type=click.IntRange(0), help="How many SIMs to list.")
@click.option(
    "--action",
    type=click.Choice([action.value for action in CutoverAction], case_sensitive=False),
    help="Only SIMs with this action.",
)
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Also write it as JSON Lines.")
@global_options
@click.pass_obj
def show(shared: Globals, /, *, cutover_id: str | None, sims: int, action: str | None, out: Path | None) -> int:
    """Show a cutover or rollback plan, by default the newest.

    Shows what the plan does, why, how far it is, and what two SIMs a unit cost now.
    """
    return finish("cutover show", shared, lambda: _show(shared, cutover_id, sims, action, out))


def _show(shared: Globals, cutover_id: str | None, sims: int, action: str | None, out: Path | None) -> Outcome:

    if out is not None:
        check_destination(shared, out)
    with wiring.store_of(shared.state, shared.config) as store:
        header = store.cutovers.header(cutover_id_of(store, cutover_id, None))
        outcome = planned(cutover_shown(store, header, sims=sims, action=action), out, next_step=False)
        now = wiring.SystemClock().now().timestamp()
        standing = cutover_standing(store, header, sims=sims, now=now)
    steps = [(kind.value, state.value, code, count) for (kind, state, code), count in sorted(standing.steps.items())]
    attention = [
        (item.row.source_iccid.digits, step.kind.value, step.code, step.message) for item, step in standing.attention
    ]
    data = {
        **outcome.data,
        "state": standing.state,
        "steps": [{"step": kind, "state": state, "code": code, "sims": count} for kind, state, code, count in steps],
        "double_billing_now": standing.double_billing,
        "attention": [dict(zip(ATTENTION, row, strict=True)) for row in attention],
    }
    text = [*outcome.text, f"It is {standing.state}."]
    if steps:
        text.append(table("Steps", ("step", "state", "code", "SIMs"), steps))
    if attention:
        text.append(table("What needs attention", ATTENTION, attention))
    text.append(_billing("What two SIMs a unit cost now", standing.double_billing, header))
    return Outcome(data, text, is_on_stdout=outcome.is_on_stdout)


ATTENTION = ("source_iccid", "step", "code", "message")


def planned(shown: CutoverShown, out: Path | None, *, next_step: bool = True) -> Outcome:
    """Return a plan for a person and as JSON.

    The plan is also written to `out`, if that is given.
    """
    header = shown.header
    if out is not None:
        written(out, shown.lines)
    data = {
        "switch_id": header.cutover_id,
        "direction": header.direction.value,
        "plan_id": header.plan_id,
        "count": header.count,
        "counts": header.counts,
        "waves": list(header.waves),
        "require": None if header.require is None else header.require.value,
        "fingerprint": header.fingerprint,
        **header.summary,
        "sims": [row_document(row) for row in shown.rows],
    }
    return Outcome(data, _told(header, shown.rows, next_step=next_step), is_on_stdout=is_stdout(out))


def _told(header: CutoverHeader, rows: Sequence[CutoverRow], *, next_step: bool) -> list[Any]:

    what = "switch off" if header.direction is Direction.CUTOVER else "switch on again"
    name, source = header.direction.value.capitalize(), header.summary.get("source", ONENCE)
    text: list[Any] = [
        f"{name} plan {header.cutover_id} for plan {header.plan_id}: {header.count} SIMs to {what} at {source}.",
        table("What happens", ("action", "SIMs"), list(header.counts.items())),
        table("Why", ("reason", "SIMs"), list(header.summary["reasons"].items())),
    ]
    if "units" in header.summary:
        text.append(table("The unit of the new SIM", ("", "SIMs"), list(header.summary["units"].items())))
    if "old_sims" in header.summary:
        text.append(
            table("The old SIM, since the new one lived", ("", "SIMs"), list(header.summary["old_sims"].items()))
        )
    if rows:
        cells = [(r.source_iccid, r.target_iccid, r.action, r.reason, r.wave, r.detail or r.proof) for r in rows]
        text.append(table("SIMs", ("source", "target", "action", "reason", "wave", "detail"), cells))
    if next_step:
        taken_at = moment(header.summary["inventory_taken_at"]) or "never"
        again = "what the next file shows counts then" if header.is_by_hand else "`apply` reads each one again first"
        text.append(f"The old SIMs are told as of the inventory of {taken_at}; {again}.")
        text += _calls_words(header.summary.get("calls"), source)
        text.append(_billing("What two SIMs a unit cost", header.summary["double_billing"], header))
        text += [f"Mind: {reminder}." for reminder in header.summary["reminders"]]
        command = header.command
        if header.count and header.is_by_hand:
            text.append(f"Next: `{command} --confirm {header.count}`.")
        elif header.count:
            text.append(f"Next: `{command} --dry-run`, then `{command} --confirm {header.count}`.")
        else:
            text.append("There is nothing to switch.")
    return text


def _calls_words(calls: Mapping[str, Any] | None, source: str) -> list[str]:
    """Say how many requests go to the source, and for how long.

    Nothing is said of plans that an older version made, nor where there is nothing to do.
    """
    if not calls or not calls["requests"]:
        return []
    needed = f"{grouped(calls['requests'])} requests at least, and {calls['hours']:g} hours"
    return [f"At {source} that is {needed} at {calls['max_rps']:g} a second."]


def _billing(title: str, told: Mapping[str, Any], header: CutoverHeader) -> Any:
    is_1nce = header.summary.get("source", ONENCE) == ONENCE  # nobody tells what is left behind elsewhere
    names = (
        ("claimed", "new SIMs claimed at Hologram"),
        ("not_seen_in_a_unit", "... of them not seen in a unit yet"),
        ("not_seen_in_a_unit_per_day", "Hologram charges a day for those"),
        ("on_both_sides", "SIMs on at both carriers"),
        ("hologram_per_day", "Hologram charges a day for those"),
        ("left_behind_mb", "MB left behind at 1NCE"),
        ("left_behind_mb_read_of_sims", "... where the volume was read, SIMs"),
        ("left_behind_days", "days of lifetime left behind"),
        ("left_behind_days_read_of_sims", "... where the lifetime was read, SIMs"),
    )
    unread = "unknown: `migrator inventory pull --quotas` reads it"
    unknown = {"left_behind_mb": unread, "left_behind_days": unread}
    known = {name: value for name, value in told.items() if value is not None}  # an older plan told less
    meant = [(name, words) for name, words in names if is_1nce or not name.startswith("left_behind")]
    rows = [(words, known.get(name, unknown.get(name, "unknown"))) for name, words in meant]
    return table(title, ("", "amount"), rows)
