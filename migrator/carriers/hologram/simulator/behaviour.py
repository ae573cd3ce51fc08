"""Options of the simulator.

Each default is the value that the reference makes most likely.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.carriers.hologram.simulator.choices import (
    Continues,
    Duplicates,
    LastId,
    MixedClaims,
    NextLink,
    Operation,
    ReadKind,
    ReplyEdition,
    Role,
    SmsIncrease,
    TagRepeat,
)
from migrator.carriers.simulation import RateLimit

__all__ = ["BULK_RENAME", "NO_LIMITS_AT_CLAIM", "HologramBehaviour"]

BULK_RENAME = "bulk_rename"
"""Organization feature that `POST /devices/names` needs."""

NO_LIMITS_AT_CLAIM = "bmp_feature_lite_data_usage_limits"
"""Organization feature that forbids `overage_limit` on a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HologramBehaviour:
    """Options of the simulated Hologram.

    Times are seconds on the clock of the event loop, shares are of 1. Sets of ICCIDs name SIMs as they were stocked.
    Ranges are (shortest, longest). Each SIM draws its own value from the seed, whatever the order of requests.
    """

    # Who asks
    role: Role = Role.ADMIN  # what the key's owner may do
    permissions: frozenset[str] | None = None  # on the organization's record; None: those of the role
    denied: frozenset[Operation] = frozenset()  # operations answered 403 whatever the role
    echoes_key: bool = False  # every object of every reply tells the key, in all its spellings
    bad_key_status: int = 401  # answer to a wrong or missing key; an old page shows 403
    other_org_visible: bool = False  # whether the key's owner belongs to `other_org_id`
    features: frozenset[str] = frozenset({BULK_RENAME})  # organization flags that are on; the two above
    features_listed: bool = True  # whether the organization's record has `features`; else found out by 403 only

    # Pace
    rate_limit: RateLimit | None = None  # hidden limit; its retry_after_s None leaves the header out
    refuse_every: int | None = None  # every k-th request that is otherwise admitted gets 429
    refuse_every_retry_after_s: int | None = None  # Retry-After of those; None leaves the header out
    retry_after_s: int = 1  # Retry-After of the fault TOO_MANY
    latency_s: float = 0.0  # before every reply; the effect is there at once
    slow_s: float = 20.0  # what the fault SLOW adds to it
    late_s: float = 120.0  # from the arrival of a request with the fault LATE until it is carried out
    hang_s: float = 600.0  # silence of the hanging faults before the connection breaks
    bad_gateway_html: bool = True  # whether the 502 after a lost answer is a page of HTML; else JSON
    max_url_bytes: int | None = 8192  # longer path and query: 414; None: no bound

    # Wording of replies
    edition: ReplyEdition = ReplyEdition.REF_2  # of all replies without a word of their own below
    claim_edition: ReplyEdition | None = None  # of bulkclaim
    state_edition: ReplyEdition | None = None  # of batch/state; REF-1 and REF-2 also require `orgid` in its query
    limits_edition: ReplyEdition | None = None  # of batch/usagelimit; the same about `orgid`
    tags_edition: ReplyEdition | None = None  # of the tag replies
    plans_edition: ReplyEdition | None = None  # of plan lists
    devices_edition: ReplyEdition | None = None  # of devices and their links
    numbers_as_strings: bool = False  # ids, limits, IMSI and counts arrive as strings
    lastsession_shown: bool = True  # whether a device with traffic shows its `lastsession`
    imei_shown: bool = True  # whether a device with traffic tells its hardware; usage always does
    last_connect_shown: bool = True  # whether its link shows `last_connect_time`; else empty
    limits_shown: bool = True  # whether links have overagelimit and smslimit at all
    claim_reply_shuffled: bool = True  # order of a claim's results is not promised

    # Money
    balance_forbidden: bool = False  # GET balance answers 403
    invoiced_status: int = 400  # GET balance of an organization without one (`balance` is None)
    insufficient_status: int = 200  # a claim that the balance does not cover
    insufficient_text: str = "Unable to complete the purchase: insufficient funds"  # and its words
    plan_prices_shown: bool = True  # False: plans without prices, as invoiced organizations may see them
    price_times: Decimal = Decimal(1)  # every amount, as it is shown and as it is charged
    overage_times: Decimal = Decimal(1)  # the price of data past the plan
    amount_shown: Any = None  # what stands in the place of every amount that is shown; charges stay as they are
    listed_again_at: str | None = None  # every plan stands in the list twice, the second time with this amount
    flat_amount: str | None = None  # the amount beside the zones of a list's entry; None: the same as in them
    own_tier_amount: str | None = None  # in lists: the organization's own tier, GOLD, and its amount, beside BASE
    balance_shown: Any = None  # what stands in the place of the balance

    # Claims
    claim_policy: MixedClaims = MixedClaims.ALL_OR_NOTHING  # some SIMs good, some bad
    claim_failure_status: int = 200  # of refused claims: 200, or 400, 409, 422
    duplicates: Duplicates = Duplicates.REFUSE  # the same SIM twice in one claim
    poison: frozenset[str] = frozenset()  # SIMs that get a whole claim refused, with no word on which
    max_claim: int = 2500  # SIMs per claim; more: 400
    ours_reason: str = "SIM is already activated"  # of a SIM that is active in an organization we see
    foreign_reason: str = "SIM is already activated"  # of one elsewhere; perhaps "SIM not found"
    test_mode_claimable: bool = False  # whether a claim makes a Test Mode SIM live; else "Preflight SIM"
    test_mode_keeps_plan: int | None = None  # data plan of a SIM that a claim takes out of Test Mode; None: the claim's
    zone_case_matters: bool = True  # whether "Global" is refused where the plan says "global"

    # States
    claim_pending_s: tuple[float, float] = (10.0, 90.0)  # LIVE-PENDING after a claim
    state_pending_s: tuple[float, float] = (10.0, 90.0)  # pending after pause or live
    stuck: frozenset[str] = frozenset()  # SIMs whose pending state never ends
    stuck_share: float = 0.0  # share of SIMs of the same kind, drawn from the seed
    paused_by_system: frozenset[str] = frozenset()  # SIMs that end in PAUSED-SYS instead of LIVE
    paused_by_system_share: float = 0.0  # share of SIMs of the same kind, drawn from the seed
    same_state_warned: bool = True  # asked for the state it has: a warning; else counted as modified
    max_devices: int | None = None  # device ids per state, limit, name or tag call; more: 400
    jobs_forbidden: bool = False  # GET batch/state answers 403
    job_status: str | None = None  # status word of every job; None: in_progress, then complete

    # Limits
    limits_lag_s: float = 0.0  # until a limit command shows, in truth and not only in reads
    limits_locked_while_pending: bool = False  # whether a limit command skips pending SIMs with a warning
    sms_increase: SmsIncrease = SmsIncrease.IGNORE  # more than 100, or -1

    # Reads
    read_lag_s: float = 0.0  # age of what the reads below show
    lagging_reads: frozenset[ReadKind] = frozenset(ReadKind)  # which reads lag
    default_page_size: int = 100  # without `limit`
    max_page_size: int = 5000  # larger limits are clamped; the reply's `limit` says so
    continues: Continues = Continues.TOLD  # how list replies tell that there is more
    lastid: LastId = LastId.LAST  # what their lastid is
    next_link: NextLink = NextLink.RELATIVE  # what their links.next is
    paging_never_ends: bool = False  # the last page says there is more, and leads to itself
    foreign_in_links: bool = False  # whether /links/cellular shows SIMs of organizations we do not see
    inventory_in_links: bool = False  # whether it shows our unclaimed SIMs; counts for SIMs stocked from then on
    dead_listed: bool = True  # whether lists show deactivated SIMs
    unknown_id_status: int = 404  # a device or link that does not exist or is not ours: 404 or 403
    multi_profile: frozenset[str] = frozenset()  # SIMs whose device lists a DISABLED profile first
    multi_profile_share: float = 0.0  # share of SIMs of the same kind, drawn from the seed

    # Names and tags
    names_refused: frozenset[str] = frozenset()  # SIMs whose renaming is answered 400
    max_name: int | None = None  # longer names are cut to so many characters, without a word
    suffix_space: bool = True  # "prefix (12345)"; False: "prefix(12345)", as the migration guide has it
    tag_repeat: TagRepeat = TagRepeat.REFUSE  # creating a tag of a name that exists
