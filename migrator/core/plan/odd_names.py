"""Oddities of the names in a plan, for people.

Names go out letter by letter as 1NCE has them: nothing is cut, trimmed or normalised here. Two names are the same only
when they are equal, character by character.

Source: the reference names no longest name and no forbidden character for a device (`PUT /devices/{id}`). A read of
the device shows what the carrier made of a name.
"""

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from migrator.core.plan.plan import Change

__all__ = ["LONG", "NameWatch", "shown"]

LONG = 255
"""Characters that a common database column takes.

The carrier may cut a longer name.
"""

SAMPLES = 3
SHARES = 64
"""Number of groups in which names are compared.

The groups are compared one after the other, so that little memory is needed besides the hashes.
"""

INVISIBLE = "control or invisible characters (they are sent as they are)"
PADDED = "white space at an end"
TOO_LONG = f"more than {LONG} characters (the carrier may cut them)"
NOT_NFC = "a Unicode form other than NFC (it is sent as it is)"


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
