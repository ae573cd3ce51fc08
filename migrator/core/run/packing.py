"""Fewest requests that bring a set of SIMs in line.

At no moment is a SIM allowed more than planned.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from migrator.core.fleet.units import Bytes
from migrator.core.plan.mapping import NO_LIMIT
from migrator.core.run.steps import Item

__all__ = [
    "ClaimBatch",
    "LimitGroup",
    "allows_no_more",
    "claim_batches",
    "claim_runs",
    "limit_groups",
    "name_groups",
    "slices",
    "smallest",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClaimBatch:
    """SIMs for one claim, and the limits that the claim carries.

    The limits are the smallest limits of these SIMs.
    """

    items: tuple[Item, ...]
    overage_limit_bytes: Bytes | None
    sms_limit: int | None

    @property
    def is_test_to_live(self) -> bool:
        """True if the claim is to end a Test Mode."""
        return self.items[0].change.is_test_to_live


@dataclass(frozen=True, slots=True)
class LimitGroup:
    """SIMs that get the same limits in one call."""

    items: tuple[Item, ...]
    overage_limit_bytes: Bytes | None
    sms_limit: int | None


def smallest(limits: Iterable[int | None]) -> int | None:
    """Return the least permissive of some limits.

    A number beats -1 (no limit), and -1 beats None (not set).
    """
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    bounded = [limit for limit in known if limit != NO_LIMIT]
    return min(bounded) if bounded else NO_LIMIT


def allows_no_more(observed: int | None, planned: int | None) -> bool:
    """True if a limit on the record allows no more than planned.

    -1 allows everything.
    """
    if planned is None or planned == NO_LIMIT:
        return True
    return observed is not None and observed != NO_LIMIT and observed <= planned


def slices(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield `items` in runs of at most `size`."""
    held: list[T] = []
    for item in items:
        held.append(item)
        if len(held) == size:
            yield tuple(held)
            held = []
    if held:
        yield tuple(held)


def claim_runs(items: Iterable[Item], *, most: int) -> Iterator[tuple[Item, ...]]:
    """Yield `items` in runs that each make one claim.

    There are as few runs as there must be, and as many runs of equal limits as there can be.

    A run of equal limits needs no further request, as the claim carries the limits. So every `most` SIMs of one set of
    limits make a run of their own, and what is left of each set is packed together. The function streams: it keeps at
    most twice `most` SIMs for each combination that may not share a claim.

    SIMs share a claim only when data plan, zone and tag are the same, and when both or neither set each limit. (A
    claim's limit would otherwise reach a SIM whose limit was to be left alone.) SIMs in Test Mode have claims of their
    own.

    The number of runs is the least there can be. The number of calls that then set limits (see `limit_groups`: at most
    `each` SIMs, which divides `most`) is not always the least. Let B be the number of runs that are not full runs of
    equal limits. Packed in their order, the sets of these runs are cut at most B - 1 times, and each cut costs at most
    one call. In the best packing into as many claims, at most B further sets ride on a claim, and each saves at most
    `most / each` calls. So there are at most B * (1 + most / each) - 1 calls more than in the best packing, and none
    more where all SIMs fit in one claim. (To do better is bin packing, for six small requests at most beside a claim of
    2,500 SIMs.)

    Args:
        items: in the order of their limits, as `Journal.items` gives them; any other order packs the sets less well.
        most: SIMs in a claim.
    """
    packs: dict[tuple[object, ...], _Pack] = {}
    for item in items:
        change = item.change
        has_limits = (change.overage_limit_bytes is None, change.sms_limit is None)
        key = (change.data_plan_id, change.zone, change.tag, change.is_test_to_live, *has_limits)
        yield from packs.setdefault(key, _Pack(most)).add(item)
    for pack in packs.values():
        yield from slices([*pack.rest, *pack.alike], most)


@dataclass(slots=True)
class _Pack:
    """SIMs that may share a claim.

    `alike` are the SIMs of the limits that come now. `rest` is what was left of the limits before.
    """

    most: int
    alike: list[Item] = field(default_factory=list)
    rest: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> Iterator[tuple[Item, ...]]:
        """Take one more SIM. Yields: the runs that are full."""
        if self.alike and _limits(self.alike[0]) != _limits(item):
            self.rest += self.alike
            self.alike = []
        self.alike.append(item)
        if len(self.alike) == self.most:
            yield tuple(self.alike)
            self.alike = []
        while len(self.rest) >= self.most:
            yield tuple(self.rest[: self.most])
            self.rest = self.rest[self.most :]


def _limits(item: Item) -> tuple[int | None, int | None]:
    return item.change.overage_limit_bytes, item.change.sms_limit


def _place(item: Item) -> tuple[tuple[bool, bool, int], ...]:
    """Return the sort key of a SIM's limits.

    -1 (no limit) comes after the numbers, and None (not set) comes last.
    """
    return tuple((limit is None, limit == NO_LIMIT, limit or 0) for limit in _limits(item))


def claim_batches(items: Iterable[Item], *, most: int) -> list[ClaimBatch]:
    """Pack `items`, given in any order, into claims.

    The claims are those of `claim_runs`, each with the limits that it carries.
    """
    return [_claim_batch(run) for run in claim_runs(sorted(items, key=_place), most=most)]


def _claim_batch(items: Sequence[Item]) -> ClaimBatch:
    overage = smallest(item.change.overage_limit_bytes for item in items)
    return ClaimBatch(
        tuple(items),
        None if overage is None else Bytes(overage),
        smallest(item.change.sms_limit for item in items),
    )


def limit_groups(items: Iterable[Item], *, most: int) -> list[LimitGroup]:
    """Group SIMs by the limits that they still need.

    Those are SIMs whose limits differ from the record. A limit that fits the record is left out.

    For the SIMs of one claim these are the fewest calls that there can be: a SIM that needs only one limit has the
    other limit as the claim set it, so no two groups could share a call.
    """
    groups: defaultdict[tuple[Bytes | None, int | None], list[Item]] = defaultdict(list)
    for item in items:
        wanted = _missing_limits(item)
        if wanted != (None, None):
            groups[wanted].append(item)
    return [LimitGroup(run, *limits) for limits, group in groups.items() for run in slices(group, most)]


def _missing_limits(item: Item) -> tuple[Bytes | None, int | None]:
    """Return the limits to send for one SIM.

    None stands for a limit that is right or not planned.
    """
    change, target = item.change, item.target
    if target is None:
        return None, None
    overage = change.overage_limit_bytes
    sms = change.sms_limit
    return (
        None if overage == target.overage_limit_bytes else overage,
        None if sms == target.sms_limit else sms,
    )


def name_groups(items: Iterable[Item], *, most: int) -> list[tuple[str, tuple[Item, ...]]]:
    """Group SIMs by the exact name that they still need.

    Those are SIMs whose names differ from the record.
    """
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        name = item.change.name
        if name is not None and item.target is not None and item.target.name != name:
            groups[name].append(item)
    return [(name, run) for name, group in groups.items() for run in slices(group, most)]
