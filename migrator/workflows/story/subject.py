"""Unit that a text names, and words that tell several apart."""

from typing import TYPE_CHECKING, Any

from migrator.errors import InputError, Problem
from migrator.store.pairs.finder import LOOKED_THROUGH, MOST_HITS, Found

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["SeveralSims", "described", "one_named"]

SHOWN = 20
"""Most SIMs that are listed where a text names several."""


class SeveralSims(InputError):
    """Text that names more than one SIM.

    Args:
        text: what was asked for.
        hits: values that tell the SIMs apart, as JSON values.
        total: how many there are; one more than can be listed means more than that.
    """

    code = "several_sims"

    def __init__(self, text: str, hits: list[dict[str, Any]], total: int) -> None:
        count = str(total) if total <= MOST_HITS else f"more than {MOST_HITS}"
        words, hint = f"{text!r} names {count} SIMs", "ask again by the ICCID of one of them"
        listed = tuple(Problem("attention", _line(hit)) for hit in hits)
        super().__init__(words, hint=hint, problems=(Problem(self.code, words, hint), *listed))
        self.hits = hits


def one_named(store: "Store", text: str) -> Found:
    """Return the one unit that a text names.

    Raises: SeveralSims; InputError, if nothing has that name.
    """
    found = store.finder.find(text)
    if not found:
        raise InputError(
            f"nothing here is named {text!r}: looked through {LOOKED_THROUGH}",
            code="unknown_sim",
            hint="a new SIM at the source needs `migrator inventory pull`; a new one at Hologram its pair (`migrator "
            "pair import`) and a read (`migrator verify`)",
        )
    if len(found) > 1:
        raise SeveralSims(text, [described(store, one) for one in found[:SHOWN]], len(found))
    return found[0]


def described(store: "Store", found: Found) -> dict[str, Any]:
    """Return the values that tell a SIM from others of its name."""
    source, target = found.source_key, found.target_key
    sim = next(store.inventory.sims([source]), None) if source is not None else None
    link = None if target is None else store.story.link(target)
    seen = None if link is None else link[0]
    pair = None if source is None else store.pairs.by_source_keys([source]).get(source)
    facts = None if source is None else store.unit_facts.by_source_keys([source]).get(source)
    return {
        "old_iccid": source if sim is None else sim.iccid.digits,
        "new_iccid": pair.target.digits if pair is not None else target if seen is None else seen.iccid.digits,
        "label": None if sim is None else sim.label,
        "status": None if sim is None else sim.status.value,
        "unit": None if facts is None else facts.unit,
        "device_id": None if seen is None else seen.device_id,
        "name": None if seen is None else seen.name,
        "imei": (None if sim is None else sim.imei) or (None if seen is None else seen.imei),
        "found_by": [name.value for name in found.names],
    }


def _line(hit: dict[str, Any]) -> str:
    words = {"old_iccid": "old", "new_iccid": "new", "device_id": "device", "imei": "IMEI"}
    told = [f"{words.get(name, name)} {value}" for name, value in hit.items() if value and name != "found_by"]
    return f"{', '.join(told)} (by {', '.join(hit['found_by'])})"
