"""Words of every format: bucket meanings, code meanings and remedies."""

from collections.abc import Mapping
from types import MappingProxyType

from migrator.core.fleet.sims import ONENCE
from migrator.core.run.sources import SOURCE_NAMES
from migrator.core.run.verify import Bucket

__all__ = ["BUCKET_WORDS", "PAID_ONCE", "READS_WHAT_IS_LEFT", "remedy"]

BUCKET_WORDS: Mapping[Bucket, str] = MappingProxyType(
    {
        Bucket.VERIFIED: "every planned value is on Hologram's record",
        Bucket.PENDING: "not finished yet",
        Bucket.MISMATCH: "the record differs from the plan",
        Bucket.FAILED: "refused for good, or in conflict",
        Bucket.BLOCKED: "a person must decide",
        Bucket.SKIPPED: "left behind by policy or by an operator",
        Bucket.EXCLUDED: "not part of this plan",
        Bucket.UNPAIRED: "no target ICCID is known",
    }
)

CAMPAIGN_GOES_ON = "migrator campaign run --once"
"""Command that goes on with the plans of a campaign."""

_GOES_ON = "Run `migrator apply` again: it reads first, then sends only what is missing."
_SET_AGAIN = "See who changed it. To set it again, make a new plan: the SIM is adopted, not claimed again."
_ASK = (
    "Ask Hologram about these ICCIDs before anything else: it may have charged for them. Nothing claims them again, "
    "unless `migrator retry --never-claimed` says that Hologram took its word back."
)
PAID_ONCE = (
    "A SIM at 1NCE is paid once for its lifetime: one that stays on costs nothing more there but top-ups, auto-top-up "
    "and extensions. What costs each period is the new SIM, also before it is in a unit."
)
READS_WHAT_IS_LEFT = "`migrator inventory pull --quotas` reads what is left behind at 1NCE."
_POLICY = "Change the policy if that is not what you want, then make a new plan."
_READ_QUOTAS = "Run `migrator inventory pull --quotas`, then make a new plan."

