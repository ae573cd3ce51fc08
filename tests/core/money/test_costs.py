"""What a plan will cost, call and take."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.core.fleet.sims import Candidate, QuotaReading, data_limit
from migrator.core.fleet.units import Bytes
from migrator.core.money.calls import KINDS, LIMITS_KEPT, CallSizes
from migrator.core.money.costs import PlanTally
from migrator.core.plan.plan import Action, Change, Prices
from migrator.core.plan.planner import Planner
from migrator.core.policy.policy import (
    ClaimPolicy,
    DataBasis,
    DataLimitPolicy,
    LimitsTiming,
    OtherPeriods,
    Policy,
    Rule,
    SmsBasis,
    SmsLimitPolicy,
    Wave,
    When,
)
from migrator.core.run.packing import claim_batches, limit_groups
from migrator.core.run.steps import Item
from tests.builders import ORG, candidate, policy, sim, target

MB = 1_048_576
PRICES = Prices(Decimal("0.60"), Decimal("0.03"), Decimal("0.19"))
PUMPS = Rule("pumps", When(label="pump*"), data_limit=DataLimitPolicy(DataBasis.FIXED, Decimal(2)))
BY_RULE = policy(rules=(PUMPS,), waves=(Wave("canary", 3), Wave("rest")))


def planned(fleet: Iterable[Candidate], rules: Policy) -> list[Change]:
    return list(Planner(rules, ORG).changes(fleet))


def summed(
    changes: Iterable[Change], rules: Policy, prices: Prices = PRICES, source: str = "1NCE", **values: Any
) -> dict[str, Any]:
    tally = PlanTally(source=source)
    assert len(list(tally.counting(changes))) == sum(tally.actions.values()) == sum(tally.reasons.values())
    return tally.summary(rules, prices, **({"balance": None, "max_rps": 10.0} | values))


def fleet_of(*labels: str, **values: Any) -> list[Candidate]:
    return [candidate(n, sim=sim(n, label=label, **values)) for n, label in enumerate(labels, 1)]


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    volumes = st.sampled_from([Decimal(500), Decimal("0.5"), Decimal(3000), None])
    targets = st.sampled_from([None, {}, {"name": "other"}, {"overage_limit_bytes": 7}, {"org_id": 1}])
    labels = st.sampled_from(["pump 1", "pump 2", "valve"])
    count = draw(st.integers(0, 12))
    fleet = []
    for number in range(1, count + 1):
        shown = draw(targets)
        fleet.append(
            candidate(
                number,
                sim=sim(number, label=draw(labels), data_quota_mb=draw(volumes)),
                target=None if shown is None else target(number, **shown),
            )
        )
    return fleet


@given(fleets())
def test_what_is_told_by_wave_and_by_rule_adds_up_to_the_whole(fleet: list[Candidate]) -> None:
    changes = planned(fleet, BY_RULE)
    told = summed(changes, BY_RULE)
    acting = [change for change in changes if change.action.acts]
    assert told["sims"] == len(fleet) == sum(told["reasons"].values())
    assert sum(told["waves"].values()) == sum(wave["sims"] for wave in told["by_wave"]) == len(acting)
    assert sum(group["sims"] for group in told["groups"]) == len(acting)
    assert sum(group["limit_bytes"] for group in told["groups"]) == sum(one.overage_limit_bytes or 0 for one in acting)
    for kind in set(KINDS) - {"reads"}:
        assert told["calls"][kind] == sum(wave["calls"][kind] for wave in told["by_wave"])
    claims = sum(change.action is Action.CLAIM for change in changes)
    assert sum(wave["claims"] for wave in told["by_wave"]) == claims
    assert Decimal(told["money"]["charged_now"]) == Decimal("0.60") * claims
    assert sum(Decimal(wave["charged_now"]) for wave in told["by_wave"]) == Decimal(told["money"]["charged_now"])


def test_each_rule_tells_what_it_makes_of_the_volume_at_1nce() -> None:
    told = summed(planned(fleet_of("pump 1", "valve", "pump 2"), BY_RULE), BY_RULE)
    pumps, others = told["groups"]
    assert (pumps["rule"], pumps["basis"], pumps["sims"], pumps["onence_mb"]) == ("pumps", "fixed", 2, "1000")
    assert pumps["limit_bytes"] == 4 * MB
    assert (others["rule"], others["basis"], others["sims"]) == ("default", "total", 1)
    assert others["limit_bytes"] == 500 * MB


def test_remaining_volume_is_what_a_rule_by_remaining_counts() -> None:
    rules = policy(data_limit=DataLimitPolicy(DataBasis.REMAINING))
    fleet = fleet_of("a", "b", data_reading=QuotaReading.READ, data_remaining_mb=Decimal("0.000001"))
    (group,) = summed(planned(fleet, rules), rules)["groups"]
    assert (group["onence_mb"], group["limit_bytes"]) == ("0.000002", 2)


def test_the_largest_bill_is_fees_and_all_data_and_sms_that_the_limits_allow() -> None:
    """1,048,576 bytes are 1.048576 priced MB; the cent is rounded up, since it is the largest."""
    rules = policy(
        data_limit=DataLimitPolicy(DataBasis.FIXED, Decimal(1)), sms_limit=SmsLimitPolicy(SmsBasis.FIXED, fixed=2)
    )
    told = summed(planned(fleet_of("a", "b"), rules), rules)
    assert told["money"]["per_period_at_most"] == "2.03"  # 2 x 0.60 + 2.097152 x 0.03 + 4 x 0.19 = 2.0229...
    assert told["money"]["per_period_at_least"] == "1.20"


def test_sims_whose_sms_limit_is_left_alone_may_send_as_many_as_hologram_lets_them() -> None:
    keep = policy(sms_limit=SmsLimitPolicy(SmsBasis.KEEP))
    hundred = policy(sms_limit=SmsLimitPolicy(SmsBasis.FIXED, fixed=100))
    bills = [summed(planned(fleet_of("a"), rules), rules)["money"]["per_period_at_most"] for rules in (keep, hundred)]
    assert bills[0] == bills[1]


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        (Prices(), "invoiced organization"),
        (Prices(Decimal(1), None, Decimal(1)), "no price for data past the plan"),
        (Prices(Decimal(1), Decimal(1), None), "no price for SMS"),
    ],
)
def test_a_price_that_is_not_known_is_said_and_never_taken_for_nothing(prices: Prices, words: str) -> None:
    told = summed(planned(fleet_of("a"), policy()), policy(), prices)
    assert told["money"]["per_period_at_most"] is None
    assert any(words in warning for warning in told["warnings"])


def test_without_a_limit_there_is_no_largest_bill() -> None:
    rules = policy(data_limit=DataLimitPolicy(DataBasis.UNLIMITED))
    told = summed(planned(fleet_of("a"), rules), rules)
    assert told["money"]["per_period_at_most"] is None
    assert told["groups"][0]["warning"] is None
    assert any("no largest bill" in warning for warning in told["warnings"])


def test_the_difference_between_a_lifetime_and_a_billing_period_is_said_in_words() -> None:
    (group,) = summed(planned(fleet_of("a", "b"), policy()), policy())["groups"]
    assert "1,000 MB at 1NCE are for the lifetime of these 2 SIMs" in group["warning"]
    assert f"{1000 * MB:,} bytes (1,000 MiB) in all, start anew every billing period" in group["warning"]
    assert group["per_period_at_most"] in group["warning"]


def test_of_another_source_bytes_are_told_and_a_days_limit_is_not_added_to_a_months() -> None:
    """What a MB is there is the carrier's word; a sum over periods is the limit of nobody."""
    own = policy(
        data_limit=DataLimitPolicy(DataBasis.DATA_LIMIT, other_periods=OtherPeriods.THIRTY_DAYS),
        sms_limit=SmsLimitPolicy(SmsBasis.KEEP),
    )
    limits = [("monthly", 500_000_000), ("monthly", 1_000_000_000), ("daily", 10_000_000), ("hourly", 1_000_000)]
    fleet = [
        candidate(n, sim=sim(n, data_quota_mb=None, data_limit=data_limit(Bytes(volume), period)))
        for n, (period, volume) in enumerate(limits, 1)
    ]
    told = summed(planned(fleet, own), own, source="Elsewhere")
    (group,) = told["groups"]
    assert [group.get(name) for name in ("source_bytes", "monthly", "not_monthly", "onence_mb")] == [
        1_500_000_000,
        2,
        2,
        None,
    ]
    assert "1,500,000,000 bytes (1.4 GiB) at Elsewhere are the monthly limits of 2 of these 4 SIMs" in group["warning"]
    assert "SIMs whose limit at Elsewhere is not for a month: 2" in str(told["warnings"])


