"""Columns of vendors' lists, delivery notes and lists of pairs.

A column is known by hand or by its title, never guessed.
"""

from collections.abc import Callable, Mapping, Sequence

from migrator.core.fleet.secrets import shown_title
from migrator.errors import InputError, Problem
from migrator.inputs.files.problems import refusal, spelled
from migrator.inputs.inventory.columns import parse_choices, places_of
from migrator.inputs.inventory.titles import is_secret_title, plain, titles_of

__all__ = [
    "FACTS",
    "NAMES_OF_OLD",
    "PAIR_TITLES",
    "POOL_TITLES",
    "Titles",
    "field_named",
    "find_columns",
    "parse_choices",
    "unused_titles",
]

Titles = Mapping[str, tuple[str, ...]]
"""Field -> its titles, in addition to its own name."""

NAMES_OF_OLD = ("label", "imsi", "msisdn", "ip_address", "imei")
"""Columns that may name an old SIM in place of its ICCID."""
FACTS = ("unit", "imei", "site", "ticket", "scanned_at", "scanned_by")
"""Columns about the unit that the old SIM is in."""

PAIR_TITLES: Titles = {
    "source_iccid": (
        *("old ICCID", "1NCE ICCID", "ICCID old", "old SIM ICCID", "old SIM", "old card", "removed ICCID"),
        *("alte ICCID", "ICCID alt", "alte SIM", "alte Karte", "alte SIM-Karte"),
        *("ICCID antigua", "ICCID antiguo", "ICCID anterior", "SIM antigua", "tarjeta antigua", "SIM anterior"),
        *("ancien ICCID", "ICCID ancien", "ancienne SIM", "ancienne carte", "ancienne carte SIM"),
        *("vecchio ICCID", "ICCID vecchio", "vecchia SIM", "SIM vecchia"),
        *("SIM antigo", "cart\u00e3o antigo", "antigo ICCID"),
        *("oude ICCID", "ICCID oud", "oude SIM", "oude simkaart"),
    ),
    "target_iccid": (
        *("new ICCID", "Hologram ICCID", "ICCID new", "new SIM ICCID", "new SIM", "new card", "installed ICCID"),
        *("neue ICCID", "ICCID neu", "neue SIM", "neue Karte", "neue SIM-Karte"),
        *("ICCID nueva", "ICCID nuevo", "nueva ICCID", "nuevo ICCID", "SIM nueva", "nueva SIM", "tarjeta nueva"),
        *("nouvel ICCID", "nouveau ICCID", "ICCID nouveau", "nouvelle SIM", "nouvelle carte", "nouvelle carte SIM"),
        *("nuovo ICCID", "ICCID nuovo", "nuova SIM", "SIM nuova"),
        *("ICCID novo", "novo ICCID", "SIM novo", "cart\u00e3o novo", "novo SIM"),
        *("nieuwe ICCID", "ICCID nieuw", "nieuwe SIM", "nieuwe simkaart"),
    ),
    "eid": (),
    **{name: titles_of(name) for name in NAMES_OF_OLD},
    "unit": (
        *("unit id", "unit name", "asset", "asset id", "Einheit", "Anlage", "Ger\u00e4t", "Ger\u00e4te-ID", "unidad"),
        *("equipo", "\u00e9quipement", "appareil", "unit\u00e9", "unit\u00e0", "apparecchio", "unidade"),
        *("equipamento", "eenheid", "apparaat", "toestel"),
    ),
    "site": (
        *("site name", "location", "Standort", "Ort", "sitio", "emplazamiento", "ubicaci\u00f3n", "emplacement"),
        *("lieu", "sito", "luogo", "localiza\u00e7\u00e3o", "locatie"),
    ),
    "ticket": (
        *("ticket number", "ticket id", "work order", "Auftrag", "Auftragsnummer", "orden de trabajo"),
        *("ordre de travail", "ordine di lavoro", "ordem de servi\u00e7o", "werkorder", "werkbon"),
    ),
    "scanned_at": (
        *("scanned", "scan time", "scan date", "timestamp", "swapped at", "installed at", "gescannt am", "Scanzeit"),
        *("Zeitstempel", "Zeitpunkt", "fecha y hora", "date et heure", "data e ora", "data e hora", "datum en tijd"),
    ),
    "scanned_by": (
        *("by", "technician", "installer", "installed by", "Techniker", "Monteur", "gescannt von", "t\u00e9cnico"),
        *("instalador", "technicien", "installateur", "tecnico", "installatore", "technicus"),
    ),
}
POOL_TITLES: Titles = {
    "iccid": (
        *("ICC ID", "ICC", "ICCID No", "ICCID Number", "SIM ICCID", "SIM", "SIM Number", "SIM-Kartennummer"),
        *("Kartennummer", "ICCID (19 digits)", "ICCID (20 digits)", *PAIR_TITLES["target_iccid"], "target_iccid"),
    ),
    "first": ("ICCID FROM", "from ICCID", "from", "first ICCID", "ICCID start", "start ICCID", "ICCID von", "von"),
    "last": ("ICCID TO", "to ICCID", "to", "last ICCID", "ICCID end", "end ICCID", "ICCID bis", "bis"),
    "quantity": ("QTY", "Qty.", "count", "pcs", "number of SIMs", "Menge", "Anzahl", "St\u00fcck"),
}


