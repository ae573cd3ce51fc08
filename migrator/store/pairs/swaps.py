"""Time of a swap, as far as people noted it."""

from collections.abc import Iterable

from sqlalchemy import bindparam, case, func, select

from migrator.chunks import chunks
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.tables.fleet import pairs, stock, unit_facts

__all__ = ["swapped"]

_is_stock = select(stock.c.key).where(stock.c.key == pairs.c.target_key).exists()
_swapped_at = func.coalesce(unit_facts.c.scanned_at, case((_is_stock, pairs.c.paired_at)))

_AMONG = (
    select(pairs.c.source_key, _swapped_at.label("swapped_at"))
    .outerjoin_from(pairs, unit_facts, unit_facts.c.source_key == pairs.c.source_key)
    .where(among(pairs.c.source_key, bindparam("keys")), _swapped_at.is_not(None))
)


def swapped(database: Database, keys: Iterable[str]) -> dict[str, float]:
    """Return when the swap of some old SIMs' units was noted.

    A swap is the scan in the field. A card of the stock has no unit before its pair: without a scan, the moment counts
    at which the pair was noted. Other cards are claimed for their pair. The moments are UTC seconds, by key; old SIMs
    without any are left out.
    """
    rows = (row for chunk in chunks(keys) for row in database.rows(_AMONG, keys=json_list(chunk)))
    return {row.source_key: row.swapped_at for row in rows}
