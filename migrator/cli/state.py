"""`state`: the store itself."""

import click

from migrator.cli.common import Globals, Outcome, finish, global_options, table

__all__ = ["info", "upgrade"]


@click.command("info", epilog="Exit codes: 0 done, 2 there is no store.")
@global_options
@click.pass_obj
def info(shared: Globals, /) -> int:
    """Where the store is, which schema it has, and what it holds. An older schema is brought up to date first."""
    return finish("state info", shared, lambda: _info(shared))


def _info(shared: Globals) -> Outcome:
    from migrator import bootstrap
    from migrator.bootstrap.switched import switch_line, switches_of
    from migrator.reports.model import moment

    with bootstrap.store_of(shared.state, shared.config) as store:
        data = store.info()
        plans = store.plans.list()
        lines = [switch_line(one) for plan in plans for one in switches_of(store, plan["plan_id"])]
    data["created_at"] = moment(data["created_at"])
    data |= {f"{name} rows": count for name, count in data.pop("counts").items()}
    return Outcome(data, (table("State store", ("", ""), [(k.replace("_", " "), v) for k, v in data.items()]), *lines))


@click.command("upgrade", epilog="Exit codes: 0 done, 1 the store cannot be upgraded, 2 there is no store.")
@global_options
@click.pass_obj
def upgrade(shared: Globals, /) -> int:
    """Bring the store's schema up to date; a backup is written beside it first."""
    return finish("state upgrade", shared, lambda: _info(shared))
