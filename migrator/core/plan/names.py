"""Names that several SIMs would bear: found in the whole fleet before planning, and then told apart or refused."""

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from migrator.core.fleet.candidates import Candidate
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceStatus
from migrator.core.fleet.spelling import is_spoiled
from migrator.core.plan.mapping import Blocked, device_name, state_rules
from migrator.core.plan.plan import Reason
from migrator.core.policy.policy import NamePolicy, OnDuplicate, Policy, Rule
from migrator.core.policy.selection import Selector, every_sim, selector

__all__ = ["Repeated", "repeated_names"]

SUFFIX_DIGITS = 12
"""The part of an ICCID that is the SIM's own: fewer would make equal names again in a fleet of a million."""

SHARES = 64
"""Hashes are compared in so many groups, one after the other, so that little is held besides them."""

_TOLD_APART = re.compile(rf"(.*) \([0-9]{{{SUFFIX_DIGITS},}}\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Names that more than one SIM of the fleet would bear, and what would make them equal again.

    Args:
        names: the names themselves.
        lookalikes: names that some SIM has of itself and that one of `names` might get.
        same_digits: hashes of name and last digits that several SIMs share: their ICCIDs differ further in front.
    """

    names: frozenset[str] = frozenset()
    lookalikes: frozenset[str] = frozenset()
    same_digits: frozenset[int] = frozenset()

    def settled(self, name: str, iccid: Iccid, rule: OnDuplicate) -> str | Blocked:
        """The name that a SIM gets instead of one that is repeated, or why it gets none."""
        if rule is OnDuplicate.BLOCK:
            return Blocked(Reason.NAME_DUPLICATE, f"several SIMs would be named {name!r}")
        told_apart = f"{name} ({iccid.digits[-SUFFIX_DIGITS:]})"
        if told_apart not in self.lookalikes and _with_digits(name, iccid) not in self.same_digits:
            return told_apart
        told_apart = f"{name} ({iccid.digits})"
        if told_apart in self.lookalikes:
            return Blocked(Reason.NAME_DUPLICATE, f"another SIM is named {told_apart!r} already")
        return told_apart


def _with_digits(name: str, iccid: Iccid) -> int:
    return hash((name, iccid.digits[-SUFFIX_DIGITS:]))


class _Part(NamedTuple):
    """What a rule, or the policy for all other SIMs, says of names; and the statuses that it leaves behind."""

    fits: Selector
    names: NamePolicy
    left: frozenset[SourceStatus]

    def leaves(self, candidate: Candidate) -> bool:
        """Whether a SIM stays behind for its status, and Hologram has none under its name either."""
        if candidate.sim.status not in self.left:
            return False
        return candidate.target is None or not candidate.target.is_claimed


@dataclass(slots=True)
class _Seen:
    """The names so far. Of each only 18 bytes of hashes are kept, so that a million need no more than 100 MB."""

    hashes: set[bytes] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)
    lookalikes: set[str] = field(default_factory=set)
    with_digits: list["array[int]"] = field(default_factory=lambda: [array("q") for _ in range(SHARES)])

    def add(self, name: str, iccid: Iccid, rule: OnDuplicate) -> None:
        short = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=10).digest()
        if short in self.hashes:
            self.repeated.add(name)
        else:
            self.hashes.add(short)
        if name[-1] == ")" and _TOLD_APART.fullmatch(name):
            self.lookalikes.add(name)
        if rule is OnDuplicate.SUFFIX:
            code = hash((name, iccid.digits[-SUFFIX_DIGITS:]))  # `_with_digits`, without the call
            self.with_digits[code % SHARES].append(code)

    def result(self) -> Repeated:
        lookalikes = (name for name in self.lookalikes if _without_digits(name) in self.repeated)
        same = (
            code
            for codes in self.with_digits
            if len(set(codes)) < len(codes)
            for code, times in Counter(codes).items()
            if times > 1
        )
        return Repeated(frozenset(self.repeated), frozenset(lookalikes), frozenset(same))


def _without_digits(name: str) -> str:
    found = _TOLD_APART.fullmatch(name)
    return name if found is None else found[1]


def repeated_names(candidates: Iterable[Candidate], policy: Policy) -> Repeated:
    """Names that more than one SIM would bear; none where the policy does not care.

    SIMs without a pair and those that the policy leaves behind bear none. What `--where` leaves out counts: it is to
    come later, and names must not depend on what comes first.
    """
    if not policy.minds_duplicates:
        return Repeated()
    parts = [_part(rule, selector(rule.when), rule.device_name) for rule in policy.rules]
    parts.append(_part(policy, every_sim, policy.name))
    seen = _Seen()
    for candidate in candidates:
        if candidate.pair is None:
            continue
        part = next(part for part in parts if part.fits(candidate.sim))
        if part.leaves(candidate):
            continue
        name = device_name(candidate.sim, candidate.pair.target.digits, part.names)
        if name is not None and not is_spoiled(name):
            seen.add(name, candidate.sim.iccid, part.names.on_duplicate)
    return seen.result()


def _part(part: Policy | Rule, fits: Selector, names: NamePolicy) -> _Part:
    states = state_rules(part.status).items()
    return _Part(fits, names, frozenset(status for status, way in states if isinstance(way, Blocked) and way.skip))
