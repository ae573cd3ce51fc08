"""`plan`: make, review, export."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, printable, table
from migrator.cli.app.files import check_destination, is_stdout, written
from migrator.cli.app.progress import watching
from migrator.cli.plan.tables import caps_table, summary_tables
from migrator.core.fleet.units import n_sims
from migrator.core.plan.document import change_document, fingerprints_document
from migrator.core.plan.names import shown as shown_name
from migrator.core.plan.plan import Action, Change, PlanHeader
from migrator.errors import Problem
from migrator.inputs.policy.file import read_policy
from migrator.reports.model import moment
from migrator.workflows.lookups.looks import shown_plan
from migrator.workflows.lookups.plans import plan_id_of, plan_lines, plan_or_file
from migrator.workflows.plans.approve import approval_values
from migrator.workflows.plans.plan import plan_with, selection_of
from migrator.workflows.site import Site

__all__ = ["create", "export", "list_plans", "show"]

SHOWN = 20
LONGEST_NAME = 40
MONEY = ("charged_now", "per_period_at_least", "per_period_at_most", "price_per_sim", "balance")
CREATE_HELP = """\
Make a plan from inventory, pairs and policy, and what Hologram shows of the new SIMs. Sends no write.

--where picks the SIMs that the plan acts on; the others stand in it as SKIP (not_selected), and what becomes of
them does not make it stale.

\b
  status == "enabled" and label like "pump-*" and not data_quota_mb > 500
  FIELDS  iccid target_iccid status label imsi msisdn imei imei_lock
          ip_address activated_at expires_at data_quota_mb
          data_remaining_mb sms_quota sms_remaining paired
          status_before switched_off_by_us
          unit site ticket scanned_at scanned_by
  TESTS   == != < <= > >=    field in ("a", "b")    field not in (...)
          field like "a*?[0-9]"    field not like "..."
          field is none    field is not none    paired    imei_lock
  WORDS   and, or, not, ( ); "text" or 'text', 12.5, true, false

