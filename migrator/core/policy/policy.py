"""Operator's policy: what should become of each SIM.

`inputs.policy.file` reads the policy from a file. Here is pure data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from migrator.core.fleet.sims import SourceStatus
from migrator.core.policy.outside import HookPrograms, Receiver

__all__ = [
    "CampaignPolicy",
    "Caps",
    "CapsScope",
    "ClaimPolicy",
    "ClaimWhen",
    "CutoverMode",
    "CutoverPolicy",
    "CutoverProof",
    "DataBasis",
    "DataLimitPolicy",
    "DiscoverMode",
    "Gates",
    "InTestMode",
    "LimitsTiming",
    "NamePolicy",
    "OldSim",
    "OldTags",
    "OnDuplicate",
    "OtherPeriods",
    "OtherUnits",
    "PairProof",
    "Policy",
    "QuietHours",
    "Rule",
    "SmsBasis",
    "SmsLimitPolicy",
    "StatusPolicy",
    "StatusRule",
    "StockPolicy",
    "Wave",
    "When",
    "WhenZero",
    "WithoutPrice",
]


class StatusRule(StrEnum):
    """Rule for the SIMs of one source status."""

    LIVE = "live"  # claimed and left active
    PAUSE = "pause"  # claimed, then paused: still billed monthly
    SKIP = "skip"  # left behind
    BLOCK = "block"  # a person must decide first


class DataBasis(StrEnum):
    """Basis of a SIM's data limit."""

    DATA_LIMIT = "data_limit"  # the source's own limit of each SIM, in bytes a period
    TOTAL = "total"  # 1NCE's booked lifetime volume
    REMAINING = "remaining"  # what is left of it; costs a call per SIM
    MONTHLY_LIMIT = "monthly_limit"  # 1NCE's account-wide monthly cap
    FIXED = "fixed"  # `fixed_mb`
    UNLIMITED = "unlimited"  # no limit at Hologram


class OtherPeriods(StrEnum):
    """Treatment of a data limit of another period than a month."""

    BLOCK = "block"  # a person must decide
    FIXED = "fixed"  # `fixed_mb` in its place
    THIRTY_DAYS = "thirty_days"  # as many periods as 30 days have: an assumption, and said with each SIM


class OldTags(StrEnum):
    """Treatment of the tags that an old SIM has at its source."""

    LEAVE = "leave"  # they stay behind
    COPY = "copy"  # the new SIM gets a tag of each name


class SmsBasis(StrEnum):
    """Basis of a SIM's SMS limit."""

    TOTAL = "total"  # 1NCE's booked lifetime volume
    REMAINING = "remaining"  # what is left of it; costs a call per SIM
    MONTHLY_LIMIT = "monthly_limit"  # 1NCE's account-wide monthly cap
    FIXED = "fixed"  # `fixed`
    KEEP = "keep"  # nothing is sent: Hologram's own default stays


class WhenZero(StrEnum):
    """Treatment of a SIM whose data limit comes out as zero.

    Zero itself is never sent by accident.
    """

    BLOCK = "block"  # a person must decide
    PAUSE = "pause"  # claim it with the smallest limit and pause it
    MINIMUM = "minimum"  # give it `minimum_mb`


class LimitsTiming(StrEnum):
    """Time at which limits are set."""

    WITH_CLAIM = "with_claim"  # in the claim itself: never a moment without them
    AFTER_CLAIM = "after_claim"  # right after, for accounts that may not set them on the claim


class InTestMode(StrEnum):
    """Treatment of new SIMs that are in Test Mode on our organization."""

    BLOCK = "block"  # a person must decide
    ADOPT_WHEN_LIVE = "adopt_when_live"  # they wait, and are set up once Hologram says that they are live
    ACTIVATE = "activate"  # a claim makes them live: first of one SIM, of the others once that one is live


class WithoutPrice(StrEnum):
    """Treatment of a cap on money where the carrier shows no price."""

    GO_ON = "go_on"  # say so, and let `max_sims` and the confirmed number be the bounds
    STOP = "stop"  # claim nothing


class CapsScope(StrEnum):
    """Scope over which a cap is counted."""

    ORGANIZATION = "organization"  # every plan of this store for the same organization
    PLAN = "plan"  # each plan by itself


