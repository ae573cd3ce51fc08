"""The fewest requests, never a moment more permissive than planned."""

import math
from collections import Counter
from collections.abc import Iterator
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import Action, Change, Reason
from migrator.core.run.packing import (
    ClaimBatch,
    _limits,
    claim_batches,
    claim_runs,
    limit_groups,
    name_groups,
    smallest,
)
from migrator.core.run.steps import Item
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
    assert [(len(batch.items), batch.sms_limit) for batch in batches] == [(1, 50), (1, None)]


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


# --- against the fewest that there can be, found by trying everything ---------------------------------------------

Limits = tuple[int, int]
small_fleets = st.lists(st.tuples(st.sampled_from([-1, 1, 2, 3]), st.sampled_from([5, 6, 7])), min_size=1, max_size=7)


def partitions(number: int) -> Iterator[list[list[int]]]:
    """Every way to part the numbers below `number` into lists."""
    if number == 0:
        yield []
        return
    for parted in partitions(number - 1):
        yield [*parted, [number - 1]]
        for place, part in enumerate(parted):
            yield [*parted[:place], [*part, number - 1], *parted[place + 1 :]]


def carried(claim: list[Limits]) -> tuple[int | None, int | None]:
    """What a claim of these SIMs may carry at most: nobody gets more than planned."""
    return smallest(one[0] for one in claim), smallest(one[1] for one in claim)


def one_call_does(sims: list[Limits], record: tuple[int | None, int | None]) -> bool:
    """Whether one call can bring SIMs of one claim in line: it sets a value for all of them, or leaves it alone."""
    for axis in (0, 1):
        needed = {one[axis] for one in sims if one[axis] != record[axis]}
        if len(needed) > 1 or (needed and any(one[axis] not in needed for one in sims)):
            return False
    return True


def fewest_calls(claim: list[Limits], each: int) -> int:
    """The fewest calls after a claim, of all ways to spread over them the SIMs that it left with other limits."""
    record = carried(claim)
    wrong = [one for one in claim if one != record]
    return min(
        len(parted)
        for parted in partitions(len(wrong))
        if all(len(part) <= each and one_call_does([wrong[n] for n in part], record) for part in parted)
    )


def calls_after(batch: ClaimBatch, each: int) -> int:
    """The calls that this tool makes after a claim."""
    overage, sms = batch.overage_limit_bytes, batch.sms_limit
    ours = [
        Item(one.change, {}, target(number, overage_limit_bytes=overage, sms_limit=sms))
        for number, one in enumerate(batch.items)
    ]
    return len(limit_groups(ours, most=each))


@settings(max_examples=300)
@given(small_fleets, st.integers(1, 4))
def test_after_a_claim_the_calls_that_set_limits_are_the_fewest_there_can_be(fleet: list[Limits], each: int) -> None:
    (batch,) = claim_batches([item(n, overage=o, sms=s) for n, (o, s) in enumerate(fleet)], most=7)
    assert calls_after(batch, each) == fewest_calls(fleet, each)


@settings(max_examples=300, deadline=None)
@given(small_fleets, st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 1), (3, 3), (4, 1), (4, 2), (4, 4), (7, 1), (7, 7)]))
def test_claims_are_the_fewest_and_their_calls_within_the_bound(fleet: list[Limits], sizes: tuple[int, int]) -> None:
    most, each = sizes
    batches = claim_batches([item(n, overage=o, sms=s) for n, (o, s) in enumerate(fleet)], most=most)
    ways = [
        [[fleet[n] for n in part] for part in parted]
        for parted in partitions(len(fleet))
        if all(len(part) <= most for part in parted)
    ]
    fewest_claims = min(map(len, ways))
    fewest = min(sum(fewest_calls(part, each) for part in parted) for parted in ways if len(parted) == fewest_claims)
    even = sum(len(batch.items) == most and len({_limits(one) for one in batch.items}) == 1 for batch in batches)
    others = len(batches) - even
    calls = sum(calls_after(batch, each) for batch in batches)
    assert len(batches) == fewest_claims
    assert fewest <= calls
    assert calls - fewest <= (0 if len(batches) == 1 else max(0, others * (1 + most // each) - 1))


@given(fleets, st.integers(1, 7), st.randoms(use_true_random=False))
def test_a_claim_is_mixed_only_with_what_equal_limits_leave_over(fleet: list[Item], most: int, order: Random) -> None:
    order.shuffle(fleet)
    batches = claim_batches(fleet, most=most)
    full = Counter(_limits(batch.items[0]) for batch in batches if len({_limits(one) for one in batch.items}) == 1)
    for limits_of_set, times in Counter(map(_limits, fleet)).items():
        assert full[limits_of_set] >= times // most


@given(st.lists(st.tuples(limits, st.sampled_from(["a", "b", None])), max_size=60), st.integers(1, 7))
def test_claims_are_the_fewest_although_tags_come_interleaved(fleet: list[tuple[int, str | None]], most: int) -> None:
    """A stream in the order of limits mixes tags; none of them may cost another a claim."""
    stream = [item(n, overage=o, sms=5, tag=tag) for n, (o, tag) in enumerate(sorted(fleet, key=lambda one: one[0]))]
    runs = list(claim_runs(stream, most=most))
    sizes = Counter(tag for _, tag in fleet)
    assert len(runs) == sum(math.ceil(size / most) for size in sizes.values())
    assert all(len({one.change.tag for one in run}) == 1 for run in runs)
    assert Counter(one.key for run in runs for one in run) == Counter(one.key for one in stream)


def test_runs_are_made_while_items_come() -> None:
    """A million SIMs, each of its own limit, must not pile up."""
    held = 0

    def coming() -> Iterator[Item]:
        nonlocal held
        for number in range(500):
            held += 1
            yield item(number, overage=number, sms=5)

    for run in claim_runs(coming(), most=10):
        assert held <= 2 * 10 + 1
        held -= len(run)
    assert held == 0


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12), st.integers(1, 4))
def test_equal_names_take_as_few_calls_as_their_size_allows(names: list[str], most: int) -> None:
    fleet = [Item(item(n, overage=1, sms=1, name=name).change, {}, target(n)) for n, name in enumerate(names)]
    groups = name_groups(fleet, most=most)
    assert len(groups) == sum(math.ceil(times / most) for times in Counter(names).values())
    assert all(one.change.name == name for name, run in groups for one in run)
