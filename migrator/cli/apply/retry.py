"""`retry`: have failed steps read and tried again."""

from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.apply.choosing import Asked, intervention, selection_options, told
from migrator.core.run.control import Selection
from migrator.store import Store
from migrator.store.journal.retry_skip import Intervened

__all__ = ["retry"]


@click.command("retry", epilog="Exit codes: 0 done, 2 input, 9 another run holds the store.")
@selection_options
@click.option(
    "--never-claimed",
    is_flag=True,
    help="Hologram has said that these SIMs are not claimed, whatever its reply named: claim them again.",
)
@global_options
@click.pass_obj
def retry(shared: Globals, /, never_claimed: bool, **options: Any) -> int:
    """Have failed steps of some SIMs read and tried again.

    PLAN is by default the newest. Nothing is sent now. The next `apply` reads each of these SIMs first: what happened
    after all counts as done, and only what surely did not happen is sent. A finished plan is in use again.
    """
    return finish("retry", shared, lambda: _retry(shared, Asked(**options), never_claimed=never_claimed))


def _retry(shared: Globals, asked: Asked, *, never_claimed: bool) -> Outcome:
    def act(store: Store, plan_id: str, chosen: Selection, now: float) -> Intervened:
        return store.interventions.retry(plan_id, chosen, now=now, never_claimed=never_claimed, dry_run=asked.dry_run)

    plan_id, came = intervention(shared, asked, act)
    words = "would be tried again" if asked.dry_run else "are to be tried again"
    return told(plan_id, asked, came, words, next_step=f"`migrator apply {plan_id}`, which reads before it sends")
