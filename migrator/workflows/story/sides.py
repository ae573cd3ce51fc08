"""Both SIMs of a unit side by side, in words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.core.fleet.sims import ONENCE, volume_words
from migrator.core.fleet.units import sized

__all__ = ["Side", "both_sides", "limit_words"]

Side = tuple[str, str | None, str | None]
"""Line of both sides: its name, and the words for each SIM."""


def both_sides(told: Mapping[str, Any]) -> Iterator[Side]:
    """Yield what is on disk of both SIMs, line by line.

    `told` is the document of a story.
    """
    old, new = told["old_sim"] or {}, told["new_sim"] or {}
    yield "ICCID", old.get("iccid"), new.get("iccid")
    yield "as on the card", old.get("iccid_with_check_digit"), new.get("iccid_with_check_digit")
    yield "status", _old_status(old), _new_state(new)
    yield "name", old.get("label"), new.get("name")
    yield "IMEI", _imeis(old), new.get("imei")
    yield "device id", None, _digits(new.get("device_id"))
    yield "data", _quota(old, told["source"]), limit_words(new.get("overage_limit_bytes"))
    yield "SMS", _booked(old), _count(new.get("sms_limit"))
    yield "tags", ", ".join(old.get("tags") or ()), ", ".join(new.get("tags") or ())
    yield "claimed", None, new.get("claimed_at")
    yield "connected", None, new.get("last_connected_at")
    if new.get("test_ends_at"):
        yield "Test Mode ends", None, new["test_ends_at"]
    yield "read at", old.get("pulled_at") if old.get("is_listed") else None, new.get("read_at")


def _old_status(old: Mapping[str, Any]) -> str | None:
    if not old:
        return None
    if not old["is_listed"]:
        return "not in the inventory"
    return str(old["status"]) + (f", {old['switched_off']}" if old["switched_off"] else "")


def _new_state(new: Mapping[str, Any]) -> str | None:
    if not new:
        return "no new SIM: not paired"
    if new["read_at"] is None:
        return "never read"
    if not new["is_seen"]:
        return "not on our organization"
    return str(new["state_word"]) if new["is_claimed"] else f"{new['state_word']}, not claimed"


def _imeis(old: Mapping[str, Any]) -> str:
    """Return the hardware of the old SIM, the last one first."""
    history = [one["imei"] for one in reversed(old.get("imeis", ()))]
    return "\n".join(dict.fromkeys(filter(None, [old.get("imei"), *history])))


def _digits(value: int | None) -> str | None:
    return None if value is None else str(value)


def _quota(old: Mapping[str, Any], source: str) -> str | None:
    booked, left, limit = old.get("data_quota_mb"), old.get("data_remaining_mb"), old.get("data_limit")
    if booked is None:
        return None if limit is None else f"{sized(limit['bytes'])}, {limit['period'] or 'of a period not told'}"
    if source != ONENCE:
        return volume_words(booked, source)
    return f"{booked} MB booked" + (f", {left} left" if left is not None else "")


def _booked(old: Mapping[str, Any]) -> str | None:
    booked, left = old.get("sms_quota"), old.get("sms_remaining")
    if booked is None:
        return None
    return f"{booked} booked" + (f", {left} left" if left is not None else "")


def limit_words(limit: int | None) -> str | None:
    """Return a data limit in words; None where it is not known."""
    if limit is None:
        return None
    return "no limit" if limit < 0 else f"pauses {sized(limit)} past its plan"


def _count(limit: int | None) -> str | None:
    return None if limit is None else "no limit" if limit < 0 else f"at most {limit}"
