"""Names that several SIMs would bear, in the whole fleet.

These names are found before planning. The planner then makes the names distinct, or blocks the SIMs.
"""

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
"""Number of last ICCID digits that are the SIM's own.

Fewer digits would make equal names again in a fleet of a million.
"""

SHARES = 64
"""Number of groups in which hashes are compared.

The groups are compared one after the other, so that little memory is needed besides the hashes.
"""

_TOLD_APART = re.compile(rf"(.*) \([0-9]{{{SUFFIX_DIGITS},}}\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Names that more than one SIM of the fleet would bear.

    The other values show what would make such names equal again.

    Args:
        names: the names themselves.
        lookalikes: names that some SIM has by itself, and that a SIM with one of `names` might get.
        same_digits: hashes of name and last digits that several SIMs share: their ICCIDs differ only in earlier digits.
    """

    names: frozenset[str] = frozenset()
    lookalikes: frozenset[str] = frozenset()
    same_digits: frozenset[int] = frozenset()

    def settled(self, name: str, iccid: Iccid, rule: OnDuplicate) -> str | Blocked:
        """Return the name that replaces a repeated name, or the block."""
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
    """Naming by one rule, with the statuses that the rule skips.

    The policy counts as the rule for all other SIMs.
    """

    fits: Selector
    names: NamePolicy
    left: frozenset[SourceStatus]

    def leaves(self, candidate: Candidate) -> bool:
        """True if a SIM is skipped for its status and not claimed.

        Hologram then has no SIM under its name either.
        """
        if candidate.sim.status not in self.left:
            return False
        return candidate.target is None or not candidate.target.is_claimed


@dataclass(slots=True)
class _Seen:
    """Names so far.

    Only 18 bytes of hashes are kept for each name, so that a million names need no more than 100 MB.
    """

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
    """Return names that more than one SIM would bear.

    The result is empty where the policy allows equal names.

    SIMs without a pair and SIMs that the policy skips bear no name. SIMs that `--where` leaves out count: these SIMs
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
