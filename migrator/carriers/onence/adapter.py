"""1NCE as a `SourcePlatform` and `SourceUsage`.

The adapter reads pages of SIMs, their volumes and usage, and the account's monthly caps.
"""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Literal

import anyio
import httpx

from migrator.carriers.onence import wire
from migrator.carriers.onence.client import OnenceClient
from migrator.carriers.onence.refusals import CHECK_BASE_URL, is_no_such_route
from migrator.carriers.pacing import Pacer
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import ONENCE, AccountLimits, QuotaReading
from migrator.errors import NotAuthorised, Permanent, Transient, WireMismatch
from migrator.ports import Reading, Remaining, SourcePage

__all__ = ["ApiVersion", "OnenceSource"]

ApiVersion = Literal["auto", "v2", "v1"]

V1_WARNING = (
    "1NCE is read through API v1, which it retires on 31 December 2026. SIMs of its Platform 2.0, which all SIMs "
    "shipped after 1 October 2026 are, are seen by v2 only: this inventory may lack some without any error."
)
NO_CAP = (
    "1NCE tells no monthly data cap: none is set, or only its newer API (v2) is left, which has no call for it. A "
    'policy with basis = "monthly_limit" then needs the cap that the portal shows: [data_limit] monthly_cap_mb'
)
NO_RECORD = {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}  # 422: an expired SIM (reference, section 12.3)
NO_LIMITS = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}


class _NoUsagePath(Exception):
    """Answer of a version that knows no usage of a SIM."""


