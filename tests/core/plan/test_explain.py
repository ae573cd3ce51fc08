"""Why a plan gives a SIM what it gives."""

from decimal import Decimal
from typing import Any

from migrator.core.fleet.sims import Candidate, QuotaReading, data_limit
from migrator.core.fleet.units import Bytes
from migrator.core.plan.explain import Explained, explained, rule_words
from migrator.core.plan.planner import Planner
from migrator.core.policy.policy import (
    ClaimPolicy,
    DataBasis,
    DataLimitPolicy,
    NamePolicy,
    OldTags,
    Policy,
    Rule,
    SmsBasis,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    Wave,
    When,
    WhenZero,
)
from tests.builders import ORG, candidate, policy, sim, target

PUMPS = Rule(
    "pumps",
    When(label="pump*", data_quota_mb_min=Decimal(100)),
    data_limit=DataLimitPolicy(maximum_mb=Decimal(50)),
    device_name=NamePolicy("p {imsi}"),
    gives=("data_limit.maximum_mb", "device_name.template"),
)


def told(one: Candidate, rules: Policy) -> dict[str, Explained]:
    (change,) = Planner(rules, ORG).changes([one])
    return {value.what: value for value in explained(change, rules)}


def givers(value: Explained) -> list[str]:
    return [str(given) for given in value.given_by]


def pump(**values: Any) -> Candidate:
    return candidate(1, sim=sim(1, label="pump 1", imsi="901", **values))


def test_each_value_names_the_rule_or_the_section_that_gave_it() -> None:
    values = told(pump(), policy(rules=(PUMPS,)))
    assert givers(values["data limit"]) == [
        '[data_limit] basis = "total"',
        'rule "pumps" [rule.data_limit] maximum_mb = 50',
    ]
    assert givers(values["name"])[0] == 'rule "pumps" [rule.device_name] template = "p {imsi}"'
    assert givers(values["state"]) == ['[status] enabled = "live"']
    assert givers(values["tariff"]) == ["[claim] data_plan_id = 2096", '[claim] zone = "global"']


def test_source_and_planned_value_stand_side_by_side() -> None:
    values = told(pump(), policy(rules=(PUMPS,)))
    assert (values["data limit"].source, values["data limit"].planned) == (
        "500 MB booked",
        "52428800 bytes past the data plan per billing period",
    )
    assert (values["SMS limit"].source, values["SMS limit"].planned) == ("250 SMS booked", "100 SMS per billing period")
    assert (values["name"].source, values["name"].planned) == ("pump 1", "p 901")
    assert (values["state"].source, values["state"].planned) == ("Enabled", "live")


def test_what_hologram_showed_stands_there_for_a_sim_that_is_ours() -> None:
    values = told(candidate(target=target(name="old", overage_limit_bytes=-1)), policy())
    assert (values["name"].before, values["data limit"].before) == ("old", "no limit")


def test_what_is_left_is_told_beside_what_was_booked() -> None:
    one = candidate(sim=sim(data_remaining_mb=Decimal("479.949998"), data_reading=QuotaReading.READ))
    values = told(one, policy(data_limit=DataLimitPolicy(DataBasis.REMAINING)))
    assert values["data limit"].source == "479.949998 MB left of 500 MB booked"


def test_the_rule_for_zero_is_named_where_it_decided() -> None:
    one = candidate(sim=sim(data_quota_mb=Decimal(0)))
    for when_zero in (WhenZero.BLOCK, WhenZero.PAUSE):
        values = told(one, policy(data_limit=DataLimitPolicy(when_zero=when_zero)))
        assert f'[data_limit] when_zero = "{when_zero}"' in givers(values["data limit"])


def test_a_blocked_sim_has_no_planned_values_and_still_its_reasons() -> None:
    values = told(candidate(sim=sim(status="Disabled")), policy(status=StatusPolicy(disabled=StatusRule.BLOCK)))
    assert values["state"].planned is None
    assert givers(values["state"]) == ['[status] disabled = "block"']


def test_a_status_that_nobody_knows_is_no_key_of_the_policy() -> None:
    assert told(candidate(sim=sim(status="?")), policy())["state"].given_by == ()


def test_a_name_for_want_of_a_label_names_the_other_template() -> None:
    assert givers(told(candidate(sim=sim(label=None)), policy())["name"]) == [
        '[name] template = "{label}"',
        '[name] when_missing = "1nce-{source_iccid}"',
    ]


def test_an_sms_limit_that_is_left_alone_is_said_to_be() -> None:
    values = told(candidate(), policy(sms_limit=SmsLimitPolicy(SmsBasis.KEEP)))
    assert values["SMS limit"].planned == "left as Hologram has it"


def test_the_wave_tells_what_it_takes() -> None:
    rules = policy(waves=(Wave("few", 3, label="unit*"), Wave("rest")))
    assert givers(told(candidate(), rules)["wave"]) == [
        '[waves] name = "few"',
        "[waves] count = 3",
        '[waves] label = "unit*"',
    ]


def test_a_rule_says_what_it_asks() -> None:
    assert rule_words(PUMPS) == 'label = "pump*" and data_quota_mb_min = 100'
    assert rule_words(Rule("x", When(iccids=frozenset({"1"})))) == "listed in its file of ICCIDs"


def test_a_limit_of_the_sims_own_and_its_tags_are_explained() -> None:
    rules = policy(claim=ClaimPolicy(2096, "global", tags=OldTags.COPY), sms_limit=SmsLimitPolicy(SmsBasis.KEEP))
    limited = data_limit(Bytes(50_000_001), "monthly")
    old = sim(1, data_quota_mb=None, sms_quota=None, data_limit=limited, tags=("b", "a"))
    values = told(candidate(1, sim=old), rules)
    data, tags = values["data limit"], values["old tags"]
    assert (data.source, data.planned) == (
        "50000001 bytes monthly",
        "50000001 bytes past the data plan per billing period",
    )
    assert givers(data) == ['[data_limit] basis = "data_limit"']
    assert (tags.source, tags.planned, givers(tags)) == ("b, a", "a, b", ['[claim] tags = "copy"'])
