"""Reads: the list, single SIMs, and usage by day."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import date
from typing import Any

from migrator.carriers.onomondo.simulator.account import OnomondoAccount, OnomondoCall, refusal
from migrator.carriers.onomondo.simulator.behaviour import AboveLargestLimit, LastToken, OnomondoUsage, TokenPlace
from migrator.carriers.onomondo.simulator.model import SimulatedOnomondoSim
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply

__all__ = ["find", "sim_list", "single", "usage"]

FIND_LIMIT = 10
HEAD = "head"
CHUNKS = ("00:30:00", "11:00:00", "23:30:00")
"""Times of a day's rows of usage."""


def sim_list(account: OnomondoAccount, call: OnomondoCall) -> SimulatedReply:
    """Answer GET /sims.

    A token names the SIM behind which the page begins, so that SIMs that come or go shift nothing.
    """
    behaviour, size = account.behaviour, _limit(account, call)
    token = call.query.get("next_page")
    doubles = [account.fleet[place] for place in range(min(behaviour.listed_twice, len(account.fleet)))]
    rows = _behind(account, token, doubles, size + 1)
    shown, is_last = rows[:size], len(rows) <= size
    body: dict[str, Any] = {"count": len(shown), "limit": size, "offset": 0}
    if behaviour.totals_told:
        body["total"] = len(account.fleet) + behaviour.listed_twice + behaviour.told_too_many
    today = account.clock.now().date()
    body["sims"] = [_listed(account, sim, today) for sim in shown]
    if not is_last or behaviour.last_token is not LastToken.ABSENT:
        last = _token(HEAD) if token is None else token
        told = (
            _token_behind(shown, doubles) if not is_last else last if behaviour.last_token is LastToken.ITSELF else None
        )
        place = body if behaviour.token_place is TokenPlace.TOP else body.setdefault("pagination", {})
        place["next_page"] = told
    account.pages_served += 1
    _drift(account)
    return json_reply(body)


def _behind(
    account: OnomondoAccount, token: str | None, doubles: Sequence[SimulatedOnomondoSim], count: int
) -> Sequence[SimulatedOnomondoSim]:
    """Return the SIMs behind a token.

    SIMs that come twice stand at the end.
    """
    name = "" if token is None else b64decode(token).decode().removeprefix(HEAD)
    if name.startswith("again:"):
        return doubles[[sim.sim_id for sim in doubles].index(name.removeprefix("again:")) + 1 :][:count]
    rows = list(account.fleet.after(name or None, count))
    return [*rows, *doubles[: count - len(rows)]] if doubles and len(rows) < count else rows


def _token_behind(shown: Sequence[SimulatedOnomondoSim], doubles: Sequence[SimulatedOnomondoSim]) -> str:
    """Return the token of the page behind the last SIM."""
    last = shown[-1]
    is_again = any(last is sim for sim in doubles) and len(shown) > 1 and shown[0] is not doubles[0]
    return _token(f"again:{last.sim_id}" if is_again else last.sim_id)


def _token(name: str) -> str:
    return b64encode(name.encode()).decode()


def _limit(account: OnomondoAccount, call: OnomondoCall) -> int:
    """Return the page size of the call.

    Raises: Refused, for a size out of bounds where the options refuse the size.
    """
    largest = account.behaviour.largest_limit
    text = call.query.get("limit", str(largest))
    size = int(text) if text.isdecimal() else 0
    if 1 <= size <= largest:
        return size
    if account.behaviour.above_largest_limit is AboveLargestLimit.REFUSE:
        raise Refused(refusal(400, f"limit must be between 1 and {largest}"))
    return largest


def _drift(account: OnomondoAccount) -> None:
    """Let SIMs go and come at the head of the list."""
    behaviour = account.behaviour
    if _due(account, behaviour.remove_every_pages) and len(account.fleet):
        account.drifted += 1
        account.fleet.remove(account.fleet[0])
    if _due(account, behaviour.insert_every_pages):
        account.drifted += 1
        account.fleet.insert_newcomer()


def _due(account: OnomondoAccount, every: int | None) -> bool:
    at_most = account.behaviour.drift_at_most
    if every is None or (at_most is not None and account.drifted >= at_most):
        return False
    return account.pages_served % every == 0


# --- one SIM ------------------------------------------------------------------------------------------------------


