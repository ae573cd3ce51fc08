"""Check of the rows of a pairing file, for `pair import`.

Each row is compared with the inventory, with the known pairs, and with the other rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from migrator.chunks import chunks
from migrator.core.fleet.iccid_text import (
    ONE_IN,
    SPREADSHEET_REMEDY,
    ZERO_REMEDY,
    RefusedIccid,
    looks_rounded,
    lost_digits,
    may_be_rounded,
    read_iccid,
    rounding_notation,
)
from migrator.core.fleet.identifiers import (
    ICCID_LONGEST,
    ICCID_SHORTEST,
    Eid,
    Iccid,
    NotAnIdentifier,
    canonical,
    luhn_digit,
)
from migrator.core.fleet.secrets import shown
from migrator.core.fleet.sims import Pair, PairValues
from migrator.errors import Problem
from migrator.inputs.pairing.memory import Seen
from migrator.inputs.pairing.rows import PairRow, read_pairs

__all__ = [
    "ImportDraft",
    "ImportResult",
    "NotPlain",
    "PairLookup",
    "PairRow",
    "SourceLookup",
    "line_of",
    "plain_values",
    "plan_import",
    "read_pairs",
]

ROWS_PER_LOOKUP = 500
WITH_CHECK_DIGIT = 20
"""Number of digits of an ICCID that ends in a check digit.

This is assumed, as in pools. A wrong check digit gives only a warning.
"""
MOST_WARNINGS = 50
OWN_SOURCE_HINT = (
    "give the ICCID of the new Hologram SIM; where Hologram took the ICCID over, leave the line out, and pair "
    "such SIMs with `migrator pair identity` afterwards"
)
OTHER_PAIR = "correct the line; or, if this file is right: `migrator pair import FILE --replace`"
UNKNOWN_HINT = "check the digits, or read the source again: `inventory pull`"

SourceLookup = Callable[[Sequence[str]], Mapping[str, Iccid]]
"""Canonical keys -> the SIMs of the inventory among them.