class OnDuplicate(StrEnum):
    """Treatment of names that several SIMs would have."""

    KEEP = "keep"  # Hologram allows it, as 1NCE did
    SUFFIX = "suffix"  # append the last digits of the source ICCID
    BLOCK = "block"  # a person must decide


class CutoverProof(StrEnum):
    """Proof needed of a new SIM to switch off its old SIM."""

    TRAFFIC = "traffic"  # a data session since it was claimed: it is in the unit, and works
    VERIFIED = "verified"  # its record shows every planned value: that it is in the unit, nobody knows


class OtherUnits(StrEnum):
    """Treatment of old SIMs whose new SIM was seen in another unit."""

    LEAVE_ON = "leave_on"  # the old one may be all that its unit has
    ACCEPT = "accept"  # units were exchanged along with their SIMs


class PairProof(StrEnum):
    """Condition on a pair before the cutover of its old SIM."""

    ANY = "any"  # as somebody paired them; hardware that contradicts it is `other_units`
    OBSERVED = "observed"  # the new SIM was seen in the hardware in which its old SIM was, and no other


class OldSim(StrEnum):
    """Condition on an old SIM's usage at 1NCE before its cutover."""

    MUST_BE_SILENT = "must_be_silent"  # nothing used since the new SIM lived last; where 1NCE cannot tell, it stays on
    IF_KNOWN = "if_known"  # the same; but where 1NCE cannot tell, that is said, and it may go
    NOT_ASKED = "not_asked"  # 1NCE is not asked; what `verify --old-silent` noted still counts


class ClaimWhen(StrEnum):
    """Time at which a campaign claims a card."""

    PLANNED = "planned"  # once its pair is known
    SHIPPED = "shipped"  # once a list of shipped cards names it
    SCANNED = "scanned"  # once it was scanned at its unit


class CutoverMode(StrEnum):
    """Treatment of old SIMs whose new SIM has rested."""

    ASK = "ask"  # a cutover plan is made, and a person carries it out
    AUTO = "auto"  # they are switched off


class DiscoverMode(StrEnum):
    """Treatment of pairs that hardware settles."""

    ASK = "ask"  # they are counted, and a person accepts them
    EXACT = "exact"  # they are accepted


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    """`[claim]`: the tariff, and the tag of every SIM.

    None: no tag. `tags` says what becomes of the old SIM's own, of which a plan copies no more than `most_tags` (20,
    where None). `when` and `ahead_s` are for campaigns: no more cards are claimed ahead of their swap than the
    observed swaps need for so long; None is no such bound.
    """

    data_plan_id: int
    zone: str
    tag: str | None = "from-1nce"
    limits: LimitsTiming = LimitsTiming.WITH_CLAIM
    test_mode: InTestMode = InTestMode.BLOCK
    when: ClaimWhen = ClaimWhen.PLANNED
    ahead_s: float | None = None
    tags: OldTags | None = None  # None: leave
    most_tags: int | None = None


@dataclass(frozen=True, slots=True)
class StatusPolicy:
    """`[status]`: a rule per source status.

    A new plan over disabled SIMs asks for a stated `disabled`; the default is what plans that are there go by.
    """

    enabled: StatusRule = StatusRule.LIVE
    disabled: StatusRule = StatusRule.PAUSE
    expired: StatusRule = StatusRule.SKIP


@dataclass(frozen=True, slots=True)
class DataLimitPolicy:
    """`[data_limit]`: volumes in MB of 1,048,576 bytes.

    Without `basis` a SIM goes by its own limit at the source, where the source has one; else by its booked volume.
    """

    basis: DataBasis | None = None
    fixed_mb: Decimal | None = None
    monthly_cap_mb: Decimal | None = None  # 1NCE's cap, where no call tells it
    minimum_mb: Decimal | None = None
    maximum_mb: Decimal | None = None
    round_up_to_mb: Decimal | None = None
    when_zero: WhenZero = WhenZero.BLOCK
    other_periods: OtherPeriods | None = None  # None: block

    def basis_for(self, *, has_limit: bool) -> DataBasis:
        """Return the basis for a SIM, by whether it has a limit."""
        return self.basis or (DataBasis.DATA_LIMIT if has_limit else DataBasis.TOTAL)


