"""Onomondo as a `SourcePlatform` and `SourceUsage`.

The adapter reads pages of SIMs, single SIMs, and their usage by day.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from http import HTTPStatus

import anyio
import httpx

from migrator.carriers.onomondo import wire
from migrator.carriers.onomondo.client import OnomondoClient
from migrator.carriers.pacing import Pacer
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, QuotaReading
from migrator.errors import Permanent, Transient, WireMismatch
from migrator.ports import Reading, Remaining, SourcePage, SourceRow

__all__ = ["OnomondoSource"]

API_NAME = "onomondo"
"""Name of the API, which has no versions.

A reading of another carrier's list that was interrupted has another name, and is not continued.
"""

NO_CAP = (
    "Onomondo has limits of single SIMs, and no monthly cap of the account: a policy with "
    'basis = "monthly_limit" needs [data_limit] monthly_cap_mb'
)

MOST_DAYS = 62
"""Most days of usage that are asked for: a request each.

Earlier days stay unknown.
"""

MOST_PAGES_A_DAY = 10
"""Most pages of one SIM's usage on one day.

Rows are of half an hour.
"""

ROWS_AT_ONCE = 50
"""Rows of a page that are read without a pause.

In the pauses the request for the next page leaves.
"""


class OnomondoSource:
    """Source that reads an Onomondo account.

    The list has a cursor: each page names the next one. So pages are read one after the other, whoever asks for them,
    and a page whose token is not known, as an earlier process read the pages before, is found by reading these again.

    Args:
        http: the client, with Onomondo's base URL.
        api_key: of the account.
        pacer: shared by everybody who talks to Onomondo.
        client: the client to use, where somebody else shares it.

    Attributes:
        name: the carrier's name for people.
        capless: words for an account whose monthly data cap is not told; no account has one.
        warning: what a person should know about the API; always "".
    """

    name = "Onomondo"
    capless = NO_CAP
    warning = ""
    calls_per_reading = 1
    uses_by_day = True

    def __init__(
        self, http: httpx.AsyncClient, *, api_key: str, pacer: Pacer, client: OnomondoClient | None = None
    ) -> None:
        self._client = client or OnomondoClient(http, api_key=api_key, pacer=pacer)
        self._one_at_a_time = anyio.Lock()
        self._first_page: wire.Listed | None = None
        self._tokens: list[str | None] = [None]  # of the pages from 1 on, as far as they are known
        self._is_over = False  # the last known page is the last of all
        self._names_limit = True

    def __repr__(self) -> str:
        return "OnomondoSource(api_key=***)"

    async def open(self) -> str:
        """Read the first page, and return the API's name.

        Onomondo has no login: this page shows if the key is taken. The page is kept for the first `page(1)`, so that it
        is not asked for twice.

        Raises: NotAuthorised, with the carrier's words.
        """
        async with self._one_at_a_time:
            self._first_page = await self._list(None)
        return API_NAME

    async def page(self, number: int) -> SourcePage:
        """Return page `number` (from 1) of the list.

        An empty page is past the end. The first page begins the list anew. Whoever waits for the next page has its
        token as soon as this one came, and need not wait until its rows are read.
        """
        async with self._one_at_a_time:
            if number == 1:
                self._tokens, self._is_over = [None], False
            for between in range(len(self._tokens), number):
                if self._is_over:
                    return SourcePage(number, ())
                await self._read(between)
            if number > len(self._tokens):
                return SourcePage(number, ())
            found = await self._read(number)
        return found.page(number, await _rows(found))

    async def reading(self, iccid: Iccid) -> Reading:
        """Read hardware and limit from a SIM's own record.

        A failed read is reported as failed. The trouble of one SIM stays with that SIM.

        Raises: NotAuthorised, for a key that is refused.
        """
        try:
            reply = await self._client.get(f"/sims/{wire.api_iccid(iccid)}")
        except Permanent as error:
            if error.is_about_login:
                raise
            return _failed(iccid)
        except (Transient, WireMismatch):
            return _failed(iccid)
        row = wire.source_row(reply.body, is_whole=reply.is_whole)
        return _failed(iccid) if row.sim is None or row.sim.iccid != iccid else wire.reading(row, iccid)

    async def account_limits(self) -> AccountLimits:
        """Return no caps: Onomondo has limits of single SIMs alone."""
        return AccountLimits()

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Return for each day if the SIM used anything, or None.

        None means that no usable answer came, which is that SIM's trouble alone. A request goes out for each day. Days
        before the last `MOST_DAYS`, and those whose answer cannot be read, are left out.

        Raises: NotAuthorised, for a key that is refused; Transient, with `insists`.
        """
        days = {}
        for back in range(min((last - first).days + 1, MOST_DAYS)):
            day = last - timedelta(days=back)
            try:
                used = await self._used(iccid, day)
            except Permanent as error:
                if error.is_about_login:
                    raise
                break
            except Transient:
                if insists:
                    raise
                break
            except WireMismatch:
                break
            if used is not None:
                days[day] = used
        return days or None

    async def session(self, iccid: Iccid) -> str | None:
        """Return ONLINE or OFFLINE, or None.

        Raises: NotAuthorised, for a key that is refused; Transient.
        """
        try:
            reply = await self._client.get(f"/sims/{wire.api_iccid(iccid)}")
        except Permanent as error:
            if error.is_about_login:
                raise
            return None
        except WireMismatch:
            return None
        return wire.session_word(reply.body)

    async def _used(self, iccid: Iccid, day: date) -> bool | None:
        """Read whether a SIM used anything on one day; None if unknown."""
        asked: dict[str, str | int] = {"filter": f"time:{day.isoformat()}"}
        bodies = []
        for _page in range(MOST_PAGES_A_DAY):
            reply = await self._client.get(f"/usage/{wire.api_iccid(iccid)}", asked)
            bodies.append(reply.body)
            token = wire.next_page(reply.body)
            if token is None or token == asked.get("next_page"):
                return wire.day_of_use(bodies, iccid, day)
            asked["next_page"] = token
        return wire.day_of_use(bodies, iccid, day) or None  # what was not read may be use

    async def _read(self, number: int) -> wire.Listed:
        """Read a page whose token is known, and note the next one's.

        A token that came before leads nowhere: the list ends.
        """
        kept, self._first_page = self._first_page, None
        found = kept if kept is not None and number == 1 else await self._list(self._tokens[number - 1])
        if number == len(self._tokens):
            if found.token is None or found.token in self._tokens:
                self._is_over = True
            else:
                self._tokens.append(found.token)
        return found

    async def _list(self, token: str | None) -> wire.Listed:
        """Ask for one page.

        The largest page is what the vendor's page says, and the default. Where it is refused, the default is asked for.
        """
        params: dict[str, str | int] = {"limit": wire.PAGE_SIZE} if self._names_limit else {}
        if token is not None:
            params["next_page"] = token
        try:
            return wire.listed(await self._client.get("/sims", params))
        except Permanent as error:
            if error.status != HTTPStatus.BAD_REQUEST or not self._names_limit:
                raise
        self._names_limit = False
        return await self._list(token)


async def _rows(found: wire.Listed) -> Sequence[SourceRow]:
    """Read the rows of a page, with pauses for other requests."""
    rows: list[SourceRow] = []
    for raw in found.rows:
        if len(rows) % ROWS_AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
        rows.append(wire.source_row(raw, is_whole=found.is_whole))
    return rows


def _failed(iccid: Iccid) -> Reading:
    return Reading(iccid, Remaining(QuotaReading.FAILED), Remaining(QuotaReading.FAILED))
