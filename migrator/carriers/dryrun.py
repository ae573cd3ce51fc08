"""Target of `apply --dry-run`: real reads, and writes that are never sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.fleet.units import Bytes
from migrator.ports import (
    AddTag,
    Answer,
    CarrierJob,
    Claim,
    DataPlan,
    DataSession,
    DevicePage,
    MakeTag,
    RemoveTag,
    Request,
    SetLimits,
    SetName,
    SetNames,
    SetState,
    Tag,
    TargetIdentity,
    TargetOrder,
    TargetPlatform,
    Vouch,
)

__all__ = ["DryRunTarget"]

NO_LIMIT = Bytes(-1)
DEFAULT_SMS_LIMIT = 100
"""Limits that a claim without limits leaves (reference, 9.2 and 9.3)."""

NEW_TAG_ID = -1
"""Stand-in for the id of a tag that is not made yet."""


NEW_DEVICES = "new:"
"""Prefix of a cursor that leads to further new devices.

These devices are not there yet.
"""


class Sent(Protocol):
    """Receiver of the requests, such as a list."""

    def append(self, request: Request, /) -> None:
        """Take the next request."""
        ...


@dataclass(slots=True)
class DryRunTarget:
    """Target on which every write seems to succeed at once.

    `sent` receives the requests that would have gone out, in order. Devices that a claim would make have negative ids
    here. These devices head the list, newest first.
    """

    inner: TargetPlatform
    sent: Sent = field(default_factory=list[Request])
    _links: dict[str, TargetLink] = field(default_factory=dict, init=False)
    _keys: dict[int, str] = field(default_factory=dict, init=False)
    _new: list[str] = field(default_factory=list, init=False)
    _tag_names: dict[int, str] = field(default_factory=dict, init=False)

    @property
    def max_lookup(self) -> int:
        """Most ids in one lookup at the real target."""
        return self.inner.max_lookup

    @property
    def page_size(self) -> int:
        """Devices on one page of the real target."""
        return self.inner.page_size

    async def account(self) -> TargetIdentity:
        """Return the account of the real target."""
        return await self.inner.account()

    async def balance(self) -> Decimal | None:
        """Return the balance of the real target.

        A dry run spends nothing, so only the caps limit the run.
        """
        return await self.inner.balance()

    async def data_plans(self) -> Sequence[DataPlan]:
        """Return the data plans of the real target."""
        return await self.inner.data_plans()

    async def tags(self) -> Sequence[Tag]:
        """Return the tags of the real target."""
        found = await self.inner.tags()
        self._tag_names |= {tag.tag_id: tag.name for tag in found}
        return found

    async def device_count(self) -> int | None:
        """Return the real number of devices plus the new devices."""
        count = await self.inner.device_count()
        return None if count is None else count + len(self._new)

    async def devices(self, cursor: str | None = None) -> DevicePage:
        """Return a page of devices as the writes would have left them.

        The new devices come first, on pages of their own. The pages of the real target follow, with the changes.
        """
        if cursor is None or cursor.startswith(NEW_DEVICES):
            seen = int((cursor or "").removeprefix(NEW_DEVICES) or 0)
            if seen < len(self._new):
                return self._page_of_new(seen)
            cursor = None
        page = await self.inner.devices(cursor)
        return replace(page, links=[self._links.get(link.iccid.key, link) for link in page.links])

    def _page_of_new(self, seen: int) -> DevicePage:
        end = len(self._new) - seen
        keys = self._new[max(0, end - self.page_size) : end]
        links = [self._links[key] for key in reversed(keys)]
        return DevicePage(links, f"{NEW_DEVICES}{seen + len(links)}")

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """Return the real links, as the writes would have left them."""
        unknown = [iccid for iccid in iccids if iccid.key not in self._links]
        real = await self.inner.links_by_iccid(unknown) if unknown else ()
        return [*(self._links[iccid.key] for iccid in iccids if iccid.key in self._links), *real]

    async def devices_by_id(self, device_ids: Sequence[int]) -> Sequence[TargetLink]:
        """Return the real devices, as the writes would have left them."""
        unknown = [device_id for device_id in device_ids if device_id not in self._keys]
        real = await self.inner.devices_by_id(unknown) if unknown else ()
        return [*(self._links[self._keys[known]] for known in device_ids if known in self._keys), *real]

    async def jobs(self) -> Sequence[CarrierJob] | None:
        """Return the jobs of the real target."""
        return await self.inner.jobs()

    async def data_sessions(self, link_id: int, *, since_s: float) -> Sequence[DataSession] | None:
        """Return the data sessions of the real target."""
        return await self.inner.data_sessions(link_id, since_s=since_s)

    def request(self, order: TargetOrder) -> Request:
        """Return the request that the real target would send."""
        return self.inner.request(order)

    async def send(self, order: TargetOrder, *, vouch: Vouch | None = None) -> Answer:
        """Note the order, and answer as if all of it took effect.

        The order leaves at once, so nothing grows old before it is sent.
        """
        del vouch
        self.sent.append(self.request(order))
        match order:
            case Claim():
                return self._claim(order)
            case MakeTag():
                self._tag_names[NEW_TAG_ID] = order.name
                return Answer(tag=Tag(NEW_TAG_ID, order.name))
            case SetState():
                reached = order.state.reached_as
                await self._change(order.device_ids, state=reached, state_word=reached.name.replace("_", "-"))
                return Answer(modified=frozenset(order.device_ids))
            case SetLimits():
                limits = {"overage_limit_bytes": order.overage_limit_bytes, "sms_limit": order.sms_limit}
                told = {name: limit for name, limit in limits.items() if limit is not None}
                await self._change(order.device_ids, **told)
                return Answer(modified=frozenset(order.device_ids))
            case AddTag():
                await self._tag(order.device_ids, add=frozenset({self._tag_names.get(order.tag_id, "")}))
            case RemoveTag():
                await self._tag(order.device_ids, remove=frozenset({self._tag_names.get(order.tag_id, "")}))
            case SetName():
                await self._change([order.device_id], name=order.name)
            case SetNames():
                await self._change(order.device_ids, name=order.name)
        return Answer()

    def _claim(self, claim: Claim) -> Answer:
        tags = frozenset({self._tag_names[claim.tag_id]}) if claim.tag_id in self._tag_names else frozenset[str]()
        for iccid in claim.iccids:
            self._links[iccid.key] = TargetLink(
                iccid=iccid,
                org_id=claim.org_id,
                device_id=-len(self._new) - 1,
                link_id=None,
                state=LinkState.LIVE,
                state_word="LIVE",
                name="",
                overage_limit_bytes=NO_LIMIT if claim.overage_limit_bytes is None else claim.overage_limit_bytes,
                sms_limit=DEFAULT_SMS_LIMIT if claim.sms_limit is None else claim.sms_limit,
                data_plan_id=claim.data_plan_id,
                zone=claim.zone,
                tags=tags,
            )
            self._new.append(iccid.key)
            self._keys[-len(self._new)] = iccid.key
        return Answer(claimed={iccid.digits: self._links[iccid.key].device_id for iccid in claim.iccids})

    async def _tag(
        self, device_ids: Sequence[int], *, add: frozenset[str] = frozenset(), remove: frozenset[str] = frozenset()
    ) -> None:
        """Keep the tags of devices as a write would have left them."""
        for start in range(0, len(device_ids), self.max_lookup):
            some = device_ids[start : start + self.max_lookup]
            for link in await self.devices_by_id(some):
                if link.device_id is not None:
                    await self._change([link.device_id], tags=((link.tags or frozenset()) | add) - remove)

    async def _change(self, device_ids: Sequence[int], **values: object) -> None:
        """Keep the links of devices as a write would have left them."""
        for start in range(0, len(device_ids), self.max_lookup):
            for link in await self.devices_by_id(device_ids[start : start + self.max_lookup]):
                self._links[link.iccid.key] = replace(link, **values)  # type: ignore[arg-type]  # fields of the record
                if link.device_id is not None:
                    self._keys[link.device_id] = link.iccid.key