@dataclass(frozen=True, slots=True)
class SmsLimitPolicy:
    """`[sms_limit]`: counts per billing period.

    Hologram allows at most 100 without a contract.
    """

    basis: SmsBasis = SmsBasis.TOTAL
    fixed: int | None = None
    maximum: int = 100


@dataclass(frozen=True, slots=True)
class NamePolicy:
    """`[name]`: templates over label, source_iccid, target_iccid, imsi, msisdn, ip_address, tags."""

    template: str = "{label}"
    when_missing: str = "1nce-{source_iccid}"
    on_duplicate: OnDuplicate = OnDuplicate.KEEP


@dataclass(frozen=True, slots=True)
class Wave:
    """`[[waves]]`: SIMs approved together.

    A SIM joins the first wave that selects it and has room.

    `label` (a pattern with `*` and `?`) and `iccids` (keys of source ICCIDs) select; None selects every SIM. `count` or
    `share` (of the SIMs that the plan acts on, rounded up) is the room; None takes all SIMs that are left. `soak_s` is
    the rest of the wave in seconds: from when enough of the wave is verified until the next wave opens.
    """

    name: str
    count: int | None = None
    share: Decimal | None = None
    label: str | None = None
    iccids: frozenset[str] | None = None
    soak_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gates:
    """`[gates]`: bounds that open the next wave or halt the run.

    A wave opens at `verified_share` of the wave before. More failures than allowed halt the run.

    The bounds hold over the whole plan and within each wave. `min_sample` is the number of SIMs that must have been
    begun before the share counts. `max_failures_by_code` sets tighter bounds for single error codes.
    """

    verified_share: Decimal = Decimal("0.99")
    max_failures: int = 20
    max_failure_share: Decimal = Decimal("0.02")
    min_sample: int = 50
    max_failures_by_code: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caps:
    """`[caps]`: the most SIMs to claim, and the most money to spend.

    The money is what is spent at once. The caps hold over all plans of the organization.

    A cap counts SIMs that a journal shows as claimed, or perhaps claimed, and not SIMs that were ours before. With
    another `scope`, a cap counts this plan alone. `without_price` is for accounts that are shown no prices, as invoiced
    ones: the cap on money cannot be checked there.
    """

    max_sims: int = 100_000
    max_spend_now: Decimal = Decimal("5000.00")
    without_price: WithoutPrice = WithoutPrice.GO_ON
    scope: CapsScope = CapsScope.ORGANIZATION


@dataclass(frozen=True, slots=True)
class CutoverPolicy:
    """`[cutover]`: when an old SIM may be switched off.

    `rest_s` is how long the new SIM must have been verified by then. `verified_share` of all SIMs that the plan acts on
    must be verified before the first old SIM is switched off; 0 asks nothing of the other SIMs. `alive_within_s` is how
    long ago a new SIM's newest session may be, with `require` traffic. `pairs` is how a pair must be known.
    """

    require: CutoverProof = CutoverProof.TRAFFIC
    rest_s: float = 0.0
    verified_share: Decimal = Decimal(0)
    other_units: OtherUnits = OtherUnits.LEAVE_ON
    old_sim: OldSim = OldSim.MUST_BE_SILENT
    alive_within_s: float = 14 * 86_400.0
    pairs: PairProof = PairProof.ANY


