"""Dealing new SIMs from a list to source SIMs without a pair."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator import wiring
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate, Pair, SourceSim
from migrator.core.fleet.units import counted, n_sims
from migrator.core.plan.mapping import left_behind
from migrator.core.policy.selection import every_sim
from migrator.errors import InputError, PairInUse, Problem, StoreBusy
from migrator.inputs.pairing.pool import DealResult, PoolEntry, RangeMode, deal, read_pool
from migrator.inputs.policy.file import LoadedPolicy, read_policy
from migrator.inputs.policy.iccids import unmatched
from migrator.store import Store
from migrator.workflows.site import Site, living_holder, required_inventory

__all__ = ["Dealt", "add_pairs", "pair_identity", "pair_pool", "refused_beside_a_run"]

WRONG_FILE = "is this the right file?"
RUN_FIRST = "wait for it, or end it with `migrator run abort`; then there are the ways above"


@dataclass(frozen=True, slots=True)
class Dealt:
    """Result of dealing a pool.

    `added` counts new pairs, `left_out` source SIMs without a pair that were not to get one, and `for_expired` pairs
    of expired SIMs. `unused_columns` are titles of the file, `unmatched` is the policy's lists against the inventory.
    """

    added: int
    result: DealResult
    entries: Sequence[PoolEntry]
    left_out: int
    for_expired: int
    unused_columns: Sequence[str]
    unmatched: Sequence[str]


def pair_pool(
    site: Site,
    file: Path | str,
    *,
    range_mode: RangeMode | None = None,
    columns: Mapping[str, str] | None = None,
    policy: Path | None = None,
    where: str | None = None,
    partial: bool = False,
    reading: AbstractContextManager[Any] | None = None,
) -> Dealt:
    """Give new SIMs of a file to source SIMs without a pair.

    Both sides are taken in ICCID order.

    Args:
        site: the store, with an inventory.
        file: new SIMs, one ICCID or range in a line; or a table.
        range_mode: how ranges count; None: only where that is clear.
        columns: title by field (`iccid`, `first`, `last`, `quantity`), where the file is a table.
        policy: SIMs that this policy skips get none.
        where: SIMs for which this expression does not hold get none.
        partial: whether to pair as many as there are, instead of refusing.
        reading: entered while the file is read, to see its problems.

    Raises: InputError, naming every problem of the file, or where it holds too few; StoreBusy.
    """
    store, path = site.store, Path(file)
    loaded = None if policy is None else read_policy(policy)
    is_due = _due(loaded, where)
    required_inventory(store)
    entries, unused_columns = new_sims(store, path, range_mode=range_mode, columns=columns, reading=reading)
    paired = {pair.source.key for pair in store.pairs.all()}
    unpaired, left_out, expired = _awaiting(store.unit_facts.of_sims(store.inventory.sims()), paired, is_due)
    result = deal(unpaired, entries, taken={target.key for target in store.pairs.targets()})
    if result.missing and not partial:
        free, wanted = len(result.pairs), len(unpaired)
        raise InputError(
            f"{path} has {counted(free, 'free SIM')} for {counted(wanted, 'unpaired source SIM')}: "
            f"{len(result.missing)} too few; nothing was changed",
            code="pool_too_small",
            hint="add SIMs to the file, or pair as many as there are with --partial",
        )
    counts = add_pairs(store, result.pairs, replace=False)
    lost = () if loaded is None else tuple(unmatched(loaded.lists, store.inventory.iccids))
    spent = sum(pair.source.key in expired for pair in result.pairs)
    return Dealt(counts["added"], result, entries, left_out, spent, unused_columns, lost)


def new_sims(
    store: Store,
    file: Path,
    *,
    range_mode: RangeMode | None,
    columns: Mapping[str, str] | None,
    reading: AbstractContextManager[Any] | None,
) -> tuple[Sequence[PoolEntry], Sequence[str]]:
    """Read new SIMs of a file, and its unused columns.

    The arguments are those of `pair_pool`.

    Raises: InputError, naming every problem of the file, or SIMs of the old fleet in it.
    """
    unused_columns: list[str] = []
    with nullcontext() if reading is None else reading:
        entries = read_pool(file, range_mode=range_mode, chosen=columns or {}, unused=unused_columns.extend)
        _refuse_source_sims(store, entries)
    return entries, unused_columns


def add_pairs(store: Store, pairs: Iterable[Pair], *, replace: bool) -> dict[str, int]:
    """Add pairs, and count them by what happened.

    Raises: StoreBusy, naming the run that uses one of them; InputError.
    """
    with refused_beside_a_run(store):
        return dict(store.pairs.add(pairs, replace=replace, now=wiring.SystemClock().now().timestamp()))


@contextmanager
def refused_beside_a_run(store: Store) -> Iterator[None]:
    """Name the run to wait for, where a pair is in use.

    Raises: StoreBusy, in the place of the InputError.
    """
    try:
        yield
    except PairInUse as error:
        holder = living_holder(store)
        if holder is None:
            raise
        problems = (*error.problems, Problem(error.code, f"another run holds the store: {holder}", RUN_FIRST))
        raise StoreBusy(error.message, code=error.code, hint=RUN_FIRST, problems=problems) from error


def _due(loaded: LoadedPolicy | None, where: str | None) -> Callable[[SourceSim], bool]:
    """Return the test for SIMs that are to get a new SIM.

    Raises: InputError, for a text that is no expression.
    """
    is_left = None if loaded is None else left_behind(loaded.policy)
    if where is None:
        return every_sim if is_left is None else lambda sim: not is_left(sim)
    from migrator.inputs.where.language import parse_selection  # the grammar costs time that few commands need

    selects = parse_selection(where).selects
    return lambda sim: selects(Candidate(sim)) and not (is_left is not None and is_left(sim))


def _awaiting(
    sims: Iterable[SourceSim], paired: Container[str], is_due: Callable[[SourceSim], bool]
) -> tuple[list[Iccid], int, set[str]]:
    """Sort the SIMs without a pair by what they get.

    Returns: the SIMs that are to get a new one, the number of those that are not, and the keys of the expired ones
        among the first.
    """
    due: list[Iccid] = []
    expired: set[str] = set()
    left_out = 0
    for sim in sims:
        if sim.iccid.key in paired:
            continue
        if not is_due(sim):
            left_out += 1
            continue
        due.append(sim.iccid)
        if sim.status == "expired":
            expired.add(sim.iccid.key)
    return due, left_out, expired


def _refuse_source_sims(store: Store, entries: Sequence[Any]) -> None:
    """Refuse a pool that lists SIMs of the old fleet.

    Raises: InputError, if there are such SIMs: they cannot be claimed at Hologram.
    """
    known = {sim.iccid.key for sim in store.inventory.sims([entry.iccid.key for entry in entries])}
    problems = tuple(
        Problem("target_is_source", f"{entry.origin}: {entry.iccid} is an old SIM of the inventory", WRONG_FILE)
        for entry in entries
        if entry.iccid.key in known
    )
    if problems:
        words = f"the pool holds {n_sims(len(problems))} of the old fleet; nothing was changed"
        raise InputError(words, code="pool", problems=problems)


def pair_identity(store: Store) -> int:
    """Pair every unpaired SIM with itself.

    Returns: the number of new pairs.
    Raises: InputError, if there is no inventory; PairInUse.
    """
    required_inventory(store)
    paired = {pair.source.key for pair in store.pairs.all()}
    own = [Pair(sim.iccid, sim.iccid, "identity") for sim in store.inventory.sims() if sim.iccid.key not in paired]
    return add_pairs(store, own, replace=False)["added"]
