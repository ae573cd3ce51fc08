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
from migrator.core.plan.plan import PlanHeader
from migrator.core.plan.refs import ref_of
from migrator.errors import InputError, NotConfirmed
from migrator.workflows.plans.approve import approvable, approve_plan
from migrator.workflows.site import named_person

__all__ = ["approve"]

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
        header, warnings = approvable(store, plan, lambda words: say_at_once(shared, words))
        _confirmed(shared, header, confirm)
        values, is_known = approve_plan(store, header, who, note=note, ref=ref)
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
