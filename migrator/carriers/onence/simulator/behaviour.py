"""Options of the simulator.

Defaults are what was recorded, or what the reference makes most likely.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.carriers.onence.simulator.choices import (
    AboveLargestPage,
    BadBearer,
    BadLogin,
    BeyondEnd,
    ExpiredSims,
    LabelForm,
    ListOrder,
    Missing,
    NoLimit,
    OmittedFields,
    OptionalIdentifiers,
    QuotaDates,
    SelectableLimits,
    StatusWords,
    TopUpTotal,
    TotalsHeaders,
    TotalsScope,
    UnknownSim,
    UsageCall,
    V1Retired,
)
from migrator.carriers.simulation import RateLimit

__all__ = ["OnenceBehaviour"]

SIMS_LIMIT = RateLimit(per_second=10, burst=10)
"""Rate limit of /sims paths: 10 requests a second per customer.

The size of a burst is not known (reference, section 3.1).
"""

LOGIN_LIMIT = RateLimit(per_second=10, burst=600)
"""Rate limit of logins: 600 requests a minute per address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnenceBehaviour:
    """Options of the simulated 1NCE.

    Times are seconds on the clock of the event loop; numbers count requests.
    """

    # Login and token
    echoes_credentials: bool = False  # every object of every reply tells secret and token, in all their spellings
    json_login_only: bool = False  # whether a form-encoded token request is refused
    bad_login: BadLogin = BadLogin.COGNITO  # answer to a wrong id or secret
    token_life_s: int = 3600  # how long a token is good
    token_reissued: bool = True  # a repeated login gets the same token with less time left; else a new one each time
    token_characters: int = 3000  # length of a token
    token_revoked_after: int | None = None  # calls after which a token is refused although its time is not up
    revoked_token_reissued: bool = False  # whether a login may hand out a revoked token again
    bad_bearer: BadBearer = BadBearer.SPRING  # answer to a bad token

    # Pace
    rate_limit: RateLimit | None = SIMS_LIMIT  # over all /sims paths; None: no limit
    login_limit: RateLimit | None = LOGIN_LIMIT  # on /oauth; None: no limit
    too_many_every: int | None = None  # every k-th call under /sims gets 429 besides
    too_many_retry_after_s: int | None = 1  # Retry-After of those and of the fault TOO_MANY; None leaves it out
    too_many_body: str = '{"message":"Too Many Requests"}'  # body of every 429
    latency_s: float = 0.0  # before every reply; the effect is there at once
    slow_s: float = 10.0  # what the fault SLOW adds to it
    hang_s: float = 600.0  # silence of the hanging faults before the connection breaks

    # The wire
    gzip: bool = True  # compress for clients that accept it
    noise_headers: bool = True  # Set-Cookie, X-Amzn-*, cache headers
    missing: Missing = Missing.OMITTED  # values that a SIM does not have
    numbers_as_strings: bool = False  # volumes of the list and of quotas as text

    # The list
    list_order: ListOrder = ListOrder.FIXED  # where no sort is honoured
    sort_honoured: bool = False  # whether sort=ip_address,-imei has an effect; unverified for the real service
    totals_headers: TotalsHeaders = TotalsHeaders.MIXED_CASE  # X-Total-Count and its companions
    totals: TotalsScope = TotalsScope.LIST  # what they speak of
    told_too_many: int = 0  # SIMs that X-Total-Count tells of and no page shows
    pages_promised: int | None = None  # what X-Total-Pages says in place of the true number
    listed_twice: int = 0  # how many SIMs of the head of the list come once more at its end
    count_per_page_is_rows: bool = False  # X-Count-Per-Page counts the rows of this page, not the page size
    beyond_end: BeyondEnd = BeyondEnd.EMPTY  # a page past the last one
    above_largest_page: AboveLargestPage = AboveLargestPage.CLAMP  # pageSize 101
    results_wrapped: bool = False  # {"results": [...]}, as one vendor sample has it, instead of a bare array
    insert_every_pages: int | None = None  # after every k-th page a new SIM appears at the head of the list
    remove_every_pages: int | None = None  # after every k-th page the first SIM of the list is gone
    drift_at_most: int | None = None  # inserts and removals after which the list is quiet; None: never quiet
    optional_identifiers: OptionalIdentifiers = OptionalIdentifiers.SOME  # iccid_with_luhn, imsi_2, current_imsi

    # One SIM
    v1_words: StatusWords = StatusWords.MIXED  # for on and off
    v2_words: StatusWords = StatusWords.ENABLED  # no v2 reply was ever recorded
    unknown_sim: UnknownSim = UnknownSim.EMPTY_200  # in v1; v2 answers 404 with an error body
    check_digit_accepted: bool = False  # whether the 20-digit form finds the SIM too
    single_reads_of_others: frozenset[str] = frozenset()  # SIMs whose own record is answered with another SIM's
    single_labels: Mapping[str, LabelForm] = field(default_factory=dict)  # labels that a SIM's own record tells oddly
    listed_labels: Mapping[str, LabelForm] = field(default_factory=dict)  # the same of the list
    expired: ExpiredSims = ExpiredSims.READABLE  # what reads show of expired SIMs
    expired_word: str = "Expired"  # their status, as the portal has it; the contract knows only Enabled and Disabled
    said: tuple[tuple[str, str, Any], ...] = ()  # ICCID, field of its record, and what stands there instead

    # Quota, usage, limits
    v1_quota_dates: QuotaDates = QuotaDates.SPACED  # expiry_date and last_status_change_date
    v2_quota_dates: QuotaDates = QuotaDates.ISO_Z  # expiry_date and created_at
    top_up_total: TopUpTotal = TopUpTotal.LIFETIME  # current_quota, and total_volume in v1
    usage_call: UsageCall = UsageCall.ANSWERED  # who gets usage at all
    usage_total_row: bool = True  # whether usage ends with the row TOTAL
    data_limit_mb: str | None = "16"  # monthly limit of every SIM; None: not set
    sms_mt_limit: str | None = "10"  # the same for messages to SIMs
    sms_mo_limit: str | None = "10"  # the same for messages from SIMs
    no_limit: NoLimit = NoLimit.KEY_MISSING  # how a limit that is not set is told
    selectable_limits: SelectableLimits = SelectableLimits.LIST  # shape of the choices

    # Writes
    put_effect_s: float = 2.0  # how long after a PUT the change shows
    bulk_effect_s: float = 5.0  # the same for POST /v1/sims, which only queues
    writes_applied: bool = True  # False: accepted, and nothing ever comes of it
    required_fields_enforced: bool = False  # v1: 400 where iccid or status is missing
    omitted_fields: OmittedFields = OmittedFields.KEPT  # v1: status and imei_lock that an update leaves out
    bulk_all_or_nothing: bool = False  # one unknown or expired SIM refuses the whole list; else it is passed over

    # Editions of the API
    v1_retired: V1Retired = V1Retired.NO  # what /v1 answers after its end
    v2_available: bool = True  # whether /v2 exists; else 404
    v1_hides_platform2: bool = False  # v1 neither lists nor finds SIMs of Platform 2.0, and says nothing of it
