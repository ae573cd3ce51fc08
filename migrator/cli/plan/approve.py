"""`plan approve`: note that somebody approved a plan.

`apply` counts the approvals.
"""

from collections.abc import Mapping
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.asking import can_ask
from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.app.refs import ref_option
from migrator.cli.app.stale import say_at_once, with_warnings
from migrator.core.fleet.units import n_sims
from migrator.core.plan.approvals import Approval, approvers
from migrator.core.plan.plan import PlanHeader
from migrator.core.plan.refs import ref_of
from migrator.errors import InputError, NotConfirmed
from migrator.inputs.policy.file import stored_policy
from migrator.reports.model import moment
from migrator.store import Store
from migrator.workflows.lookups.looks import shown_plan
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.plans.refusals import must_be_whole, must_know_users, refuse_stale
from migrator.workflows.site import named_person

__all__ = ["approval_values", "approve"]

LONGEST_NOTE = 1000


@click.command(
    "approve",
    epilog="Exit codes: 0 done, 2 no such plan, wrong count or used up, 5 the plan is stale, or of another store.",
)
@click.argument("plan", required=False)
@click.option("--as", "name", metavar="NAME", help="Who approves [the login name, at this host].")
@click.option("--note", default="", help="Words to keep with it.")
@ref_option
@click.option("--confirm", type=int, metavar="COUNT", help="How many SIMs the plan will claim: `plan show` says it.")
@global_options
@click.pass_obj
def approve(
    shared: Globals, /, *, plan: str | None, name: str | None, confirm: int | None, note: str, ref: str | None
) -> int:
    """Note that somebody approved PLAN, with the hash of its changes.

    PLAN is an id or a plan file; default the newest.

    A policy with `[approvals] required = N` has `apply` wait, with exit 6, until N different people approved these very
    changes. The same person counts once. Names are not proven: keep the store where only your team can write; with
    `database_users = true`, as many users of PostgreSQL are asked for.
    """
    return finish("plan approve", shared, lambda: _approve(shared, plan, name, confirm, note=note, ref=ref))


def _approve(
    shared: Globals, plan: str | None, name: str | None, confirm: int | None, *, note: str, ref: str | None
) -> Outcome:

    ref = ref_of(ref)
    who = named_person(name, option="--as")
    if len(note) > LONGEST_NOTE:
        raise InputError(f"the note has {len(note)} characters, at most {LONGEST_NOTE} are kept", code="note")
    with wiring.store_of(shared.state, shared.config) as store:
        header, warnings = _approvable(shared, store, plan)
        _confirmed(shared, header, confirm)
        must_know_users(store, stored_policy(store.plans.policy_text(header.plan_id), name=header.plan_id))
        digest, before = header.fingerprints.changes, approval_values(store, header)
        now = wiring.SystemClock().now().timestamp()
        store.approvals.add(header.plan_id, Approval(who, now, digest, note, ref))
        values = approval_values(store, header)
        is_known = len(values["approvers"]) == len(before["approvers"])
        shown_plan(store, header.plan_id)
    counted = f"{len(values['approvers'])} of {values['required']} needed" if values["required"] else "none is needed"
    again = f"{_same(who, values)} had approved it before, and counts once. " if is_known else ""
    text = (f"{who} approves plan {header.plan_id}, {n_sims(header.claims)} to claim. {again}Approvals: {counted}.",)
    outcome = Outcome({"plan_id": header.plan_id, "claims": header.claims, "approvals": values}, text)
    return with_warnings(shared, outcome, warnings)


def _same(who: str, values: Mapping[str, Any]) -> str:
    """Return who counts once."""
    if not values["database_users"]:
        return who
    return f"{who}, or this user of the database ({values['given'][-1]['database_user']}),"


def _approvable(shared: Globals, store: Store, given: str | None) -> tuple[PlanHeader, list[str]]:
    """Return the plan that is to be approved, and warnings.

    The plan is as the store holds it, and as fresh as when it was made.

    Raises: InputError, if there is none, a used one or an edited file; StalePlan, also if it was changed in the store.
    """
    header = store.plans.header(plan_or_file(store, given))
    if store.plans.state(header.plan_id) == "finished":
        hint = "a plan is used once: make a new one with `migrator plan create`"
        raise InputError(f"plan {header.plan_id} is used up: there is nothing to approve", code="plan_used", hint=hint)
    say_at_once(shared, warnings := refuse_stale(store, header, "make a new plan, and approve that"))
    must_be_whole(store, header)
    return header, warnings


def _confirmed(shared: Globals, header: PlanHeader, given: int | None) -> None:
    """Ask the approver for the number of claims.

    Raises: InputError, if the number is wrong, or nobody can be asked.
    """
    if not header.claims:
        return
    if given is None:
        if not can_ask(shared):
            raise NotConfirmed(
                f"plan {header.plan_id} claims {n_sims(header.claims)}, which bills at once and cannot be undone",
                hint=f"look at `migrator plan show {header.plan_id}`, then add --confirm {header.claims}",
            )
        given = click.prompt("Type the number of SIMs that the plan claims", type=int, err=True)
    if given != header.claims:
        raise NotConfirmed(
            f"the plan claims {n_sims(header.claims)}, not {given}; nothing was approved",
            hint="confirm the number that `migrator plan show` prints",
        )


def approval_values(store: Store, header: PlanHeader) -> dict[str, Any]:
    """Return the approvals of a plan as JSON values.

    These are the number of people needed, the people who approved, and every approval.
    """
    given = store.approvals.of(header.plan_id)
    users = store.plans.policy_json(header.plan_id).get("database_users") is True
    return {
        "required": header.summary.get("approvals_required", 0),
        "database_users": users,
        "approvers": list(approvers(given, header.fingerprints.changes, database_users=users)),
        "given": [
            {
                "approved_by": one.approved_by,
                "approved_at": moment(one.approved_at),
                "changes_sha256": one.changes_sha256,
                "note": one.note,
                "ref": one.ref,
                "database_user": one.db_user,
            }
            for one in given
        ],
    }
