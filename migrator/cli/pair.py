"""`pair`: a new SIM for each old SIM."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from migrator import wiring
from migrator.chunks import chunks
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination, is_stdout, refuse_unwritable, written
from migrator.cli.app.problem_log import all_told, problem_log
from migrator.cli.app.progress import watching
from migrator.core.fleet.sims import Pair
from migrator.core.fleet.units import counted, n_sims
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import Stopper
from migrator.errors import InputError, Problem
from migrator.inputs.pairing.file import ImportResult, NotPlain, plain_values, plan_import, read_pairs
from migrator.inputs.pairing.list_columns import PAIR_TITLES, POOL_TITLES, parse_choices
from migrator.store import Store
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.check_pairs import PairCheck, check_pairs, last_organization, look_at_targets
from migrator.workflows.deal_pool import Dealt, add_pairs, pair_pool, refused_beside_a_run
from migrator.workflows.site import open_site, required_inventory

__all__ = ["check", "export", "identity", "import_file", "pool"]

NEXT = "Next: `migrator pair check`, then `migrator plan create --policy FILE`."
SHOWN = 10


@click.command("import", epilog="Exit codes: 0 done, 2 problems (all listed, nothing changed), 9 a run uses a pair.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--column",
    "columns",
    metavar="FIELD=TITLE",
    multiple=True,
    help="Which column holds source_iccid, target_iccid or eid.",
)
@click.option("--replace", is_flag=True, help="Let the file contradict pairs that are there already.")
@click.option("--problems", metavar="FILE", type=click.Path(path_type=Path), help="Write every problem to FILE.")
@global_options
@click.pass_obj
def import_file(shared: Globals, /, *, file: Path, columns: Sequence[str], replace: bool, problems: Path | None) -> int:
    """Read pairs from FILE, all or nothing.

    FILE is CSV with source_iccid,target_iccid and, if you like, eid.
    """
    return finish("pair import", shared, lambda: _import(shared, file, columns, problems, replace=replace))


def _import(shared: Globals, file: Path, columns: Sequence[str], problems: Path | None, *, replace: bool) -> Outcome:

    chosen = parse_choices(columns, tuple(PAIR_TITLES))
    if problems is not None:
        refuse_unwritable(problems)
    unused: list[str] = []
    with wiring.store_of(shared.state, shared.config) as store, collecting_rarely():
        required_inventory(store)
        has_pairs = store.pairs.count() > 0  # a first import need not ask a million times
        added = None if has_pairs or _has_begun(store) else _first(store, file, chosen, unused)
        result = plan_import(
            read_pairs(file, unused=unused.extend, chosen=chosen) if added is None else (),
            file=str(file),
            known_sources=store.inventory.iccids,
            existing_by_source=store.pairs.by_source_keys if has_pairs else _no_pairs,
            existing_by_target=store.pairs.by_target_keys if has_pairs else _no_pairs,
            replace=replace,
        )
        if result.problems:
            _refuse(result.problems, file, problems, Path(store.info()["path"]).with_name("pairing-problems.txt"))
        if added is not None:
            return _imported(result, {"added": added, "unchanged": 0, "replaced": 0}, unused)
        _refuse_settled(store, result.pairs)
        with refused_beside_a_run(store):
            counts = dict(store.pairs.add_values(result.values, replace=replace, now=_now()))
    return _imported(result, counts, unused)


def _first(store: Store, file: Path, chosen: Mapping[str, str], unused: list[str]) -> int | None:
    """Store a whole file at once, as a store's first pairs.

    The titles of columns without a use are added to `unused`.

    Returns: the number of pairs; None, if the file has to be gone through row by row. A pipe is: it can be read only
        once.
    Raises: InputError, if the file cannot be read.
    """
    if not file.is_file():
        return None
    try:
        rows = read_pairs(file, unused=unused.extend, chosen=chosen)
        added = store.pairs.add_first(plain_values(rows, file=str(file)), now=_now())
    except NotPlain:
        added = None
    if added is None:
        unused.clear()
    return added


def _no_pairs(_keys: Sequence[str]) -> Mapping[str, Pair]:
    return {}


def _refuse(found: Sequence[Problem], file: Path, wanted: Path | None, default: Path) -> NoReturn:
    """Refuse an import because of its problems.

    Raises: InputError, with every problem. More problems than fit on a screen are in a file, too.
    """
    words = f"{file}: {counted(len(found), 'problem')}; nothing was changed"
    with problem_log(wanted, default) as log:
        for problem in found:
            log.note(problem)
    hint = f"all are in {log.path}" if log.is_written else ""
    raise InputError(words, problems=(Problem("pair_import", words, hint), *found))


def _imported(result: ImportResult, counts: Mapping[str, int], unused: Sequence[str]) -> Outcome:
    """Return the outcome of an import.

    `unchanged` counts rows of the file, `completed` counts pairs that only got an EID.
    """
    changes = [
        {"source": str(new.source), "was": str(old.target), "is": str(new.target), "origin": new.origin}
        for old, new in result.replaced
    ]
    completed = len(result.chips)
    data = {
        **counts,
        "unchanged": counts["unchanged"] - completed + result.unchanged,
        "completed": completed,
        "changes": changes,
        "odd_check_digits": result.odd_digits,
        "unused_columns": list(unused),
    }
    text: list[Any] = [
        f"{counted(counts['added'], 'pair')} added, {data['replaced']} replaced, {data['unchanged']} unchanged"
        + (f", {completed} given an EID." if completed else ".")
    ]
    if changes:
        rows = [tuple(change.values()) for change in changes[:SHOWN]]
        more = f" (the first {SHOWN}; --json lists all)" if len(changes) > SHOWN else ""
        text.append(table(f"Replaced{more}", ("source", "old target", "new target", "from"), rows))
    warnings = [Problem("warning", words) for words in result.warnings[:SHOWN]]
    if result.odd_digits:
        words = f"check digits that are not right: {result.odd_digits}; the ICCIDs and EIDs were taken as they stand"
        warnings.append(
            Problem("warning", words, "compare them with the cards: a mistyped target may be somebody else's")
        )
    if unused:
        warnings.append(Problem("warning", f"columns not used: {', '.join(unused[:SHOWN])}"))
    return Outcome(data, (*text, NEXT), problems=warnings)


def _refuse_settled(store: Store, pairs: Iterable[Pair]) -> None:
    """Refuse a pair that would replace a claimed target.

    Raises: InputError, if there is such a pair: the money for the target is spent.
    """
    if not _has_begun(store):
        return
    problems: list[Problem] = []
    for chunk in chunks(pairs):
        new = {pair.source.key: pair for pair in chunk}
        had = store.pairs.by_source_keys(new)
        moved = {key: pair for key, pair in new.items() if key not in had or had[key].target != pair.target}
        settled = store.plans.claimed_before(moved)
        bad = [pair for key, pair in moved.items() if key in settled]
        problems += [
            Problem("already_claimed", f"{pair.origin}: {pair.source} was claimed for already, or may have been")
            for pair in bad
        ]
    if problems:
        raise InputError("pairs of migrated SIMs cannot be replaced", problems=tuple(problems))


def _has_begun(store: Store) -> bool:
    """True if any plan was begun.

    Some SIMs may then be claimed.
    """
    return any(plan["state"] in {"started", "finished"} for plan in store.plans.list())


def _now() -> float:

    return wiring.SystemClock().now().timestamp()


@click.command("pool", epilog="Exit codes: 0 done, 2 problems in the file or fewer new SIMs than needed.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--range",
    "range_mode",
    type=click.Choice(["plain", "body"]),
    help="How to count ranges: all digits as one number, or without the check digit (which is then computed).",
)
@click.option(
    "--column",
    "columns",
    metavar="FIELD=TITLE",
    multiple=True,
    help="Which column of a table holds iccid, first, last or quantity.",
)
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
            reading=all_told(problems, Path(site.store.info()["path"]).with_name("pool-problems.txt")),
        )
    return _dealt(file, dealt)


def _dealt(file: Path, dealt: Dealt) -> Outcome:
    missing, unused = len(dealt.result.missing), len(dealt.result.unused)
    warnings = [Problem("warning", f"{entry.origin}: {entry.warning}") for entry in dealt.entries if entry.warning]
    warnings += [Problem("warning", words) for words in dealt.unmatched]
    if dealt.unused_columns:
        warnings.append(Problem("warning", f"columns not used: {', '.join(dealt.unused_columns[:SHOWN])}"))
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
        required_inventory(store)
        paired = {pair.source.key for pair in store.pairs.all()}
        own = [Pair(sim.iccid, sim.iccid, "identity") for sim in store.inventory.sims() if sim.iccid.key not in paired]
        counts = add_pairs(store, own, replace=False)
    warning = Problem("warning", "a 1NCE SIM cannot be claimed at Hologram, unless Hologram took its profile over")
    text = f"{n_sims(counts['added'])} paired with {'itself' if counts['added'] == 1 else 'themselves'}."
    return Outcome({"added": counts["added"]}, (text, NEXT), problems=(warning,))


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

    async def body(stopper: Stopper) -> int:
        async with wiring.target(chosen, store, stopper, read_only=True) as target:
            return await look_at_targets(store, target, clock=wiring.SystemClock(), stopper=stopper, progress=progress)

    with wiring.open_store(shared.state or chosen.state) as store, watching(shared) as progress:
        required_inventory(store)
        org_id = wiring.run_async(body) if live else last_organization(store)
        found: PairCheck = check_pairs(store, org_id)
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
    "target_is_source": "itself a 1NCE SIM",
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

    `pair import` reads the CSV.
    """
    return finish("pair export", shared, lambda: _export(shared, file))


def _export(shared: Globals, file: Path) -> Outcome:

    check_destination(shared, file)
    with wiring.store_of(shared.state, shared.config) as store:
        has_chips = any(pair.eid is not None for pair in store.pairs.all())
        lines = (_csv_line(pair, has_chips=has_chips) for pair in store.pairs.all())
        count = written(file, _headed(lines, has_chips=has_chips)) - 1
    text = (f"{counted(count, 'pair')} written to {file}.",)
    return Outcome({"file": str(file), "pairs": count}, text, is_on_stdout=is_stdout(file))


def _csv_line(pair: Pair, *, has_chips: bool) -> str:
    chip = f",{pair.eid or ''}" if has_chips else ""
    return f"{pair.source.digits},{pair.target.digits}{chip}\r\n"


def _headed(lines: Iterable[str], *, has_chips: bool) -> Iterable[str]:
    yield f"source_iccid,target_iccid{',eid' if has_chips else ''}\r\n"
    yield from lines
