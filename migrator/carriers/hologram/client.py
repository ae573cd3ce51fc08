"""HTTP with Hologram: the key, time-outs, pages.

The module makes no decisions about content.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import httpx

from migrator.carriers.hologram import wire
from migrator.carriers.hologram.refusals import sort_reply
from migrator.carriers.http import HttpSession, Mask, Reply
from migrator.carriers.pacing import Pacer
from migrator.errors import Permanent, WireMismatch
from migrator.ports import Request, Vouch

__all__ = ["HologramClient", "Params"]

READ_TIMEOUT_S = 120.0
"""Seconds that a read may take.

Heavy list pages take more than 30 s. A published client waits this long (reference, section 3.4).
"""

MOST_PAGES = 1_000

KEY_USER = "apikey"
"""User name that goes with the key (reference, section 3.1)."""

Params = Mapping[str, str | int]


class HologramClient:
    """Client that sends to Hologram, and to nobody else.

    Args:
        http: the client, with Hologram's base URL.
        api_key: kept where no repr, log or error shows it.
        pacer: shared by everybody who talks to Hologram.
    """

    def __init__(self, http: httpx.AsyncClient, *, api_key: str, pacer: Pacer) -> None:
        self._session = HttpSession(
            http,
            pacer=pacer,
            carrier="Hologram",
            sort=sort_reply,
            timeout_s=READ_TIMEOUT_S,
            auth=httpx.BasicAuth(KEY_USER, api_key),
            mask=Mask(api_key, user=KEY_USER),
        )

    async def read(self, path: str, params: Params | None = None) -> Reply:
        """GET `path`.

        Raises: PlatformError.
        """
        return await self._session.read(path, params)

    async def read_if_allowed(self, path: str, params: Params | None = None) -> Reply | None:
        """GET `path`; None where the call is closed to us or missing.

        Some calls are open to some organizations only.
        """
        try:
            return await self._session.read(path, params)
        except Permanent as error:
            if error.is_about_login:
                raise
            return None

    async def page(self, path: str, own: Params, cursor: str | None) -> tuple[Reply, str | None]:
        """Return one page and the cursor of the next page.

        The parameters in `own` win over those in the cursor.
        """
        params: Params = {**dict(parse_qsl(cursor or "")), **own}
        reply = await self._session.read(path, params)
        after = wire.next_cursor(reply.body, own=own, asked=cursor, limit=_limit_of(own))
        if after is not None and after == cursor:
            raise WireMismatch(f"Hologram's list {path} goes in a circle: {cursor} leads to itself")
        return reply, after

    async def pages(self, path: str, own: Params, *, most: int = MOST_PAGES) -> Sequence[Reply]:
        """Read every page of a list.

        Raises: WireMismatch, if the list goes in a circle or has more than `most` pages.
        """
        replies: list[Reply] = []
        seen: set[str | None] = set()
        cursor = None
        while cursor not in seen and len(replies) < most:
            seen.add(cursor)
            reply, cursor = await self.page(path, own, cursor)
            replies.append(reply)
            if cursor is None:
                return replies
        raise WireMismatch(f"Hologram's list {path} does not end: {len(replies)} pages read, now at {cursor}")

    async def send(
        self,
        request: Request,
        *,
        retry_refusals: bool = True,
        timeout_s: float | None = None,
        vouch: Vouch | None = None,
    ) -> Reply:
        """Send a write exactly as given."""
        return await self._session.write(
            request.method,
            request.path,
            body=request.body,
            retry_refusals=retry_refusals,
            timeout_s=timeout_s,
            vouch=vouch,
        )


def _limit_of(own: Params) -> int | None:
    limit = own.get("limit")
    return None if limit is None else int(limit)
