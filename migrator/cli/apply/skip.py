"""`skip`: leave SIMs behind."""

from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.apply.choosing import Asked, intervention, selection_options, told
from migrator.core.run.control import Selection
from migrator.store import Store
from migrator.store.journal.retry_skip import Intervened

__all__ = ["skip"]


@click.command("skip", epilog="Exit codes: 0 done, 2 input, 9 another run holds the store.")
@selection_options
@global_options
@click.pass_obj
def skip(shared: Globals, /, **options: Any) -> int:
    """Skip SIMs of PLAN: nothing more is sent for them.

    PLAN is by default the newest. No gate waits for these SIMs. What is done for them stays done, so a claimed SIM goes
    on to be billed. A skip cannot be taken back under this plan; a new plan has the SIMs again. Verified SIMs are left
    as they are.
    """
    return finish("skip", shared, lambda: _skip(shared, Asked(**options)))


def _skip(shared: Globals, asked: Asked) -> Outcome:
    def act(store: Store, plan_id: str, chosen: Selection, now: float) -> Intervened:
        return store.interventions.skip(plan_id, chosen, now=now, dry_run=asked.dry_run)

    plan_id, came = intervention(shared, asked, act)
    words = "would be set aside" if asked.dry_run else "are set aside"
    return told(plan_id, asked, came, words, next_step=f"`migrator apply {plan_id}` goes on without them")
