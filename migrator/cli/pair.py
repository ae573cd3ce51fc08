"""`pair`: a new SIM for each old SIM."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, new_sims_file, table, unused_columns
from migrator.cli.app.files import check_destination, is_stdout, refuse_unwritable, written
from migrator.cli.app.problem_log import all_told
from migrator.cli.app.progress import watching
from migrator.core.fleet.sims import Pair
from migrator.core.fleet.units import counted, n_sims
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.files import as_csv
from migrator.inputs.pairing.list_columns import FACTS, POOL_TITLES, parse_choices
from migrator.reports.model import moment
from migrator.workflows.check_pairs import PairCheck, check_pairs
from migrator.workflows.deal_pool import Dealt, pair_identity, pair_pool
from migrator.workflows.field.export_pairs import KeptPairs, kept_pairs
from migrator.workflows.site import Site, open_site

__all__ = ["check", "export", "identity", "pool"]

NEXT = "Next: `migrator pair check`, then `migrator plan create --policy FILE`."
SHOWN = 10


@click.command("pool", epilog="Exit codes: 0 done, 2 problems in the file or fewer new SIMs than needed.")
@new_sims_file
@click.option("--partial", is_flag=True, help="Pair as many as the pool allows, instead of refusing.")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    help="Deal none to SIMs that this policy skips for their status.",
)
@click.option("--where", metavar="EXPR", help="Deal only to SIMs for which this holds: as for `plan create`.")
@click.option("--problems", metavar="FILE", type=click.Path(path_type=Path), help="Write every problem to FILE.")
@global_options
@click.pass_obj
def pool(
    shared: Globals,
    /,
    *,
    file: Path,
    range_mode: Any,
    columns: Sequence[str],
    partial: bool,
    policy_file: Path | None,
    where: str | None,
    problems: Path | None,
) -> int:
    """Deal new SIMs from FILE to unpaired source SIMs.

    Both sides are taken in ICCID order. FILE has an ICCID or a range first-last on each line. FILE may be a table, too:
    with a column of ICCIDs, or of first and last ones and the quantity.

    Without --policy or --where, every unpaired SIM gets one, expired ones too.
    """
    due = (policy_file, where)
    return finish(
        "pair pool", shared, lambda: _pool(shared, file, (range_mode, columns), due, problems, partial=partial)
    )


def _pool(
    shared: Globals,
    file: Path,
    reading: tuple[Any, Sequence[str]],
    due: tuple[Path | None, str | None],
    problems: Path | None,
    *,
    partial: bool,
) -> Outcome:
    range_mode, columns = reading
    chosen = parse_choices(columns, tuple(POOL_TITLES))
    if problems is not None:
        refuse_unwritable(problems)
    policy_file, where = due
    with open_site(shared.state, config=shared.config) as site:
        dealt = pair_pool(
            site,
            file,
            range_mode=range_mode,
            columns=chosen,
            policy=policy_file,
            where=where,
            partial=partial,
            reading=all_told(problems, site.store.beside("pool-problems.txt")),
        )
    return _dealt(file, dealt)


def _dealt(file: Path, dealt: Dealt) -> Outcome:
    missing, unused = len(dealt.result.missing), len(dealt.result.unused)
    warnings = [Problem("warning", f"{entry.origin}: {entry.warning}") for entry in dealt.entries if entry.warning]
    warnings += [Problem("warning", words) for words in dealt.unmatched]
    warnings += unused_columns(dealt.unused_columns)
    if dealt.for_expired:
        words = f"of these pairs, {dealt.for_expired} for expired SIMs, which a policy skips unless it says otherwise"
        hint = "`--policy FILE` deals none to SIMs that the policy skips, nor does `--where 'status != \"expired\"'`"
        warnings.append(Problem("warning", words, hint))
    data: dict[str, Any] = {
        "added": dealt.added,
        "unpaired": missing,
        "unused": unused,
        "left_out": dealt.left_out,
        "for_expired": dealt.for_expired,
        "unused_columns": dealt.unused_columns,
    }
    text = (
        f"{counted(dealt.added, 'pair')} made, {counted(missing, 'source SIM')} left without, "
        f"{counted(unused, 'new SIM')} unused."
    )
    spared = (f"{counted(dealt.left_out, 'unpaired source SIM')} left out, as you asked.",) if dealt.left_out else ()
    kept = (f"The unused stand in {file} alone: `pair check` does not count them.",) if unused else ()
    return Outcome(data, (text, *spared, *kept, NEXT), problems=warnings)


@click.command("identity", epilog="Exit codes: 0 done, 2 no inventory.")
@global_options
@click.pass_obj
def identity(shared: Globals, /) -> int:
    """Pair every unpaired SIM with itself.

    Only for the rare case where the ICCIDs stay.
    """
    return finish("pair identity", shared, lambda: _identity(shared))


def _identity(shared: Globals) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        added = pair_identity(store)
    warning = Problem("warning", "an old SIM cannot be claimed at Hologram, unless Hologram took its profile over")
    text = f"{n_sims(added)} paired with {'itself' if added == 1 else 'themselves'}."
    return Outcome({"added": added}, (text, NEXT), problems=(warning,))


@click.command("check", epilog="Exit codes: 0 every SIM is paired, 2 no inventory, 3 a person must look, 4, 7: --live.")
@click.option("--live", is_flag=True, help="Read the targets at Hologram first; sends no write.")
@global_options
@click.pass_obj
def check(shared: Globals, /, *, live: bool) -> int:
    """Show the SIMs that are paired and those that are not.

    Also shows the last read of the new SIMs at Hologram.

    Every source SIM counts once, as paired, unpaired, conflicting (its target cannot be used) or excluded (expired, and
    nobody gave it a target). Unused are target SIMs that we know of and that none of these is paired with.
    """
    return finish("pair check", shared, lambda: _check(shared, live=live))


def _check(shared: Globals, *, live: bool) -> Outcome:

    chosen = wiring.settings(shared.config)
    with wiring.open_store(shared.state or chosen.state) as store, watching(shared) as progress:
        found = check_pairs(Site(store, chosen, progress), live=live)
    return _checked(found, is_live=live)


def _checked(found: PairCheck, *, is_live: bool) -> Outcome:
    counts = found.counts
    data = {
        "inventory": found.inventory,
        **counts,
        "targets": found.targets,
        "pairs_without_source": len(found.orphans),
        "seen": dict(sorted(found.seen.items())),
        "live": is_live,
        "unpaired_iccids": found.unpaired,
        "orphaned_iccids": found.orphans,
        "conflicts": [conflict.as_dict() for conflict in found.conflicts],
    }
    used = counts["paired"] + counts["conflicting"]
    text: list[Any] = [
        table("Pairing", ("", "SIMs"), list(counts.items())),
        f"{counted(found.inventory, 'source SIM')} = {' + '.join(f'{counts[one]} {one}' for one in SOURCE_COUNTS)}.",
        f"{counted(found.targets, 'known target SIM')} = {used} in pairs of these + {counts['unused']} unused.",
    ]
    if found.seen:
        when = "just now" if is_live else "when they were last read (--live reads them now)"
        seen = [(SEEN_WORDS[code], times) for code, times in sorted(found.seen.items())]
        text.append(table(f"What Hologram showed of the targets, {when}", ("", "SIMs"), seen))
    if found.conflicts:
        rows = [(one.source, one.target, one.words) for one in found.conflicts[:SHOWN]]
        more = f" (the first {SHOWN}; --json lists all)" if len(found.conflicts) > SHOWN else ""
        text.append(table(f"Conflicts{more}", ("source", "target", "why"), rows))
    problems = [
        *_problems(found.unpaired, "without a target", "`pair import` or `pair pool`"),
        *_problems(found.orphans, "paired, and not in the inventory any more", "nothing happens to them"),
        *_problems(
            [one.source for one in found.conflicts],
            "with a target that cannot be used",
            "give them another one: `pair import --replace`",
        ),
    ]
    return Outcome(data, text, ExitCode.ATTENTION if problems else ExitCode.DONE, problems)


SOURCE_COUNTS = ("paired", "unpaired", "conflicting", "excluded")
SEEN_WORDS = {
    "dead": "dead: deactivated for ever",
    "eid_differs": "in another chip (EID) than the pair says",
    "foreign": "in another organization",
    "free": "there, and not claimed",
    "not_read": "never read",
    "not_seen": "not shown to us, as SIMs are that nobody claimed",
    "ours": "already ours",
    "target_is_source": "itself an old SIM",
    "test_mode": "in Test Mode: end that in the dashboard, or see [claim] test_mode",
    "unknown_state": "in a state that is unknown here",
}


def _problems(iccids: Sequence[str], words: str, hint: str) -> list[Problem]:
    if not iccids:
        return []
    named = ", ".join(iccids[:SHOWN]) + (", ... (--json lists all)" if len(iccids) > SHOWN else "")
    return [Problem("attention", f"{n_sims(len(iccids))} {words}: {named}", hint)]


@click.command("export", epilog="Exit codes: 0 done, 2 unwritable file.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@global_options
@click.pass_obj
def export(shared: Globals, /, *, file: Path) -> int:
    """Write the pairs to FILE as CSV; `-` is stdout.

    `pair import` reads the CSV. Facts of units have columns of their own, where there are any.
    """
    return finish("pair export", shared, lambda: _export(shared, file))


def _export(shared: Globals, file: Path) -> Outcome:

    check_destination(shared, file)
    with wiring.store_of(shared.state, shared.config) as store:
        pairs = kept_pairs(store)
        titles = ["source_iccid", "target_iccid", *(["eid"] if pairs.has_chips else [])]
        titles += FACTS if pairs.has_facts else []
        count = written(file, as_csv(chain([titles], _exported(pairs)))) - 1
    text = (f"{counted(count, 'pair')} written to {file}.",)
    return Outcome({"file": str(file), "pairs": count}, text, is_on_stdout=is_stdout(file))


def _exported(pairs: KeptPairs) -> Iterator[list[str]]:
    for pair, facts in pairs.all():
        told = [None] * len(FACTS) if facts is None else [getattr(facts, name) for name in FACTS]
        yield [*_iccids(pair, has_chips=pairs.has_chips), *(map(_told, FACTS, told) if pairs.has_facts else ())]


def _iccids(pair: Pair, *, has_chips: bool) -> list[str]:
    return [pair.source.digits, pair.target.digits, *([str(pair.eid or "")] if has_chips else [])]


def _told(name: str, fact: Any) -> str:
    if fact is None:
        return ""
    return moment(fact) or "" if name == "scanned_at" else str(fact)
