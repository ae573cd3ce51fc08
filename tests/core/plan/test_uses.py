"""What a plan used beyond what it holds follows from its policy."""

from decimal import Decimal
from typing import Any

import pytest

from migrator.core.plan.basis import Uses, name_change, names_for, uses_of
from migrator.core.plan.plan import Action, Change, Reason
from migrator.core.policy.policy import (
    DataBasis,
    DataLimitPolicy,
    NamePolicy,
    OnDuplicate,
    Rule,
    SmsBasis,
    SmsLimitPolicy,
    When,
)
from tests.builders import policy, sim, source_iccid, target_iccid

BY_ADDRESS = NamePolicy("{ip_address}", "none {source_iccid}")


def rule(name: str, **values: Any) -> Rule:
    return Rule(name, **({"when": When(label=name)} | values))


def planned(name: str | None, *values: Any, **more: Any) -> Change:
    """A claim with this name, of the SIM labelled "unit 1"."""
    action, reason = values or (Action.CLAIM, Reason.READY)
    defaults: dict[str, Any] = {"source": {"label": "unit 1"}}
    return Change(source_iccid(1), target_iccid(1), action, reason, name=name, **(defaults | more))


def test_the_default_policy_uses_nothing_more() -> None:
    assert uses_of(policy()) == Uses(data_limits=frozenset({""}))


def test_what_is_left_counts_for_the_rules_that_go_by_it() -> None:
    left = DataLimitPolicy(DataBasis.REMAINING)
    found = uses_of(policy(sms_limit=SmsLimitPolicy(SmsBasis.REMAINING), rules=(rule("a", data_limit=left), rule("b"))))
    by_limit = frozenset({"b", ""})
    assert found == Uses(data_remaining=frozenset({"a"}), sms_remaining=frozenset({""}), data_limits=by_limit)


def test_a_volume_was_asked_for_from_the_first_rule_on_that_selects_by_it() -> None:
    small = When(data_quota_mb_max=Decimal(5))
    found = uses_of(policy(rules=(rule("a"), rule("b", when=small), rule("c"))))
    assert found.booked_data == {"b", "c", ""}


@pytest.mark.parametrize("field", ["imsi", "msisdn", "ip_address"])
def test_names_count_where_a_field_of_theirs_is_not_in_the_plan(field: str) -> None:
    names = NamePolicy("{label}", f"x {{{field}}}")
    assert uses_of(policy(name=names)).names == {""}
    assert uses_of(policy(rules=(rule("a", device_name=names),))).names == {"a"}
    assert uses_of(policy(name=NamePolicy("{label} {source_iccid} {target_iccid}"))).names == frozenset()


def test_each_rule_names_its_sims() -> None:
    found = policy(rules=(rule("a", device_name=BY_ADDRESS),))
    assert (names_for(found, "a"), names_for(found, "")) == (BY_ADDRESS, NamePolicy())


@pytest.mark.parametrize(
    ("change", "names", "told"),
    [
        (planned("10.0.0.1"), BY_ADDRESS, None),
        (planned("10.0.0.2"), BY_ADDRESS, "its name was planned as '10.0.0.2' and would be '10.0.0.1'"),
        (planned("10.0.0.1 (000000000001)"), BY_ADDRESS, "its name was planned as '10.0.0.1 (000000000001)' and"),
        (planned("10.0.0.1 (0001)"), NamePolicy("{ip_address}", on_duplicate=OnDuplicate.SUFFIX), None),
        (planned("10.0.0.11 (0001)"), NamePolicy("{ip_address}", on_duplicate=OnDuplicate.SUFFIX), "its name was"),
        (planned("x"), NamePolicy("{imsi}", "{imsi}"), "its name was planned as 'x' and would be none"),
        (planned("unit 1 10.0.0.1"), NamePolicy("{label} {ip_address}"), None),
        (planned(None, Action.BLOCK, Reason.NAME_EMPTY), BY_ADDRESS, "it had no name and would be '10.0.0.1'"),
        (planned(None, Action.BLOCK, Reason.NAME_EMPTY), NamePolicy("{imsi}", "{imsi}"), None),
        (planned(None, Action.SKIP, Reason.STATUS_SKIPPED), BY_ADDRESS, None),
        (planned(None, Action.BLOCK, Reason.NAME_DUPLICATE, detail="several named '10.0.0.1'"), BY_ADDRESS, None),
        (planned(None, Action.BLOCK, Reason.NAME_DUPLICATE, detail="several named '10.0.0.3'"), BY_ADDRESS, "its name"),
    ],
)
def test_a_name_is_another_one_if_a_field_is_that_the_plan_does_not_hold(
    change: Change, names: NamePolicy, told: str | None
) -> None:
    """The label is another one, too: that is told by itself."""
    found = name_change(change, sim(1, label="renamed", ip_address="10.0.0.1"), names)
    assert found is told is None or (found or "").startswith(told or "-")
