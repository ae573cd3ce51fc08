"""Check of a technicians' file: pairs, and facts of units.

The rows are read into `Scans` first, where later scans replace earlier ones. Those that count are then checked as the
rows of any pairing file.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.chunks import chunks
from migrator.core.fleet.identifiers import Eid, Iccid
from migrator.core.fleet.imei import hardware
from migrator.core.fleet.sims import Pair, PairValues
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.errors import Problem
from migrator.inputs.pairing.field_values import CLEAR_TIME, NameLookup, NotATime, imei_of, old_sim, scan_time
from migrator.inputs.pairing.file import ROWS_PER_LOOKUP, ImportDraft, PairLookup, PairRow, SourceLookup, line_of
from migrator.inputs.pairing.list_columns import NAMES_OF_OLD
from migrator.inputs.pairing.memory import Seen
from migrator.inputs.pairing.scans import Scan, Scans, Superseded

__all__ = ["FieldResult", "ImeiCounts", "KnownSims", "Replaced", "plan_field_import"]

CORRECT_HINT = "a claim stays with its card: `migrator pair correct FILE` corrects a pair after the claim"
MOST_WARNINGS = 50


@dataclass(frozen=True, slots=True)
class KnownSims:
    """Lookups of the facts known before an import.

    Each lookup takes some hundred keys.

    Args:
        sources: the SIMs of the inventory among some keys.
        by_source: known pairs by source key.
        by_target: known pairs by target key.
        named: old SIMs by label, IMEI, IMSI, MSISDN or IP address.
        claimed: the source keys for which a SIM was claimed, or may have been.
        facts: known facts by source key.
        facts_of_units: known facts by unit.
        old_imeis: hardware of old SIMs, by key.
        new_imeis: hardware of new SIMs, by key.
    """

    sources: SourceLookup
    by_source: PairLookup
    by_target: PairLookup
    named: NameLookup
    claimed: Callable[[Iterable[str]], set[str]]
    facts: Callable[[Iterable[str]], Mapping[str, UnitFacts]]
    facts_of_units: Callable[[Iterable[str]], Mapping[str, Sequence[UnitFacts]]]
    old_imeis: Callable[[Iterable[str]], Mapping[str, str]]
    new_imeis: Callable[[Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Replaced:
    """Change by a later scan.

    A pair of the store changes, or an earlier row counts for nothing. `now` is None where the old SIM is left without
    a pair.
    """

    source: str
    was: str
    now: str | None
    origin: str
    why: str = ""


@dataclass(slots=True)
class ImeiCounts:
    """Rows by what their IMEI came to.

    Args:
        agree: at least one carrier saw the SIM in this hardware, and none in other hardware.
        old_differs: 1NCE saw the old SIM in other hardware.
        new_differs: Hologram saw the new SIM in other hardware.
        one_digit_off: of these, differences of a single digit.
        unknown: no carrier told any hardware.
        odd: not an IMEI, or with a wrong check digit.
    """

    agree: int = 0
    old_differs: int = 0
    new_differs: int = 0
    one_digit_off: int = 0
    unknown: int = 0
    odd: int = 0


@dataclass(frozen=True, slots=True)
class FieldResult:
    """Changes that a technicians' file would make.

    The pairs and facts are those of the rows without a problem.

    Args:
        problems: with the line of each, in the file's order.
        replaced: pairs that get another target, before and after the change.
        chips: pairs that stay and get an EID.
        unchanged: rows that repeat what is known, or another row.
        superseded: rows that a later row of the file replaced.
        left: pairs of the store that a later scan took away, without another in their place.
        older: rows that are older than what the store has.
        dropped: keys of old SIMs that are left without pair and facts, for a later scan.
        warnings: what looks odd but is accepted; only the first.
        odd_digits: how many check digits of ICCIDs and EIDs are wrong.
        imeis: what the IMEIs came to.
    """

    problems: Sequence[tuple[int, Problem]]
    replaced: Sequence[tuple[Pair, Pair]]
    chips: Sequence[Pair]
    unchanged: int
    superseded: Sequence[Replaced]
    left: Sequence[Replaced]
    older: int
    dropped: Sequence[str]
    warnings: Sequence[str]
    odd_digits: int
    imeis: ImeiCounts
    _seen: Seen
    _scans: Scans

    @property
    def values(self) -> Iterator[PairValues]:
        """Pairs to write."""
        return self._seen.new_values()

    @property
    def facts(self) -> Iterator[UnitFacts]:
        """Facts to write."""
        return self._scans.facts()

    @property
    def exceptions(self) -> Iterator[list[str]]:
        """Rows with a problem.

        Each has its cells as read, the codes, and the words.
        """
        by_line: dict[int, list[Problem]] = {}
        for line, problem in self.problems:
            by_line.setdefault(line, []).append(problem)
        for line, problems in by_line.items():
            codes = " ".join(dict.fromkeys(problem.code for problem in problems))
            words = "; ".join(f"{one.message} -- {one.hint}" if one.hint else one.message for one in problems)
            yield [*self._scans.cells(line), codes, words]


def plan_field_import(
    rows: Iterable[PairRow], *, file: str, store: KnownSims, replace: bool, now: float
) -> FieldResult:
    """Check every row, and find the changes that the file would make.

    Nothing is written to the store here. There may be a million rows: those already read are kept on disk.

    Args:
        rows: each with what it tells beside the ICCIDs.
        file: the file's name, for origins and messages.
        store: what is known.
        replace: whether the file may contradict pairs without a later time.
        now: UTC seconds.
    """
    draft = _FieldDraft(file, replace, Seen(file), store=store, now=now)
    draft.scans = Scans(file, lambda line, problem: draft.problems.append((line, problem)))
    for chunk in chunks(rows, ROWS_PER_LOOKUP):
        draft.read(chunk)
    draft.scans.settle()
    for live in chunks(draft.scans.live(), ROWS_PER_LOOKUP):
        draft.check(live)
    return draft.ended()


@dataclass(slots=True)
class _FieldDraft(ImportDraft):
    """Import of a technicians' file so far."""

    store: KnownSims = field(kw_only=True)
    now: float = field(kw_only=True)
    scans: Scans = field(init=False)
    imeis: ImeiCounts = field(default_factory=ImeiCounts)
    at_hand_scans: dict[int, Scan] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    known_facts: Mapping[str, UnitFacts] = field(default_factory=dict)
    of_units: Mapping[str, Sequence[UnitFacts]] = field(default_factory=dict)
    pairs_of_units: Mapping[str, Pair] = field(default_factory=dict)
    older: list[int] = field(default_factory=list)
    left: list[tuple[Pair, Pair | None, UnitFacts | None]] = field(default_factory=list)
    imei_warnings: list[str] = field(default_factory=list)

    # --- reading

    def read(self, rows: Sequence[PairRow]) -> None:
        """Read some rows into the scans."""
        found = self._named(rows)
        self.scans.put([self._scan(row, found) for row in rows])

    def _named(self, rows: Sequence[PairRow]) -> Mapping[str, Mapping[str, object]]:
        unnamed = [row.told.texts for row in rows if row.told is not None and not row.source_text]
        return {
            name: self.store.named(name, values)
            for name in NAMES_OF_OLD
            if (values := [texts[name] for texts in unnamed if name in texts])
        }

    def _scan(self, row: PairRow, found: Mapping[str, Mapping[str, object]]) -> Scan:
        told = row.told
        texts: Mapping[str, str] = {} if told is None else told.texts
        before = len(self.problems)
        source = self._source(row, texts, found)
        target = self.iccid(row, "target", row.target_text)
        eid = self.eid(row) if row.eid_text else None
        at = self._time(row, texts.get("scanned_at", ""))
        return Scan(
            row.line,
            None if source is None else source.key,
            None if source is None else source.digits,
            None if target is None else target.key,
            None if target is None else target.digits,
            None if eid is None else eid.digits,
            texts.get("unit"),
            self._imei(row, texts.get("imei", "")),
            texts.get("site"),
            texts.get("ticket"),
            at,
            texts.get("scanned_by"),
            "problem" if len(self.problems) > before else "live",
            "[]" if told is None else json.dumps(list(told.cells)),
        )

    def _source(
        self, row: PairRow, texts: Mapping[str, str], found: Mapping[str, Mapping[str, object]]
    ) -> Iccid | None:
        if row.source_text:
            return self.iccid(row, "source", row.source_text)
        named = old_sim(texts, found)  # type: ignore[arg-type]
        if isinstance(named, Iccid):
            return named
        self.problems.append((row.line, Problem(named.code, f"{self.file}:{row.line}: {named.message}", named.hint)))
        return None

    def _time(self, row: PairRow, text: str) -> float | None:
        if not text:
            return None
        try:
            return scan_time(text, self.now)
        except NotATime as error:
            self.problems.append((row.line, Problem(error.code, f"{self.file}:{row.line}: {error}", CLEAR_TIME)))
            return None

    def _imei(self, row: PairRow, text: str) -> str | None:
        if not text:
            return None
        imei, odd = imei_of(text)
        if odd:
            self.imeis.odd += 1
            self._warn_of_imei(f"{self.file}:{row.line}: {odd}")
        return imei

    def _warn_of_imei(self, words: str) -> None:
        if len(self.imei_warnings) < MOST_WARNINGS:
            self.imei_warnings.append(words)

    # --- checking

    def check(self, scans: Sequence[Scan]) -> None:
        """Check some rows that count against what the store knows."""
        pairs = [self._pair(scan) for scan in scans]
        sources, targets = [pair.source.key for pair in pairs], [pair.target.key for pair in pairs]
        known = self.store.sources(list({*sources, *targets}))
        by_source, by_target = self.store.by_source(sources), self.store.by_target(targets)
        self.of_units = self.store.facts_of_units({scan.unit for scan in scans if scan.unit is not None})
        others = {one.source_key for facts in self.of_units.values() for one in facts}
        concerned = {*sources, *(pair.source.key for pair in by_target.values()), *others}
        self.known_facts = self.store.facts(concerned)
        self.claimed = self.store.claimed(concerned)
        self.pairs_of_units = self.store.by_source(list(others)) if others else {}
        self.at_hand_scans = {scan.line: scan for scan in scans}
        self.recall(pairs)
        before = len(self.problems)
        for pair in pairs:
            self.place(pair, known, by_source.get(pair.source.key), by_target.get(pair.target.key))
        self.keep()
        bad = {line for line, _ in self.problems[before:]}
        self._compare_imeis([scan for scan in scans if scan.imei is not None and scan.line not in bad])

    def _pair(self, scan: Scan) -> Pair:
        assert scan.source is not None and scan.source_key is not None  # noqa: PT018, S101 - a row that counts
        assert scan.target is not None and scan.target_key is not None  # noqa: PT018, S101
        chip = None if scan.eid is None else Eid(scan.eid)
        origin = f"{self.file}:{scan.line}"
        return Pair(Iccid(scan.source, scan.source_key), Iccid(scan.target, scan.target_key), origin, chip)

    def place(self, pair: Pair, known: Mapping[str, Iccid], had: Pair | None, holder: Pair | None) -> None:
        """Take one row in, unless the store knows a later scan."""
        scan = self.at_hand_scans[line_of(pair)]
        is_same = had is not None and had.target == pair.target
        if self._is_older(scan, self.known_facts.get(pair.source.key)):
            self.older.append(scan.line)
            if is_same:
                self.unchanged += 1
            return
        if not is_same and (words := self._paid(pair, had, holder)):
            self.note(pair, "already_claimed", words, CORRECT_HINT)
            return
        if not self._take_unit(pair, scan):
            return
        ImportDraft.place(self, pair, known, had, holder)

    def _is_older(self, scan: Scan, facts: UnitFacts | None) -> bool:
        return _order(scan, facts) < 0

    def _paid(self, pair: Pair, had: Pair | None, holder: Pair | None) -> str:
        if pair.source.key in self.claimed:
            was = "" if had is None else f", as {had.target}"
            return f"the new SIM of {pair.source} was claimed for already, or may have been{was}"
        if holder is not None and holder.source.key in self.claimed:
            return f"{pair.target} was claimed for {holder.source} already, or may have been"
        return ""

    def _take_unit(self, pair: Pair, scan: Scan) -> bool:
        """False if a known scan of the unit stands against the row.

        That scan named another old SIM.
        """
        others = [one for one in self.of_units.get(scan.unit or "", ()) if one.source_key != pair.source.key]
        if any(self._is_older(scan, facts) for facts in others):
            self.older.append(scan.line)
            return False
        for facts in others:
            if _order(scan, facts) > 0:
                before = self.pairs_of_units.get(facts.source_key)
                if facts.source_key in self.claimed:
                    words = f"unit {scan.unit} has old SIM {_named(before, facts)}, whose new SIM was claimed already"
                    self.note(pair, "already_claimed", f"{words}; this later scan names {pair.source}", CORRECT_HINT)
                    return False
                self.left.append((pair, before, facts))
        return True

    def fits_existing(self, pair: Pair, had: Pair | None, holder: Pair | None) -> bool:
        """True if the row is later than the pairs that it contradicts."""
        scan = self.at_hand_scans[line_of(pair)]
        open_had = None if had is None or _order(scan, self.known_facts.get(had.source.key)) > 0 else had
        if holder is None or _order(scan, self.known_facts.get(holder.source.key)) <= 0:
            return ImportDraft.fits_existing(self, pair, open_had, holder)
        self.left.append((pair, holder, self.known_facts.get(holder.source.key)))
        return ImportDraft.fits_existing(self, pair, open_had, None)

    def _compare_imeis(self, scans: Sequence[Scan]) -> None:
        olds = self.store.old_imeis([scan.source_key for scan in scans if scan.source_key])
        news = self.store.new_imeis([scan.target_key for scan in scans if scan.target_key])
        for scan in scans:
            told, old, new = (
                hardware(scan.imei),
                hardware(olds.get(scan.source_key or "")),
                hardware(news.get(scan.target_key or "")),
            )
            if told is None:
                continue
            differs = [one for one in (old, new) if one is not None and one != told]
            self.imeis.old_differs += old is not None and old != told
            self.imeis.new_differs += new is not None and new != told
            self.imeis.agree += not differs and (old is not None or new is not None)
            self.imeis.unknown += old is new is None
            if differs:
                self._tell_difference(scan, old, new, told)

    def _tell_difference(self, scan: Scan, old: str | None, new: str | None, told: str) -> None:
        is_near = any(one is not None and _one_digit_off(one, told) for one in (old, new))
        self.imeis.one_digit_off += is_near
        words = [f"the source saw old SIM {scan.source} in {old}" if old not in {None, told} else ""]
        words.append(f"Hologram saw new SIM {scan.target} in {new}" if new not in {None, told} else "")
        guess = "; one digit differs: likely mistyped" if is_near else ""
        told_words = " and ".join(filter(None, words))
        self._warn_of_imei(f"{self.file}:{scan.line}: IMEI {told} in the row, but {told_words}{guess}")

    # --- the end

    def ended(self) -> FieldResult:
        """Return the import, after every row was placed."""
        self.weigh_rounded()
        bad = {line for line, _ in self.problems}
        self._weigh_exchanges(bad)
        self.seen.leave_out(bad)
        self.scans.mark(self.older, is_problem=False)
        self.scans.mark(bad, is_problem=True)
        replaced = [both for both in self.replaced if line_of(both[1]) not in bad]
        dropped, told = self._left_without(bad)
        superseded = [
            Replaced(one.scan.source or "", one.scan.target or "", None, f"{self.file}:{one.scan.line}", _why(one))
            for one in self.scans.superseded
        ]
        return FieldResult(
            sorted(self.problems, key=lambda entry: entry[0]),
            replaced,
            [pair for pair in self.chips if line_of(pair) not in bad],
            self.unchanged + self.scans.repeated,
            superseded,
            told,
            len(self.older),
            dropped,
            [*self.warnings, *self.imei_warnings][:MOST_WARNINGS],
            self.odd_digits,
            self.imeis,
            self.seen,
            self.scans,
        )

    def _weigh_exchanges(self, bad: set[int]) -> None:
        """Note rows that leave an old SIM without a new one.

        Their lines are added to `bad`. A row that is bad gives its SIM nothing, so that the row that took the target of
        that SIM is bad, too.
        """
        by_holder: dict[str, list[tuple[Pair, Pair]]] = {}
        for pair, holder in self.taken_over:
            by_holder.setdefault(holder.source.key, []).append((pair, holder))
        gets = {
            key: line_of(pair)
            for some in chunks(by_holder, ROWS_PER_LOOKUP)
            for key, pair in self.seen.by("source_key", some).items()
        }
        to_see = deque(by_holder)
        while to_see:
            key = to_see.popleft()
            if key in gets and gets[key] not in bad:
                continue
            for pair, holder in by_holder.pop(key, ()):
                if line_of(pair) not in bad:
                    self.note_taken(pair, holder)
                    bad.add(line_of(pair))
                    to_see.append(pair.source.key)

    def _left_without(self, bad: set[int]) -> tuple[list[str], list[Replaced]]:
        dropped: dict[str, Replaced] = {}
        for pair, before, facts in self.left:
            key = before.source.key if before is not None else facts.source_key if facts is not None else ""
            if line_of(pair) in bad or key in dropped:
                continue
            found = self.seen.by("source_key", [key])
            if any(line_of(one) not in bad for one in found.values()):
                continue  # a row of the file says what it has now
            was = "" if before is None else str(before.target)
            name = str(before.source) if before is not None else key
            dropped[key] = Replaced(
                name, was, None, pair.origin, f"a later scan names {pair.source} with {pair.target}"
            )
        return list(dropped), [one for one in dropped.values() if one.was]


def _order(scan: Scan, facts: UnitFacts | None) -> int:
    """Compare the time of a scan with a known one.

    Returns: 1 for a later scan, -1 for an earlier one, 0 where the times do not tell.
    """
    if facts is None or facts.scanned_at is None or scan.scanned_at is None:
        return 0
    return (scan.scanned_at > facts.scanned_at) - (scan.scanned_at < facts.scanned_at)


def _named(pair: Pair | None, facts: UnitFacts) -> str:
    return facts.source_key if pair is None else str(pair.source)


def _why(one: Superseded) -> str:
    return f"{one.what} was scanned again on line {one.by.line}"


def _one_digit_off(one: str, other: str) -> bool:
    return sum(left != right for left, right in zip(one, other, strict=True)) == 1
