"""Comparison of the units of a new SIM and its old SIM.

The units are compared by the hardware that both carriers saw. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from migrator.core.fleet.identifiers import Imei, NotAnIdentifier

__all__ = [
    "FILLERS",
    "NOBODY",
    "UNASSIGNED",
    "Holder",
    "ImeiDoubt",
    "Neighbours",
    "Past",
    "Place",
    "SeenIn",
    "Unit",
    "hardware",
    "is_filler",
    "is_imei",
    "place",
    "unit",
]


class Unit(StrEnum):
    """Result of comparing the units of an old and a new SIM."""

    MATCHED = "matched"  # both carriers saw the same hardware
    MOVED = "moved"  # they saw different hardware, or that of another SIM of the fleet
    NEVER_SEEN = "never_seen"  # one of them never saw any that proves something, so that there is nothing to compare


class ImeiDoubt(StrEnum):
    """Reason why an IMEI proves nothing."""

    FILLER = "filler"  # a number that stands for none
    SHARED = "shared"  # several old SIMs were seen in it: whole batches of modems may have one
    LATER = "later"  # the old SIM came into it after the new one was last seen there


@dataclass(frozen=True, slots=True)
class SeenIn:
    """Hardware of an old SIM, with its IMEI as told.

    The times are those of the first and the last inventory that said so (UTC seconds).
    """

    imei: str
    first_seen_s: float
    last_seen_s: float


@dataclass(frozen=True, slots=True)
class Holder:
    """SIM that was seen in some hardware.

    `key` is the key of the old SIM. `iccid` is the ICCID of the SIM itself. `sims` is the number of such SIMs.
    """

    key: str
    iccid: str
    sims: int = 1


@dataclass(frozen=True, slots=True)
class Past:
    """Old SIM that was once seen in some hardware.

    `sims` is the number of such old SIMs. `first_s` is since when that is known, where the SIM was in other hardware
    before (UTC seconds); None for the first hardware that is known of it.
    """

    key: str
    sims: int = 1
    first_s: float | None = None

    def is_of(self, key: str) -> bool:
        """True if this old SIM alone was ever seen there."""
        return self.key == key and self.sims == 1

    def is_later_than(self, alive_s: float | None) -> bool:
        """True if the old SIM came after the new SIM's last session."""
        return self.first_s is not None and alive_s is not None and self.first_s > alive_s


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Other SIMs that were seen in some hardware.

    The keys are those of `hardware()`. `olds` are old SIMs of the inventory. `news` are new SIMs, seen since their
    claim. `past` is what old SIMs were ever seen in. Of several old SIMs, only one is named.
    """

    olds: Mapping[str, Holder] = field(default_factory=dict)
    news: Mapping[str, Sequence[Holder]] = field(default_factory=dict)
    past: Mapping[str, Past] = field(default_factory=dict)

    def is_shared(self, body: str | None) -> bool:
        """True if several old SIMs were seen in this hardware."""
        return body is not None and body in self.olds and self.olds[body].sims > 1


NOBODY = Neighbours()


@dataclass(frozen=True, slots=True)
class Place:
    """Unit in which a new SIM is.

    `words` name the other SIM, where there is one. `doubt` is the reason why an IMEI proves nothing.
    """

    unit: Unit
    words: str = ""
    doubt: ImeiDoubt | None = None


def place(
    source_key: str,
    source_imei: str | None,
    target_imei: str | None,
    near: Neighbours,
    *,
    alive_s: float | None = None,
) -> Place:
    """Compare the hardware of an old SIM and its new SIM.

    Both are also compared with the hardware of the rest of the fleet. What counts of an old SIM is all that it was ever
    seen in: by now it may lie in a drawer or in another modem. Hardware that it came into after the new SIM was last
    seen there says nothing.

    Args:
        source_key: the old SIM.
        source_imei: the hardware that the old SIM was seen in.
        target_imei: the hardware that its new SIM was seen in since its claim.
        near: other SIMs that were seen in either hardware.
        alive_s: when the new SIM was last seen there (UTC seconds); None if nobody knows.
    """
    doubt = _doubt(source_imei, target_imei, near)
    old, new = (None if near.is_shared(body) else body for body in (hardware(source_imei), hardware(target_imei)))
    if new is not None and new in near.olds and near.olds[new].key != source_key:
        return Place(Unit.MOVED, f"the new SIM was seen in the unit of old SIM {near.olds[new].iccid} (IMEI {new})")
    past = None if new is None else near.past.get(new)
    is_later = past is not None and past.is_of(source_key) and past.is_later_than(alive_s)
    if is_later:
        return Place(Unit.NEVER_SEEN, doubt=ImeiDoubt.LATER)
    if (old is not None and old == new) or (past is not None and past.is_of(source_key)):
        return Place(Unit.MATCHED)
    others = [] if old is None else [one for one in near.news.get(old, ()) if one.key != source_key]
    if others:
        return Place(Unit.MOVED, f"another new SIM, {others[0].iccid}, was seen in this one's unit (IMEI {old})")
    if old is not None and new is not None:
        words = f"the new SIM was seen in other hardware than {source_imei}, where the old one was seen"
        return Place(Unit.MOVED, words)
    return Place(Unit.NEVER_SEEN, doubt=doubt)


def unit(source_imei: str | None, target_imei: str | None) -> Unit:
    """Compare the hardware that both carriers saw.

    Software version and check digit are not compared.
    """
    return place("", source_imei, target_imei, NOBODY).unit


def is_imei(text: str | None) -> bool:
    """True if a carrier's text names hardware."""
    return hardware(text) is not None


def hardware(text: str | None) -> str | None:
    """Return the 14 digits that name hardware, or None.

    None means that a carrier's text has no such digits, or has a filler in their place.
    """
    body = _body(text)
    return None if body is None or is_filler(body) else body


UNASSIGNED = "00000000"
"""Type allocation code that nobody was given.

Reporting bodies begin at 01, and 00 is for tests (3GPP TS 23.003).
"""

FILLERS = frozenset(
    {
        *(digit * 14 for digit in "0123456789"),
        "01234567890123",  # counted up, by emulators and unprogrammed modems
        "12345678901234",
        "98765432109876",
        "00499901064000",  # of several makers' boards as they leave the factory
        "13579024681122",  # of thousands of cloned handsets
    }
)


def is_filler(body: str) -> bool:
    """True if an IMEI's 14 digits are a filler and no hardware."""
    return body in FILLERS or body.startswith(UNASSIGNED)


def _doubt(source_imei: str | None, target_imei: str | None, near: Neighbours) -> ImeiDoubt | None:
    bodies = [body for body in (_body(source_imei), _body(target_imei)) if body is not None]
    if any(map(is_filler, bodies)):
        return ImeiDoubt.FILLER
    return ImeiDoubt.SHARED if any(map(near.is_shared, bodies)) else None


def _body(text: str | None) -> str | None:
    try:
        return Imei.parse(text or "").body
    except NotAnIdentifier:
        return None
