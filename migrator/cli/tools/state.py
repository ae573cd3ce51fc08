"""`state`: the store itself."""

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say, table
from migrator.cli.app.files import refuse_unwritable
from migrator.errors import InputError
from migrator.reports.model import moment
from migrator.workflows.copy_state import copy_state
from migrator.workflows.cutover.status import cutover_line, cutovers_of

__all__ = ["backup", "copy", "info", "upgrade"]


@click.command("info", epilog="Exit codes: 0 done, 2 there is no store.")
@global_options
@click.pass_obj
def info(shared: Globals, /) -> int:
    """Show the place, schema and content of the store.

    An older schema is brought up to date first.
    """
    return finish("state info", shared, lambda: _info(shared))


def _info(shared: Globals, *, upgrade: bool | None = None) -> Outcome:

    with wiring.store_of(shared.state, shared.config, upgrade=upgrade) as store:
        data = store.info()
        plans = store.plans.list()
        lines = [cutover_line(one) for plan in plans for one in cutovers_of(store, plan["plan_id"])]
    data["created_at"] = moment(data["created_at"])
    data |= {f"{name} rows": count for name, count in data.pop("counts").items()}
    return Outcome(data, (table("State store", ("", ""), [(k.replace("_", " "), v) for k, v in data.items()]), *lines))


@click.command("upgrade", epilog="Exit codes: 0 done, 1 the store cannot be upgraded, 2 there is no store.")
@global_options
@click.pass_obj
def upgrade(shared: Globals, /) -> int:
    """Bring the store's schema up to date.

    A backup is written beside a file first. In PostgreSQL, whoever is at work on the account writes nothing more.
    """
    return finish("state upgrade", shared, lambda: _info(shared, upgrade=True))


@click.command(
    "copy",
    epilog="Exit codes: 0 done, 1 the copy failed, 2 there is no store at FROM, TO holds something, or FROM was moved "
    "before, 7 the database is out of reach, 9 a run holds the store.",
)
@click.argument("old", metavar="FROM")
@click.argument("new", metavar="TO")
@global_options
@click.pass_obj
def copy(shared: Globals, /, *, old: str, new: str) -> int:
    """Move the store from a SQLite file into PostgreSQL, or back.

    FROM and TO are addresses as for --state; --account names the account in PostgreSQL. Leave a password to PGPASSWORD
    or ~/.pgpass: others see it among the processes.

    All is copied in one transaction and compared, then FROM is marked as moved: every command refuses it from then on.
    If this is cut short, neither can be worked with; the same command again goes on.
    """
    return finish("state copy", shared, lambda: _copy(shared, old, new))


def _copy(shared: Globals, old: str, new: str) -> Outcome:

    if shared.state is not None:
        raise InputError(
            "--state was given, and FROM is the store", code="state_url", hint="leave --state out of `state copy`"
        )
    moved = copy_state(old, new, wiring.account(), datetime.now(UTC).timestamp(), warn=say)
    data = asdict(moved)
    told = f"{moved.old} was moved to {moved.new}: all rows are equal. Its log had {moved.events:,} events"
    told += f": {moved.head}"
    return Outcome(data, [told, "Work with the new one from now on (--state, MIGRATOR_STATE); the old one is refused."])


@click.command("backup", epilog="Exit codes: 0 done, 1 the copy failed, 2 there is no store, or FILE exists already.")
@click.argument("file", required=False, metavar="[FILE]", type=click.Path(path_type=Path))
@global_options
@click.pass_obj
def backup(shared: Globals, /, *, file: Path | None) -> int:
    """Copy the store into FILE, also while a run is at work.

    Default: beside the store, named after the time.

    FILE is new, readable by its owner only, and checked before it gets its name. A copy that is put back knows nothing
    of what was sent after it was taken: run `verify` before `apply`, which adopts what it finds claimed.
    """
    return finish("state backup", shared, lambda: _backup(shared, file))


def _backup(shared: Globals, file: Path | None) -> Outcome:

    if file is not None and not os.path.lexists(file):  # one that is there is refused for that
        refuse_unwritable(file)
    with wiring.store_of(shared.state, shared.config) as store:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        target = file or store.beside(f"{store.name}.backup-{stamp}")
        head = store.audit.head()
        store.backup(target)
    data = {"path": str(target), "bytes": target.stat().st_size, "of": store.place, "head": head}
    return Outcome(data, [f"{target}: {data['bytes']:,} bytes, checked. Its log holds {head}"])