class OnenceSource:
    """Source that reads a 1NCE account.

    Args:
        http: the client, with 1NCE's base URL.
        client_id, client_secret: of an API user.
        pacer: shared by everybody who talks to 1NCE.
        api_version: "auto" is v2, or v1 where 1NCE does not know v2.
        client: the client to use, where somebody else shares it.
        sort: an order to ask for; None, as nobody has verified that `sort` works (reference, section 4.3).

    Attributes:
        name: the carrier's name for people.
        capless: words for an account whose monthly data cap is not told.
        version: "v1" or "v2" once `open` has settled it.
        warning: what a person should know about that version, or "".
    """

    name = ONENCE
    capless = NO_CAP
    calls_per_reading = 2
    uses_by_day = False

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        pacer: Pacer,
        api_version: ApiVersion = "auto",
        sort: str | None = None,
        client: OnenceClient | None = None,
    ) -> None:
        self._client = client or OnenceClient(http, client_id=client_id, client_secret=client_secret, pacer=pacer)
        self._client_id = client_id
        self._candidates = ("v2", "v1") if api_version == "auto" else (api_version,)
        self._sort = sort
        self._first_page: SourcePage | None = None
        self._opening = anyio.Lock()
        self._usage_version: str | None = None  # the one that has told of some SIM's usage
        self.version: str | None = None

    def __repr__(self) -> str:
        return f"OnenceSource(client_id={self._client_id!r}, client_secret=***, version={self.version!r})"

    @property
    def warning(self) -> str:
        """Warning about the API version in use; empty if there is none."""
        return V1_WARNING if self.version == "v1" else ""

    async def open(self) -> str:
        """Log in, settle the API version, and return its name.

        The name is "v1" or "v2". The list's first page decides. The page is kept for the first `page(1)`, so that it is
        not asked for twice.

        Raises: NotAuthorised, with the carrier's words.
        """
        await self._client.log_in()
        for version in self._candidates:
            try:
                self._first_page = await self._list(version, 1)
            except Permanent as error:
                if not is_no_such_route(error):
                    raise
            else:
                self.version = version
                return version
        spoken = " and ".join(self._candidates)
        raise Permanent(f"1NCE does not know this API: no list of SIMs under {spoken}", hint=CHECK_BASE_URL)

    async def page(self, number: int) -> SourcePage:
        """Return page `number` (from 1) of the list, 100 SIMs each.

        An empty page is past the end.

        Raises: WireMismatch, where 1NCE twice sends nothing at all: that is never "no SIMs" (reference, 12.2).
        """
        version = await self._settled_version()
        if number == 1 and self._first_page is not None:
            page, self._first_page = self._first_page, None
            return page
        try:
            return await self._list(version, number)
        except Permanent as error:
            if error.status == HTTPStatus.NOT_FOUND and number > 1:
                return SourcePage(number, ())
            raise

    async def reading(self, iccid: Iccid) -> Reading:
        """Read the rest of both volumes: two requests."""
        return Reading(iccid, await self.data_remaining(iccid), await self.sms_remaining(iccid))

    async def data_remaining(self, iccid: Iccid) -> Remaining:
        """Read the rest of the data volume, in MB.

        A failed read is reported as failed, never as zero.
        """
        return await self._remaining(iccid, "data")

    async def sms_remaining(self, iccid: Iccid) -> Remaining:
        """Read the rest of the SMS volume.

        A failed read is reported as failed, never as zero.
        """
        return await self._remaining(iccid, "sms")

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Return for each day if the SIM used anything, or None.

        None means that no usable answer came, which is that SIM's trouble alone. Where v2 has no path for usage, v1 is
        asked, as long as there is one; no document shows such a path of v2 (reference, section 14).

        Raises: NotAuthorised, for a login that fails, which is everybody's trouble; Transient, with `insists`.
        """
        version = self._usage_version or await self._settled_version()
        asked: dict[str, str | int] = {"start_dt": first.isoformat(), "end_dt": last.isoformat()}
        await self._client.log_in()
        try:
            found = await self._used_days(version, iccid, asked, insists=insists)
        except _NoUsagePath:
            if version != "v2" or self._usage_version is not None:
                return None  # the path is there, and does not know the SIM
        else:
            if found is not None:
                self._usage_version = version
            return found
        try:
            found = await self._used_days("v1", iccid, asked, insists=insists)
        except _NoUsagePath:
            return None
        if found is not None and self._usage_version is None:
            self._usage_version = "v1"
        return found

    async def _used_days(
        self, version: str, iccid: Iccid, asked: dict[str, str | int], *, insists: bool
    ) -> Mapping[date, bool] | None:
        """Ask one version for the usage of one SIM.

        Raises: as `used_days`; _NoUsagePath, where the version does not know the SIM, or has no such path.
        """
        try:
            reply = await self._client.get(f"/{version}/sims/{wire.api_iccid(iccid)}/usage", asked)
        except NotAuthorised as error:
            if is_no_such_route(error):
                raise _NoUsagePath from None
            if error.is_about_login or error.status != HTTPStatus.FORBIDDEN:
                raise
            return None
        except Transient:
            if insists:
                raise
            return None
        except Permanent as error:
            if is_no_such_route(error):
                raise _NoUsagePath from None
            return None
        except WireMismatch:
            return None
        return wire.used_days(reply.body)

    async def session(self, iccid: Iccid) -> str | None:
        """Return 1NCE's word for the SIM's session, or None.

        It is not the on/off status: ONLINE, ATTACHED or OFFLINE, and BLOCKED in v2 (reference, section 8.1).

        Raises: NotAuthorised, for a login that fails; Transient.
        """
        version = await self._settled_version()
        await self._client.log_in()
        try:
            reply = await self._client.get(f"/{version}/sims/{wire.api_iccid(iccid)}/status")
        except NotAuthorised as error:
            if error.is_about_login or error.status != HTTPStatus.FORBIDDEN:
                raise
            return None
        except (Permanent, WireMismatch):
            return None
        return wire.session_word(reply.body)

    async def account_limits(self) -> AccountLimits:
        """Return the monthly caps that apply to every SIM of the account.

        v2 has no such call (reference, section 14).
        """
        try:
            reply = await self._client.get("/v1/sims/limits")
        except Permanent as error:
            if error.is_about_login or error.status not in NO_LIMITS:
                raise
            return AccountLimits()
        return wire.account_limits(reply.body)

    async def _settled_version(self) -> str:
        async with self._opening:  # the first of several opens it for all
            return self.version or await self.open()

    async def _list(self, version: str, number: int) -> SourcePage:
        params: dict[str, str | int] = {"page": number, "pageSize": wire.PAGE_SIZE}
        if self._sort:
            params["sort"] = self._sort
        for _attempt in range(2):
            reply = await self._client.get(f"/{version}/sims", params)
            if not reply.is_empty:
                return wire.source_page(reply, number)
        raise WireMismatch(f"1NCE answered page {number} of the list with nothing, twice")

    async def _remaining(self, iccid: Iccid, service: str) -> Remaining:
        """Read the rest of one volume of one SIM.

        The trouble of one SIM stays with that SIM. A login that fails is everybody's trouble and is raised.
        """
        version = await self._settled_version()
        await self._client.log_in()
        try:
            reply = await self._client.get(f"/{version}/sims/{wire.api_iccid(iccid)}/quota/{service}")
        except NotAuthorised as error:
            if error.is_about_login or error.status != HTTPStatus.FORBIDDEN:
                raise
            return Remaining(QuotaReading.FAILED)
        except Permanent as error:
            return Remaining(QuotaReading.NO_RECORD if error.status in NO_RECORD else QuotaReading.FAILED)
        except (Transient, WireMismatch):
            return Remaining(QuotaReading.FAILED)
        return wire.remaining(reply)
