"""Sources that have an API here."""

from dataclasses import dataclass

from migrator.core.fleet.sims import ONENCE

__all__ = ["SOURCES", "SOURCE_NAMES", "KnownSource", "api_words"]


@dataclass(frozen=True, slots=True)
class KnownSource:
    """Source with an API here.

    Args:
        key: its name in settings, options and orders.
        name: its name for people.
        prefix: the start of its variables.
        most_in_order: SIMs in one order of its present API.
        asks_each: whether the list may leave out limits and hardware, which each SIM's own record tells.
    """

    key: str
    name: str
    prefix: str
    most_in_order: int = 1
    asks_each: bool = False

    @property
    def section(self) -> str:
        """Section of the settings file that has its settings."""
        return self.prefix.lower()

    @property
    def is_default(self) -> bool:
        """True for the source that is meant where none is named."""
        return self.name == ONENCE


def api_words(version: str) -> str:
    """Return the API that a list was read by, in words.

    A carrier whose API has no versions gives its key.
    """
    return "API" if version in SOURCES else f"API {version}"


SOURCES = {
    source.key: source
    for source in (
        KnownSource("1nce", ONENCE, "ONENCE"),
        KnownSource("onomondo", "Onomondo", "ONOMONDO", most_in_order=20, asks_each=True),
    )
}
"""Sources by their key; the first is the default."""

SOURCE_NAMES = {source.name: source for source in SOURCES.values()}
"""Sources by their name for people, which stores and plans have."""