def find(account: OnomondoAccount, call: OnomondoCall) -> SimulatedReply:
    """Answer GET /sims/find.

    It looks for part of a SIM id or label, or for an ICCID.
    """
    wanted = call.query.get("search", "")
    size = int(text) if (text := call.query.get("limit", "")).isdecimal() else FIND_LIMIT
    found = [sim for sim in account.fleet if wanted == sim.iccid or wanted in sim.sim_id or wanted in (sim.label or "")]
    body = {"count": len(found[:size]), "limit": size, "offset": 0, "total": len(found)}
    today = account.clock.now().date()
    return json_reply(body | {"sims": [_listed(account, sim, today) for sim in found[:size]]})


def single(account: OnomondoAccount, _call: OnomondoCall, name: str) -> SimulatedReply:
    """Answer GET /sims/{id}, where an ICCID does as well."""
    sim = account.known(name)
    if sim.iccid in account.behaviour.single_reads_of_others:
        sim = next(other for other in account.fleet if other is not sim)
    return json_reply(record(account, sim))


def record(account: OnomondoAccount, sim: SimulatedOnomondoSim) -> dict[str, Any]:
    """Return a SIM's own record."""
    told = _told(account, sim, account.clock.now().date()) | {"imei": sim.imei, "imsi": sim.imsi, "msisdn": sim.msisdn}
    told |= {"data_limit": sim.limit(account.clock.now())}
    return told | _odd(account, sim)


def _listed(account: OnomondoAccount, sim: SimulatedOnomondoSim, today: date) -> dict[str, Any]:
    behaviour, told = account.behaviour, _told(account, sim, today)
    if behaviour.list_imei:
        told["imei"] = sim.imei
    if behaviour.list_imsi:
        told |= {"imsi": sim.imsi, "msisdn": sim.msisdn}
    if behaviour.list_data_limit:
        told["data_limit"] = sim.limit(account.clock.now())
    return told | _odd(account, sim)


def _told(account: OnomondoAccount, sim: SimulatedOnomondoSim, today: date) -> dict[str, Any]:
    is_online = sim.is_online(today)
    secrets = {"pin1": "1234", "puk1": "12345678"} if account.behaviour.has_pin else {}
    return {
        "id": sim.sim_id,
        "iccid": sim.iccid,
        "label": sim.label,
        "network_whitelist": "Americas",
        "imei_lock": sim.imei_lock,
        "connector": None,
        "activated": sim.activated,
        "ipv4": sim.ipv4,
        "online": is_online,
        "online_at": None,
        "last_came_online_at": "2021-11-01T12:13:39.627Z" if sim.imei else None,
        "network": {"name": "Telia" if is_online else None, "country": "Denmark" if is_online else None},
        "usage": sim.used_bytes,
        "tags": [tag.as_json() for tag in sim.tags],
        **secrets,
    }


def _odd(account: OnomondoAccount, sim: SimulatedOnomondoSim) -> dict[str, Any]:
    return {name: value for iccid, name, value in account.behaviour.said if iccid == sim.iccid}


# --- usage --------------------------------------------------------------------------------------------------------


def usage(account: OnomondoAccount, call: OnomondoCall, iccid: str = "") -> SimulatedReply:
    """Answer GET /usage and GET /usage/{iccid}: rows of one day.

    A SIM that used nothing has no rows (public client code reads them so).
    """
    choice = account.behaviour.usage_call
    if choice is OnomondoUsage.FORBIDDEN:
        return refusal(403, "forbidden")
    if choice is OnomondoUsage.UNKNOWN:
        return refusal(404, "not_found")
    sims = [account.known(iccid)] if iccid else list(account.fleet)
    day = _day(call) or account.clock.now().date()
    told = date(2020, 1, 1) if choice is OnomondoUsage.ANY_DAY else day
    rows = [
        {"iccid": sim.iccid, "time": f"{told.isoformat()} {at}", "bytes": part, "bill_id": "b1"}
        for sim in sims
        for at, part in zip(CHUNKS, _parts(sim.used_by_day(day)), strict=False)
    ]
    start = int(b64decode(token)) if (token := call.query.get("next_page")) else 0
    size = account.behaviour.usage_page_rows
    has_more = start + size < len(rows)
    pagination = {"has_more": has_more} | ({"next_page": _token(str(start + size))} if has_more else {})
    return json_reply({"pagination": pagination, "usage": rows[start : start + size]})


def _parts(volume: int) -> list[int]:
    """Split a day's bytes, the most of them last."""
    return [part for part in (volume // 8, volume // 4, volume - volume // 8 - volume // 4) if part] if volume else []


def _day(call: OnomondoCall) -> date | None:
    try:
        return date.fromisoformat(call.query.get("filter", "").removeprefix("time:"))
    except ValueError:
        return None
