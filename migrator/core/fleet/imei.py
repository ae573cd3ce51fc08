"""Whether a new SIM sits in the unit that the old one sat in, by the hardware that both carriers saw. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.core.fleet.identifiers import Imei, NotAnIdentifier

__all__ = ["NOBODY", "Doubt", "Holder", "Neighbours", "Place", "Unit", "hardware", "is_imei", "place", "unit"]


class Unit(StrEnum):
    """Whether the new SIM sits in the unit that the old one sat in."""

    MATCHED = "matched"  # both carriers saw the same hardware
    MOVED = "moved"  # they saw different hardware, or that of another SIM of the fleet
    NEVER_SEEN = "never_seen"  # one of them never saw any that proves something, so that there is nothing to compare


class Doubt(StrEnum):
    """Why an IMEI proves nothing."""

    FILLER = "filler"  # a number that stands for none
    SHARED = "shared"  # several old SIMs were seen in it: whole batches of modems may have one


@dataclass(frozen=True, slots=True)
class Holder:
    """A SIM that was seen in some hardware. `key` is that of the old SIM, `iccid` its own; `sims` so many there are."""

    key: str
    iccid: str
    sims: int = 1


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who else was seen in some hardware, by `hardware()`: old SIMs of the inventory, and new SIMs since their claim.

    Of several old SIMs one is named.
    """

    olds: Mapping[str, Holder] = field(default_factory=dict)
    news: Mapping[str, Sequence[Holder]] = field(default_factory=dict)

    def is_shared(self, body: str | None) -> bool:
        """Whether several old SIMs were seen in it."""
        return body is not None and body in self.olds and self.olds[body].sims > 1


NOBODY = Neighbours()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new SIM is. `words` name the other SIM, where there is one; `doubt` is why an IMEI proves nothing."""

    unit: Unit
    words: str = ""
    doubt: Doubt | None = None


def place(source_key: str, source_imei: str | None, target_imei: str | None, near: Neighbours) -> Place:
    """Compare the hardware of an old SIM and its new one with each other, and with that of the rest of the fleet.

    Args:
        source_key: the old SIM.
        source_imei: the hardware that it was seen in.
        target_imei: the hardware that its new SIM was seen in since its claim.
        near: who else was seen in either.
    """
    doubt = _doubt(source_imei, target_imei, near)
    old, new = (None if near.is_shared(body) else body for body in (hardware(source_imei), hardware(target_imei)))
    if new is not None and new in near.olds and near.olds[new].key != source_key:
        return Place(Unit.MOVED, f"the new SIM was seen in the unit of old SIM {near.olds[new].iccid} (IMEI {new})")
    if old is not None and old == new:
        return Place(Unit.MATCHED)
    others = [] if old is None else [one for one in near.news.get(old, ()) if one.key != source_key]
    if others:
        return Place(Unit.MOVED, f"another new SIM, {others[0].iccid}, was seen in this one's unit (IMEI {old})")
    if old is not None and new is not None:
        words = f"the new SIM was seen in other hardware than {source_imei}, where the old one was seen"
        return Place(Unit.MOVED, words)
    return Place(Unit.NEVER_SEEN, doubt=doubt)


def unit(source_imei: str | None, target_imei: str | None) -> Unit:
    """Compare the hardware that both carriers saw; software version and check digit are no part of it."""
    return place("", source_imei, target_imei, NOBODY).unit


def is_imei(text: str | None) -> bool:
    """Whether a carrier's text names hardware."""
    return hardware(text) is not None


def hardware(text: str | None) -> str | None:
    """The 14 digits that name hardware; None where a carrier's text has none, or a filler in their place."""
    body = _body(text)
    return None if body is None or is_filler(body) else body


UNASSIGNED = "00000000"
"""A type allocation code that nobody was given: reporting bodies begin at 01, and 00 is for tests (3GPP TS 23.003)."""

DUMMIES = frozenset(
    {
        "01234567890123",  # counted up, by emulators and unprogrammed modems
        "12345678901234",
        "98765432109876",
        "00499901064000",  # of several makers' boards as they leave the factory
        "13579024681122",  # of thousands of cloned handsets
    }
)


def is_filler(body: str) -> bool:
    """Whether an IMEI's 14 digits are a number that stands for none."""
    return len(set(body)) == 1 or body.startswith(UNASSIGNED) or body in DUMMIES


def _doubt(source_imei: str | None, target_imei: str | None, near: Neighbours) -> Doubt | None:
    bodies = [body for body in (_body(source_imei), _body(target_imei)) if body is not None]
    if any(map(is_filler, bodies)):
        return Doubt.FILLER
    return Doubt.SHARED if any(map(near.is_shared, bodies)) else None


def _body(text: str | None) -> str | None:
    try:
        return Imei.parse(text or "").body
    except NotAnIdentifier:
        return None