def test_of_a_file_the_bytes_of_its_own_unit_are_told() -> None:
    """500 MB of a carrier whose MB is 1,000,000 bytes."""
    fleet = fleet_of("a", "b", data_quota_mb=Decimal(500_000_000) / MB)
    rules = policy(sms_limit=SmsLimitPolicy(SmsBasis.KEEP))
    (group,) = summed(planned(fleet, rules), rules, source="Elsewhere")["groups"]
    assert (group["source_bytes"], group["limit_bytes"]) == (1_000_000_000, 1_000_000_000)
    assert "1,000,000,000 bytes (954 MiB) at Elsewhere are the limits of these 2 SIMs; " in group["warning"]
    assert " MB" not in group["warning"]


def test_a_wave_or_rule_that_holds_nobody_is_told() -> None:
    """An empty first wave opens the gate for everybody at once: a list of the wrong SIMs must show."""
    rules = policy(rules=(PUMPS,), waves=(Wave("bench", iccids=frozenset({"none"})), Wave("rest")))
    warnings = summed(planned(fleet_of("valve"), rules), rules)["warnings"]
    assert "rule 'pumps' fits no SIM" in warnings
    assert "wave 'bench' holds no SIM: the next wave opens without it" in warnings


limits = st.sampled_from([1, MB, 500 * MB, -1])
sms_limits = st.sampled_from([0, 10, 100])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(limits, sms_limits, st.integers(1, 1500)), max_size=5),
    st.sampled_from([CallSizes(), CallSizes(100, 500), CallSizes(700, 90)]),
)
def test_limit_calls_are_those_that_apply_will_make(groups: Sequence[tuple[int, int, int]], sizes: CallSizes) -> None:
    """The claims are packed as `apply` packs them; what they do not carry is grouped as `apply` groups it."""
    tally, items, number = PlanTally(sizes), [], 0
    template = planned(fleet_of("a"), policy(waves=(Wave("all"),)))[0]
    values = {name: getattr(template, name) for name in Change.__dataclass_fields__}
    for overage, sms, times in groups:
        change = Change(**(values | {"overage_limit_bytes": overage, "sms_limit": sms}))
        for _ in range(times):
            number += 1
            tally.add(change)
            items.append(Item(change))
    items.sort(key=lambda item: _place(item.change))
    wanted = 0
    for batch in claim_batches(items, most=sizes.claim):
        shown = target(overage_limit_bytes=batch.overage_limit_bytes, sms_limit=batch.sms_limit)
        claimed = [Item(item.change, target=shown) for item in batch.items]
        wanted += len(limit_groups(claimed, most=sizes.bulk))
    told = tally.summary(policy(waves=(Wave("all"),)), PRICES, balance=None, max_rps=1)
    assert told["calls"]["limits"] == wanted
    assert told["calls"]["claims"] == math.ceil(number / sizes.claim)