Each SIM has its ICCID as 1NCE lists it.
"""
PairLookup = Callable[[Sequence[str]], Mapping[str, Pair]]
"""Canonical keys -> the known pairs, by the same keys."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Changes that a file would make.

    With problems there are no pairs: an import is all or nothing.

    Args:
        unchanged: rows that repeat what is known already, or an earlier row.
        problems: each with file and line, in the file's order.
        replaced: pairs that get another target, before and after the change.
        chips: pairs that stay and get an EID, or another one.
        warnings: what looks odd but is accepted; only the first warnings.
        odd_digits: how many check digits, of ICCIDs and EIDs, are wrong.
    """

    unchanged: int
    problems: list[Problem]
    replaced: list[tuple[Pair, Pair]]
    chips: list[Pair]
    warnings: list[str]
    odd_digits: int
    _seen: Seen

    @property
    def pairs(self) -> Iterator[Pair]:
        """Pairs to write, in the file's order.

        New pairs, and pairs with another target or EID. Read from disk, as there may be a million.
        """
        return iter(()) if self.problems else self._seen.new()

    @property
    def values(self) -> Iterator[PairValues]:
        """Pairs to write, as plain values."""
        return iter(()) if self.problems else self._seen.new_values()


def plan_import(
    rows: Iterable[PairRow],
    *,
    file: str,
    known_sources: SourceLookup,
    existing_by_source: PairLookup,
    existing_by_target: PairLookup,
    replace: bool,
) -> ImportResult:
    """Check every row, and find the changes that the file would make.

    Nothing is written to the store here. There may be a million rows: those already read are kept on disk.

    Args:
        file: the file's name, for origins and messages.
        known_sources: asked for sources and targets, some hundred keys at a time.
        existing_by_source: asked for sources, in the same portions.
        existing_by_target: asked for targets, in the same portions.
        replace: whether a source that is paired already may get another target. A target never leaves a source that
            the file does not give another one.
    """
    draft = ImportDraft(file, replace, Seen(file))
    for chunk in chunks(rows, ROWS_PER_LOOKUP):
        parsed = [pair for row in chunk if (pair := draft.parsed(row)) is not None]
        sources = [pair.source.key for pair in parsed]
        targets = [pair.target.key for pair in parsed]
        known = known_sources(list({*sources, *targets}))
        by_source, by_target = existing_by_source(sources), existing_by_target(targets)
        draft.recall(parsed)
        for pair in parsed:
            draft.place(pair, known, by_source.get(pair.source.key), by_target.get(pair.target.key))
        draft.keep()
    draft.weigh_all()
    return draft.result()


class NotPlain(Exception):
    """Row that needs `plan_import`, which checks every row.

    Such a row has an EID, facts about its unit, or something that must be reported.
    """


def plain_values(rows: Iterable[PairRow], *, file: str) -> Iterator[PairValues]:
    """Read the pairs of a file without anything unusual.

    Nearly all files are so. The inventory is not known here.

    Raises: NotPlain, at the first row that is not two sound ICCIDs; at the end, if a spreadsheet rounded them.
    """
    number = rounded = 0
    for number, (line, source, target, eid, told) in enumerate(rows, 1):  # noqa: B007 - the last one is looked at
        if eid or told is not None:
            raise NotPlain
        rounded += looks_rounded(target)
        yield _plain_key(source), source, _plain_key(target), target, f"{file}:{line}", None
    if rounded > number // ONE_IN:
        raise NotPlain


def _plain_key(digits: str) -> str:
    """Return the canonical key of an ICCID, as `Iccid.parse` does.

    Raises: NotPlain, if something about the ICCID is odd.
    """
    if not (ICCID_SHORTEST <= len(digits) <= ICCID_LONGEST and digits.isascii() and digits.isdigit()):
        raise NotPlain
    if digits.startswith("98"):
        raise NotPlain
    key = canonical(digits)
    if len(digits) == WITH_CHECK_DIGIT and len(key) == WITH_CHECK_DIGIT:
        raise NotPlain
    return key


@dataclass(slots=True)
class ImportDraft:
    """State of the import so far.

    Origins are "FILE:LINE": each pair has its place in the file.
    """

    file: str
    replace: bool
    seen: Seen
    placed: int = 0
    unchanged: int = 0
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    replaced: list[tuple[Pair, Pair]] = field(default_factory=list)
    chips: list[Pair] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    odd_digits: int = 0
    by_source: dict[str, Pair] = field(default_factory=dict)  # these three: of the rows at hand, earlier ones included
    by_target: dict[str, Pair] = field(default_factory=dict)
    by_eid: dict[str, Pair] = field(default_factory=dict)
    at_hand: list[tuple[int, Pair, bool]] = field(default_factory=list)
    rounded_targets: list[tuple[Iccid, int]] = field(default_factory=list)  # with the line of each
    in_groups: set[int] = field(default_factory=set)  # lines with a target in zeros that never was a number
    taken_over: list[tuple[Pair, Pair]] = field(default_factory=list)  # a new pair, and who has its target now

    def parsed(self, row: PairRow) -> Pair | None:
        """Turn the row into a pair.

        Text that is no identifier is noted as a problem, and the result is None.
        """
        source = self.iccid(row, "source", row.source_text)
        target = self.iccid(row, "target", row.target_text)
        eid = self.eid(row) if row.eid_text else None
        if source is None or target is None or (row.eid_text and eid is None):
            return None
        return Pair(source, target, f"{self.file}:{row.line}", eid)

    def iccid(self, row: PairRow, side: str, text: str) -> Iccid | None:
        """Read the ICCID of one side; None, with a problem noted."""
        try:
            iccid = read_iccid(text)
        except RefusedIccid as error:
            place = f"{self.file}:{row.line}"
            problem = Problem(error.code, f"{place}: {side} {error}", error.hint or "correct it, or remove the line")
            if not text:
                problem = Problem(f"empty_{side}", f"{place}: no {side} ICCID", "fill it in, or remove the line")
            self.problems.append((row.line, problem))
            return None
        if side == "target" and looks_rounded(iccid.digits) and not may_be_rounded(text, iccid):
            self.in_groups.add(row.line)
        if len(iccid.digits) == WITH_CHECK_DIGIT and not iccid.has_right_check_digit:
            expected = luhn_digit(iccid.digits[:-1])
            words = f"{side} {iccid} ends in {iccid.digits[-1]}, its check digit would be {expected}"
            self._warn(f"{self.file}:{row.line}: {words}")
        return iccid

    def eid(self, row: PairRow) -> Eid | None:
        """Read the EID; None, with a problem noted."""
        place = f"{self.file}:{row.line}"
        try:
            eid = Eid.parse(row.eid_text)
        except NotAnIdentifier as error:
            if rounding_notation(row.eid_text):
                words = f"{place}: EID {shown(row.eid_text)} is a number that a spreadsheet rounded"
                problem = Problem("rounded_by_spreadsheet", words, SPREADSHEET_REMEDY)
            else:
                problem = Problem("not_an_eid", f"{place}: {error}", "correct it, or leave the field empty")
            self.problems.append((row.line, problem))
            return None
        if not eid.has_right_check_digits:
            self._warn(f"{place}: the check digits of EID {eid} are not right")
        return eid

    def _warn(self, words: str) -> None:
        self.odd_digits += 1
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(words)

    def recall(self, pairs: Sequence[Pair]) -> None:
        """Load the earlier rows that concern some pairs.

        Earlier rows may name the same SIMs or chips.
        """
        self.by_source = self.seen.by("source_key", [pair.source.key for pair in pairs])
        self.by_target = self.seen.by("target_key", [pair.target.key for pair in pairs])
        self.by_eid = self.seen.by("eid", [pair.eid.digits for pair in pairs if pair.eid is not None])

    def keep(self) -> None:
        """Store the current rows on disk."""
        self.seen.put(self.at_hand)
        self.placed += len(self.at_hand)
        self.at_hand.clear()

    def place(self, pair: Pair, known: Mapping[str, Iccid], had: Pair | None, holder: Pair | None) -> None:
        """Take one row in.

        Args:
            known: the inventory's SIMs among this row's ICCIDs and others.
            had: the pair that the source has now.
            holder: the pair that the target is in now.
        """
        source_key, target_key = pair.source.key, pair.target.key
        if (
            had is holder is None
            and pair.eid is None
            and source_key in known
            and target_key not in known
            and source_key not in self.by_source
            and target_key not in self.by_target
        ):  # what nearly every row is: new in every way
            self._take(Pair(known[source_key], pair.target, pair.origin))
            return
        if self._is_repeated(pair):
            return
        pair = Pair(known.get(source_key, pair.source), pair.target, pair.origin, pair.eid)
        clashes = self._clashes_in_file(pair)
        is_new = not clashes and self._is_change(pair, known, had, holder)
        if not clashes:
            self.by_source[pair.source.key] = self.by_target[pair.target.key] = pair
            if pair.eid is not None:
                self.by_eid[pair.eid.digits] = pair
            self.at_hand.append((line_of(pair), pair, is_new))
        elif had is None or had.target != pair.target:
            self._is_known(pair, known)
            self.fits_existing(pair, had, holder)

    def _take(self, pair: Pair) -> None:
        """Take in a row that conflicts with nothing."""
        self._weigh(pair)
        self.by_source[pair.source.key] = self.by_target[pair.target.key] = pair
        self.at_hand.append((line_of(pair), pair, True))

    def _weigh(self, pair: Pair) -> None:
        """Note a new target that a spreadsheet may have rounded."""
        if looks_rounded(pair.target.digits) and line_of(pair) not in self.in_groups:
            self.rounded_targets.append((pair.target, line_of(pair)))

    def _is_change(self, pair: Pair, known: Mapping[str, Iccid], had: Pair | None, holder: Pair | None) -> bool:
        """True if the row is to be written.

        Called only for a row that conflicts with no earlier row of the file.
        """
        if had is not None and had.target == pair.target:
            return self._is_new_chip(pair, had)
        self._weigh(pair)
        is_known, fits = self._is_known(pair, known), self.fits_existing(pair, had, holder)
        if is_known and fits and had is not None:
            self.replaced.append((had, pair))
        return is_known and fits

    def _is_new_chip(self, pair: Pair, had: Pair) -> bool:
        """True if an unchanged pair gets a new EID.

        A file without EIDs removes none.
        """
        if pair.eid is None or pair.eid == had.eid:
            self.unchanged += 1
            return False
        if had.eid is not None and not self.replace:
            words = f"target {pair.target} has EID {had.eid} already ({had.origin}), not {pair.eid}"
            self.note(pair, "contradicts_pair", words, OTHER_PAIR)
            return False
        self.chips.append(pair)
        return True

    def _is_repeated(self, pair: Pair) -> bool:
        earlier = self.by_source.get(pair.source.key)
        repeated = earlier is not None and earlier.target == pair.target and pair.eid in {None, earlier.eid}
        self.unchanged += repeated
        return repeated

    def _clashes_in_file(self, pair: Pair) -> bool:
        """True if an earlier line conflicts with the row.

        The earlier line gives this source another target, or gives the target or chip of the row to another source.
        """
        earlier = self.by_source.get(pair.source.key)
        if earlier is not None and earlier.target != pair.target:
            words = f"source {pair.source} has target {earlier.target} on line {line_of(earlier)}, here {pair.target}"
            hint = "keep the right one of the two lines"
            self.note(pair, "source_twice", words, SPREADSHEET_REMEDY if looks_rounded(pair.source.digits) else hint)
        elif earlier is not None:
            words = f"target {pair.target} has EID {earlier.eid or 'none'} on line {line_of(earlier)}, here {pair.eid}"
            self.note(pair, "eid_twice", words, "keep the right one of the two lines")
        holder = self.by_target.get(pair.target.key)
        if holder is not None and holder.source != pair.source:
            words = f"target {pair.target} is given to {holder.source} on line {line_of(holder)}, here to {pair.source}"
            hint = "each source needs a target of its own"
            self.note(pair, "target_twice", words, SPREADSHEET_REMEDY if looks_rounded(pair.target.digits) else hint)
        chip = None if pair.eid is None else self.by_eid.get(pair.eid.digits)
        if chip is not None and chip.target != pair.target:
            words = f"EID {pair.eid} is that of target {chip.target} on line {line_of(chip)}, here of {pair.target}"
            self.note(pair, "eid_twice", words, "a chip takes the place of one SIM: correct one of the two lines")
        return earlier is not None or holder is not None or chip is not None

    def _is_known(self, pair: Pair, known: Mapping[str, Iccid]) -> bool:
        """True if the inventory has the source and not the target."""
        source_known = pair.source.key in known
        if not source_known and pair.target.key in known:
            words = f"{pair.target}, given as the new SIM, is an old one of the inventory, and {pair.source} is not"
            self.note(pair, "swapped", words, "exchange the two ICCIDs: old and new are swapped")
            return False
        if not source_known and looks_rounded(pair.source.digits):
            words = f"source {pair.source} is not in the inventory and ends in zeros as a spreadsheet leaves them"
            self.note(pair, "rounded_by_spreadsheet", words, SPREADSHEET_REMEDY)
        elif not source_known:
            words = f"source {pair.source} is not in the inventory"
            is_odd = len(pair.source.digits) == WITH_CHECK_DIGIT and not pair.source.has_right_check_digit
            hint = "its check digit is wrong: compare it with the card" if is_odd else UNKNOWN_HINT
            self.note(pair, "unknown_source", words, hint)
        target_is_source = pair.target.key in known
        if target_is_source and pair.target == pair.source:
            words = f"target {pair.target} is its own source, an old SIM, which cannot be claimed at Hologram"
            self.note(pair, "target_is_source", words, OWN_SOURCE_HINT)
        elif target_is_source:
            words = f"target {pair.target} is itself an old SIM of the inventory, and cannot be claimed at Hologram"
            self.note(
                pair, "target_is_source", words, "give the ICCID of the new Hologram SIM; are the columns swapped?"
            )
        return source_known and not target_is_source

    def fits_existing(self, pair: Pair, had: Pair | None, holder: Pair | None) -> bool:
        """True if the row is allowed beside the known pairs."""
        if self.replace:
            if holder is not None:
                self.taken_over.append((pair, holder))
            return True
        hint = OTHER_PAIR
        if had is not None:
            words = f"source {pair.source} is paired with {had.target} already ({had.origin}), not with {pair.target}"
            self.note(pair, "contradicts_pair", words, hint)
        if holder is not None:
            words = f"target {pair.target} is paired with {holder.source} already ({holder.origin})"
            self.note(pair, "contradicts_pair", words, hint)
        return had is None and holder is None

    def weigh_all(self) -> None:
        """Note the problems that only all rows together show."""
        for pair, holder in self.taken_over:
            if not self.seen.by("source_key", [holder.source.key]):
                self.note_taken(pair, holder)
        self.weigh_rounded()

    def weigh_rounded(self) -> None:
        """Note targets that a spreadsheet rounded, by all rows together."""
        among = partial(self.seen.by, "target_key")
        for line in lost_digits(self.rounded_targets, total=self.placed, among=among):
            words = f"{self.file}:{line}: target ends in zeros from its 16th digit on, as a spreadsheet rounds it"
            self.problems.append((line, Problem("rounded_by_spreadsheet", words, ZERO_REMEDY)))

    def result(self) -> ImportResult:
        """Return the import, after every row was placed and weighed."""
        problems = [problem for _, problem in sorted(self.problems, key=lambda entry: entry[0])]
        return ImportResult(
            self.unchanged, problems, self.replaced, self.chips, self.warnings, self.odd_digits, self.seen
        )

    def note_taken(self, pair: Pair, holder: Pair) -> None:
        """Note a row that leaves another old SIM without a new one."""
        words = f"target {pair.target} would be taken from {holder.source} ({holder.origin}), left without one"
        self.note(pair, "target_twice", words, f"add a line that gives {holder.source} another target")

    def note(self, pair: Pair, code: str, words: str, hint: str) -> None:
        """Note a problem of a pair's row."""
        self.problems.append((line_of(pair), Problem(code, f"{pair.origin}: {words}", hint)))


def line_of(pair: Pair) -> int:
    """Return the line of a pair of this file."""
    return int(pair.origin.rpartition(":")[2])
