"""Names of devices: names that several SIMs would bear, and odd names.

Repeated names are found in the whole fleet before planning. The planner then makes the names distinct, or blocks the
SIMs.

Names go out letter by letter as 1NCE has them: nothing is cut, trimmed or normalised here. Two names are the same only
when they are equal, character by character.

Source: the reference names no longest name and no forbidden character for a device (`PUT /devices/{id}`). A read of
the device shows what the carrier made of a name.
"""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate, SourceStatus
from migrator.core.fleet.spelling import is_spoiled
from migrator.core.plan.mapping import Blocked, device_name, state_rules
from migrator.core.plan.plan import Change, Reason
from migrator.core.policy.policy import NamePolicy, OnDuplicate, Policy, Rule
from migrator.core.policy.selection import Selector, every_sim, selector

__all__ = ["LONG", "NameWatch", "Repeated", "repeated_names", "shown"]

SUFFIX_DIGITS = 12
"""Number of last ICCID digits that are the SIM's own.

Fewer digits would make equal names again in a fleet of a million.
"""

SHARES = 64
"""Number of groups in which hashes are compared.

The groups are compared one after the other, so that little memory is needed besides the hashes.
"""

LONG = 255
"""Characters that a common database column takes.

The carrier may cut a longer name.
"""

SAMPLES = 3
INVISIBLE = "control or invisible characters (they are sent as they are)"
PADDED = "white space at an end"
TOO_LONG = f"more than {LONG} characters (the carrier may cut them)"
NOT_NFC = "a Unicode form other than NFC (it is sent as it is)"

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


def shown(name: str) -> str:
    """Return a name with everything not plainly visible written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def _shares() -> list[tuple["array[int]", "array[int]"]]:
    return [(array("q"), array("q")) for _ in range(SHARES)]


@dataclass(slots=True)
class NameWatch:
    """Counter of odd names as changes pass by.

    The counter holds 16 bytes for each name, and a few samples.
    """

    counts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    _hashes: list[tuple["array[int]", "array[int]"]] = field(default_factory=_shares)

    def watching(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Pass `changes` through, and check the names that will be sent."""
        for change in changes:
            if change.name is not None and change.action.acts:
                self._look(change.name, change.source_iccid.digits)
            yield change

    def _look(self, name: str, iccid: str) -> None:
        folded = name.lower() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()
        code = hash(folded)
        alike, exact = self._hashes[code % SHARES]
        alike.append(code)
        exact.append(hash(name))
        if not name.isascii() or not name.isprintable() or name != name.strip() or len(name) > LONG:
            for oddity in _oddities(name):
                self._note(oddity, name, iccid)

    def _note(self, oddity: str, name: str, iccid: str) -> None:
        self.counts[oddity] += 1
        held = self.samples.setdefault(oddity, [])
        if len(held) < SAMPLES:
            text = shown(name)
            held.append(f'{iccid} "{text if len(text) <= 40 else text[:39] + "…"}"')  # noqa: PLR2004 - a line's worth

    def warnings(self) -> list[str]:
        """Return the warnings about all names, in words."""
        told = [
            f"{self.counts[oddity]} names have {oddity}; for example {', '.join(self.samples[oddity])}"
            for oddity in (INVISIBLE, PADDED, TOO_LONG, NOT_NFC)
            if self.counts[oddity]
        ]
        equal, alike = self._equal_and_alike()
        if equal:  # where on_duplicate says otherwise, the planner tells them apart: a rule may keep them
            told.append(f"{equal} SIMs share their name with another; on_duplicate = keep leaves it so")
        if alike:
            told.append(
                f"{alike} SIMs have names that differ from another's only in case, width or Unicode form; "
                "they count as different"
            )
        return told

    def _equal_and_alike(self) -> tuple[int, int]:
        """Count SIMs with equal names, and SIMs with names that look alike.

        Names that look alike differ only in case, width or Unicode form.
        """
        equal = alike = 0
        for folded, exact in self._hashes:
            if len(set(folded)) == len(folded):
                continue
            spellings: dict[int, Counter[int]] = {}
            for code, name in zip(folded, exact, strict=True):
                spellings.setdefault(code, Counter())[name] += 1
            for counted in spellings.values():
                equal += sum(times for times in counted.values() if times > 1)
                alike += counted.total() if len(counted) > 1 else 0
        return equal, alike


def _oddities(name: str) -> Iterator[str]:
    if any(not char.isprintable() and not char.isspace() for char in name) or any(
        char in name for char in "\r\n\t\v\f"
    ):
        yield INVISIBLE
    if name != name.strip():
        yield PADDED
    if len(name) > LONG:
        yield TOO_LONG
    if not unicodedata.is_normalized("NFC", name):
        yield NOT_NFC
