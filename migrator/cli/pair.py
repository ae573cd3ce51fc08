"""`pair`: which new SIM follows which old one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.common import Globals, Outcome, finish, global_options, table
from migrator.cli.files import written
from migrator.core.results import ExitCode
from migrator.errors import InputError, Problem

if TYPE_CHECKING:
    from migrator.core.fleet import Pair
    from migrator.store import Store

__all__ = ["check", "export", "identity", "import_file", "pool"]

NEXT = "Next: `migrator pair check`, then `migrator plan create --policy FILE`."
SHOWN = 10


@click.command("import", epilog="Exit codes: 0 done, 2 the file has problems (all are listed, nothing was changed).")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Let the file contradict pairs that are there already.")
@global_options
@click.pass_obj
def import_file(shared: Globals, /, *, file: Path, replace: bool) -> int:
    """Read pairs from FILE (CSV with source_iccid,target_iccid). All or nothing."""
    return finish("pair import", shared, lambda: _import(shared, file, replace=replace))


def _import(shared: Globals, file: Path, *, replace: bool) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import required_inventory
    from migrator.inputs.pairing_file import plan_import, read_pairs

    with bootstrap.store_of(shared.state, shared.config) as store:
        required_inventory(store)
        result = plan_import(
            read_pairs(file),
            file=str(file),
            known_sources=lambda keys: {sim.iccid.key: sim.iccid for sim in store.inventory.sims(keys)},
            existing_by_source=store.pairs.by_source_keys,
            existing_by_target=store.pairs.by_target_keys,
            replace=replace,
        )
        if result.problems:
            words = f"{file}: {len(result.problems)} problems; nothing was changed"
            raise InputError(words, problems=(*result.problems, Problem("pair_import", words)))
        _refuse_settled(store, result.pairs)
        counts = _add(store, result.pairs, replace=replace)
    data = {**counts, "unchanged": counts["unchanged"] + result.unchanged}
    text = f"{data['added']} pairs added, {data['replaced']} replaced, {data['unchanged']} unchanged."
    return Outcome(data, (text, NEXT))


def _refuse_settled(store: "Store", pairs: Sequence["Pair"]) -> None:
    """Raises: InputError, if a pair would replace one whose target was claimed: that money is spent."""
    new = {pair.source.key: pair for pair in pairs}
    bad = [new[one.sim.iccid.key] for one in store.plans.candidates(where_keys=new) if one.migrated_before]
    if bad:
        problems = tuple(
            Problem("already_claimed", f"{pair.origin}: {pair.source} was claimed for already, or may have been")
            for pair in bad
        )
        raise InputError("pairs of migrated SIMs cannot be replaced", problems=problems)


def _add(store: "Store", pairs: Iterable["Pair"], *, replace: bool) -> dict[str, int]:
    from migrator import bootstrap

    return dict(store.pairs.add(pairs, replace=replace, now=bootstrap.SystemClock().now().timestamp()))


@click.command("pool", epilog="Exit codes: 0 done, 2 problems in the file or fewer new SIMs than needed.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--range",
    "range_mode",
    type=click.Choice(["plain", "body"]),
    help="How to count ranges: all digits as one number, or without the check digit (which is then computed).",
)
@click.option("--partial", is_flag=True, help="Pair as many as the pool allows, instead of refusing.")
@global_options
@click.pass_obj
def pool(shared: Globals, /, *, file: Path, range_mode: Any, partial: bool) -> int:
    """Deal new SIMs from FILE (one ICCID a line, or first-last) to unpaired source SIMs, both in ICCID order."""
    return finish("pair pool", shared, lambda: _pool(shared, file, range_mode, partial=partial))


def _pool(shared: Globals, file: Path, range_mode: Any, *, partial: bool) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import required_inventory
    from migrator.inputs.pool_file import deal, read_pool

    entries = read_pool(file, range_mode=range_mode)
    with bootstrap.store_of(shared.state, shared.config) as store:
        required_inventory(store)
        _refuse_source_sims(store, entries)
        paired = {pair.source.key for pair in store.pairs.all()}
        unpaired = [sim.iccid for sim in store.inventory.sims() if sim.iccid.key not in paired]
        dealt = deal(unpaired, entries, taken={target.key for target in store.pairs.targets()})
        if dealt.missing and not partial:
            raise InputError(
                f"{file} has {len(dealt.pairs)} free SIMs for {len(unpaired)} unpaired source SIMs: "
                f"{len(dealt.missing)} too few; nothing was changed",
                code="pool_too_small",
                hint="add SIMs to the file, or pair as many as there are with --partial",
            )
        counts = _add(store, dealt.pairs, replace=False)
    warnings = [Problem("warning", f"{entry.origin}: {entry.warning}") for entry in entries if entry.warning]
    data = {"added": counts["added"], "unpaired": len(dealt.missing), "unused": len(dealt.unused)}
    text = f"{data['added']} pairs made, {data['unpaired']} source SIMs left without, {data['unused']} new SIMs unused."
    return Outcome(data, (text, NEXT), problems=warnings)


def _refuse_source_sims(store: "Store", entries: Sequence[Any]) -> None:
    """Raises: InputError, if the pool lists SIMs of the old fleet: those cannot be claimed at Hologram."""
    known = {sim.iccid.key for sim in store.inventory.sims([entry.iccid.key for entry in entries])}
    problems = tuple(
        Problem("target_is_source", f"{entry.origin}: {entry.iccid} is a 1NCE SIM of the inventory")
        for entry in entries
        if entry.iccid.key in known
    )
    if problems:
        words = f"{len(problems)} SIMs of the pool belong to the old fleet; nothing was changed"
        raise InputError(words, problems=(*problems, Problem("pool", words, "is this the right file?")))


@click.command("identity", epilog="Exit codes: 0 done, 2 no inventory.")
@global_options
@click.pass_obj
def identity(shared: Globals, /) -> int:
    """Pair every unpaired SIM with itself: only for the rare case where the ICCIDs stay."""
    return finish("pair identity", shared, lambda: _identity(shared))


def _identity(shared: Globals) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import required_inventory
    from migrator.core.fleet import Pair

    with bootstrap.store_of(shared.state, shared.config) as store:
        required_inventory(store)
        paired = {pair.source.key for pair in store.pairs.all()}
        own = [Pair(sim.iccid, sim.iccid, "identity") for sim in store.inventory.sims() if sim.iccid.key not in paired]
        counts = _add(store, own, replace=False)
    warning = Problem("warning", "a 1NCE SIM cannot be claimed at Hologram, unless Hologram took its profile over")
    text = f"{counts['added']} SIMs paired with themselves."
    return Outcome({"added": counts["added"]}, (text, NEXT), problems=(warning,))


@click.command("check", epilog="Exit codes: 0 every SIM is paired, 2 no inventory, 3 some are not.")
@global_options
@click.pass_obj
def check(shared: Globals, /) -> int:
    """What is paired and what is not."""
    return finish("pair check", shared, lambda: _check(shared))


def _check(shared: Globals) -> Outcome:
    from migrator import bootstrap
    from migrator.cli.lookups import required_inventory

    with bootstrap.store_of(shared.state, shared.config) as store:
        total = required_inventory(store)
        in_inventory: set[str] = set()
        unpaired: list[str] = []
        paired = {pair.source.key: pair for pair in store.pairs.all()}
        for sim in store.inventory.sims():
            in_inventory.add(sim.iccid.key)
            if sim.iccid.key not in paired:
                unpaired.append(sim.iccid.digits)
        orphans = [pair.source.digits for key, pair in paired.items() if key not in in_inventory]
    data = {
        "inventory": total,
        "paired": total - len(unpaired),
        "unpaired": len(unpaired),
        "pairs_without_source": len(orphans),
        "unpaired_iccids": unpaired,
        "orphaned_iccids": orphans,
    }
    rows = [(key.replace("_", " "), value) for key, value in data.items() if isinstance(value, int)]
    return Outcome(
        data,
        (table("Pairing", ("", "SIMs"), rows),),
        ExitCode.ATTENTION if unpaired or orphans else ExitCode.DONE,
        [
            *_problems(unpaired, "SIMs have no target", "`pair import` or `pair pool`"),
            *_problems(orphans, "paired SIMs left the inventory", "nothing happens to them"),
        ],
    )


def _problems(iccids: Sequence[str], words: str, hint: str) -> list[Problem]:
    if not iccids:
        return []
    named = ", ".join(iccids[:SHOWN]) + (", ... (--json lists all)" if len(iccids) > SHOWN else "")
    return [Problem("attention", f"{len(iccids)} {words}: {named}", hint)]


@click.command("export", epilog="Exit codes: 0 done, 2 unwritable file.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@global_options
@click.pass_obj
def export(shared: Globals, /, *, file: Path) -> int:
    """Write the pairs to FILE as CSV that `pair import` reads; `-` is stdout."""
    return finish("pair export", shared, lambda: _export(shared, file))


def _export(shared: Globals, file: Path) -> Outcome:
    from migrator import bootstrap

    with bootstrap.store_of(shared.state, shared.config) as store:
        lines = (f"{pair.source.digits},{pair.target.digits}\r\n" for pair in store.pairs.all())
        count = written(file, _headed(lines)) - 1
    text = (f"{count} pairs written to {file}.",)
    return Outcome({"file": str(file), "pairs": count}, text, is_on_stdout=str(file) == "-")


def _headed(lines: Iterable[str]) -> Iterable[str]:
    yield "source_iccid,target_iccid\r\n"
    yield from lines
