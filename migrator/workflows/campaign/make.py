"""Making a campaign, and the orders that people give for it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from migrator import wiring
from migrator.core.campaign.calendar import is_over
from migrator.core.campaign.life import ExceptionCode
from migrator.core.campaign.notices import Notice
from migrator.core.campaign.state import Campaign, CampaignApproval
from migrator.core.plan.refs import LONGEST_REF, ref_of
from migrator.core.policy.outside import Receiver, ReceiverKind
from migrator.core.policy.policy import CampaignPolicy, Policy
from migrator.errors import InputError
from migrator.inputs.policy.file import LoadedPolicy, read_policy, stored_policy
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.notices.done import done_notices
from migrator.workflows.plans.refusals import must_know_users
from migrator.workflows.site import Site, named_person

__all__ = [
    "INTAKE",
    "approve_campaign",
    "bounds_of",
    "create_campaign",
    "end_campaign",
    "kept_policy",
    "pause_campaign",
    "receivers_of",
    "resume_campaign",
    "retry_refused",
    "with_bounds",
]

INTAKE = "intake"
EXAMPLE = "add [campaign] with until, claims_per_day, claims_total, spend_per_day and spend_total"


def create_campaign(
    site: Site, policy: Path | str, *, name: str | None = None, folder: Path | str | None = None
) -> Campaign:
    """Make a campaign; nothing is sent before people approve it.

    Args:
        site: the store, which may be empty.
        policy: a policy file with `[campaign]`.
        name: for people; None for the name of the file.
        folder: for its intake, reports and exceptions; None for `campaign` beside the policy, and there one of the
            account that was chosen, as accounts may share a policy.

    Raises: InputError, for a policy without bounds, or whose last day is over, or where another campaign is not ended.
    """
    file = Path(policy).absolute()
    loaded = _before_its_end(with_bounds(read_policy(file)), site)
    must_know_users(site.store, loaded.policy)
    place = (Path(folder) if folder is not None else file.parent / "campaign" / (wiring.account() or "")).absolute()
    made = site.store.campaigns.create(
        file.stem if name is None else _visible(name, "--name"),
        policy_file=str(file),
        text=loaded.text,
        policy=loaded.canonical,
        sha256=loaded.fingerprint,
        folder=str(place),
        by=named_person(None, option="--by"),
        now=site.now(),
    )
    (place / INTAKE).mkdir(parents=True, exist_ok=True)
    return made


def approve_campaign(
    site: Site, *, by: str | None = None, ref: str = "", note: str = ""
) -> tuple[Campaign, LoadedPolicy]:
    """Approve the policy of the campaign as its file is now.

    A file that was changed takes the place of the former policy, whose approvals do not count for it.

    Args:
        site: the store of the campaign.
        by: who approves it; None for the login name.
        ref: the number of a change or ticket.
        note: words for the log.

    Raises: InputError, where there is no campaign, or its policy cannot be used.
    """
    store, campaign, who = site.store, site.store.campaigns.required(), named_person(by, option="--by")
    loaded = _before_its_end(with_bounds(read_policy(Path(campaign.policy_file))), site)
    must_know_users(store, loaded.policy)
    if loaded.fingerprint != campaign.policy_sha256:
        campaign = store.campaigns.take_policy(
            campaign, text=loaded.text, policy=loaded.canonical, sha256=loaded.fingerprint, now=site.now()
        )
    assert loaded.policy.campaign is not None  # noqa: S101 - it has bounds
    given = CampaignApproval(who, site.now(), loaded.fingerprint, ref_of(ref or None), note)
    return store.campaigns.approve(campaign, given, required=loaded.policy.campaign.approvals), loaded


def pause_campaign(site: Site, *, by: str | None = None) -> Campaign:
    """Hold the campaign: no run of it begins until somebody resumes it.

    The run that is at work goes on to its end; an order for its plan holds it at once.
    """
    store, campaign = site.store, site.store.campaigns.required()
    store.campaigns.pause(campaign, named_person(by, option="--by"), site.now())
    return store.campaigns.required()


def resume_campaign(site: Site, *, by: str | None = None) -> Campaign:
    """Let the campaign go on after a pause or many failures.

    Failures so far do not count any more.
    """
    store, campaign = site.store, site.store.campaigns.required()
    store.campaigns.resume(campaign, named_person(by, option="--by"), site.now())
    return store.campaigns.required()


def end_campaign(site: Site, *, by: str | None = None) -> Campaign:
    """End the campaign for good; its plans stay as they are.

    The kept receivers are told what is done and was not told yet: no other call will.
    """
    store, campaign, who = site.store, site.store.campaigns.required(), named_person(by, option="--by")
    rest: Sequence[Notice] = ()
    with suppress(InputError):  # a kept policy that this version cannot read must not keep a campaign from ending
        rest = _not_told(site, campaign)
    store.campaigns.end(campaign, who, site.now(), notices=rest)
    if rest:
        deliver_after_run(site)
    return campaign


def _not_told(site: Site, campaign: Campaign) -> Sequence[Notice]:
    """Return the notices that wait for the next day."""
    day = site.clock.now().astimezone(ZoneInfo(bounds_of(campaign).time_zone)).date()
    to, ref = receivers_of(campaign), site.store.campaigns.ref(campaign)
    return done_notices(site, campaign, str(day), to, ref=ref, is_end=True)[0]


def retry_refused(
    site: Site, *, keys: Iterable[str] | None = None, code: str | None = None, by: str | None = None
) -> int:
    """Let refused or blocked SIMs go again, and changed cards.

    Args:
        site: the store of the campaign.
        keys: the old SIMs; None for all with `code`.
        code: of an exception (`refused`, `blocked`, `mismatch`), of the refusal, or the reason of the plan that left
            them.
        by: who answers for it.

    Returns: how many.
    """
    store, campaign = site.store, site.store.campaigns.required()
    if keys is None:
        if code == ExceptionCode.MISMATCH:
            keys = store.lives.keys(site.now(), code=ExceptionCode.MISMATCH)
        else:
            keys = store.due.refused(campaign, code or "")
    return store.campaigns.retry(keys, named_person(by, option="--by"), site.now())


def with_bounds(loaded: LoadedPolicy) -> LoadedPolicy:
    """Return a policy that has bounds for a standing approval.

    Raises: InputError, for one that has none.
    """
    if loaded.policy.campaign is None:
        words = f"{loaded.name} has no section [campaign]: a standing approval has bounds"
        raise InputError(words, code="no_campaign_policy", hint=EXAMPLE)
    return loaded


def kept_policy(campaign: Campaign) -> Policy:
    """Return the policy of a campaign as it is kept.

    Its file may say something else by now.
    """
    return stored_policy(campaign.policy_text, name=f"policy of campaign {campaign.name}")


def receivers_of(campaign: Campaign) -> tuple[Receiver, ...]:
    """Return the receivers of a campaign, by its kept policy.

    An edit of its file that nobody approved changes neither who is told nor which programs run. Programs run only once
    the campaign is approved: a call, and a worker, would run what one person alone wrote into a file.
    """
    to = kept_policy(campaign).notify
    return to if campaign.approved_s is not None else tuple(one for one in to if one.to is not ReceiverKind.COMMAND)


def bounds_of(campaign: Campaign) -> CampaignPolicy:
    """Return the bounds of a campaign, as its kept policy has them."""
    bounds = kept_policy(campaign).campaign
    assert bounds is not None  # noqa: S101 - a campaign is made of a policy with bounds
    return bounds


def _before_its_end(loaded: LoadedPolicy, site: Site) -> LoadedPolicy:
    """Return a policy under which something may still be sent.

    Raises: InputError, where its last day is over.
    """
    bounds = loaded.policy.campaign
    assert bounds is not None  # noqa: S101 - it has bounds
    if is_over(site.clock.now(), bounds.until, ZoneInfo(bounds.time_zone)):
        words = f"{loaded.name}: [campaign] until = {bounds.until} is over: nothing would be sent"
        raise InputError(words, code="until_over", hint="set a day that is to come")
    return loaded


def _visible(text: str, option: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > LONGEST_REF or not words.isprintable():
        raise InputError(f"{option}: 1 to {LONGEST_REF} visible characters are expected", code="bad_name")
    return words
