"""The fewest requests, never a moment more permissive than planned."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from migrator.core.journal import Item
from migrator.core.packing import claim_batches, limit_groups, name_groups, smallest
from migrator.core.plan import Action, Change, Reason
from migrator.core.units import Bytes
from tests.builders import source_iccid, target, target_iccid

limits = st.sampled_from([-1, 1, 1_048_576, 524_288_000])
sms_limits = st.sampled_from([0, 50, 100])


def item(number: int, *, overage: int | None, sms: int | None, tag: str | None = "t", name: str = "n") -> Item:
    change = Change(
        source_iccid(number),
        target_iccid(number),
        Action.CLAIM,
        Reason.READY,
        overage_limit_bytes=None if overage is None else Bytes(overage),
        sms_limit=sms,
        data_plan_id=2096,
        zone="global",
        tag=tag,
        name=name,
    )
    return Item(change)


fleets = st.lists(st.tuples(limits, sms_limits), max_size=40).map(
    lambda values: [item(n, overage=overage, sms=sms) for n, (overage, sms) in enumerate(values)]
)


def is_at_most(limit: int | None, planned: int | None) -> bool:
    """Whether a limit allows no more than planned; -1 allows everything."""
    if planned is None or planned == -1:
        return True
    return limit is not None and limit != -1 and limit <= planned


@given(fleets, st.integers(1, 7))
def test_claims_are_as_few_as_their_size_allows_and_hold_every_sim_once(fleet: list[Item], most: int) -> None:
    batches = claim_batches(fleet, most=most)
    assert len(batches) == math.ceil(len(fleet) / most)
    assert all(len(batch.items) <= most for batch in batches)
    assert Counter(one.key for batch in batches for one in batch.items) == Counter(one.key for one in fleet)


@given(fleets, st.integers(1, 7))
def test_a_claim_never_allows_a_sim_more_than_planned(fleet: list[Item], most: int) -> None:
    for batch in claim_batches(fleet, most=most):
        for one in batch.items:
            assert is_at_most(batch.overage_limit_bytes, one.change.overage_limit_bytes)
            assert is_at_most(batch.sms_limit, one.change.sms_limit)


def test_sims_whose_sms_limit_stays_alone_do_not_share_a_claim_that_sets_one() -> None:
    batches = claim_batches([item(1, overage=5, sms=None), item(2, overage=5, sms=50)], most=2500)
    assert [(len(batch.items), batch.sms_limit) for batch in batches] == [(1, None), (1, 50)]


def test_different_tags_do_not_share_a_claim() -> None:
    batches = claim_batches([item(1, overage=5, sms=1), item(2, overage=5, sms=1, tag=None)], most=2500)
    assert len(batches) == 2


def test_a_number_is_smaller_than_no_limit() -> None:
    assert smallest([-1, 5, None]) == 5
    assert smallest([-1, None]) == -1
    assert smallest([None]) is None
    assert smallest([0, 5]) == 0


def claimed(number: int, *, overage: int, sms: int, now: tuple[int, int]) -> Item:
    one = item(number, overage=overage, sms=sms)
    return Item(one.change, {}, target(number, overage_limit_bytes=now[0], sms_limit=now[1]))


def test_limits_are_sent_once_for_each_set_of_equal_ones_and_only_where_they_differ() -> None:
    fleet = [
        claimed(1, overage=10, sms=5, now=(10, 5)),
        claimed(2, overage=20, sms=5, now=(10, 5)),
        claimed(3, overage=20, sms=5, now=(10, 5)),
        claimed(4, overage=20, sms=9, now=(10, 5)),
    ]
    groups = limit_groups(fleet, most=500)
    assert [(len(group.items), group.overage_limit_bytes, group.sms_limit) for group in groups] == [
        (2, 20, None),
        (1, 20, 9),
    ]


def test_a_sim_that_bears_its_name_already_is_left_out() -> None:
    right = Item(item(1, overage=1, sms=1, name="unit 1").change, {}, target(1, name="unit 1"))
    wrong = Item(item(2, overage=1, sms=1, name="unit 2").change, {}, target(2, name="Unnamed"))
    assert [(name, [one.key for one in run]) for name, run in name_groups([right, wrong], most=9)] == [
        ("unit 2", [wrong.key])
    ]
