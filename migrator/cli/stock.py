"""`stock`: cards that are claimed before anybody knows their unit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import (
    Globals,
    Outcome,
    finish,
    global_options,
    new_sims_file,
    table,
    unused_columns,
    warned,
)
from migrator.cli.app.files import refuse_unwritable
from migrator.cli.app.problem_log import all_told
from migrator.cli.app.progress import watching
from migrator.cli.apply.apply import outcome_of
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.inputs.pairing.list_columns import POOL_TITLES, parse_choices
from migrator.workflows.field.stock import claim_stock, import_stock, stock_cards, stock_counts
from migrator.workflows.site import open_site

__all__ = ["claim", "import_file", "show"]

SHOWN = 20
WORDS = {
    "free": "not claimed, in no pair",
    "uncertain": "a claim was sent, its outcome is unknown",
    "claimed": "claimed, in no pair: each costs its monthly fee",
    "paired": "in a pair",
    "test_mode": "in Test Mode",
    "refused": "a claim was refused",
    "unusable": "another organization's, or deactivated",
}


@click.command("import", epilog="Exit codes: 0 done, 2 problems in the file (all listed, nothing changed).")
@new_sims_file
@click.option("--problems", metavar="FILE", type=click.Path(path_type=Path), help="Write every problem to FILE.")
@global_options
@click.pass_obj
def import_file(
    shared: Globals, /, *, file: Path, range_mode: Any, columns: Sequence[str], problems: Path | None
) -> int:
    """Take cards of FILE into stock, all or none.

    FILE is as for `pair pool`: an ICCID or a range first-last on each line, or a table. Nothing is claimed by this.
    """
    return finish("stock import", shared, lambda: _import(shared, file, range_mode, columns, problems))


def _import(shared: Globals, file: Path, range_mode: Any, columns: Sequence[str], problems: Path | None) -> Outcome:
    chosen = parse_choices(columns, tuple(POOL_TITLES))
    if problems is not None:
        refuse_unwritable(problems)
    with open_site(shared.state, config=shared.config) as site:
        log = all_told(problems, site.store.beside("stock-problems.txt"))
        taken = import_stock(site, file, range_mode=range_mode, columns=chosen, reading=log)
    warnings = [Problem("warning", f"{entry.origin}: {entry.warning}") for entry in taken.entries if entry.warning]
    warnings += unused_columns(taken.unused_columns)
    data = {
        "added": taken.added,
        "known": len(taken.entries) - taken.added,
        "total": taken.total,
        "paired": taken.paired,
        "unused_columns": list(taken.unused_columns),
    }
    text = f"{counted(taken.added, 'card')} taken in, {data['known']} known already; {taken.total} in all."
    in_pairs = (f"In a pair already: {taken.paired}.",) if taken.paired else ()
    return Outcome(data, (text, *in_pairs, "Next: `migrator stock list`."), problems=warnings)


@click.command("claim", epilog="Exit codes: as of `apply`; 2 too few free cards, 6 past [stock] max_cards.")
@click.option("--policy", "policy_file", required=True, type=click.Path(path_type=Path), help="The policy file (TOML).")
@click.option("--count", required=True, type=click.IntRange(1), help="How many cards to claim.")
@click.option("--confirm", type=int, metavar="NUMBER", help="The same number again: a claim bills at once.")
@global_options
@click.pass_obj
def claim(shared: Globals, /, *, policy_file: Path, count: int, confirm: int | None) -> int:
    """Claim cards of the stock, whose unit nobody knows yet.

    Free cards are taken in the order of their ICCIDs, and get limits, tag and name of [stock]. A pair that names such a
    card later is adopted, and not claimed again. The same command resumes after any interruption.
    """
    return finish("stock claim", shared, lambda: _claim(shared, policy_file, count, confirm))


def _claim(shared: Globals, policy_file: Path, count: int, confirm: int | None) -> Outcome:
    with (
        watching(shared) as progress,
        open_site(shared.state, config=shared.config, progress=progress, warn=warned) as site,
    ):
        result = claim_stock(site, policy_file, count=count, confirm=confirm)
        head = site.store.audit.head()
    outcome = outcome_of(result, head)
    text = [*outcome.text[:-1], "Next: `migrator stock list`."] if result.exit_code is ExitCode.DONE else outcome.text
    return replace(outcome, text=text)


@click.command("list", epilog="Exit codes: 0 done.")
@global_options
@click.pass_obj
def show(shared: Globals, /) -> int:
    """Show the cards in stock, and where each one stands.

    As last read at Hologram. Sends nothing.
    """
    return finish("stock list", shared, lambda: _show(shared))


def _show(shared: Globals) -> Outcome:
    with open_site(shared.state, config=shared.config) as site:
        cards = stock_cards(site)
    counts = stock_counts(cards)
    rows = [
        {
            "iccid": str(card.iccid),
            "state": card.state.value,
            "name": card.name,
            "claimed_at": card.claimed_at,
            "origin": card.origin,
        }
        for card in cards
    ]
    data = {"cards": len(cards), "counts": counts, "rows": rows}
    if not cards:
        return Outcome(data, ("No card is in stock: `migrator stock import FILE`.",))
    title = f"Cards (the first {SHOWN}; --json lists all)" if len(cards) > SHOWN else "Cards"
    shown = [(row["iccid"], row["state"], row["name"] or "", row["claimed_at"] or "") for row in rows[:SHOWN]]
    return Outcome(
        data,
        (
            table(f"{counted(len(cards), 'card')} in stock", ("state", "cards", "means"), _counted(counts)),
            table(title, ("iccid", "state", "name", "claimed at"), shown),
        ),
    )


def _counted(counts: dict[str, int]) -> list[tuple[str, int, str]]:
    return [(state, count, WORDS[state]) for state, count in counts.items()]
