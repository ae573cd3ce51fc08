"""Campaigns and their standing approvals."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from migrator.chunks import chunks
from migrator.core.audit.campaign import APPROVED, ENDED, MADE, OWNED, PAUSED, POLICY, POLICY_TEXT, RESUMED, people_for
from migrator.core.campaign.notices import Notice
from migrator.core.campaign.state import Campaign, CampaignApproval, CampaignState
from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.database.sql import insert as upsert
from migrator.store.log import NEXT_NO, note
from migrator.store.notices import add_notices
from migrator.store.tables.campaigns import campaign_approvals, campaigns, claim_retries
from migrator.store.tables.plans import plans

__all__ = ["Campaigns", "open_bounds"]


MOST_NAMED = 10
"""Campaigns that the remedy for a wrong name lists, the newest."""

_OPEN = select(campaigns).where(campaigns.c.state != CampaignState.ENDED)
_LAST = select(campaigns).order_by(campaigns.c.campaign_no.desc()).limit(1)


def open_bounds(database: Database) -> Mapping[str, Any]:
    """Return the bounds of the open campaign, as JSON values.

    Empty without a campaign.
    """
    rows = database.rows(_OPEN)
    bounds: Mapping[str, Any] = json.loads(rows[0].policy_json)["campaign"] if rows else {}
    return bounds


class Campaigns:
    """Campaigns of a store; at most one is not ended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def open(self) -> Campaign | None:
        """Return the campaign that is not ended, or None."""
        rows = self._db.rows(_OPEN)
        return _campaign(rows[0]) if rows else None

    def required(self) -> Campaign:
        """Return the campaign that is not ended.

        Raises: InputError, if there is none.
        """
        campaign = self.open()
        if campaign is None:
            words, hint = "the store holds no campaign", "`migrator campaign create --policy FILE` makes one"
            for row in self._db.rows(_LAST):
                words = f"campaign {row.name!r} is ended, and no other one is made"
                hint += "; without one, `migrator campaign run` need not be called any more"
            raise InputError(words, code="no_campaign", hint=hint)
        return campaign

    def last(self) -> Campaign:
        """Return the open campaign, or the one that was made last.

        Raises: InputError, if there never was one.
        """
        rows = self._db.rows(_LAST)
        return _campaign(rows[0]) if rows else self.required()

    def named(self, word: str) -> Campaign:
        """Return the campaign of a name or a number, ended or not.

        Raises: InputError, if it is that of none, or of more than one.
        """
        made = [_campaign(row) for row in self._db.rows(select(campaigns).order_by(campaigns.c.campaign_no))]
        found = [one for one in made if word in {one.name, str(one.campaign_no)}]
        if len(found) == 1:
            return found[0]
        hint = "; ".join(
            f"{one.campaign_no} is {one.name}, made {datetime.fromtimestamp(one.created_s, UTC):%Y-%m-%d}"
            for one in (found or made)[-MOST_NAMED:]
        )
        if found:
            words = f"{word!r} is the name or number of {len(found)} campaigns: use one that is of one alone"
            raise InputError(words, code="campaign_name", hint=hint)
        raise InputError(f"the store holds no campaign {word!r}", code="no_campaign", hint=hint)

    def create(
        self,
        name: str,
        *,
        policy_file: str,
        text: str,
        policy: Mapping[str, Any],
        sha256: str,
        folder: str,
        by: str,
        now: float,
    ) -> Campaign:
        """Keep a new campaign.

        Raises: InputError, if another one is not ended.
        """
        values = {
            "name": name,
            "state": CampaignState.MADE,
            "policy_file": policy_file,
            "policy_text": text,
            "policy_json": json.dumps(policy, sort_keys=True),
            "policy_sha256": sha256,
            "folder": folder,
            "created_at": now,
            "created_by": by,
        }
        with self._db.write() as connection:
            other = connection.execute(_OPEN).one_or_none()
            if other is not None:
                hint = "`migrator campaign end` ends it; a changed policy needs `migrator campaign approve` alone"
                raise InputError(f"campaign {other.name!r} is not ended", code="campaign_open", hint=hint)
            connection.execute(insert(campaigns).values(values))
            told = {"name": name, "by": by, "policy_sha256": sha256, POLICY_TEXT: text}
            note(connection, now, MADE, None, told)
        return self.required()

    def take_policy(
        self, campaign: Campaign, *, text: str, policy: Mapping[str, Any], sha256: str, now: float
    ) -> Campaign:
        """Let a changed policy take the place of the former one.

        Approvals of the former one do not count for it. A paused campaign stays paused.
        """
        values = {"policy_text": text, "policy_json": json.dumps(policy, sort_keys=True), "policy_sha256": sha256}
        told = {"name": campaign.name, "policy_sha256": sha256, POLICY_TEXT: text}

        def changed(was: Campaign) -> Mapping[str, Any]:
            state = CampaignState.PAUSED if was.state is CampaignState.PAUSED else CampaignState.MADE
            return {**values, "state": state, "approved_at": None}

        self._update(campaign, changed, now, POLICY, told)
        return self.required()

    def approve(self, campaign: Campaign, given: CampaignApproval, *, required: int) -> Campaign:
        """Keep an approval; enough people make the campaign an approved one.

        A paused campaign stays paused: somebody has to resume it. People are counted as the approval is written, for
        the policy that they saw.
        """
        told = {"name": campaign.name, "by": given.approved_by, "policy_sha256": given.policy_sha256}
        told |= {"ref": given.ref, "note": given.note}
        values = {
            "campaign_no": campaign.campaign_no,
            "approved_by": given.approved_by,
            "approved_at": given.approved_s,
            "policy_sha256": given.policy_sha256,
            "ref": given.ref,
            "note": given.note,
        }
        with self._db.write() as connection:
            was = _fresh(connection, campaign)
            user = connection.scalar(insert(campaign_approvals).values(values).returning(campaign_approvals.c.db_user))
            told |= {"database_user": user} if user else {}
            people = _people(map(_approval, connection.execute(_given(campaign))), was)
            is_of_now = given.policy_sha256 == was.policy_sha256
            if is_of_now and len(people) >= required and was.approved_s is None:
                state = CampaignState.APPROVED if was.state is CampaignState.MADE else was.state
                connection.execute(_this(campaign).values(approved_at=given.approved_s, state=state))
            note(connection, given.approved_s, APPROVED, None, told)
        return self.required()

    def approvals(self, campaign: Campaign) -> list[CampaignApproval]:
        """Return every approval of a campaign, oldest first."""
        return [_approval(row) for row in self._db.rows(_given(campaign))]

    def ref(self, campaign: Campaign) -> str:
        """Return the change or ticket of the newest approval that names one.

        The text is empty where none does.
        """
        return next((one.ref for one in reversed(self.approvals(campaign)) if one.ref), "")

    def people(self, campaign: Campaign) -> list[str]:
        """Return who approved the present policy, each person once."""
        return _people(self.approvals(campaign), campaign)

    def pause(self, campaign: Campaign, by: str, now: float) -> None:
        """Hold a campaign: nothing is sent until somebody resumes it."""
        told = {"name": campaign.name, "by": by}
        self._update(campaign, lambda _: {"state": CampaignState.PAUSED}, now, PAUSED, told)

    def resume(self, campaign: Campaign, by: str, now: float) -> None:
        """Let a campaign go on.

        Failures so far do not count any more.
        """

        def changed(was: Campaign) -> Mapping[str, Any]:
            state = CampaignState.MADE if was.approved_s is None else CampaignState.APPROVED
            return {"state": state, "budget_since": now, "budget_since_no": NEXT_NO}

        self._update(campaign, changed, now, RESUMED, {"name": campaign.name, "by": by})

    def end(self, campaign: Campaign, by: str, now: float, *, notices: Iterable[Notice] = ()) -> None:
        """End a campaign for good, in one transaction with its notices."""
        values = {"state": CampaignState.ENDED, "ended_at": now}
        self._update(campaign, lambda _: values, now, ENDED, {"name": campaign.name, "by": by}, notices=notices)

    def retry(self, keys: Iterable[str], by: str, now: float) -> int:
        """Let refused claims of some old SIMs go again; return how many."""
        statement = upsert(claim_retries)
        put = statement.on_conflict_do_update(
            index_elements=["source_key"],
            set_={name: statement.excluded[name] for name in ("asked_at", "asked_by", "asked_no")},
        )
        asked = 0
        with self._db.write() as connection:
            number = connection.scalar(select(NEXT_NO))
            for chunk in chunks(keys):
                told = {"asked_at": now, "asked_by": by, "asked_no": number}
                connection.execute(put, [{"source_key": key, **told} for key in chunk])
                asked += len(chunk)
            if asked:
                note(connection, now, "campaign.retry", None, {"sims": asked, "by": by})
        return asked

    def policy_json(self, campaign: Campaign) -> str:
        """Return the policy's values as they were hashed."""
        row = self._db.rows(select(campaigns.c.policy_json).where(campaigns.c.campaign_no == campaign.campaign_no))
        return str(row[0].policy_json)

    def own(self, campaign: Campaign, plan_id: str, org_id: int, now: float) -> None:
        """Note that a plan is one of a campaign.

        The organization of its first plan is that of the campaign.

        Raises: InputError, for a plan of another organization: the bounds are not approved for that account.
        """
        if campaign.org_id not in {None, org_id}:
            raise InputError(
                f"campaign {campaign.name!r} is for organization {campaign.org_id}, and the settings name {org_id}",
                code="other_organization",
                hint="set HOLOGRAM_ORG_ID to the campaign's organization, or end the campaign and make another one",
            )
        with self._db.write() as connection:
            connection.execute(update(plans).where(plans.c.plan_id == plan_id).values(campaign_no=campaign.campaign_no))
            connection.execute(_this(campaign).values(org_id=org_id))
            note(connection, now, OWNED, plan_id, {"name": campaign.name})

    def plans(self, campaign: Campaign) -> list[str]:
        """Return every plan of a campaign, oldest first, begun or not."""
        mine = select(plans.c.plan_id).where(plans.c.campaign_no == campaign.campaign_no, plans.c.plan_id.is_not(None))
        return [row.plan_id for row in self._db.rows(mine.order_by(plans.c.plan_no))]

    def of_plan(self, plan_id: str) -> Campaign | None:
        """Return the campaign of a plan, or None."""
        made = select(campaigns).join(plans, plans.c.campaign_no == campaigns.c.campaign_no)
        rows = self._db.rows(made.where(plans.c.plan_id == plan_id))
        return _campaign(rows[0]) if rows else None

    def _update(
        self,
        campaign: Campaign,
        changed: Callable[[Campaign], Mapping[str, Any]],
        now: float,
        kind: str,
        told: Mapping[str, Any],
        *,
        notices: Iterable[Notice] = (),
    ) -> None:
        """Change a campaign by what it is as the change is written."""
        with self._db.write() as connection:
            connection.execute(_this(campaign).values(**changed(_fresh(connection, campaign))))
            note(connection, now, kind, None, told)
            add_notices(connection, notices, now)


