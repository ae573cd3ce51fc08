"""From 1NCE's values to Hologram's."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceSim
from migrator.core.fleet.sims import data_limit as limit_told
from migrator.core.fleet.units import Bytes
from migrator.core.plan.mapping import (
    Blocked,
    Limit,
    data_limit_rule,
    device_name,
    sms_limit_rule,
    state_of,
    state_rules,
)
from migrator.core.plan.plan import DesiredState, Reason
from migrator.core.policy.policy import (
    DataBasis,
    DataLimitPolicy,
    NamePolicy,
    OtherPeriods,
    SmsBasis,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    WhenZero,
)
from tests.builders import sim

MB = 1_048_576
NO_ACCOUNT = AccountLimits()


def data_limit(one: SourceSim, policy: DataLimitPolicy, account: AccountLimits) -> Limit | Blocked:
    return data_limit_rule(policy, account)(one)


def sms_limit(one: SourceSim, policy: SmsLimitPolicy, account: AccountLimits) -> Limit | Blocked:
    return sms_limit_rule(policy, account)(one)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Enabled", DesiredState.LIVE),
        ("ACTIVATED", DesiredState.LIVE),
        ("disabled", DesiredState.PAUSE),
        ("Deactivated", DesiredState.PAUSE),
    ],
)
def test_each_spelling_of_a_status_finds_its_rule(word: str, expected: DesiredState) -> None:
    assert state_of(sim(status=word), state_rules(StatusPolicy())) is expected


def test_an_expired_sim_is_left_behind_by_default() -> None:
    outcome = state_of(sim(status="Expired"), state_rules(StatusPolicy()))
    assert isinstance(outcome, Blocked)
    assert outcome.skip
    assert outcome.reason is Reason.STATUS_SKIPPED


def test_a_status_nobody_knows_is_never_acted_on() -> None:
    outcome = state_of(sim(status="Suspended?"), state_rules(StatusPolicy(enabled=StatusRule.LIVE)))
    assert isinstance(outcome, Blocked)
    assert (outcome.reason, outcome.skip) == (Reason.STATUS_UNKNOWN, False)
    assert "Suspended?" in outcome.detail


@pytest.mark.parametrize(
    ("booked", "expected"),
    [("500", 500 * MB), ("0.000001", 1), ("479.949998", 503_264_049), ("3000", 3000 * MB)],
)
def test_megabytes_become_whole_bytes_rounded_down(booked: str, expected: int) -> None:
    """479.949998 MB are 503,264,049.1 bytes; a limit is never above what was booked."""
    limit = data_limit(sim(data_quota_mb=Decimal(booked)), DataLimitPolicy(), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value == expected


@pytest.mark.parametrize(
    ("reading", "remaining", "reason"),
    [
        (QuotaReading.NOT_READ, None, Reason.QUOTA_NOT_READ),
        (QuotaReading.FAILED, None, Reason.QUOTA_READ_FAILED),
        (QuotaReading.NO_RECORD, None, Reason.QUOTA_MISSING),
        (QuotaReading.READ, Decimal(0), Reason.LIMIT_ZERO),
        (QuotaReading.READ, Decimal("-3.5"), Reason.LIMIT_ZERO),
        (QuotaReading.READ, Decimal("0.0000001"), Reason.LIMIT_ZERO),
    ],
)
def test_a_remaining_volume_that_is_not_known_or_gone_blocks_the_sim(
    reading: QuotaReading, remaining: Decimal | None, reason: Reason
) -> None:
    """A failed read must never become a limit of zero, and zero is never sent by accident."""
    one = sim(data_reading=reading, data_remaining_mb=remaining)
    outcome = data_limit(one, DataLimitPolicy(basis=DataBasis.REMAINING), NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert outcome.reason is reason


def test_nothing_left_can_be_paused_with_the_smallest_limit() -> None:
    rule = DataLimitPolicy(when_zero=WhenZero.PAUSE)
    assert data_limit(sim(data_quota_mb=Decimal(0)), rule, NO_ACCOUNT) == Limit(
        MB, "nothing left; paused with a limit of 1 MB", pause=True
    )


def test_nothing_left_can_be_given_the_minimum() -> None:
    rule = DataLimitPolicy(when_zero=WhenZero.MINIMUM, minimum_mb=Decimal(2))
    limit = data_limit(sim(data_quota_mb=Decimal(0)), rule, NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value == 2 * MB


@pytest.mark.parametrize("left", ["0", "-0.5", "-300"])
def test_what_is_used_up_or_overdrawn_is_never_raised_to_the_minimum_unasked(left: str) -> None:
    rule = DataLimitPolicy(basis=DataBasis.REMAINING, minimum_mb=Decimal(2), round_up_to_mb=Decimal(1))
    overdrawn = sim(data_reading=QuotaReading.READ, data_remaining_mb=Decimal(left))
    outcome = data_limit(overdrawn, rule, NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.LIMIT_ZERO


@pytest.mark.parametrize(("booked", "expected_mb"), [("0.4", 10), ("10", 10), ("11", 20), ("499", 500), ("501", 500)])
def test_rounding_minimum_and_maximum_apply_in_that_order(booked: str, expected_mb: int) -> None:
    rule = DataLimitPolicy(round_up_to_mb=Decimal(10), minimum_mb=Decimal(5), maximum_mb=Decimal(500))
    limit = data_limit(sim(data_quota_mb=Decimal(booked)), rule, NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value == expected_mb * MB


def test_what_was_done_to_a_limit_is_told() -> None:
    limit = data_limit(sim(data_quota_mb=Decimal(600)), DataLimitPolicy(maximum_mb=Decimal(500)), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert "600" in limit.detail
    assert "maximum" in limit.detail


def test_a_monthly_cap_that_is_not_known_blocks() -> None:
    outcome = data_limit(sim(), DataLimitPolicy(basis=DataBasis.MONTHLY_LIMIT), NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.LIMIT_UNKNOWN


def test_the_monthly_cap_is_the_limit_where_the_policy_says_so() -> None:
    limit = data_limit(sim(), DataLimitPolicy(basis=DataBasis.MONTHLY_LIMIT), AccountLimits(data_mb=Decimal(16)))
    assert isinstance(limit, Limit)
    assert limit.value == 16 * MB


def test_a_cap_that_the_policy_states_stands_in_where_1nce_tells_none() -> None:
    """Its newer API has no call for it."""
    stated = DataLimitPolicy(basis=DataBasis.MONTHLY_LIMIT, monthly_cap_mb=Decimal(25))
    limit = data_limit(sim(), stated, NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert (limit.value, "as the policy states" in limit.detail) == (25 * MB, True)
    told = data_limit(sim(), stated, AccountLimits(data_mb=Decimal(16)))
    assert isinstance(told, Limit)
    assert told.value == 16 * MB


def test_a_cap_that_nobody_tells_is_asked_for_with_both_ways_to_tell_it() -> None:
    outcome = data_limit(sim(), DataLimitPolicy(basis=DataBasis.MONTHLY_LIMIT), NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert "inventory pull --limits" in outcome.detail
    assert "[data_limit] monthly_cap_mb" in outcome.detail


def test_unlimited_is_minus_one_only_when_asked_for() -> None:
    limit = data_limit(sim(), DataLimitPolicy(basis=DataBasis.UNLIMITED), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value == -1


@pytest.mark.parametrize(("booked", "expected"), [("250", 100), ("100", 100), ("7.9", 7), ("0", 0), ("-4", 0)])
def test_sms_limits_are_whole_clamped_and_never_negative(booked: str, expected: int) -> None:
    """-1 means "no limit" at Hologram, so a negative remainder must not slip through as it is."""
    limit = sms_limit(sim(sms_quota=Decimal(booked)), SmsLimitPolicy(), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value == expected


def test_a_clamped_sms_limit_says_so() -> None:
    limit = sms_limit(sim(sms_quota=Decimal(250)), SmsLimitPolicy(), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.detail == "SMS limit cut from 250 to 100"


def test_keep_leaves_the_sms_limit_alone() -> None:
    limit = sms_limit(sim(sms_quota=None), SmsLimitPolicy(basis=SmsBasis.KEEP), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value is None


@pytest.mark.parametrize("label", ["  spaced  ", "=SUM(A1)", "<script>", "Grüße 🚜", 'a "b", c', "{label}", "%s"])
def test_a_label_goes_out_exactly_as_it_came(label: str) -> None:
    assert device_name(sim(label=label), "89", NamePolicy()) == label


@pytest.mark.parametrize("label", [None, "", "   "])
def test_a_missing_label_takes_the_other_template(label: str | None) -> None:
    assert device_name(sim(7, label=label), "89", NamePolicy()) == "1nce-8988228000000000007"


def test_a_template_with_a_missing_field_is_not_filled_with_nothing() -> None:
    rule = NamePolicy(template="{label} {imsi}", when_missing="{target_iccid}")
    assert device_name(sim(imsi=None), "8944", rule) == "8944"


# --- quota to limit: every basis ----------------------------------------------------------------------------------

volumes = st.decimals(min_value=Decimal(-10), max_value=Decimal(10_000_000), places=6)
bounds = st.none() | st.decimals(min_value=Decimal("0.000001"), max_value=Decimal(1_000_000), places=6)
readings = st.sampled_from(list(QuotaReading))


@st.composite
def data_policies(draw: st.DrawFn) -> DataLimitPolicy:
    minimum, maximum = sorted((draw(bounds), draw(bounds)), key=lambda bound: bound or Decimal(0))
    return DataLimitPolicy(
        basis=draw(st.sampled_from([DataBasis.TOTAL, DataBasis.REMAINING, DataBasis.MONTHLY_LIMIT, DataBasis.FIXED])),
        fixed_mb=draw(st.decimals(min_value=0, max_value=1000, places=6)),
        minimum_mb=minimum if maximum is not None else None,
        maximum_mb=maximum,
        round_up_to_mb=draw(bounds),
        when_zero=draw(st.sampled_from(list(WhenZero))),
    )


def expected_bytes(volume: Decimal, rule: DataLimitPolicy) -> int:
    """The rule in fractions, which lose nothing."""
    shaped = Fraction(volume)
    if rule.round_up_to_mb:
        shaped = math.ceil(shaped / Fraction(rule.round_up_to_mb)) * Fraction(rule.round_up_to_mb)
    if rule.minimum_mb is not None:
        shaped = max(shaped, Fraction(rule.minimum_mb))
    if rule.maximum_mb is not None:
        shaped = min(shaped, Fraction(rule.maximum_mb))
    return math.floor(shaped * MB)


@given(volumes, volumes, volumes, readings, data_policies())
def test_a_limit_is_exact_to_the_byte_or_the_sim_is_blocked(
    booked: Decimal, left: Decimal, monthly: Decimal, reading: QuotaReading, rule: DataLimitPolicy
) -> None:
    one = sim(data_quota_mb=booked, data_reading=reading, data_remaining_mb=left if reading == "read" else None)
    volume = {
        DataBasis.TOTAL: booked,
        DataBasis.REMAINING: one.data_remaining_mb,
        DataBasis.MONTHLY_LIMIT: monthly,
        DataBasis.FIXED: rule.fixed_mb,
    }[rule.basis or DataBasis.TOTAL]
    outcome = data_limit(one, rule, AccountLimits(data_mb=monthly))
    if volume is None:
        assert isinstance(outcome, Blocked)
    elif volume > 0:
        assert isinstance(outcome, Limit)
        assert (outcome.value, outcome.pause) == (expected_bytes(volume, rule), False)
    elif isinstance(outcome, Limit):
        assert outcome.value is not None
        assert 0 < outcome.value <= (MB if rule.when_zero is WhenZero.PAUSE else expected_bytes(Decimal(0), rule))
        assert rule.maximum_mb is None or outcome.value <= rule.maximum_mb * MB
    else:
        assert outcome.reason is Reason.LIMIT_ZERO


@given(st.sampled_from([QuotaReading.NOT_READ, QuotaReading.FAILED, QuotaReading.NO_RECORD]), data_policies())
def test_what_was_not_read_never_becomes_a_limit(reading: QuotaReading, rule: DataLimitPolicy) -> None:
    """Whatever the policy says of zero: not known is not zero."""
    one = sim(data_reading=reading, sms_reading=reading)
    by_remaining = DataLimitPolicy(DataBasis.REMAINING, minimum_mb=rule.minimum_mb, when_zero=rule.when_zero)
    assert isinstance(data_limit(one, by_remaining, NO_ACCOUNT), Blocked)
    assert isinstance(sms_limit(one, SmsLimitPolicy(SmsBasis.REMAINING), NO_ACCOUNT), Blocked)


@pytest.mark.parametrize("unknown", [{"data_quota_mb": None}, {"data_quota_mb": None, "data_remaining_mb": Decimal(5)}])
def test_a_booked_volume_that_1nce_did_not_give_blocks(unknown: dict[str, Any]) -> None:
    outcome = data_limit(sim(**unknown), DataLimitPolicy(), NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.QUOTA_MISSING


@pytest.mark.parametrize("places", range(13))
def test_rounding_up_stays_exact_far_past_what_a_float_or_28_digits_can_hold(places: int) -> None:
    volume = Decimal("1000000000000000000.000000000001")
    step = Decimal(1).scaleb(-places)
    limit = data_limit(sim(data_quota_mb=volume), DataLimitPolicy(round_up_to_mb=step), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert limit.value == math.floor(math.ceil(Fraction(volume) / Fraction(step)) * Fraction(step) * MB)


def test_a_used_up_sim_is_paused_within_the_maximum_of_the_policy() -> None:
    """A megabyte is not the smallest limit where the policy allows half of one."""
    rule = DataLimitPolicy(maximum_mb=Decimal("0.5"), when_zero=WhenZero.PAUSE)
    limit = data_limit(sim(data_quota_mb=Decimal(0)), rule, NO_ACCOUNT)
    assert limit == Limit(MB // 2, "nothing left; paused with a limit of 524288 bytes", pause=True)


def test_a_volume_of_zero_is_for_when_zero_to_decide_and_not_for_the_minimum() -> None:
    rule = DataLimitPolicy(minimum_mb=Decimal(2))
    assert isinstance(data_limit(sim(data_quota_mb=Decimal(0)), rule, NO_ACCOUNT), Blocked)


@pytest.mark.parametrize("rule", [DataLimitPolicy(round_up_to_mb=Decimal(1)), DataLimitPolicy(minimum_mb=Decimal(9))])
def test_equal_volumes_give_equal_words(rule: DataLimitPolicy) -> None:
    """Limits are remembered by volume: what is said must not hang on which spelling came first."""
    told = [data_limit(sim(data_quota_mb=Decimal(text)), rule, NO_ACCOUNT) for text in ("1.5", "1.500", "15E-1")]
    assert told[0] == told[1] == told[2]


def test_how_far_a_sim_is_overdrawn_is_told() -> None:
    one = sim(data_reading=QuotaReading.READ, data_remaining_mb=Decimal("-3.500000"))
    outcome = data_limit(one, DataLimitPolicy(basis=DataBasis.REMAINING), NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert "-3.5 MB" in outcome.detail


@pytest.mark.parametrize(("basis", "limit_mb"), [(DataBasis.TOTAL, 500), (DataBasis.REMAINING, 900)])
def test_a_topped_up_sim_is_told_and_never_given_more_than_its_basis(basis: DataBasis, limit_mb: int) -> None:
    """Whether the booked total grows with a top-up is unknown: more left than booked shows that it did not."""
    one = sim(data_reading=QuotaReading.READ, data_remaining_mb=Decimal(900))
    limit = data_limit(one, DataLimitPolicy(basis=basis), NO_ACCOUNT)
    assert isinstance(limit, Limit)
    assert (limit.value, limit.detail) == (
        limit_mb * MB,
        "topped up at 1NCE: 900 MB are left, 500 MB are told as booked",
    )


@given(st.decimals(min_value=-10, max_value=10_000, places=6), st.integers(0, 100))
def test_an_sms_limit_is_whole_and_within_zero_and_the_maximum(volume: Decimal, maximum: int) -> None:
    one = sim(sms_quota=volume, sms_reading=QuotaReading.READ, sms_remaining=volume)
    for basis in (SmsBasis.TOTAL, SmsBasis.REMAINING, SmsBasis.MONTHLY_LIMIT):
        limit = sms_limit(one, SmsLimitPolicy(basis, maximum=maximum), AccountLimits(sms_mo=volume))
        assert isinstance(limit, Limit)
        assert limit.value == min(max(math.floor(volume), 0), maximum)
        assert ("cut from" in limit.detail) == (math.floor(volume) > maximum)


def test_a_sim_without_sms_left_says_so() -> None:
    one = sim(sms_reading=QuotaReading.READ, sms_remaining=Decimal(-4))
    assert sms_limit(one, SmsLimitPolicy(SmsBasis.REMAINING), NO_ACCOUNT) == Limit(0, "no SMS left: its SMS limit is 0")


def test_a_monthly_sms_cap_that_is_not_known_blocks() -> None:
    outcome = sms_limit(sim(), SmsLimitPolicy(SmsBasis.MONTHLY_LIMIT), NO_ACCOUNT)
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.LIMIT_UNKNOWN


# --- a source's own limit of each SIM -----------------------------------------------------------------------------


def own(volume: int, period: str = "monthly", **policy: Any) -> Limit | Blocked:
    """The outcome for a SIM of Onomondo with a limit of its own."""
    one = sim(data_quota_mb=None, data_limit=limit_told(Bytes(volume), period))
    return data_limit_rule(DataLimitPolicy(**policy), NO_ACCOUNT, "Onomondo")(one)


@given(st.integers(1, 2**53 - 1), st.sampled_from([None, DataBasis.DATA_LIMIT]))
def test_a_monthly_limit_is_carried_over_to_the_byte(volume: int, basis: DataBasis | None) -> None:
    assert own(volume, basis=basis) == Limit(volume)


@pytest.mark.parametrize("period", ["daily", "hourly", "yearly", ""])
def test_a_limit_of_another_period_waits_for_the_policys_choice(period: str) -> None:
    outcome = own(500_000, period)
    assert isinstance(outcome, Blocked)
    assert outcome.reason is Reason.LIMIT_PERIOD
    assert "500000 bytes" in outcome.detail
    assert own(500_000, period, other_periods=OtherPeriods.BLOCK) == outcome


@pytest.mark.parametrize(("period", "times"), [("daily", 30), ("hourly", 720)])
def test_a_product_over_thirty_days_is_named_as_an_assumption(period: str, times: int) -> None:
    outcome = own(500_001, period, other_periods=OtherPeriods.THIRTY_DAYS)
    assert isinstance(outcome, Limit)
    assert outcome.value == 500_001 * times
    assert f"500001 bytes {period} at Onomondo, times {times}: assumes" in outcome.detail


def test_a_period_that_nobody_knows_has_no_product() -> None:
    assert isinstance(own(500_000, "yearly", other_periods=OtherPeriods.THIRTY_DAYS), Blocked)


def test_a_fixed_limit_may_stand_in_for_other_periods_alone() -> None:
    fixed: dict[str, Any] = {"other_periods": OtherPeriods.FIXED, "fixed_mb": Decimal(50)}
    outcome = own(500_000, "yearly", **fixed)
    assert isinstance(outcome, Limit)
    assert (outcome.value, "500000 bytes yearly at Onomondo" in outcome.detail) == (50 * MB, True)
    assert own(7, **fixed) == Limit(7)


def test_a_limit_of_nothing_goes_by_when_zero_and_one_above_the_maximum_is_cut() -> None:
    assert own(0).reason is Reason.LIMIT_ZERO  # type: ignore[union-attr]
    cut = own(3 * MB, maximum_mb=Decimal(2))
    assert isinstance(cut, Limit)
    assert cut.value == 2 * MB


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (QuotaReading.NOT_READ, Reason.QUOTA_NOT_READ),
        (QuotaReading.FAILED, Reason.QUOTA_READ_FAILED),
        (QuotaReading.NO_RECORD, Reason.QUOTA_MISSING),
    ],
)
@pytest.mark.parametrize("basis", [None, DataBasis.DATA_LIMIT])
def test_a_limit_that_was_not_told_is_not_guessed(
    reading: QuotaReading, reason: Reason, basis: DataBasis | None
) -> None:
    rule = data_limit_rule(DataLimitPolicy(basis=basis), NO_ACCOUNT, "Onomondo")
    outcome = rule(sim(data_quota_mb=None, data_reading=reading))
    assert isinstance(outcome, Blocked)
    assert outcome.reason is reason


def test_without_a_basis_a_booked_volume_counts_where_there_is_no_limit() -> None:
    assert data_limit_rule(DataLimitPolicy(), NO_ACCOUNT, "elsewhere")(sim()) == Limit(500 * MB)
    only_limits = data_limit_rule(DataLimitPolicy(basis=DataBasis.DATA_LIMIT), NO_ACCOUNT)(sim())
    assert isinstance(only_limits, Blocked)