_BY_CODE: Mapping[str, str] = MappingProxyType(
    {
        "no_pairing": "Give it a new SIM with `migrator pair import` or `migrator pair pool`, then make a new plan.",
        "status_skipped": _POLICY,
        "status_blocked": "Change its status at 1NCE, or `[status]` in the policy; then make a new plan.",
        "status_unknown": "1NCE used a status that is not known here: decide with `[status]` or ask 1NCE.",
        "quota_missing": 'Set `[data_limit] basis = "fixed"`, or book volume at 1NCE; then make a new plan.',
        "quota_not_read": _READ_QUOTAS,
        "quota_read_failed": _READ_QUOTAS,
        "limit_period": "Say with `[data_limit] other_periods` what becomes of limits that are not for a month.",
        "tags_unknown": 'Pull the inventory again, or leave the old tags behind: `[claim] tags = "leave"`.',
        "limit_zero": "Decide with `[data_limit] when_zero` whether to pause it or to give it the minimum.",
        "limit_too_large": "Look up its volume at 1NCE, or set `[data_limit] maximum_mb`; then make a new plan.",
        "limit_unknown": "Set the monthly cap at 1NCE, or choose another `[data_limit] basis`.",
        "no_wave": "Add a wave without `count` to the policy, then make a new plan.",
        "name_duplicate": "Rename at 1NCE, or set `[name] on_duplicate` to `suffix` or `keep`.",
        "label_unreadable": "Mend its label in the 1NCE portal and pull again, or name it without its label by a "
        "[[rule]]; then make a new plan.",
        "name_empty": "Give `[name] when_missing` a template that is never empty.",
        "target_elsewhere": "Have it released by the other organization, or pair another new SIM.",
        "target_in_test_mode": "End its Test Mode in Hologram's dashboard, or see `[claim] test_mode`, then plan anew.",
        "test_to_live": "Run `migrator apply`: a claim makes it live, one SIM before the others.",
        "staged": "Run `migrator apply` again once it is live: it gets its limits, tag and name then.",
        "in_test_mode": "Run `migrator apply` again once it is live: it gets its limits, tag and name then.",
        "target_retired": "Pair another new SIM: this one cannot be used again.",
        "target_unknown_state": "Look at the SIM in Hologram's dashboard; pair another one if in doubt.",
        "pauses_live": "Set `[status]` to what is meant, then `migrator campaign retry`; or make a plan of it alone.",
        "target_on_other_plan": "Decide in the dashboard: a plan change costs money and erases limits.",
        "claimed_unseen": _ASK,
        "not_in_reply": _ASK,
        "claim_ignored": _ASK,
        "claimed_elsewhere": "Pair another new SIM: this one belongs to another organization.",
        "pair_changed": "Its pair was changed after the plan was made. Make a new plan: it claims the SIM paired now.",
        "claim_refused": "Read the carrier's words beside it; mend the cause, or pair another new SIM.",
        "test_mode": "End its Test Mode in Hologram's dashboard, then make a new plan.",
        "claim_uncertain": _GOES_ON,
        "claim_lost": _GOES_ON,
        "not_begun": "Run `migrator apply`.",
        "in_progress": _GOES_ON,
        "name_refused": "Choose a name that Hologram takes (`[name]`), then make a new plan.",
        "not_claimed": "Hologram does not show it on this organization. Look it up in the dashboard.",
        "wrong_organization": "It is on another organization: ask who moved it.",
        "wrong_plan": "Decide in the dashboard: a plan change costs money and erases limits.",
        "wrong_state": _SET_AGAIN,
        "state_pending": "Hologram is still at it (minutes, rarely a day): `migrator apply` or `verify` later.",
        "paused_by_system": "Hologram paused it for balance or a limit: top up or raise the limit there.",
        "wrong_overage_limit": _SET_AGAIN,
        "wrong_sms_limit": _SET_AGAIN,
        "wrong_name": "Cut, replaced or renamed there: choose a name that Hologram keeps, then make a new plan.",
        "tag_missing": _SET_AGAIN,
        "tag_left": _SET_AGAIN,
        "not_told": "Hologram's record leaves this value out: look at it in the dashboard.",
        "not_in_plan": "It came after the plan was made, or was left out of it: a new plan accounts for it.",
        "not_selected": "`plan create --where` left it out: a plan without it, or with another choice, takes it up.",
        "rolled_back": "Nothing: its old SIM is on, and its new one paused, and billed. To move it after all: "
        "`migrator plan create --include-rolled-back`, `apply`, and a new cutover.",
        "pair_corrected": "Nothing here: a correction gave it another new SIM. A new plan sets that one up.",
        "card_paired": "Nothing here: the card is in a pair, and its unit's plan sets it up.",
        "set_aside": "An operator set it aside; a new plan takes it up again.",
    }
)
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "quota_missing": "Give it a data limit at 1NCE and read the inventory again, or set `[data_limit] basis = "
        '"fixed"`, also by a [[rule]] for it alone; then make a new plan.',
        "limit_unknown": "State `[data_limit] monthly_cap_mb`, or choose another basis.",
        "label_unreadable": "Mend its label in the portal of 1NCE and read the inventory again, or name it without its "
        "label by a [[rule]]; then make a new plan.",
    }
)
"""Remedies of other sources, where no volume is booked."""

_BY_BUCKET: Mapping[Bucket, str] = MappingProxyType(
    {
        Bucket.VERIFIED: "Nothing.",
        Bucket.PENDING: _GOES_ON,
        Bucket.MISMATCH: _SET_AGAIN,
        Bucket.FAILED: "Read the words beside it; mend the cause, then make a new plan.",
        Bucket.BLOCKED: "Mend what the detail says, then make a new plan.",
        Bucket.SKIPPED: _POLICY,
        Bucket.EXCLUDED: "Nothing, unless it should migrate: then make a plan that holds it.",
        Bucket.UNPAIRED: "Give it a new SIM with `migrator pair import` or `migrator pair pool`.",
    }
)


def remedy(bucket: str, code: str, goes_on: str, source: str = ONENCE) -> str:
    """Return what to do about SIMs of this bucket and code.

    Code words stand in backticks. `goes_on` is the command that goes on with the plan, and `source` the carrier of the
    old SIMs.
    """
    own = _BY_CODE if source == ONENCE else {**_BY_CODE, **_ELSEWHERE}
    code = "quota_missing" if code == "quota_not_read" and source not in SOURCE_NAMES else code  # it is of a file
    words = own.get(code) or _BY_BUCKET[Bucket(bucket)]
    return words.replace("`migrator apply`", f"`{goes_on}`").replace(ONENCE, source)
