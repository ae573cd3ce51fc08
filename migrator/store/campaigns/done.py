"""Waves and cutovers of a campaign that are done, by the log."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from migrator.core.campaign.state import Campaign
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.states import PlanKind
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow, among, json_list
from migrator.store.tables.outbox import notices
from migrator.store.tables.plans import events, plans

__all__ = ["Done", "DoneWork"]

_LAST = select(func.coalesce(func.max(events.c.seq), 0))
_NOTED = (
    select(events.c.plan_id, events.c.detail)
    .join_from(events, plans, plans.c.plan_id == events.c.plan_id)
    .where(events.c.seq > bindparam("after"), events.c.seq <= bindparam("last"), events.c.kind == bindparam("kind"))
    .where(plans.c.campaign_no == bindparam("campaign_no"))
    .order_by(events.c.seq)
)
_ROLLBACKS = select(plans.c.plan_id).where(plans.c.kind == PlanKind.ROLLBACK, among(plans.c.plan_id, bindparam("ids")))
_TOLD = select(notices.c.key).where(among(notices.c.key, bindparam("keys")))


@dataclass(frozen=True, slots=True)
class DoneWork:
    """Work that was done, up to an event of the log.

    `ids` has plan and wave of each wave, or cutover and "" of each cutover.
    """

    ids: tuple[tuple[str, str], ...]
    seq: int


class Done:
    """Reader of what is done in a campaign.

    It goes by the log, whose numbers only grow: a clock may be set back. What a run told by itself is left out.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def waves(self, campaign: Campaign, after: int) -> DoneWork:
        """Return the waves that have enough verified SIMs since an event."""
        last, rows = self._noted(campaign, after, "wave.reached")
        found = ((row.plan_id, json.loads(row.detail)["wave"]) for row in rows)
        return self._untold(NoticeEvent.WAVE_DONE, found, last)

    def cutovers(self, campaign: Campaign, after: int) -> DoneWork:
        """Return the cutovers that are over since an event."""
        last, rows = self._noted(campaign, after, "switch.finished")
        ids = [json.loads(row.detail)["switch_id"] for row in rows]
        back = {row.plan_id for row in self._db.rows(_ROLLBACKS, ids=json_list(ids))}
        return self._untold(NoticeEvent.CUTOVER_DONE, ((one, "") for one in ids if one not in back), last)

    def told_to(self, event: NoticeEvent, campaign: Campaign) -> int:
        """Return the last event that a notice of the campaign tells.

        It is a number of the log; 0 without a notice.
        """
        keys = notices.c.key.startswith(f"{event}:campaign {campaign.campaign_no}:", autoescape=True)
        newest = select(notices.c.key).where(notices.c.event == event, keys).order_by(notices.c.notice_no.desc())
        return next((int(row.key.rpartition(":")[2]) for row in self._db.rows(newest.limit(1))), 0)

    def _noted(self, campaign: Campaign, after: int, kind: str) -> tuple[int, Sequence[AnyRow]]:
        last = int(self._db.rows(_LAST)[0][0])
        return last, self._db.rows(_NOTED, campaign_no=campaign.campaign_no, after=after, last=last, kind=kind)

    def _untold(self, event: NoticeEvent, found: Iterable[tuple[str, str]], last: int) -> DoneWork:
        keys = {":".join(filter(None, (event, *one))): one for one in found}
        told = {row.key for row in self._db.rows(_TOLD, keys=json_list(keys))}
        return DoneWork(tuple(one for key, one in keys.items() if key not in told), last)
