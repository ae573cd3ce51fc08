"""Sources that have an API here."""

from dataclasses import dataclass

from migrator.core.fleet.sims import ONENCE

__all__ = ["SOURCES", "SOURCE_NAMES", "KnownSource"]


@dataclass(frozen=True, slots=True)
class KnownSource:
    """Source with an API here.

    Args:
        key: its name in settings, options and orders.
        name: its name for people.
        prefix: the start of its variables; in small letters its section of the settings file.
    """

    key: str
    name: str
    prefix: str


SOURCES = {
    source.key: source
    for source in (KnownSource("1nce", ONENCE, "ONENCE"), KnownSource("onomondo", "Onomondo", "ONOMONDO"))
}
"""Sources by their key; the first is the default."""

SOURCE_NAMES = {source.name: source for source in SOURCES.values()}
"""Sources by their name for people, which stores and plans have."""