def field_named(title: str, titles: Titles) -> str | None:
    """Return the field that a title names, or None."""
    letters = plain(title)
    return next((name for name, known in titles.items() if letters and letters in map(plain, (name, *known))), None)


def find_columns(cells: Sequence[str], titles: Titles, chosen: Mapping[str, str], *, place: str) -> dict[str, int]:
    """Return the place of each field that has a column.

    Args:
        cells: the header.
        titles: the possible titles of the columns.
        chosen: field -> title or number by hand, from `parse_choices`; an empty one leaves the field out.
        place: "FILE:LINE" of the header.

    Raises: InputError, where a field may be in several columns, or one by hand is not there or holds a secret.
    """
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for name, wanted in chosen.items():
        places = places_of(wanted, cells) if wanted else []
        if wanted and not places:
            words = f"{place}: no column {shown_title(wanted)} for {name}"
            problems.append(Problem("no_such_column", words, _known(cells)))
        _settle(found, problems, name, places, cells, place)
    for name in titles.keys() - chosen.keys():
        places = _titled(name, titles, cells, found)
        _settle(found, problems, name, places, cells, place)
    if problems:
        raise refusal(sorted(problems, key=lambda problem: problem.message), what=place)
    if len(set(found.values())) < len(found):
        raise InputError(f"{place}: one column is chosen for two fields", code="bad_column", hint="one field each")
    return found


def _titled(name: str, titles: Titles, cells: Sequence[str], found: Mapping[str, int]) -> list[int]:
    """Return the places of a field's titles.

    Where the field's own name is a title, only its places count.
    """
    places = [at for at, cell in enumerate(cells) if field_named(cell, titles) == name and at not in found.values()]
    return [at for at in places if plain(cells[at]) == plain(name)] or places


def _settle(  # noqa: PLR0917 - what one field comes to
    found: dict[str, int], problems: list[Problem], name: str, places: Sequence[int], cells: Sequence[str], place: str
) -> None:
    """Take the only place of a field.

    Several places, and a column with a secret, are noted as problems.
    """
    if len(places) > 1:
        hint = f"remove or rename all but one, or tell which one it is: --column {name}=TITLE or NUMBER"
        problems.append(Problem("no_header", f"{place}: more than one column {name}", hint))
    elif places and is_secret_title(cells[places[0]]):
        words = f"{place}: column {shown_title(cells[places[0]])} holds a secret of the SIM and is never read"
        problems.append(Problem("secret_column", words, "choose another column"))
    elif places:
        found[name] = places[0]


def unused_titles(cells: Sequence[str], found: Mapping[str, int], tell: Callable[[Sequence[str]], None] | None) -> None:
    """Report the titles of columns that are not read."""
    others = [cell for at, cell in enumerate(cells) if cell.strip() and at not in found.values()]
    others = [shown_title(title, quoted=False) for title in others]
    if others and tell is not None:
        tell(others)


def _known(cells: Sequence[str]) -> str:
    return f"found {spelled(shown_title(cell, quoted=False) for cell in cells)[:200]}"
