"""Estimate of a wave's requests, from the plan alone."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.core.fleet.sims import link_state
from migrator.core.plan.mapping import NO_LIMIT
from migrator.core.plan.plan import Action, Change, DesiredState
from migrator.core.run.packing import smallest

__all__ = ["KINDS", "PAGE", "USUAL_SIZES", "CallSizes", "WaveCalls"]

KINDS = ("claims", "limits", "states", "names", "reads")
PAGE = 1000
LIMITS_KEPT = 10_000
"""Number of sets of limits that are counted separately.

Where each SIM has its own set, each further SIM counts as one call.
"""

Limits = tuple[int | None, int | None]
"""Overage limit in bytes and SMS limit; None where nothing is sent."""


@dataclass(frozen=True, slots=True)
class CallSizes:
    """Number of SIMs per request, as `apply` is set to send.

    `claim` is for claims, `bulk` for changes of limits or state.
    """

    claim: int = 2500
    bulk: int = 500


USUAL_SIZES = CallSizes()


@dataclass(slots=True)
class WaveCalls:
    """Counter of the requests that the SIMs of one wave need.

    Shared names take fewer calls than are counted here; pending states, refusals and lost answers take more.
    """

    sims: int = 0
    alike: Counter[tuple[bool, ...]] = field(default_factory=Counter)  # SIMs to claim, by which limits they set
    states: int = 0
    names: int = 0
    _tags: Counter[str] = field(default_factory=Counter)  # SIMs by the old SIMs' tags that they are to bear
    _claimed: Counter[Limits] = field(default_factory=Counter)
    _mended: Counter[Limits] = field(default_factory=Counter)
    _scattered: int = 0

    @property
    def claims(self) -> int:
        """Number of SIMs to claim."""
        return self.alike.total()

    def add(self, change: Change) -> None:
        """Count one SIM of the wave."""
        self.sims += 1
        if change.tags:
            self._tags.update(change.tags)
        if change.action is Action.CLAIM:
            limits = (change.overage_limit_bytes, change.sms_limit)
            self.alike[_alike(limits)] += 1
            self.names += change.name is not None
            self.states += change.state is DesiredState.PAUSE
            self._note(self._claimed, limits)
        elif change.action is not Action.NO_OP:
            self._mend(change)

    def _mend(self, change: Change) -> None:
        """Count a SIM that is ours already.

        Only values that differ are sent.
        """
        before = change.before
        self.names += change.name != before.get("name")
        self.states += change.state is not None and link_state(before.get("state")) is not change.state.reached_as
        overage, sms = change.overage_limit_bytes, change.sms_limit
        missing = (
            None if overage == before.get("overage_limit_bytes") else overage,
            None if sms == before.get("sms_limit") else sms,
        )
        if missing != (None, None):
            self._note(self._mended, missing)

    def _note(self, counter: Counter[Limits], limits: Limits) -> None:
        if limits in counter or len(counter) < LIMITS_KEPT:
            counter[limits] += 1
        else:
            self._scattered += 1

    def calls(self, *, with_claim: bool, sizes: CallSizes = USUAL_SIZES) -> dict[str, int]:
        """Return the number of requests by kind.

        Args:
            with_claim: whether a claim carries limits.
            sizes: of the requests.
        """
        full, rest = sum(sims // sizes.claim for sims in self.alike.values()), self.alike.values()
        read_back = full * _parts(sizes.claim, PAGE) + sum(_parts(sims % sizes.claim, PAGE) for sims in rest)
        return {
            "claims": sum(_parts(sims, sizes.claim) for sims in self.alike.values()),
            "limits": _claim_limit_calls(self._claimed, sizes, with_claim=with_claim)
            + sum(_parts(sims, sizes.bulk) for sims in self._mended.values())
            + self._scattered,
            "states": _parts(self.states, sizes.bulk),
            "names": self.names,
            **({"tags": sum(_parts(sims, sizes.bulk) for sims in self._tags.values())} if self._tags else {}),
            "reads": read_back + _parts(self.sims, PAGE),
        }


def _claim_limit_calls(counted: Mapping[Limits, int], sizes: CallSizes, *, with_claim: bool) -> int:
    """Count the calls for limits that the claims do not carry.

    The count goes claim by claim, as `packing.claim_runs` makes the claims. Full claims of equal limits come first.
    The rest of each set is packed together.
    """
    calls = 0
    packs: defaultdict[tuple[bool, ...], list[Limits]] = defaultdict(list)
    for limits in sorted(counted, key=_order):
        packs[_alike(limits)].append(limits)
    for pack in packs.values():
        batch, left = Counter[Limits](), sizes.claim
        for limits in pack:
            full, rest = divmod(counted[limits], sizes.claim)
            calls += full * _batch_calls({limits: sizes.claim}, sizes.bulk, with_claim=with_claim)
            while rest:
                here = min(rest, left)
                batch[limits] += here
                rest, left = rest - here, left - here
                if not left:
                    calls += _batch_calls(batch, sizes.bulk, with_claim=with_claim)
                    batch, left = Counter(), sizes.claim
        calls += _batch_calls(batch, sizes.bulk, with_claim=with_claim)
    return calls


def _alike(limits: Limits) -> tuple[bool, ...]:
    """Return the kinds of limits that are not sent.

    SIMs share a claim only where the same kinds of limits are sent.
    """
    overage, sms = limits
    return overage is None, sms is None


def _order(limits: Limits) -> tuple[float, float]:
    """Return the key by which `apply` sorts limits.

    No limit comes last, and after that a limit that is left alone.
    """
    overage, sms = (math.inf if limit is None else 2.0**62 if limit == NO_LIMIT else limit for limit in limits)
    return overage, sms


def _batch_calls(batch: Mapping[Limits, int], bulk: int, *, with_claim: bool) -> int:
    """Count the calls after one claim.

    The SIMs of the claim are grouped by the limits that they lack.
    """
    carried: Limits = (None, None)
    if with_claim:
        carried = smallest(overage for overage, _ in batch), smallest(sms for _, sms in batch)
    groups: Counter[Limits] = Counter()
    for (overage, sms), sims in batch.items():
        missing = (None if overage == carried[0] else overage, None if sms == carried[1] else sms)
        if missing != (None, None):
            groups[missing] += sims
    return sum(_parts(sims, bulk) for sims in groups.values())


def _parts(total: int, most: int) -> int:
    return -(-total // most)
