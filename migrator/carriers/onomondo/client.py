"""Authorised reads of Onomondo's API, without decisions about content."""

from collections.abc import Awaitable, Callable, Mapping

import anyio
import httpx

from migrator.carriers.http import HttpSession, Mask, Reply
from migrator.carriers.onomondo.refusals import sort_bulk, sort_reply
from migrator.carriers.pacing import Pacer
from migrator.errors import LoginRefused, Permanent
from migrator.ports import Request, Vouch

__all__ = ["OnomondoClient", "OnomondoWriter"]


class OnomondoClient:
    """Client that reads from Onomondo and never changes a SIM.

    The key goes out after the word Bearer, as the vendor's page has it. Where that is refused, the bare key is tried
    once, as older pages and most public programs send it; the form that was taken is remembered.

    Args:
        http: the client, with Onomondo's base URL.
        api_key: kept where no repr, log or error shows it.
        pacer: shared by everybody who talks to Onomondo.
    """

    def __init__(self, http: httpx.AsyncClient, *, api_key: str, pacer: Pacer) -> None:
        self._mask = Mask(api_key)
        self._session = HttpSession(http, pacer=pacer, carrier="Onomondo", sort=sort_reply, mask=self._mask)
        self._bulk = HttpSession(http, pacer=pacer, carrier="Onomondo", sort=sort_bulk, mask=self._mask)
        self._forms = ({"Authorization": f"Bearer {api_key}"}, {"Authorization": api_key})
        self._settled: Mapping[str, str] | None = None
        self._settling = anyio.Lock()

    async def get(self, path: str, params: dict[str, str | int] | None = None) -> Reply:
        """Read `path`.

        Raises: LoginRefused; Permanent, where Onomondo will not answer; Transient or WireMismatch, where Onomondo did
            not answer in the end.
        """
        return await self._with_key(lambda headers: self._session.read(path, params, headers=headers))

    async def _with_key(self, exchange: Callable[[Mapping[str, str]], Awaitable[Reply]]) -> Reply:
        """Exchange with the form of the key that is taken.

        Until it is known, requests go out one at a time: else one would take the other's trial for the answer.
        """
        settled = self._settled
        if settled is None:
            async with self._settling:
                settled = self._settled
                if settled is None:
                    return await self._first(exchange)
        return await exchange(settled)

    async def _first(self, exchange: Callable[[Mapping[str, str]], Awaitable[Reply]]) -> Reply:
        with_word = self._forms[0]
        try:
            reply = await exchange(with_word)
        except LoginRefused:
            return await self._with_bare_key(exchange)
        except Permanent:
            self._settled = with_word
            raise
        self._settled = with_word
        return reply

    async def _with_bare_key(self, exchange: Callable[[Mapping[str, str]], Awaitable[Reply]]) -> Reply:
        """Send with the bare key.

        Refused alike, the key is what is wrong, and the other form is not tried again.
        """
        try:
            reply = await exchange(self._forms[1])
        except LoginRefused:
            self._settled = self._forms[0]
            raise
        except Permanent:
            self._settled = self._forms[1]
            raise
        self._settled = self._forms[1]
        return reply


class OnomondoWriter(OnomondoClient):
    """Client that also switches SIMs off or on.

    The class is made for `OnomondoControl` alone, so that nothing else can write by mistake.
    """

    async def send(self, request: Request, vouch: Vouch | None = None) -> Reply:
        """Send an update exactly as given.

        The update is sent again only after a refusal that surely did nothing (429, 401).

        Raises: OutcomeUnknown, when the update left us and no readable answer came; what `vouch` raises; else what the
            answer means.
        """
        return await self._with_key(
            lambda headers: self._bulk.write(
                request.method, request.path, body=request.body, headers=headers, retry_refusals=True, vouch=vouch
            )
        )