def _place(change: Change) -> tuple[float, float]:
    overage, sms = change.overage_limit_bytes, change.sms_limit
    assert overage is not None
    assert sms is not None
    return (math.inf if overage == -1 else overage, sms)


def test_limits_after_the_claim_take_calls_of_their_own() -> None:
    rules = policy(claim=ClaimPolicy(2096, "global", limits=LimitsTiming.AFTER_CLAIM))
    assert summed(planned(fleet_of("a", "b"), rules), rules)["calls"]["limits"] == 1
    assert summed(planned(fleet_of("a", "b"), policy()), policy())["calls"]["limits"] == 0


def test_what_is_ours_already_takes_calls_only_for_what_differs() -> None:
    fleet = [
        candidate(1, target=target(1)),
        candidate(2, target=target(2, name="other")),
        candidate(3, target=target(3, overage_limit_bytes=5)),
        candidate(4, target=target(4, state="PAUSED-USER")),
    ]
    rules = policy(waves=(Wave("all"),))
    calls = summed(planned(fleet, rules), rules)["calls"]
    assert (calls["claims"], calls["names"], calls["limits"], calls["states"]) == (0, 1, 1, 1)


def test_memory_stays_flat_where_every_sim_has_its_own_limit() -> None:
    """Told apart are only so many limits; each of the others is a call, which is what most of them will be."""
    tally, count = PlanTally(), LIMITS_KEPT + 2600
    (template,) = planned(fleet_of("a"), policy(waves=(Wave("all"),)))
    values = {name: getattr(template, name) for name in Change.__dataclass_fields__}
    for number in range(count):
        tally.add(Change(**(values | {"overage_limit_bytes": number + 1})))
    told = tally.summary(policy(waves=(Wave("all"),)), PRICES, balance=None, max_rps=1)
    assert len(tally._calls["all"]._claimed) == LIMITS_KEPT
    assert count - 6 <= told["calls"]["limits"] <= count


def test_time_is_requests_at_the_set_rate_and_rests_are_told_beside_it() -> None:
    rules = policy(waves=(Wave("canary", 1, soak_s=3600.0), Wave("rest")))
    told = summed(planned(fleet_of("a", "b"), rules), rules, max_rps=0.001)
    canary = told["by_wave"][0]
    assert canary["hours"] == round(sum(canary["calls"].values()) / 0.001 / 3600, 2)
    assert canary["soak_hours"] == 1


def test_actions_are_counted_once_each() -> None:
    changes = planned([candidate(1), candidate(2, pair=None)], policy())
    tally = PlanTally()
    for change in changes:
        tally.add(change)
    assert tally.actions == Counter({"CLAIM": 1, "BLOCK": 1})
    assert tally.claims == 1


@pytest.mark.parametrize(("balance", "times_told"), [("1.79", 1), ("1.80", 0), ("0", 1), (None, 0)])
def test_a_balance_that_is_too_small_for_the_claims_is_told(balance: str | None, times_told: int) -> None:
    """Three SIMs at 0.60 each."""
    rules = policy()
    held = None if balance is None else Decimal(balance)
    summary = summed(planned(fleet_of("a", "b", "c"), rules), rules, balance=held)
    words = [words for words in summary["warnings"] if "the balance is" in words]
    assert len(words) == times_told
    assert all("claiming 3 SIMs costs 1.80" in told for told in words)
