"""Authorised reads of 1NCE's API, without decisions about content.

Everybody shares one token, which is renewed in time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import httpx

from migrator.carriers.http import HttpSession, Mask, Reply
from migrator.carriers.onence.refusals import sort_login, sort_reply
from migrator.carriers.onence.wire import grant
from migrator.carriers.pacing import Pacer
from migrator.errors import LoginFailed, NotAuthorised, WireMismatch
from migrator.ports import Request, Vouch

__all__ = ["OnenceClient", "OnenceWriter"]

REFRESH_MARGIN_S = 60.0
"""Seconds before its end at which a token is renewed."""

SAME_TOKEN_PAUSE_S = 5.0
"""Seconds to wait when 1NCE hands out a refused token again.

Source: reference, section 2.4.
"""


@dataclass(frozen=True, slots=True)
class _Token:
    """Token, and the time to renew it.

    A token that came with less than the margin left is used to its end: asking again would bring the same token, time
    after time.
    """

    value: str = field(repr=False)
    renew_at: float

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.value}"}


class OnenceClient:
    """Client that reads from 1NCE and never changes a SIM.

    Args:
        http: the client, with 1NCE's base URL.
        client_id: of an API user.
        client_secret: its secret; kept where no repr, log or error shows it.
        pacer: shared by everybody who talks to 1NCE.
    """

    def __init__(self, http: httpx.AsyncClient, *, client_id: str, client_secret: str, pacer: Pacer) -> None:
        basic = httpx.BasicAuth(client_id, client_secret)
        self._mask = Mask(client_secret, user=client_id)
        self._login = HttpSession(
            http, pacer=pacer, carrier="1NCE", sort=sort_login, auth=basic, mask=self._mask, takes_tokens=True
        )
        self._session = HttpSession(http, pacer=pacer, carrier="1NCE", sort=sort_reply, mask=self._mask)
        self._token: _Token | None = None
        self._one_at_a_time = anyio.Lock()

    async def log_in(self) -> None:
        """Make sure that there is a token.

        Raises: NotAuthorised, with 1NCE's words; not tried again.
        """
        await self._valid_token()

    async def get(self, path: str, params: dict[str, str | int] | None = None) -> Reply:
        """Read `path`.

        A refused token is replaced, and the request repeated, once.

        Raises: NotAuthorised; Permanent, where 1NCE will not answer; Transient or WireMismatch, where 1NCE did not
            answer in the end.
        """
        return await self._with_token(lambda headers: self._session.read(path, params, headers=headers))

    async def _with_token(self, exchange: Callable[[dict[str, str]], Awaitable[Reply]]) -> Reply:
        token = await self._valid_token()
        try:
            return await exchange(token.headers)
        except NotAuthorised as error:
            if error.status != httpx.codes.UNAUTHORIZED:
                raise
        another = await self._token_instead_of(token)
        return await exchange(another.headers)

    async def _valid_token(self) -> _Token:
        async with self._one_at_a_time:
            if self._token is None or anyio.current_time() >= self._token.renew_at:
                self._token = await self._fetch()
            return self._token

    async def _token_instead_of(self, refused: _Token) -> _Token:
        async with self._one_at_a_time:
            if self._token is refused:  # else somebody else was refused too, and has replaced it
                self._token = None
                self._token = await self._fetch()
            another = self._token
        if another is not None and another.value != refused.value:
            return another
        await anyio.sleep(SAME_TOKEN_PAUSE_S)
        return await self._valid_token()

    async def _fetch(self) -> _Token:
        asked_at = anyio.current_time()
        granted = grant(await self._login.ask("/oauth/token", {"grant_type": "client_credentials"}))
        if granted is None:  # the sorter has seen to it
            raise WireMismatch("1NCE's login brought no token", code=LoginFailed.code)
        self._mask.hide(granted.token)
        lifetime_s = granted.expires_in_s
        in_time_s = lifetime_s - REFRESH_MARGIN_S if lifetime_s > REFRESH_MARGIN_S else lifetime_s
        return _Token(granted.token, asked_at + in_time_s)


class OnenceWriter(OnenceClient):
    """Client that also switches SIMs off or on.

    The class is made for `OnenceControl` alone, so that nothing else can write by mistake.
    """

    async def send(self, request: Request, vouch: Vouch | None = None) -> Reply:
        """Send an update exactly as given.

        The update is sent again only after a refusal that surely did nothing (429, 401).

        Raises: OutcomeUnknown, when the update left us and no readable answer came; what `vouch` raises; else what the
            answer means.
        """
        return await self._with_token(
            lambda headers: self._session.write(
                request.method, request.path, body=request.body, headers=headers, retry_refusals=True, vouch=vouch
            )
        )
