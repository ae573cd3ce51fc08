"""`SourceControl` of a dry run: real reads, orders that are never sent.

The dry run is that of `cutover apply --dry-run`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from migrator.carriers.dryrun import Sent
from migrator.core.cutover.rules import Sight
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceStatus
from migrator.ports import Answer, Request, SetSourceState, SourceControl, SourceSimState, Vouch

__all__ = ["DryRunControl"]


@dataclass(slots=True)
class DryRunControl:
    """Source control on which every order seems to take effect at once.

    `sent` gets the requests that would have gone out, in order.
    """

    inner: SourceControl
    sent: Sent
    _ordered: dict[str, SourceSimState] = field(default_factory=dict, init=False)

    @property
    def most(self) -> int:
        """Most SIMs in one order at the real source."""
        return self.inner.most

    @property
    def writes_back(self) -> bool:
        """True if the real source's orders carry label and IMEI lock."""
        return self.inner.writes_back

    async def open(self) -> str:
        """Open the real source, and return its API version."""
        return await self.inner.open()

    async def look(self, iccid: Iccid) -> Sight:
        """Read a SIM as the orders would have left it."""
        sight = await self.inner.look(iccid)
        order = self._ordered.get(iccid.key)
        if order is None or sight.sim is None:
            return sight
        status = SourceStatus.ENABLED if order.enabled else SourceStatus.DISABLED
        return replace(sight, sim=replace(sight.sim, status=status, status_word=status.value))

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        """Return the usage by day that the real source reports."""
        return await self.inner.used_days(iccid, first, last, insists=insists)

    def request(self, order: SetSourceState) -> Request:
        """Return the request that the real source would get."""
        return self.inner.request(order)

    async def send(self, order: SetSourceState, *, vouch: Vouch | None = None) -> Answer:
        """Note the order, and answer as if it took effect.

        The order leaves at once, so nothing grows old before it is sent.
        """
        del vouch
        self.sent.append(self.request(order))
        self._ordered |= {sim.iccid.key: sim for sim in order.sims}
        return Answer()
