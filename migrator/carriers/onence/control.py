"""1NCE as a `SourceControl`.

This is the only part of this tool that changes anything at 1NCE.
"""

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus

import httpx

from migrator.carriers.onence import wire
from migrator.carriers.onence.adapter import ApiVersion, OnenceSource
from migrator.carriers.onence.client import OnenceWriter
from migrator.carriers.onence.refusals import EXPIRED_STATUS
from migrator.carriers.pacing import Pacer
from migrator.core.cutover.calls import MOST_IN_A_LIST
from migrator.core.cutover.rules import Sight, Sighting
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceStatus
from migrator.errors import InputError, NotAuthorised, Permanent
from migrator.ports import Answer, Request, SetSourceState, Vouch

__all__ = ["OnenceControl"]

LOOKS = 3
"""Number of reads of a SIM whose record does not come.

An answer may have been that of another SIM.
"""


class OnenceControl:
    """Source that reads single SIMs and switches SIMs off or on.

    Arguments are as those of `OnenceSource`. v1 takes lists (`POST /v1/sims`), v2 takes one SIM at a time
    (`PUT /v2/sims/{iccid}`): v2 has no bulk change.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        pacer: Pacer,
        api_version: ApiVersion = "auto",
    ) -> None:
        self._client = OnenceWriter(http, client_id=client_id, client_secret=client_secret, pacer=pacer)
        self._source = OnenceSource(
            http,
            client_id=client_id,
            client_secret=client_secret,
            pacer=pacer,
            api_version=api_version,
            client=self._client,
        )

    uses_by_day = False

    def __repr__(self) -> str:
        return repr(self._source).replace("OnenceSource", "OnenceControl", 1)

    @property
    def most(self) -> int:
        """Most SIMs in one order."""
        return MOST_IN_A_LIST if self._version == "v1" else 1

    @property
    def writes_back(self) -> bool:
        """True: an update carries all its fields.

        The effect of a missing field is unknown (reference, section 10.1).
        """
        return True

    @property
    def _version(self) -> str:
        if self._source.version is None:
            raise InputError("1NCE was not opened yet", code="not_open")
        return self._source.version

    async def open(self) -> str:
        """Log in, settle the API version, and return its name.

        Raises: NotAuthorised.
        """
        return await self._source.open()

    async def look(self, iccid: Iccid) -> Sight:
        """Read one SIM as it is now.

        Unknown SIMs are answered 404, or 200 with nothing (reference, section 5); expired SIMs 422, or with the word. A
        login that fails is everybody's trouble and is raised. A SIM that is not ours to read is the trouble of that SIM
        alone.

        An answer that is not this SIM's record is asked for anew, and then is that SIM's trouble, too.

        Raises: Transient or WireMismatch, where no usable answer came in the end; NotAuthorised.
        """
        for _attempt in range(LOOKS):
            sight = await self._look(iccid)
            if sight.sighting is not Sighting.UNREADABLE:
                break
        return sight

    async def _look(self, iccid: Iccid) -> Sight:
        path = f"/{self._version}/sims/{wire.api_iccid(iccid)}"
        try:
            reply = await self._client.get(path)
        except Permanent as error:
            return _refused(error)
        if reply.is_empty:
            return Sight(Sighting.GONE)
        row = wire.source_row(reply.body if isinstance(reply.body, Mapping) else None, is_whole=reply.is_whole)
        if row.sim is None or row.sim.iccid != iccid:
            return Sight(Sighting.UNREADABLE, words="1NCE answers with something that is not this SIM")
        sighting = Sighting.EXPIRED if row.sim.status is SourceStatus.EXPIRED else Sighting.SEEN
        return Sight(sighting, row.sim, label_trouble=row.label_trouble)

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Return for each day if the SIM used anything, or None.

        See `OnenceSource.used_days`.
        """
        return await self._source.used_days(iccid, first, last, insists=insists)

    async def session(self, iccid: Iccid) -> str | None:
        """Return 1NCE's word for the SIM's session, or None.

        See `OnenceSource.session`.
        """
        return await self._source.session(iccid)

    def request(self, order: SetSourceState) -> Request:
        """Return the very request that `send` will send.

        Raises: InputError, for no SIMs or more than `most`.
        """
        if not 1 <= len(order.sims) <= self.most:
            raise InputError(f"an order takes 1 to {self.most} SIMs, not {len(order.sims)}", code="order_size")
        updates = [wire.update_object(sim) for sim in order.sims]
        if len(updates) == 1:
            return Request("PUT", f"/{self._version}/sims/{updates[0]['iccid']}", updates[0])
        return Request("POST", "/v1/sims", updates)

    async def send(self, order: SetSourceState, *, vouch: Vouch | None = None) -> Answer:
        """Send an order.

        The order is queued at 1NCE, without a word on single SIMs, so only a read proves the effect.

        Raises: Permanent, where the whole order was refused; OutcomeUnknown; what `vouch` raises.
        """
        await self._client.send(self.request(order), vouch)
        return Answer()


def _refused(error: Permanent) -> Sight:
    """Return the meaning of a refusal for one SIM.

    Raises: the error, where it concerns the login, and so everybody.
    """
    is_unknown_to_it = isinstance(error, NotAuthorised) and error.status != HTTPStatus.FORBIDDEN
    if error.is_about_login or is_unknown_to_it:
        raise error
    if error.status == HTTPStatus.NOT_FOUND:
        return Sight(Sighting.GONE, words=error.carrier_words)
    sighting = Sighting.EXPIRED if error.status == EXPIRED_STATUS else Sighting.REFUSED
    return Sight(sighting, words=error.carrier_words)