def _fresh(connection: Connection, campaign: Campaign) -> Campaign:
    """Return a campaign as it is now.

    Raises: InputError, if somebody ended it meanwhile.
    """
    row = connection.execute(_OPEN.where(campaigns.c.campaign_no == campaign.campaign_no)).one_or_none()
    if row is None:
        words = f"campaign {campaign.name!r} was ended meanwhile; nothing was changed"
        raise InputError(words, code="no_campaign", hint="`migrator campaign create --policy FILE` makes another one")
    return _campaign(row)


def _given(campaign: Campaign) -> Any:
    column = campaign_approvals.c
    mine = select(campaign_approvals).where(column.campaign_no == campaign.campaign_no)
    return mine.order_by(column.approval_id)


def _approval(row: AnyRow) -> CampaignApproval:
    return CampaignApproval(row.approved_by, row.approved_at, row.policy_sha256, row.ref, row.note, row.db_user)


def _people(given: Iterable[CampaignApproval], campaign: Campaign) -> list[str]:
    """Return who approved the campaign's policy, each person once."""
    told = ((one.policy_sha256, one.approved_by, one.db_user) for one in given)
    return list(people_for(told, campaign.policy_sha256, database_users=campaign.asks_for_users))


def _this(campaign: Campaign) -> Any:
    return update(campaigns).where(campaigns.c.campaign_no == campaign.campaign_no)


def _campaign(row: AnyRow) -> Campaign:
    return Campaign(
        row.campaign_no,
        row.name,
        CampaignState(row.state),
        row.policy_file,
        row.policy_text,
        row.policy_sha256,
        row.folder,
        row.org_id,
        row.created_at,
        row.created_by,
        row.approved_at,
        row.ended_at,
        row.budget_since,
        row.budget_since_no,
        json.loads(row.policy_json).get("database_users") is True,
    )