`not` binds closest, then `and`, then `or`. Numbers are exact decimals. A missing value equals nothing and is
neither smaller nor larger than anything. ICCIDs are equal with and without check digit. `status` is enabled,
disabled, expired or unknown; a SIM that a cutover of yours switched off counts as what it was before
(`status_before`, which other SIMs do not have). Dates and other texts compare character by character.
"""
BAD_INPUT = "2 settings, policy, pairs or an unknown data plan"


@click.command(
    "create",
    help=CREATE_HELP,
    epilog=f"Exit codes: 0 done (blocked SIMs are counted), {BAD_INPUT}, 4 refused, 6 unclear price, 7 resumable.",
)
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), required=True, help="The policy, a TOML file."
)
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Also write the plan as JSON Lines.")
@click.option("--where", metavar="EXPR", help="Act only on SIMs for which this holds; see above.")
@click.option("--include-rolled-back", is_flag=True, help="Also act on SIMs that a rollback took to their old SIM.")
@global_options
@click.pass_obj
def create(
    shared: Globals, /, *, policy_file: Path, out: Path | None, where: str | None, include_rolled_back: bool
) -> int:
    """Make a plan; see `CREATE_HELP`."""
    made = partial(_create, shared, policy_file, out, where, takes_rolled_back=include_rolled_back)
    return finish("plan create", shared, made)


def _create(
    shared: Globals, policy_file: Path, out: Path | None, where: str | None, *, takes_rolled_back: bool
) -> Outcome:

    loaded = read_policy(policy_file)
    selection = selection_of(where)
    if out is not None:
        check_destination(shared, out)
    chosen = wiring.settings(shared.config)
    chosen.hologram()

    with wiring.open_store(shared.state or chosen.state) as store, watching(shared) as progress:
        site = Site(store, chosen, progress)
        header = plan_with(site, loaded, selection, takes_rolled_back=takes_rolled_back)
        if out is not None:
            written(out, plan_lines(store, header.plan_id))
        shown_plan(store, header.plan_id)
    shown = _shown(header, [], next_step=True)
    risky = [Problem("warning", words) for words in chosen.warnings]
    return replace(shown, problems=[*risky, *shown.problems], is_on_stdout=is_stdout(out))


def _shown(header: PlanHeader, changes: Iterable[Change], *, next_step: bool = False) -> Outcome:
    """Return a plan for a person and as JSON."""
    summary = header.summary
    data = {
        "plan_id": header.plan_id,
        "claims": header.claims,
        "counts": header.counts,
        "org_id": header.org_id,
        "fingerprints": fingerprints_document(header.fingerprints),
        **summary,
    }
    money = [
        (key.replace("_", " "), "unknown" if summary["money"][key] is None else summary["money"][key]) for key in MONEY
    ]
    rows = [(c.source_iccid, c.target_iccid, c.action, c.reason, c.wave, _short(c.name), c.detail) for c in changes]
    text: list[Any] = [
        f"Plan {header.plan_id}: {n_sims(header.claims)} to claim at organization {header.org_id}.",
        *([f"Only SIMs where {printable(summary['where'])}"] if summary.get("where") else []),
        table("What happens", ("action", "SIMs"), list(header.counts.items())),
        table("Why", ("reason", "SIMs"), list(summary["reasons"].items())),
        *summary_tables(summary),
        table("Money", ("", "amount"), money),
        *([caps_table(summary["caps"])] if "caps" in summary else []),
        f"At {summary['max_rps']:g} requests a second, that is {summary['minutes']} minutes at least.",
    ]
    if rows:
        text.append(table("SIMs", ("source", "target", "action", "reason", "wave", "name", "detail"), rows))
    if next_step:
        needed = summary.get("approvals_required", 0)
        approve = f"{needed} times `migrator plan approve {header.plan_id}` by different people, " if needed else ""
        text.append(
            f"Next: `migrator plan show {header.plan_id}`, `migrator apply {header.plan_id} --dry-run`, {approve}then "
            f"`migrator apply {header.plan_id} --confirm {header.claims}`."
        )
    return Outcome(data, text, problems=[Problem("warning", words) for words in summary["warnings"]])


def _short(name: object) -> str:
    """Return a name cut to the width of a table's cell.

    `plan export` has the whole name.
    """
    text = "" if name is None else shown_name(str(name))
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


@click.command("list", epilog="Exit codes: 0 done.")
@global_options
@click.pass_obj
def list_plans(shared: Globals, /) -> int:
    """List the plans of this store, newest first."""
    return finish("plan list", shared, lambda: _list(shared))


def _list(shared: Globals) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        plans = [
            {
                **plan,
                "created_at": moment(plan["created_at"]),
                "approvals": approval_values(store, store.plans.header(plan["plan_id"])),
            }
            for plan in store.plans.list()
        ]
    rows = [
        (plan["plan_id"], plan["state"], plan["claims"], plan["created_at"], _approved(plan["approvals"]))
        for plan in plans
    ]
    return Outcome({"plans": plans}, (table("Plans", ("plan", "state", "claims", "created", "approvals"), rows),))


def _approved(approvals: Mapping[str, Any]) -> str:
    """Return the number of approvals, such as "1 of 2".

    The text is empty where nobody asked and nobody approved.
    """
    given, required = len(approvals["approvers"]), approvals["required"]
    return f"{given} of {required}" if given or required else ""


@click.command("show", epilog="Exit codes: 0 done, 2 no such plan, or an edited file, 5 a file of another store.")
@click.argument("plan", required=False)
@click.option("--sims", default=SHOWN, show_default=True, type=click.IntRange(0), help="How many SIMs to list.")
@click.option(
    "--action",
    type=click.Choice([action.value for action in Action], case_sensitive=False),
    help="Only SIMs with this action.",
)
@global_options
@click.pass_obj
def show(shared: Globals, /, *, plan: str | None, sims: int, action: str | None) -> int:
    """Show PLAN: counts, money, calls, warnings, and its first SIMs.

    PLAN is an id or a plan file; default the newest.
    """
    return finish("plan show", shared, lambda: _show(shared, plan, sims, action))


def _show(shared: Globals, plan: str | None, sims: int, action: str | None) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        plan_id = plan_or_file(store, plan)
        chosen = (c for c in store.plans.changes(plan_id) if action is None or c.action.value == action)
        changes = list(islice(chosen, sims))
        header = store.plans.header(plan_id)
        outcome = _shown(header, changes)
        state = store.plans.state(plan_id)
        approvals = approval_values(store, header)
        shown_plan(store, plan_id)
    listed = [change_document(change) for change in changes]
    data = {**outcome.data, "state": state, "approvals": approvals, "sims": listed}
    return Outcome(data, [*outcome.text, *_approvals(approvals)], problems=outcome.problems)


def _approvals(approvals: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the table of the approvals of a plan.

    Yields nothing where nobody asked and nobody approved.
    """
    if words := _approved(approvals):
        rows = [(one["approved_by"], one["approved_at"], one["note"]) for one in approvals["given"]]
        yield table(f"Approvals: {words} needed", ("who", "when", "note"), rows)


@click.command("export", epilog="Exit codes: 0 done, 2 no such plan or unwritable file.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--plan", help="Which plan; default the newest.")
@global_options
@click.pass_obj
def export(shared: Globals, /, *, file: Path, plan: str | None) -> int:
    """Write a plan to FILE as JSON Lines; `-` is stdout.

    The first line is a header; then there is a line per SIM.
    """
    return finish("plan export", shared, lambda: _export(shared, file, plan))


def _export(shared: Globals, file: Path, plan: str | None) -> Outcome:

    check_destination(shared, file)
    with wiring.store_of(shared.state, shared.config) as store:
        plan_id = plan_id_of(store, plan)
        lines = written(file, plan_lines(store, plan_id))
    data: Mapping[str, Any] = {"plan_id": plan_id, "file": str(file), "sims": lines - 1}
    text = (f"Plan {plan_id}: {n_sims(lines - 1)} written to {file}.",)
    return Outcome(data, text, is_on_stdout=is_stdout(file))
