"""Pages of `GET /sims`, a list that may move during a read."""

from collections.abc import Sequence
from typing import Any

from migrator.carriers.onence.simulator.account import CustomerAccount
from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import (
    AboveLargestPage,
    BeyondEnd,
    ExpiredSims,
    ListOrder,
    TotalsHeaders,
    TotalsScope,
)
from migrator.carriers.onence.simulator.messages import OnenceCall, refusal
from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.carriers.onence.simulator.shapes import sim_object
from migrator.carriers.simulation.chance import ArbitraryOrder
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply

__all__ = ["SimList"]

DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 10, 100
SORTABLE = {"imei", "ip_address"}
FILTERABLE = {"imei", "ip_address"}


class SimList:
    """Answers to list calls.

    A filtered or sorted view is made when page 1 is asked for, and when SIMs come or go.
    """

    def __init__(self) -> None:
        self._views: dict[tuple[str, str, str], tuple[int, list[SimulatedSourceSim]]] = {}

    def page(self, account: CustomerAccount, call: OnenceCall) -> SimulatedReply:
        """Return one page of the list (reference, section 4)."""
        behaviour = account.behaviour
        size = _page_size(call, behaviour)
        page = max(1, _whole(call.query.get("page", "1")) or 1)
        rows = self._rows(account, call, page)
        pages = -(-len(rows) // size)
        is_beyond = page > pages
        if is_beyond and behaviour.beyond_end in {BeyondEnd.LAST_AGAIN, BeyondEnd.LAST_SHUFFLED}:
            page = max(1, pages)
        if page > max(1, pages) and behaviour.beyond_end is BeyondEnd.NOT_FOUND:
            return refusal(call, 404, "Element not found")
        shown = _slice(account, call, rows, start=(page - 1) * size, size=size)
        if is_beyond and behaviour.beyond_end is BeyondEnd.LAST_SHUFFLED:
            order = ArbitraryOrder(len(shown), account.seed, "again", account.pages_served)
            shown = [shown[order.at(index)] for index in range(len(shown))]
        told = _spoken_of(behaviour, sims=len(rows), pages=pages, shown=len(shown))
        totals = (*told, page, len(shown) if behaviour.count_per_page_is_rows else size)
        words = behaviour.v2_words if call.version == "v2" else behaviour.v1_words
        body: Any = [sim_object(sim, behaviour, words=words, single=False) for sim in shown]
        account.pages_served += 1
        _drift(account, rows)
        return json_reply({"results": body} if behaviour.results_wrapped else body, headers=_totals(behaviour, totals))

    def _rows(self, account: CustomerAccount, call: OnenceCall, page: int) -> Sequence[SimulatedSourceSim]:
        """Return all SIMs of this list, in order.

        The result is the fleet itself where nothing is left out or sorted.
        """
        behaviour = account.behaviour
        sort = call.query.get("sort", "") if behaviour.sort_honoured else ""
        filters = call.query.get("q", "")
        hides_some = behaviour.expired is ExpiredSims.UNLISTED or (
            call.version == "v1" and behaviour.v1_hides_platform2
        )
        if not (sort or filters or hides_some):
            doubles = behaviour.listed_twice
            return [*account.fleet, *account.fleet[:doubles]] if doubles else account.fleet
        key = (call.version, sort, filters)
        revision, view = self._views.get(key, (-1, []))
        if page == 1 or revision != account.fleet.revision:
            view = _sorted([sim for sim in account.fleet if _listed(account, call, sim, filters)], sort)
            self._views[key] = (account.fleet.revision, view)
        return view


def _listed(account: CustomerAccount, call: OnenceCall, sim: SimulatedSourceSim, filters: str) -> bool:
    if not account.shows(sim, call) or (sim.is_expired and account.behaviour.expired is ExpiredSims.UNLISTED):
        return False
    wanted = (part.partition(":") for part in filters.split(",") if part)
    return all(getattr(sim, name) == value for name, _, value in wanted if name in FILTERABLE)


def _sorted(sims: list[SimulatedSourceSim], sort: str) -> list[SimulatedSourceSim]:
    """Sort by the named fields, the first field counting most.

    Addresses are sorted as text. Other fields are ignored.
    """
    for part in reversed(sort.split(",")):
        name = part.strip().removeprefix("-")
        if name in SORTABLE:
            sims.sort(key=lambda sim, name=name: getattr(sim, name) or "", reverse=part.strip().startswith("-"))  # type: ignore[misc]
    return sims


def _slice(
    account: CustomerAccount, call: OnenceCall, rows: Sequence[SimulatedSourceSim], *, start: int, size: int
) -> list[SimulatedSourceSim]:
    behaviour = account.behaviour
    is_sorted = behaviour.sort_honoured and "sort" in call.query
    if behaviour.list_order is ListOrder.FIXED or is_sorted:
        return list(rows[start : start + size])
    order = ArbitraryOrder(len(rows), account.seed, "call", account.pages_served)
    return [rows[order.at(index)] for index in range(start, min(start + size, len(rows)))]


def _page_size(call: OnenceCall, behaviour: OnenceBehaviour) -> int:
    """Return the page size of the call.

    Raises: Refused, for a size out of bounds where the options refuse the size.
    """
    size = _whole(call.query.get("pageSize", str(DEFAULT_PAGE_SIZE)))
    if size is not None and 1 <= size <= LARGEST_PAGE_SIZE:
        return size
    if behaviour.above_largest_page is AboveLargestPage.REFUSE:
        raise Refused(refusal(call, 400, "pageSize must be between 1 and 100"))
    return LARGEST_PAGE_SIZE if size is not None and size > LARGEST_PAGE_SIZE else DEFAULT_PAGE_SIZE


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - far past any list


def _spoken_of(behaviour: OnenceBehaviour, *, sims: int, pages: int, shown: int) -> tuple[int, int]:
    """Return the numbers of SIMs and pages that the headers report."""
    if behaviour.totals is TotalsScope.ONE_PAGE:
        return shown, 1
    told = 0 if behaviour.totals is TotalsScope.NO_PAGES else pages
    return sims + behaviour.told_too_many, told if behaviour.pages_promised is None else behaviour.pages_promised


def _totals(behaviour: OnenceBehaviour, totals: tuple[int, int, int, int]) -> tuple[tuple[str, str], ...]:
    if behaviour.totals_headers is TotalsHeaders.ABSENT:
        return ()
    names = ("X-Total-Count", "X-Total-Pages", "X-Current-Page", "X-Count-Per-Page")
    lower = behaviour.totals_headers is TotalsHeaders.LOWER_CASE
    return tuple((name.lower() if lower else name, str(value)) for name, value in zip(names, totals, strict=True))


def _drift(account: CustomerAccount, rows: Sequence[SimulatedSourceSim]) -> None:
    """Let SIMs go and come at the head of the list.

    So everything behind moves between two pages.
    """
    behaviour = account.behaviour
    if _due(account, behaviour.remove_every_pages) and rows:
        account.drifted += 1
        account.fleet.remove(rows[0])
    if _due(account, behaviour.insert_every_pages):
        account.drifted += 1
        account.fleet.insert_newcomer()


def _due(account: CustomerAccount, every: int | None) -> bool:
    at_most = account.behaviour.drift_at_most
    if every is None or (at_most is not None and account.drifted >= at_most):
        return False
    return account.pages_served % every == 0
