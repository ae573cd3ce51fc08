"""Whether a new SIM sits in the unit that the old one sat in, by the hardware that both carriers saw. Pure."""

from enum import StrEnum

from migrator.core.identifiers import Imei, NotAnIdentifier

__all__ = ["Unit", "is_imei", "unit"]


class Unit(StrEnum):
    """Whether the new SIM sits in the unit that the old one sat in."""

    MATCHED = "matched"  # both carriers saw the same hardware
    MOVED = "moved"  # they saw different hardware
    NEVER_SEEN = "never_seen"  # one of them never saw any, so that there is nothing to compare


def unit(source_imei: str | None, target_imei: str | None) -> Unit:
    """Compare the hardware that both carriers saw; software version and check digit are no part of it."""
    old, new = _imei(source_imei), _imei(target_imei)
    if old is None or new is None:
        return Unit.NEVER_SEEN
    return Unit.MATCHED if old == new else Unit.MOVED


def is_imei(text: str | None) -> bool:
    """Whether a carrier's text names hardware."""
    return _imei(text) is not None


def _imei(text: str | None) -> Imei | None:
    try:
        return Imei.parse(text or "")
    except NotAnIdentifier:
        return None
