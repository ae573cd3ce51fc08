"""Daily rows of `GET /sims/{iccid}/usage`, made from SIM and day."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.carriers.simulation.chance import Draws

__all__ = ["is_in_a_unit", "usage"]

DEFAULT_DAYS, LONGEST_DAYS = 14, 183  # the default window, and how far back the call reaches (reference, section 7)
IDLE_PERCENT = 60
EURO = {"id": 1, "symbol": "€", "code": "EUR"}
NOTHING = {"volume": "0", "volume_tx": "0", "volume_rx": "0"}


def usage(
    sim: SimulatedSourceSim, query: Mapping[str, str], *, today: date, with_total: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return daily rows, newest first, then the row TOTAL.

    Dates that make no sense give no days at all, as recorded.
    """
    last = min(_date(query.get("end_dt"), today) or date.min, today)
    first = _date(query.get("start_dt"), today - timedelta(days=DEFAULT_DAYS - 1)) or date.max
    first = max(first, today - timedelta(days=LONGEST_DAYS))
    days = [last - timedelta(days=back) for back in range((last - first).days + 1)]
    data, sms = [_data(sim, day) for day in days], [_sms(sim, day) for day in days]
    rows: list[dict[str, Any]] = [
        {"date": day.isoformat(), "data": _data_row(*data[index]), "sms": _sms_row(*sms[index])}
        for index, day in enumerate(days)
    ]
    if with_total:
        total_data, total_sms = _sums(data), _sums(sms)
        rows.append({"date": "TOTAL", "data": _volumes(*total_data), "sms": _volumes(*total_sms)})
    return {"stats": rows}


def _date(text: str | None, default: date) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else default
    except ValueError:
        return None


def _data(sim: SimulatedSourceSim, day: date) -> tuple[float, float]:
    """Return the MB up and down of one day."""
    draws = Draws("usage", sim.iccid, day.isoformat())
    if day in sim.used_on:
        return 0.25, 0.5
    if _is_idle(sim, day) or draws.below(100) < IDLE_PERCENT:
        return 0, 0
    return draws.below(400_000) / 1e6, draws.below(900_000) / 1e6


def _sms(sim: SimulatedSourceSim, day: date) -> tuple[int, int]:
    """Return the messages to the SIM and from the SIM."""
    draws = Draws("messages", sim.iccid, day.isoformat())
    idle = _is_idle(sim, day) or draws.below(10) > 0
    return (0, 0) if idle else (draws.below(3), draws.below(3))


def _is_idle(sim: SimulatedSourceSim, day: date) -> bool:
    """True if the SIM is in no unit on that day."""
    is_replaced = sim.silent_from is not None and day >= sim.silent_from
    return sim.imei is None or day < sim.activated_at.date() or is_replaced


def is_in_a_unit(sim: SimulatedSourceSim, day: date) -> bool:
    """True if the SIM is in a running unit on that day."""
    return day in sim.used_on or not _is_idle(sim, day)


def _data_row(sent: float, received: float) -> dict[str, Any]:
    return _row(sent, received, {"id": 5, "description": "Data", "unit": "MB"})


def _sms_row(sent: float, received: float) -> dict[str, Any]:
    return _row(sent, received, {"id": 6, "description": "SMS", "unit": "SMS"})


def _row(sent: float, received: float, traffic_type: dict[str, Any]) -> dict[str, Any]:
    volumes: dict[str, Any] = _volumes(sent, received)
    if volumes == NOTHING:
        return volumes
    return volumes | {"cost": volumes["volume"], "currency": EURO, "traffic_type": traffic_type}


def _volumes(sent: float, received: float) -> dict[str, str]:
    """Return volumes as text, with the recorded noise of binary fractions."""
    return {"volume": str(sent + received), "volume_tx": str(sent), "volume_rx": str(received)}


def _sums(rows: list[tuple[float, float]] | list[tuple[int, int]]) -> tuple[float, float]:
    return sum(sent for sent, _ in rows), sum(received for _, received in rows)
