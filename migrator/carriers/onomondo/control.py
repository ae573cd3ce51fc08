"""Onomondo as a `SourceControl`.

This is the only part of this tool that changes anything at Onomondo.
"""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus

import httpx

from migrator.carriers.onomondo import wire
from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.client import OnomondoWriter
from migrator.carriers.pacing import Pacer
from migrator.core.cutover.rules import Sight, Sighting
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import InputError, Permanent
from migrator.ports import Answer, Request, SetSourceState, Vouch

__all__ = ["OnomondoControl"]

MOST_IN_BULK = 20
"""Most SIMs in one bulk update, by the vendor's page."""

LOOKS = 3
"""Number of reads of a SIM whose record does not come.

An answer may have been that of another SIM.
"""


class OnomondoControl:
    """Source that reads single SIMs and switches SIMs off or on.

    Arguments are as those of `OnomondoSource`. An update names a SIM by its SIM id, which a look at the SIM brings:
    only SIMs that were looked at can be ordered.
    """

    def __init__(self, http: httpx.AsyncClient, *, api_key: str, pacer: Pacer) -> None:
        self._client = OnomondoWriter(http, api_key=api_key, pacer=pacer)
        self._source = OnomondoSource(http, api_key=api_key, pacer=pacer, client=self._client)
        self._ids: dict[str, str] = {}  # SIM ids by the ICCID's key

    uses_by_day = True

    def __repr__(self) -> str:
        return "OnomondoControl(api_key=***)"

    @property
    def most(self) -> int:
        """Most SIMs in one order."""
        return MOST_IN_BULK

    @property
    def writes_back(self) -> bool:
        """False: an update takes the changed field alone."""
        return False

    async def open(self) -> str:
        """Show the key, and return the API's name.

        Raises: NotAuthorised.
        """
        return await self._source.open()

    async def look(self, iccid: Iccid) -> Sight:
        """Read one SIM as it is now.

        A key that is refused is everybody's trouble and is raised. A SIM that is not ours to read is the trouble of
        that SIM alone. An answer that is not this SIM's record is asked for anew, and then is that SIM's trouble, too.

        Raises: Transient or WireMismatch, where no usable answer came in the end; NotAuthorised.
        """
        for _attempt in range(LOOKS):
            sight = await self._look(iccid)
            if sight.sighting is not Sighting.UNREADABLE:
                break
        return sight

    async def _look(self, iccid: Iccid) -> Sight:
        try:
            reply = await self._client.get(f"/sims/{wire.api_iccid(iccid)}")
        except Permanent as error:
            return _refused(error)
        row = wire.source_row(reply.body, is_whole=reply.is_whole)
        if row.sim is None or row.sim.iccid != iccid:
            return Sight(Sighting.UNREADABLE, words="Onomondo answers with something that is not this SIM")
        known_id = wire.sim_id(row.raw)
        if known_id is None:
            return Sight(Sighting.UNREADABLE, words="Onomondo tells no SIM id of nine digits, which updates need")
        self._ids[iccid.key] = known_id
        return Sight(Sighting.SEEN, row.sim, label_trouble=row.label_trouble)

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Return for each day if the SIM used anything, or None.

        See `OnomondoSource.used_days`.
        """
        return await self._source.used_days(iccid, first, last, insists=insists)

    async def session(self, iccid: Iccid) -> str | None:
        """Return Onomondo's word for the SIM's session, or None."""
        return await self._source.session(iccid)

    def request(self, order: SetSourceState) -> Request:
        """Return the very request that `send` will send.

        Raises: InputError, for no SIMs, more than `most`, or a SIM that was not looked at.
        """
        if not 1 <= len(order.sims) <= self.most:
            raise InputError(f"an order takes 1 to {self.most} SIMs, not {len(order.sims)}", code="order_size")
        updates = [wire.update_object(self._id(sim.iccid), enabled=sim.enabled) for sim in order.sims]
        return Request("PATCH", "/sims/bulk", {"sims": updates})

    async def send(self, order: SetSourceState, *, vouch: Vouch | None = None) -> Answer:
        """Send an order.

        A line that is missing or failed is the trouble of that SIM alone, and only a read proves the effect.

        Raises: Permanent, where the whole order was refused; OutcomeUnknown; what `vouch` raises.
        """
        reply = await self._client.send(self.request(order), vouch)
        keys = {self._id(sim.iccid): sim.iccid.key for sim in order.sims}
        troubles = wire.told_of_each(reply, list(keys))
        return Answer(reasons={keys[known_id]: words for known_id, words in troubles.items()})

    def _id(self, iccid: Iccid) -> str:
        known_id = self._ids.get(iccid.key)
        if known_id is None:
            raise InputError(f"{iccid} was not looked at, so its SIM id is not known", code="not_looked_at")
        return known_id


def _refused(error: Permanent) -> Sight:
    """Return the meaning of a refusal for one SIM.

    Raises: the error, where it concerns the key, and so everybody.
    """
    if error.is_about_login:
        raise error
    sighting = Sighting.GONE if error.status == HTTPStatus.NOT_FOUND else Sighting.REFUSED
    return Sight(sighting, words=error.carrier_words)
