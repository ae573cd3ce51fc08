"""Cards that are claimed before anybody knows their unit: taking in, listing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator import wiring
from migrator.core.fleet.stock import Card
from migrator.errors import InputError, Problem
from migrator.inputs.pairing.pool import PoolEntry, RangeMode, read_pool
from migrator.workflows.check_pairs import last_organization
from migrator.workflows.site import Site

__all__ = ["TakenIn", "import_stock", "stock_cards", "stock_counts"]


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Result of taking cards into stock.

    `paired` counts cards of the file that a pair names already. `unused_columns` are titles of the file.
    """

    added: int
    total: int
    paired: int
    entries: Sequence[PoolEntry]
    unused_columns: Sequence[str]


def import_stock(
    site: Site,
    file: Path | str,
    *,
    range_mode: RangeMode | None = None,
    columns: Mapping[str, str] | None = None,
    reading: AbstractContextManager[Any] | None = None,
) -> TakenIn:
    """Take cards of a file into stock, all or none.

    Args:
        site: the store.
        file: cards, one ICCID or range in a line; or a table, as for `pair_pool`.
        range_mode: how ranges count; None: only where that is clear.
        columns: title by field, where the file is a table.
        reading: entered while the file is read, to see its problems.

    Raises: InputError, naming every problem of the file.
    """
    store, not_used = site.store, list[str]()
    with nullcontext() if reading is None else reading:
        entries = read_pool(Path(file), range_mode=range_mode, chosen=columns or {}, unused=not_used.extend)
        known = {sim.iccid.key for sim in store.inventory.sims([entry.iccid.key for entry in entries])}
        problems = tuple(
            Problem("target_is_source", f"{entry.origin}: {entry.iccid} is a 1NCE SIM of the inventory")
            for entry in entries
            if entry.iccid.key in known
        )
        if problems:
            words = f"{file} holds SIMs of the old fleet: {len(problems)}; nothing was changed"
            raise InputError(words, code="stock", hint="is this the right file?", problems=problems)
    added = store.stock.add(((entry.iccid, entry.origin) for entry in entries), _now())
    paired = store.pairs.by_target_keys(entry.iccid.key for entry in entries)
    return TakenIn(added, store.stock.count(), len(paired), entries, not_used)


def stock_cards(site: Site) -> list[Card]:
    """Return every card in stock with its standing, as last read.

    Sorted by ICCID without check digit.
    """
    return list(site.store.stock.cards(last_organization(site.store)))


def stock_counts(cards: Sequence[Card]) -> dict[str, int]:
    """Count cards by their standing."""
    return {state.value: count for state, count in sorted(Counter(card.state for card in cards).items())}


def _now() -> float:
    return wiring.SystemClock().now().timestamp()
