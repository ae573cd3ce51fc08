"""`fleet report`: a page over all accounts."""

from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.fleet.tables import accounts_table
from migrator.errors import InputError, Problem
from migrator.reports.accounts.values import overview_values
from migrator.reports.accounts.writers import FORMATS, write_accounts_report
from migrator.wiring.fleet.bound import register_place
from migrator.workflows.fleet.report import own_reports, read_all

__all__ = ["report"]


@click.command("report", epilog="Exit codes: 0 written, 1 another schema, 2 input or unwritable place, 7 out of reach.")
@click.option("--format", "formats", default=",".join(FORMATS), show_default=True, help="Some of html, json, csv.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/accounts"), help="The folder.")
@click.option("--each", is_flag=True, help="Write each account's own reconciliation, too, into a folder of its name.")
@global_options
@click.pass_obj
def report(shared: Globals, /, *, formats: str, out: Path, each: bool) -> int:
    """Write a page over all accounts: a line each, one total.

    It links each account's own page, where the folder of its name has one: --each writes the reconciliation of its
    newest plan there. Reads the stores only.
    """
    return finish("fleet report", shared, lambda: _report(shared, formats, out, is_each=each))


def _report(shared: Globals, formats: str, out: Path, *, is_each: bool) -> Outcome:
    wanted = list(dict.fromkeys(word.strip().lower() for word in formats.split(",") if word.strip()))
    if not wanted or set(wanted) - set(FORMATS):
        raise InputError(f"--format {formats!r}: choose some of {', '.join(FORMATS)}", code="bad_format")
    place = register_place(shared.config)
    found = read_all(place)
    left_out = own_reports(place, found, out) if is_each else {}
    files = write_accounts_report(found, out, wanted)
    text: list[Any] = [accounts_table(found), *(f"wrote {path}" for path in files)]
    data = overview_values(found) | {"files": [str(path) for path in files]}
    problems = [Problem("warning", f"no report of account {name}: {words}") for name, words in left_out.items()]
    return Outcome(data, text, problems=problems)
