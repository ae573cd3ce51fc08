"""Pairs of a store, with facts of their units, for a file."""

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.chunks import chunks
from migrator.core.fleet.sims import Pair
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.store import Store

__all__ = ["KeptPairs", "kept_pairs"]


@dataclass(frozen=True, slots=True)
class KeptPairs:
    """Pairs of a store.

    Args:
        store: where they are.
        has_chips: whether some pair names an EID.
        has_facts: whether there are facts of some unit.
    """

    store: Store
    has_chips: bool
    has_facts: bool

    def all(self) -> Iterator[tuple[Pair, UnitFacts | None]]:
        """Yield each pair with the facts of its unit, if any."""
        for some in chunks(self.store.pairs.all()):
            keys = [pair.source.key for pair in some]
            found = self.store.unit_facts.by_source_keys(keys) if self.has_facts else {}
            yield from ((pair, found.get(pair.source.key)) for pair in some)


def kept_pairs(store: Store) -> KeptPairs:
    """Return the pairs of a store, read as they are taken."""
    has_chips = any(pair.eid is not None for pair in store.pairs.all())
    return KeptPairs(store, has_chips, bool(store.unit_facts.count()))
