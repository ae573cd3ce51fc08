"""Hologram as a `TargetPlatform`."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx

from migrator.carriers.hologram import catalogue, outgoing, wire
from migrator.carriers.hologram.client import HologramClient, Params
from migrator.carriers.hologram.refusals import claim_refusal
from migrator.carriers.lenient import LARGEST
from migrator.carriers.pacing import Pacer
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import TargetLink
from migrator.errors import InputError, OutcomeUnknown, Permanent, WireMismatch
from migrator.ports import (
    LONGEST_CLAIM_S,
    Answer,
    CarrierJob,
    Claim,
    DataPlan,
    DataSession,
    DevicePage,
    MakeTag,
    Request,
    SetLimits,
    SetState,
    Tag,
    TargetIdentity,
    TargetOrder,
    Vouch,
)

__all__ = ["HologramTarget"]

CATALOGUE_PAGE_SIZE = 100
LARGEST_PAGE = 1000
"""Largest page size to ask for.

The effect of larger sizes is unknown for most lists (reference, section 4).
"""

SESSIONS_ASKED = 10
"""Sessions to ask for in one read of a link's usage.

The newest sessions come first (reference, section 4), and one session is enough.
"""

SET_ORG = "Set HOLOGRAM_ORG_ID to the id of the organization that the SIMs shall belong to."


class HologramTarget:
    """Target that reads and changes one Hologram organization.

    Args:
        http: the client, with Hologram's base URL.
        api_key: kept where no repr, log or error shows it.
        org_id: the organization; None, to take the only one that the key sees (settled by `account`).
        pacer: shared by everybody who talks to Hologram.
        batch_size: the most devices in one change; the vendor names no number (reference, section 12).
        max_lookup: the most ICCIDs or device ids in one lookup.
        page_size: devices on one page of the list.
        claim_timeout_s: how long a claim's answer is waited for.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_key: str,
        org_id: int | None,
        pacer: Pacer,
        batch_size: int = 500,
        max_lookup: int = 100,
        page_size: int = 1000,
        claim_timeout_s: float = LONGEST_CLAIM_S,
    ) -> None:
        self._client = HologramClient(http, api_key=api_key, pacer=pacer)
        self._org_id = org_id
        self.batch_size = batch_size
        self.max_lookup = max_lookup
        self.page_size = page_size
        self._claim_timeout_s = claim_timeout_s

    def __repr__(self) -> str:
        return f"HologramTarget(api_key=***, org_id={self._org_id!r})"

    @property
    def org_id(self) -> int:
        """Id of the organization.

        Raises: InputError, while nobody has named or found the organization.
        """
        if self._org_id is None:
            raise InputError("no Hologram organization is chosen yet", code="org_unknown", hint=SET_ORG)
        return self._org_id

    # --- the account ---

    async def account(self) -> TargetIdentity:
        """Read the user of the key and the organization (two exchanges).

        Raises: NotAuthorised; InputError, if the organization is not ours.
        """
        owner = catalogue.user((await self._client.read("/users/me")).body)
        record = await (self._only_org(owner) if self._org_id is None else self._named_org(self._org_id))
        found = catalogue.account(owner, record)
        self._org_id = found.org_id
        return found

    async def _named_org(self, org_id: int) -> Mapping[str, Any]:
        try:
            reply = await self._client.read(f"/organizations/{org_id}")
        except Permanent as error:
            if error.is_about_login:
                raise
            record = None
        else:
            record = catalogue.organization(reply.body, org_id)
        if record is None:
            raise _choose_org(f"the API key does not see Hologram organization {org_id}", await self._orgs())
        return record

    async def _only_org(self, owner: catalogue.User) -> Mapping[str, Any]:
        visible = await self._orgs()
        if not visible and owner.personal_org is not None:
            return {"id": owner.personal_org}
        if len(visible) != 1:
            raise _choose_org(f"the API key sees {len(visible)} Hologram organizations", visible)
        return visible[0]

    async def _orgs(self) -> list[Mapping[str, Any]]:
        pages = await self._client.pages("/organizations", {"limit": CATALOGUE_PAGE_SIZE})
        return [record for reply in pages for record in catalogue.organizations(reply.body)]

    async def balance(self) -> Decimal | None:
        """Return the money that the account can spend, or None.

        None means that there is no balance to read, as for invoiced organizations.
        """
        reply = await self._client.read_if_allowed(f"/organizations/{self.org_id}/balance")
        return None if reply is None else catalogue.balance(reply.body)

    async def data_plans(self) -> Sequence[DataPlan]:
        """Return every data plan of the organization (follows pages)."""
        pages = await self._client.pages("/plans", {"orgid": self.org_id, "limit": CATALOGUE_PAGE_SIZE})
        found = [catalogue.data_plan(record) for reply in pages for record in wire.rows_of(reply.body)]
        return [plan for plan in found if plan is not None]

    async def tags(self) -> Sequence[Tag]:
        """Return every tag of the organization."""
        pages = await self._client.pages("/devices/tags", {"orgid": self.org_id, "limit": LARGEST_PAGE})
        return [tag for reply in pages for tag in catalogue.tags(reply.body)]

    # --- devices ---

    async def device_count(self) -> int | None:
        """Return the number of devices of the organization, or None.

        None means that the carrier does not report the number.
        """
        reply = await self._client.read_if_allowed("/devices/count", {"orgid": self.org_id})
        return None if reply is None else catalogue.count(reply.body)

    async def devices(self, cursor: str | None = None) -> DevicePage:
        """Read one page of the organization's devices, newest first.

        Raises: WireMismatch, if the list goes in a circle.
        """
        reply, after = await self._client.page("/devices", {"orgid": self.org_id, "limit": self.page_size}, cursor)
        links = (wire.device_link(device) for device in wire.rows_of(reply.body))
        return DevicePage([link for link in links if link is not None], after)

    async def links_by_iccid(self, iccids: Sequence[Iccid]) -> Sequence[TargetLink]:
        """Read the visible links of at most `max_lookup` ICCIDs.

        The links may belong to any organization. The records name no tags.
        """
        asked = ",".join(dict.fromkeys(iccid.digits for iccid in iccids))
        found = await self._look_up("/links/cellular", {"sims": asked}, len(iccids), wire.profile_link)
        links = [link for link in found if link is not None]
        missing = set(iccids).difference(link.iccid for link in links)
        if missing and len(links) < len(found):  # what is not there may be claimed again
            raise WireMismatch("Hologram's answer to a look-up has a record that names no SIM")
        wanted = set(iccids)
        return [link for link in links if link.iccid in wanted]

    async def devices_by_id(self, device_ids: Sequence[int]) -> Sequence[TargetLink]:
        """Read the devices of at most `max_lookup` ids, with tags."""
        readable = dict.fromkeys(device_id for device_id in device_ids if device_id != LARGEST)
        if device_ids and not readable:
            return []
        asked = ",".join(map(str, readable))
        found = await self._look_up("/devices", {"ids": asked}, len(device_ids), wire.device_link)
        wanted = set(device_ids)
        return [link for link in found if link is not None and link.device_id in wanted]

    async def jobs(self) -> Sequence[CarrierJob] | None:
        """Return the carrier's job list, or None.

        None means that the list is not ours to read (403), which is no trouble.
        """
        reply = await self._client.read_if_allowed("/devices/batch/state", {"orgid": self.org_id})
        return None if reply is None else wire.carrier_jobs(reply.body)

    async def data_sessions(self, link_id: int, *, since_s: float) -> Sequence[DataSession] | None:
        """Read the newest data sessions of a link since `since_s`.

        A session counts if it began at `since_s` (UTC seconds) or later. One page is read, no more. Filters that the
        carrier ignores are applied here again. The result is None where usage is not ours to read.
        """
        asked = {"orgid": self.org_id, "linkid": link_id, "timestart": int(since_s), "limit": SESSIONS_ASKED}
        reply = await self._client.read_if_allowed("/usage/data", asked)
        if reply is None:
            return None
        found = (wire.data_session(record) for record in wire.records(wire.data_of(reply.body)))
        return [one for one in found if one is not None and one.link_id == link_id and one.at_s >= since_s]

    # --- writes ---

    def request(self, order: TargetOrder) -> Request:
        """Return the very request that `send` will send.

        Raises: InputError, for a claim for another organization than ours, and as `outgoing.request_of`.
        """
        org_id = order.org_id if isinstance(order, Claim) else self.org_id
        if self._org_id not in {None, org_id}:
            raise InputError(f"the claim is for organization {org_id}, not {self._org_id}", code="wrong_org")
        return outgoing.request_of(order, org_id, most=self.batch_size)

    async def send(self, order: TargetOrder, *, vouch: Vouch | None = None) -> Answer:
        """Send an order.

        A claim is never sent again here, not even after a refusal. Other orders are, if they were refused for now.

        Raises: InsufficientBalance, where the refusal of a claim sounds like it; Permanent, with `reasons` by ICCID if
            there are any; NotAuthorised, also where the organization lacks the feature; OutcomeUnknown, also where the
            reply does not show the tag that was made; what `vouch` raises.
        """
        request = self.request(order)
        if isinstance(order, Claim):
            return await self._claim(request, vouch)
        reply = await self._client.send(request, vouch=vouch)
        match order:
            case SetState() | SetLimits():
                return wire.change_reply(reply.body, order.device_ids)
            case MakeTag():
                return Answer(tag=_made(order, reply.body))
        return Answer()

    async def _claim(self, request: Request, vouch: Vouch | None) -> Answer:
        try:
            reply = await self._client.send(request, retry_refusals=False, timeout_s=self._claim_timeout_s, vouch=vouch)
        except Permanent as error:
            raise claim_refusal(error) from None
        return wire.claim_reply(reply.body)

    async def _look_up(
        self, path: str, wanted: Params, count: int, parse: Callable[[Mapping[str, Any]], TargetLink | None]
    ) -> list[TargetLink | None]:
        """Read the links that match a filter for `count` SIMs.

        None stands for a record that names no SIM.

        Every page of the answer is read. Each page should bring at least one of the SIMs. The request has no `orgid`,
        so that a SIM of ours in another organization shows up as such.
        """
        if not 1 <= count <= self.max_lookup:
            raise InputError(f"a look-up takes 1 to {self.max_lookup} SIMs, not {count}", code="lookup_size")
        pages = await self._client.pages(path, {**wanted, "limit": LARGEST_PAGE}, most=count + 1)
        return [parse(record) for reply in pages for record in wire.rows_of(reply.body)]


def _made(order: MakeTag, body: Any) -> Tag:
    made = next((tag for tag in catalogue.tags(body) if tag.name == order.name), None)
    if made is None:
        raise OutcomeUnknown(f"Hologram took the order to make the tag {order.name!r}, but does not show it")
    return made


def _choose_org(problem: str, visible: Sequence[Mapping[str, Any]]) -> InputError:
    listed = ", ".join(f"{org['id']} ({org.get('name') or 'no name'})" for org in visible) or "none"
    return InputError(f"{problem}. It sees: {listed}", code="org_unknown", hint=SET_ORG)
