"""Work of `pair import`: pairs of a file, and facts of units."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from migrator.chunks import chunks
from migrator.core.fleet.sims import Pair
from migrator.errors import InputError, Problem
from migrator.files import as_csv, placed_text
from migrator.inputs.pairing.field_file import FieldResult, KnownSims, plan_field_import
from migrator.inputs.pairing.file import ImportResult, NotPlain, PairRow, plain_values, plan_import
from migrator.inputs.pairing.rows import OF_EXCEPTIONS, FieldColumns, read_pairs
from migrator.store import Store
from migrator.workflows.deal_pool import refused_beside_a_run
from migrator.workflows.site import Site, required_inventory

__all__ = ["ImportedPairs", "import_pairs"]


@dataclass(frozen=True, slots=True)
class ImportedPairs:
    """Result of the import of a file of pairs.

    Args:
        counts: how many pairs were `added`, `unchanged` and `replaced`; all zero where the file was refused.
        result: what the file came to, row by row; None where it went in as a whole at once.
        field: the same for a technicians' file.
        problems: every problem of the file. Unless good rows were to be taken, nothing was changed then.
        rows_left_out: how many rows went to the exceptions.
        unused_columns: titles of columns that are not known.
        empty: titles of known columns without a value.
    """

    counts: Mapping[str, int]
    result: ImportResult | None = None
    field: FieldResult | None = None
    problems: Sequence[Problem] = ()
    rows_left_out: int = 0
    unused_columns: Sequence[str] = ()
    empty: Sequence[str] = ()


NOTHING = {"added": 0, "unchanged": 0, "replaced": 0}


def import_pairs(
    site: Site,
    file: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    replace: bool = False,
    take_good: bool = False,
    exceptions: Path | str | None = None,
) -> ImportedPairs:
    """Take the pairs of a file, and the facts of their units.

    Args:
        site: the store, with an inventory.
        file: CSV, with the columns of `PAIR_TITLES`.
        columns: title by field, where a column has another one.
        replace: whether the file may contradict pairs that are there.
        take_good: whether rows without a problem go in beside others; else all rows go in or none.
        exceptions: the file for the other rows, each with its code and reason. It is written whole or not at all, and
            only if there is such a row.

    Returns: what was done; with problems and not `take_good`, nothing was.
    Raises: InputError, if the file cannot be read; StoreBusy, if a run uses a pair.
    """
    required_inventory(site.store)
    rest = None if exceptions is None else Path(exceptions)
    return _Import(site.store, Path(file), columns or {}, replace, take_good, rest, site.now()).done()


@dataclass(slots=True)
class _Import:
    store: Store
    file: Path
    columns: Mapping[str, str]
    replace: bool
    take_good: bool
    exceptions: Path | None
    now: float
    unused_columns: list[str] = field(default_factory=list)
    has_pairs: bool = False

    def done(self) -> ImportedPairs:
        """Import the file by the quickest way that is right for it."""
        self.has_pairs = self.store.pairs.count() > 0  # a first import need not ask a million times
        if not (self.has_pairs or self.take_good or _has_begun(self.store)):
            added = self._first()
            if added is not None:
                return ImportedPairs(NOTHING | {"added": added}, unused_columns=self.unused_columns)
        found = FieldColumns(keeps_cells=self.take_good)
        rows = read_pairs(self.file, unused=self.unused_columns.extend, chosen=self.columns, columns=found)
        top = next(rows, None)  # the header is read with it
        every = rows if top is None else chain([top], rows)
        if found.is_plain and not self.take_good:
            return self._plain(every)
        return self._of_field(every, found)

    def _first(self) -> int | None:
        """Store a whole file at once, as a store's first pairs.

        Returns: the number of pairs; None, if the file has to be gone through row by row. A pipe is: it can be read
            only once.
        Raises: InputError, if the file cannot be read.
        """
        if not self.file.is_file():
            return None
        try:
            rows = read_pairs(self.file, unused=self.unused_columns.extend, chosen=self.columns)
            added = self.store.pairs.add_first(plain_values(rows, file=str(self.file)), now=self.now)
        except NotPlain:
            added = None
        if added is None:
            self.unused_columns.clear()
        return added

    def _plain(self, rows: Iterator[PairRow] | Iterable[PairRow]) -> ImportedPairs:
        result = plan_import(
            rows,
            file=str(self.file),
            known_sources=self.store.inventory.iccids,
            existing_by_source=self.store.pairs.by_source_keys if self.has_pairs else _no_pairs,
            existing_by_target=self.store.pairs.by_target_keys if self.has_pairs else _no_pairs,
            replace=self.replace,
        )
        if result.problems:
            return ImportedPairs(NOTHING, problems=result.problems)
        _refuse_settled(self.store, result.pairs)
        with refused_beside_a_run(self.store):
            counts = dict(self.store.pairs.add_values(result.values, replace=self.replace, now=self.now))
        return ImportedPairs(counts, result, unused_columns=self.unused_columns)

    def _of_field(self, rows: Iterable[PairRow], found: FieldColumns) -> ImportedPairs:
        result = plan_field_import(rows, file=str(self.file), store=self._known(), replace=self.replace, now=self.now)
        problems = [problem for _, problem in result.problems]
        if problems and not self.take_good:
            return ImportedPairs(NOTHING, problems=problems)
        with ExitStack() as closing:
            left_out = self._write_exceptions(result, found.titles, closing)
            with refused_beside_a_run(self.store):
                counts = self.store.pairs.add_values(
                    result.values,
                    replace=self.replace or bool(result.replaced),
                    now=self.now,
                    facts=result.facts,
                    dropped=result.dropped,
                )
        return ImportedPairs(counts, None, result, problems, left_out, self.unused_columns, found.empty)

    def _write_exceptions(self, result: FieldResult, titles: Sequence[str], closing: ExitStack) -> int:
        """Write the rows that have a problem.

        The file takes its place when `closing` ends well, so after the pairs are kept.
        """
        if not result.problems:
            return 0
        if self.exceptions is None:
            return len({line for line, _ in result.problems})
        place = closing.enter_context(placed_text(self.exceptions))
        place("".join(as_csv([[*titles, *OF_EXCEPTIONS]])))
        written = 0
        for rows in chunks(result.exceptions):
            place("".join(as_csv(rows)))
            written += len(rows)
        place.to_disk()  # before a pair is kept
        return written

    def _known(self) -> KnownSims:
        pairs, facts, names = self.store.pairs, self.store.unit_facts, self.store.sim_names
        return KnownSims(
            sources=self.store.inventory.iccids,
            by_source=pairs.by_source_keys,
            by_target=pairs.by_target_keys,
            named=names.named,
            claimed=self.store.plans.claimed_before if _has_begun(self.store) else lambda _keys: set(),
            facts=facts.by_source_keys,
            facts_of_units=facts.by_units,
            old_imeis=names.old_imeis,
            new_imeis=names.new_imeis,
        )


def _no_pairs(_keys: Sequence[str]) -> Mapping[str, Pair]:
    return {}


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
