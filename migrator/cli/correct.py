"""`pair correct`: the new SIM that is really in a unit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, unused_columns, warned
from migrator.core.fleet.units import counted
from migrator.errors import Problem
from migrator.inputs.pairing.corrections import CORRECTION_TITLES
from migrator.inputs.pairing.list_columns import parse_choices
from migrator.workflows.field.correct import CorrectedPairs, correct_pairs
from migrator.workflows.site import open_site

__all__ = ["correct"]

SHOWN = 10
NEXT = "Next: `migrator plan create --policy FILE`: these cards get the names and limits of their units, and no claim."
NEXT_OF_CAMPAIGN = "Next: the next `migrator campaign run` gives these cards the names and limits of their units."


@click.command(
    "correct",
    epilog="Exit codes: 0 done, 2 problems, an open cutover or order (nothing changed), 9 a run is at work.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--column",
    "columns",
    metavar="FIELD=TITLE",
    multiple=True,
    help="Which column holds source_iccid, target_iccid, evidence, reason or by.",
)
@click.option("--by", metavar="NAME", help="Who answers for it [the login name, at this host].")
@click.option("--reason", metavar="TEXT", default="", help="Why, for lines that do not say it.")
@global_options
@click.pass_obj
def correct(shared: Globals, /, *, file: Path, columns: Sequence[str], by: str | None, reason: str) -> int:
    """Give old SIMs the new SIMs that are really in their units.

    FILE is CSV with source_iccid, target_iccid and evidence: one line, a swap of two, or a ring; all or nothing.

    A claim stays booked to its card, and no card is claimed twice. Plans that were begun leave these SIMs alone from
    then on. FILE may be what `pair discover --out` wrote: only its lines that evidence settles are taken.
    """
    return finish("pair correct", shared, lambda: _correct(shared, file, columns, by, reason))


def _correct(shared: Globals, file: Path, columns: Sequence[str], by: str | None, reason: str) -> Outcome:
    chosen = parse_choices(columns, tuple(CORRECTION_TITLES))
    with open_site(shared.state, config=shared.config, warn=warned) as site:
        found = correct_pairs(site, file, by=by, reason=" ".join(reason.split()), columns=chosen)
        return _corrected(found, NEXT if site.store.campaigns.open() is None else NEXT_OF_CAMPAIGN)


def _corrected(found: CorrectedPairs, way_on: str) -> Outcome:
    kept = found.corrected
    changes = [
        {
            "source": str(one.source),
            "version": one.version,
            "was": None if one.was is None else str(one.was),
            "is": None if one.now is None else str(one.now),
            "evidence": one.evidence,
            "reason": one.reason,
            "by": one.by,
            "from": one.origin,
        }
        for one in kept.versions
    ]
    data: dict[str, Any] = {
        "corrected": len(changes),
        "unchanged": kept.unchanged + found.known,
        "passed_over": found.passed_over,
        "left_without": [str(one) for one in kept.left_without],
        "cards_without_unit": [str(one) for one in kept.without_unit],
        "set_aside": kept.set_aside,
        "plans": list(kept.plans),
        "changes": changes,
        "unused_columns": list(found.unused_columns),
    }
    text: list[Any] = [f"{counted(len(changes), 'pair')} corrected, {data['unchanged']} unchanged."]
    if changes:
        rows = [(one["source"], one["was"] or "none", one["is"] or "none", one["by"]) for one in changes[:SHOWN]]
        more = f" (the first {SHOWN}; --json lists all)" if len(changes) > SHOWN else ""
        text.append(table(f"Corrected{more}", ("old SIM", "new SIM before", "new SIM now", "by"), rows))
    if found.passed_over:
        text.append(f"Lines passed over, as their evidence settles nothing: {found.passed_over}.")
    if kept.plans:
        text.append(f"Left alone from now on by {', '.join(kept.plans)}: {counted(kept.set_aside, 'SIM')}.")
    return Outcome(data, (*text, way_on), problems=tuple(_warnings(found)))


def _warnings(found: CorrectedPairs) -> list[Problem]:
    kept, warnings = found.corrected, list[Problem]()
    for sims, words, hint in (
        (
            kept.left_without,
            "old SIMs without a new SIM now, as theirs is another's",
            "give them one with `pair import`, or correct them, too",
        ),
        (
            kept.without_unit,
            "cards that are paid for and in no pair now",
            "they are billed every period: put them into a unit, or have them deactivated at Hologram",
        ),
    ):
        if sims:
            named = ", ".join(map(str, sims[:SHOWN])) + (", ..." if len(sims) > SHOWN else "")
            warnings.append(Problem("warning", f"{words}: {len(sims)} ({named})", hint))
    warnings += unused_columns(found.unused_columns)
    return warnings