@dataclass(frozen=True, slots=True)
class When:
    """`when` of a rule: the SIMs that the rule selects.

    Every condition that is not None must hold.

    `label` is a pattern over the whole label, in its case, with `*` and `?`; a SIM without a label fits none. `iccids`
    are keys of source ICCIDs. The volumes are what was booked at 1NCE, in MB, bounds included; a SIM whose volume was
    not reported fits none. `status_before` is the status of a SIM before a cutover of ours switched it off; other SIMs
    fit none.
    """

    status: SourceStatus | None = None
    label: str | None = None
    iccids: frozenset[str] | None = None
    data_quota_mb: Decimal | None = None
    data_quota_mb_min: Decimal | None = None
    data_quota_mb_max: Decimal | None = None
    status_before: SourceStatus | None = None
    switched_off_by_us: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`[[rule]]`: other values for a selection of SIMs.

    The first rule that fits a SIM is its only rule.

    The sections are whole: the policy's own with what the rule overrides. `gives` names the keys that the rule itself
    gives, as `data_limit.basis`, sorted.
    """

    name: str
    when: When
    status: StatusPolicy = field(default_factory=StatusPolicy)
    data_limit: DataLimitPolicy = field(default_factory=DataLimitPolicy)
    sms_limit: SmsLimitPolicy = field(default_factory=SmsLimitPolicy)
    device_name: NamePolicy = field(default_factory=NamePolicy)
    gives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StockPolicy:
    """`[stock]`: cards that are claimed before anybody knows their unit.

    `max_cards` is the most of them over all plans of the store; 0 claims none. The tariff is that of `[claim]`.
    """

    max_cards: int = 0
    data_limit_mb: Decimal = Decimal(1)
    sms_limit: int = 0
    tag: str | None = "stock"
    name: str = "stock {target_iccid}"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of each day in which nothing is written to a carrier.

    Both are minutes of a day; the hours span midnight where they end before they begin.
    """

    from_minute: int
    to_minute: int

    @property
    def span(self) -> tuple[int, int]:
        """Begin and end."""
        return self.from_minute, self.to_minute


@dataclass(frozen=True, slots=True)
class CampaignPolicy:
    """`[campaign]`: bounds of the standing approval.

    `until` is the last day on which anything is sent. Days and hours are those of `time_zone`. A new SIM lives
    `cutover_rest_s` in its unit before its old SIM is switched off. A claimed card that was not seen for
    `silent_after_s` is an exception. Of the newest `last_units` that were begun, a share of `error_budget` may fail.
    """

    until: date
    claims_per_day: int
    claims_total: int
    spend_per_day: Decimal
    spend_total: Decimal
    cutover: CutoverMode = CutoverMode.ASK
    cutover_rest_s: float = 72 * 3600.0
    quiet_hours: QuietHours | None = None
    time_zone: str = "UTC"
    approvals: int = 1
    discover: DiscoverMode = DiscoverMode.ASK
    silent_after_s: float = 14 * 86_400.0
    last_units: int = 200
    error_budget: Decimal = Decimal("0.05")

    @property
    def most_failures(self) -> int:
        """Most units of the newest that may fail."""
        return int(self.error_budget * self.last_units)


@dataclass(frozen=True, slots=True)
class Policy:
    """Content of a whole policy file.

    Every section but `[claim]` has the defaults shown in the documentation.
    """

    claim: ClaimPolicy
    status: StatusPolicy = field(default_factory=StatusPolicy)
    data_limit: DataLimitPolicy = field(default_factory=DataLimitPolicy)
    sms_limit: SmsLimitPolicy = field(default_factory=SmsLimitPolicy)
    name: NamePolicy = field(default_factory=NamePolicy)
    waves: tuple[Wave, ...] = (Wave("canary", 10), Wave("rest"))
    gates: Gates = field(default_factory=Gates)
    caps: Caps = field(default_factory=Caps)
    approvals: int = 0  # how many people must approve a plan before it is applied
    database_users: bool | None = None  # whether these must be as many users of the database
    cutover: CutoverPolicy = field(default_factory=CutoverPolicy)
    stock: StockPolicy = field(default_factory=StockPolicy)
    rules: tuple[Rule, ...] = ()
    hooks: HookPrograms = field(default_factory=HookPrograms)
    notify: tuple[Receiver, ...] = ()
    campaign: CampaignPolicy | None = None

    @property
    def needs_counting(self) -> bool:
        """True if some wave takes a share of the SIMs.

        Then the SIMs have to be counted before they are planned.
        """
        return any(wave.share is not None for wave in self.waves)

    @property
    def minds_duplicates(self) -> bool:
        """True if some SIMs may not have the name of another SIM."""
        names = (self.name, *(rule.device_name for rule in self.rules))
        return any(name.on_duplicate is not OnDuplicate.KEEP for name in names)

    def rule(self, name: str) -> Rule | None:
        """Return the rule of this name, or None.

        None is for "", and for a name that no rule has.
        """
        return next((rule for rule in self.rules if rule.name == name), None)
