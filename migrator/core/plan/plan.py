"""Plan as data: a header and one change per source SIM.

Each change has its reason. The header says what the plan was made from.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.records import record
from migrator.core.fleet.sims import AccountLimits, LinkState, link_state
from migrator.core.fleet.units import Bytes

__all__ = ["ACTING", "Action", "Change", "DesiredState", "Fingerprints", "Origin", "PlanHeader", "Prices", "Reason"]


class Action(StrEnum):
    """Action of `apply` for one SIM."""

    CLAIM = "CLAIM"  # activate the target SIM: bills at once
    ADOPT = "ADOPT"  # it is on our organization already: only settings are brought in line
    UPDATE = "UPDATE"  # it was migrated before and a setting differs now
    NO_OP = "NO_OP"  # all is as it should be
    SKIP = "SKIP"  # left behind by policy
    BLOCK = "BLOCK"  # a person must decide or mend something first

    @property
    def acts(self) -> bool:
        """True if `apply` handles a SIM with this action."""
        return self in ACTING


ACTING = (Action.CLAIM, Action.ADOPT, Action.UPDATE, Action.NO_OP)
"""Actions under which `apply` handles a SIM."""


class Reason(StrEnum):
    """Reason for an action, for people to read.

    A reason never steers `apply`.
    """

    READY = "ready"  # paired, planned, to be claimed
    ALREADY_OURS = "already_ours"  # the target is on our organization
    IN_LINE = "in_line"  # the target already has every planned value
    NO_PAIRING = "no_pairing"  # no target ICCID is known
    STATUS_SKIPPED = "status_skipped"  # the policy leaves this status behind
    STATUS_BLOCKED = "status_blocked"  # the policy wants a person to decide on this status
    STATUS_UNKNOWN = "status_unknown"  # 1NCE used a word we do not know
    QUOTA_MISSING = "quota_missing"  # 1NCE gave no booked volume
    QUOTA_NOT_READ = "quota_not_read"  # the policy needs what remains, and it was not asked for
    QUOTA_READ_FAILED = "quota_read_failed"  # it was asked for, and no usable answer came
    TAGS_UNKNOWN = "tags_unknown"  # the policy copies the old SIM's tags, and the source did not tell them
    LIMIT_ZERO = "limit_zero"  # the data limit comes out as zero
    LIMIT_TOO_LARGE = "limit_too_large"  # the data limit comes out larger than a number is sent exactly
    LIMIT_PERIOD = "limit_period"  # the source's limit is not monthly, and the policy does not say what becomes of it
    LIMIT_UNKNOWN = "limit_unknown"  # the policy needs 1NCE's monthly cap, and none is set
    NO_WAVE = "no_wave"  # no wave selects it, or those that do are full
    NOT_SELECTED = "not_selected"  # `--where` left it out of this plan
    ROLLED_BACK = "rolled_back"  # a rollback took it back to its old SIM, and nobody asked to move it again
    NAME_DUPLICATE = "name_duplicate"  # several SIMs would bear this name, and the policy forbids it
    NAME_EMPTY = "name_empty"  # the templates give no name
    LABEL_UNREADABLE = "label_unreadable"  # the name would hold a label that was not read whole
    TARGET_ELSEWHERE = "target_elsewhere"  # the target is claimed in another organization
    TARGET_IN_TEST_MODE = "target_in_test_mode"  # claiming such a SIM is contradictory in the vendor's own words
    STAGED = "staged"  # in Test Mode on our organization: set up once it is live
    TEST_TO_LIVE = "test_to_live"  # in Test Mode on our organization: a claim makes it live
    TARGET_RETIRED = "target_retired"  # DEAD, for ever
    TARGET_UNKNOWN_STATE = "target_unknown_state"  # a state word we do not know
    CLAIMED_UNSEEN = "claimed_unseen"  # a SIM was claimed for it before, or may have been, and is not seen
    PAUSES_LIVE = "pauses_live"  # it is live, the policy pauses it, and nobody confirms that for a campaign
    TARGET_ON_OTHER_PLAN = "target_on_other_plan"  # ours, but on another data plan or zone: a plan change costs money


class DesiredState(StrEnum):
    """Link state that a plan asks for."""

    LIVE = "live"  # active
    PAUSE = "pause"  # paused by us

    @property
    def reached_as(self) -> LinkState:
        """Link state that fulfils the desired state."""
        return LinkState.LIVE if self is DesiredState.LIVE else LinkState.PAUSED_USER


@record
class Change:
    """Planned values of one source SIM.

    Values are None where the action needs none. `overage_limit_bytes` is -1 for no limit; `sms_limit` None leaves the
    carrier's default alone. `source` is what the plan was made from (`status`, `label`, `data_quota_mb`, ...), as JSON
    values; `before` what the target showed then. `rule` names the policy's rule that fits the SIM; "" for none. `tags`
    are the old SIM's, to be copied beside `tag`, sorted.
    """

    source_iccid: Iccid
    target_iccid: Iccid | None
    action: Action
    reason: Reason
    detail: str = ""
    wave: str | None = None
    name: str | None = None
    state: DesiredState | None = None
    overage_limit_bytes: Bytes | None = None
    sms_limit: int | None = None
    data_plan_id: int | None = None
    zone: str | None = None
    tag: str | None = None
    source: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    rule: str = ""
    tags: tuple[str, ...] = ()

    @property
    def all_tags(self) -> tuple[str, ...]:
        """Every tag that the new SIM is to bear."""
        return self.tags if self.tag is None else (self.tag, *self.tags)

    @property
    def is_test_to_live(self) -> bool:
        """True if a claim is to end a Test Mode."""
        return self.action is Action.CLAIM and bool(self.before) and link_state(self.before["state"]) is LinkState.TEST


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of the data plan.

    A price is None where the carrier shows none (invoiced organizations). `problem` is the reason why a price that is
    shown cannot be relied on; empty if nothing is wrong. `doubt` names prices that differ and may be of several tiers:
    the dearer price is taken.
    """

    per_period: Decimal | None = None
    per_mb: Decimal | None = None
    per_sms: Decimal | None = None
    problem: str = ""
    doubt: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 of a plan's sources and changes, as hexadecimal text."""

    inventory: str
    pairs: str
    policy: str
    changes: str


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """First line of a plan.

    `counts` is by action; `summary` holds money, calls and warnings as JSON values.
    """

    plan_id: str
    lineage: str
    org_id: int
    fingerprints: Fingerprints
    claims: int
    counts: dict[str, int]
    waves: tuple[str, ...]
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Place that a plan was made from.

    The store keeps the origin beside the plan. An origin is no part of the plan, which is the same in every folder.
    `policy_file` is the policy's whole path, `account` 1NCE's monthly caps as they were then.
    """

    policy_file: str
    account: AccountLimits = field(default_factory=AccountLimits)
