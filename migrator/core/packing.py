"""The fewest requests that bring a set of SIMs in line, never a moment more permissive than planned."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from migrator.core.journal import Item
from migrator.core.mapping import NO_LIMIT
from migrator.core.units import Bytes

__all__ = [
    "ClaimBatch",
    "LimitGroup",
    "allows_no_more",
    "claim_batches",
    "limit_groups",
    "name_groups",
    "slices",
    "smallest",
]


@dataclass(frozen=True, slots=True)
class ClaimBatch:
    """SIMs for one claim, and the limits that it carries: the smallest of theirs."""

    items: tuple[Item, ...]
    overage_limit_bytes: Bytes | None
    sms_limit: int | None


@dataclass(frozen=True, slots=True)
class LimitGroup:
    """SIMs that get the same limits in one call."""

    items: tuple[Item, ...]
    overage_limit_bytes: Bytes | None
    sms_limit: int | None


def smallest(limits: Iterable[int | None]) -> int | None:
    """The least permissive of some limits: a number beats -1 (no limit), and that beats None (not set)."""
    known = [limit for limit in limits if limit is not None]
    if not known:
        return None
    bounded = [limit for limit in known if limit != NO_LIMIT]
    return min(bounded) if bounded else NO_LIMIT


def allows_no_more(observed: int | None, planned: int | None) -> bool:
    """Whether a limit on the record lets through no more than planned; -1 lets through everything."""
    if planned is None or planned == NO_LIMIT:
        return True
    return observed is not None and observed != NO_LIMIT and observed <= planned


def slices(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """`items` in runs of at most `size`."""
    held: list[Item] = []
    for item in items:
        held.append(item)
        if len(held) == size:
            yield tuple(held)
            held = []
    if held:
        yield tuple(held)


def claim_batches(items: Iterable[Item], *, most: int) -> list[ClaimBatch]:
    """`items` in as few claims as there must be, in their order, which should keep equal limits together.

    SIMs share a claim only when data plan, zone and tag are the same, and when both or neither set an SMS limit (a
    claim's limit would otherwise reach a SIM whose limit was to be left alone).
    """
    alike: defaultdict[tuple[object, ...], list[Item]] = defaultdict(list)
    for item in items:
        change = item.change
        has_limits = (change.overage_limit_bytes is None, change.sms_limit is None)
        alike[change.data_plan_id, change.zone, change.tag, *has_limits].append(item)
    return [_claim_batch(run) for group in alike.values() for run in slices(group, most)]


def _claim_batch(items: Sequence[Item]) -> ClaimBatch:
    overage = smallest(item.change.overage_limit_bytes for item in items)
    return ClaimBatch(
        tuple(items),
        None if overage is None else Bytes(overage),
        smallest(item.change.sms_limit for item in items),
    )


def limit_groups(items: Iterable[Item], *, most: int) -> list[LimitGroup]:
    """Whose limits differ from the record, grouped by the limits that they get. A limit that fits is left out."""
    groups: defaultdict[tuple[Bytes | None, int | None], list[Item]] = defaultdict(list)
    for item in items:
        wanted = _missing_limits(item)
        if wanted != (None, None):
            groups[wanted].append(item)
    return [LimitGroup(run, *limits) for limits, group in groups.items() for run in slices(group, most)]


def _missing_limits(item: Item) -> tuple[Bytes | None, int | None]:
    """The limits to send for one SIM; None for one that is right or not planned."""
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
    """Whose names differ from the record, by the exact name that they get."""
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        name = item.change.name
        if name is not None and item.target is not None and item.target.name != name:
            groups[name].append(item)
    return [(name, run) for name, group in groups.items() for run in slices(group, most)]
