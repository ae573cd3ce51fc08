"""List replies: newest first by id, with a cursor.

The options bring every oddity that the vendor's samples show.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlencode

from migrator.carriers.hologram.simulator.behaviour import HologramBehaviour
from migrator.carriers.hologram.simulator.choices import Continues, LastId, NextLink
from migrator.carriers.hologram.simulator.replies import Call, HologramReply, Refusal, ok, refusal

__all__ = ["page", "page_limit"]

T = TypeVar("T")

BASE = "dashboard.hologram.io"
OTHER_BASE = "staging.hologram.example"


def page(
    behaviour: HologramBehaviour,
    call: Call,
    found: Iterator[T],
    *,
    id_of: Callable[[T], int],
    row_of: Callable[[T], dict[str, Any]],
) -> HologramReply:
    """Return one page of `found`.

    `found` comes newest first, and already starts below the cursor.
    """
    limit = page_limit(behaviour, call)
    rows = list(islice(found, limit + 1))
    shown, more = rows[:limit], len(rows) > limit
    ids = [id_of(row) for row in shown]
    cursor = ids[-1] if more else None
    if cursor is None and behaviour.paging_never_ends:
        cursor = call.number("startafter") or (ids[0] + 1 if ids else 1)
    return ok([row_of(row) for row in shown], **_frame(behaviour, call, ids, limit=limit, cursor=cursor))


def page_limit(behaviour: HologramBehaviour, call: Call) -> int:
    """Return the number of rows that a page has.

    The number is what the call asks for, clamped.

    Raises: Refusal, below 1.
    """
    limit = call.number("limit")
    if limit is None:
        return min(behaviour.default_page_size, behaviour.max_page_size)
    if limit < 1:
        raise Refusal(refusal(400, "limit must be positive"))
    return min(limit, behaviour.max_page_size)


def _frame(
    behaviour: HologramBehaviour, call: Call, ids: Sequence[int], *, limit: int, cursor: int | None
) -> dict[str, Any]:
    shown = str if behaviour.numbers_as_strings else int
    frame: dict[str, Any] = {"limit": shown(limit), "size": shown(len(ids))}
    frame |= _continues(behaviour.continues, more=cursor is not None)
    if ids and behaviour.lastid != LastId.OMITTED:
        frame["lastid"] = shown(ids[0] if behaviour.lastid == LastId.FIRST else ids[-1])
    return frame | {"links": _links(behaviour.next_link, call, limit=limit, cursor=cursor)}


def _continues(form: Continues, *, more: bool) -> dict[str, bool]:
    if form == Continues.ALWAYS_FALSE:
        return {"continues": False}
    if form == Continues.OMITTED or (form == Continues.OMITTED_AT_END and not more):
        return {}
    return {"continues": more}


def _links(form: NextLink, call: Call, *, limit: int, cursor: int | None) -> dict[str, str]:
    path = f"/api/1{call.path}"
    links = {"path": path, "base": OTHER_BASE if form in {NextLink.OTHER_BASE, NextLink.ABSOLUTE} else BASE}
    if cursor is None or form == NextLink.ABSENT:
        return links
    following = urlencode({**call.query, "limit": limit, "startafter": cursor})
    host = f"https://{OTHER_BASE}" if form == NextLink.ABSOLUTE else ""
    return {**links, "next": f"{host}{path}?{following}"}
