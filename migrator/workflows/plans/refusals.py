"""Refusals of a plan that may not be carried out."""

from migrator.core.campaign.state import Campaign, CampaignState
from migrator.core.cutover.plan import CutoverHeader
from migrator.core.fleet.units import n_people
from migrator.core.plan.approvals import approvers
from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.policy import Policy
from migrator.core.run.states import PlanKind
from migrator.errors import Halted, InputError, Problem, StalePlan
from migrator.inputs.policy.file import stored_policy
from migrator.store import Store
from migrator.workflows.plans.changes_since import changes_since

__all__ = ["cutover_must_be_whole", "must_be_whole", "must_know_users", "refuse_stale", "require_approvals"]

WHO = "find out who writes to the store: `migrator audit verify` looks at all of it"


def must_be_whole(store: Store, header: PlanHeader, *, lines: bool = True) -> None:
    """Refuse a plan that was changed in the store.

    Args:
        store: the store of the plan.
        header: the header of the plan.
        lines: whether to read every line, too; without the lines the check takes no time.

    Raises: StalePlan, if the plan is not what was made.
    """
    if words := store.plans.edited(header.plan_id, lines=lines):
        raise _edited(header.plan_id, words, "make a new plan, which adopts SIMs that are claimed already")


def cutover_must_be_whole(store: Store, header: CutoverHeader) -> None:
    """Refuse a cutover or rollback plan that was changed in the store.

    Raises: StalePlan, if that plan, or the migration's plan behind it, is not what was made.
    """
    if words := store.cutovers.edited(header.cutover_id):
        raise _edited(header.cutover_id, words, f"run `migrator {header.direction} plan` again")
    must_be_whole(store, store.plans.header(header.plan_id))


def _edited(plan_id: str, words: str, remedy: str) -> StalePlan:
    return StalePlan(
        f"plan {plan_id} was changed in the store since it was made: {words}; nothing was sent",
        code="edited_plan",
        hint=f"{remedy}; {WHO}",
    )


def refuse_stale(store: Store, header: PlanHeader, hint: str) -> list[str]:
    """Refuse a plan whose inputs changed after the plan was made.

    Returns: warnings about what could not be read.
    Raises: StalePlan, saying what changed since.
    """
    if store.plans.kind(header.plan_id) is PlanKind.STOCK:
        return []  # made from the stock, and each card is held against the stock as its claim is sent
    since = changes_since(store, header)
    if since.changed:
        problems = tuple(Problem("changed", line) for line in since.changed)
        words = f"plan {header.plan_id} is stale: what it was made from has changed"
        raise StalePlan(words, problems=(*problems, Problem("stale_plan", words, hint)))
    return since.warnings


def require_approvals(store: Store, header: PlanHeader) -> None:
    """Refuse a plan with too few approvals.

    A campaign's approval stands for that of its plans, until it is ended: then each plan needs its own.

    Raises: Halted, if the policy of the plan asks for more people than have approved the plan.
    """
    campaign = store.campaigns.of_plan(header.plan_id)
    if campaign is not None and campaign.state is not CampaignState.ENDED:
        _must_be_approved(campaign, header.plan_id)
        return
    text = store.plans.policy_text(header.plan_id)
    policy = stored_policy(text, name=f"policy of {header.plan_id}")
    required, users = policy.approvals, policy.database_users is True
    people = approvers(store.approvals.of(header.plan_id), header.fingerprints.changes, database_users=users)
    if len(people) >= required:
        return
    who = f"{len(people)} ({', '.join(people)})" if people else "none"
    who += ", each a user of the database by itself" if users else ""
    raise Halted(
        f"plan {header.plan_id} needs the approval of {n_people(required)} and has {who}; nothing was sent",
        code="approvals_missing",
        hint=f"somebody else looks at `migrator plan show {header.plan_id}`, then runs `migrator plan approve "
        f"{header.plan_id} --confirm {header.claims}`",
    )


def must_know_users(store: Store, policy: Policy) -> None:
    """Refuse a policy that asks for users of a database without any.

    Raises: InputError.
    """
    if policy.database_users and store.file is not None:
        raise InputError(
            "[approvals] database_users = true asks for users of a database, and the store is a file, which knows none",
            code="no_database_users",
            hint="keep the store in PostgreSQL (`migrator state copy` moves it), or take that line out of the policy",
        )


def refuse_of_campaign(store: Store, header: PlanHeader) -> None:
    """Refuse to carry a campaign's plan out beside the campaign.

    A tick keeps to the bounds of the day, to quiet hours and to the money; a run by hand would not.

    Raises: Halted.
    """
    campaign = store.campaigns.of_plan(header.plan_id)
    if campaign is None or campaign.state is CampaignState.ENDED:
        return
    raise Halted(
        f"plan {header.plan_id} is of campaign {campaign.name!r}, whose bounds a run of it alone would not keep; "
        "nothing was sent",
        code="of_campaign",
        hint="`migrator campaign run --once` goes on with it; `migrator campaign end` gives it free",
    )


def _must_be_approved(campaign: Campaign, plan_id: str) -> None:
    """Refuse a plan whose campaign is not approved now.

    Raises: Halted.
    """
    if campaign.state is CampaignState.APPROVED:
        return
    command = "resume" if campaign.state is CampaignState.PAUSED else "approve"
    raise Halted(
        f"plan {plan_id} is of campaign {campaign.name!r}, which is {campaign.state}, not approved; nothing was sent",
        code="campaign_not_approved",
        hint=f"`migrator campaign {command}` lets it go on",
    )
