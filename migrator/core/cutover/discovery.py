"""Discovery of pairs by hardware that both SIMs were in. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from migrator.core.cutover.old_use import KeptUse, NewLife, OldUse, use_by_answer
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.records import record
from migrator.core.fleet.sims import SourceStatus

__all__ = ["CardBucket", "CardFinding", "CardSight", "Code", "DiscoveryTally", "found", "one_digit_off"]


class CardBucket(StrEnum):
    """Bucket of a new SIM, by its hardware.

    Every new SIM is in exactly one bucket.
    """

    KNOWN = "known"  # it is paired with an old SIM that was in this hardware
    EXACT = "exact"  # one old and one new SIM, a session since the claim, the old SIM silent since; in no pair yet
    CONTRADICTS = "contradicts"  # as exact, and one of the two is in another pair
    WAITING = "waiting"  # one old and one new SIM, and something is not known yet
    AMBIGUOUS = "ambiguous"  # several old or several new SIMs
    UNKNOWN_HARDWARE = "unknown_hardware"  # no old SIM was ever in it
    NEVER_SEEN = "never_seen"  # the new SIM was in no hardware since its claim, as far as Hologram tells

    @property
    def is_settled(self) -> bool:
        """True if the evidence says which old SIM it is."""
        return self in _SETTLED


_SETTLED = frozenset({CardBucket.KNOWN, CardBucket.EXACT, CardBucket.CONTRADICTS})


class Code(StrEnum):
    """Reason for a bucket."""

    NONE = ""
    OLD_SIM_NOT_ASKED = "old_sim_not_asked"  # whether the old SIM is silent since is not on disk
    OLD_SIM_IN_USE = "old_sim_in_use"
    OLD_SIM_UNKNOWN = "old_sim_unknown"  # 1NCE was asked, and does not tell
    OLD_SIM_GONE = "old_sim_gone"  # the inventory in force does not hold it
    SEEN_LATER = "seen_later"  # the old SIM came into this hardware after the new one had left it
    SHARED_IMEI = "shared_imei"  # several old SIMs were in hardware of this IMEI
    TWO_NEW_IN_UNIT = "two_new_in_unit"
    OLD_SIM_TWICE = "old_sim_twice"  # the old SIM was in the hardware of two new ones
    FILLER = "filler"  # the IMEI is a number that stands for none
    UNKNOWN_IMEI = "unknown_imei"
    ONE_DIGIT_OFF = "one_digit_off"  # one digit off that of an old SIM: for a person to look at
    NO_IMEI = "no_imei"
    NOT_SINCE_CLAIM = "not_since_claim"  # its last session is older than its claim
    NOT_SINCE_SWAP = "not_since_swap"  # it is older than the scan of its pair, and from other hardware


@record
class CardSight:
    """All that is known of one new SIM and its hardware.

    Args:
        target: the new SIM.
        imei: as Hologram tells it.
        body: the 14 digits that name the hardware; None for no IMEI.
        is_filler: whether they stand for no hardware.
        life: its last session since its claim, and its claim.
        olds: how many old SIMs were ever in this hardware.
        news: how many new SIMs are.
        source: the only such old SIM.
        source_imei: its IMEI as 1NCE told it, or as the list of units has it.
        source_first_s: since when that is known, where the old SIM was in other hardware before (UTC seconds).
        source_news: how many new SIMs are in hardware in which this old SIM was.
        source_status: its status in the inventory in force; None if that does not hold it.
        inventory_s: when that inventory was taken.
        use: the last answer on its use.
        used_on: the last day of use that a proof of life noted.
        paired_source: the old SIM that the new SIM is paired with.
        fits_pair: whether that old SIM was in this hardware, too.
        paired_target: the new SIM that the old SIM is paired with.
        scanned_s: when the new SIM was scanned into the unit of its pair (UTC seconds); None where nobody noted it.
    """

    target: Iccid
    imei: str | None
    body: str | None
    is_filler: bool
    life: NewLife
    olds: int = 0
    news: int = 0
    source: Iccid | None = None
    source_imei: str | None = None
    source_first_s: float | None = None
    source_news: int = 0
    source_status: SourceStatus | None = None
    inventory_s: float = 0.0
    use: KeptUse | None = None
    used_on: date | None = None
    paired_source: Iccid | None = None
    fits_pair: bool = False
    paired_target: Iccid | None = None
    scanned_s: float | None = None


@record
class CardFinding:
    """Bucket of one new SIM, with reason and evidence.

    `source` is the old SIM; None where the evidence names none.
    """

    sight: CardSight
    bucket: CardBucket
    code: Code
    source: Iccid | None
    words: str
    old_used_on: date | None = None


@dataclass(slots=True)
class DiscoveryTally:
    """Counts of a discovery: the buckets sum to `looked_at`."""

    looked_at: int = 0
    buckets: Counter[CardBucket] = field(default_factory=Counter)
    codes: Counter[tuple[CardBucket, Code]] = field(default_factory=Counter)

    def add(self, one: CardFinding) -> None:
        """Count one new SIM."""
        self.looked_at += 1
        self.buckets[one.bucket] += 1
        self.codes[one.bucket, one.code] += 1


def found(sight: CardSight) -> CardFinding:  # noqa: PLR0911 - a table of rules, the first that fits wins
    """Judge one new SIM by its hardware."""
    if sight.body is None:
        return CardFinding(sight, CardBucket.NEVER_SEEN, Code.NO_IMEI, None, "Hologram tells no IMEI")
    if sight.life.alive_s is None:
        return CardFinding(sight, CardBucket.NEVER_SEEN, Code.NOT_SINCE_CLAIM, None, "no session since its claim")
    if sight.is_filler:
        words = f"IMEI {sight.imei} stands for no hardware"
        return CardFinding(sight, CardBucket.UNKNOWN_HARDWARE, Code.FILLER, None, words)
    if not sight.olds:
        words = f"no old SIM was ever in IMEI {sight.imei}"
        return CardFinding(sight, CardBucket.UNKNOWN_HARDWARE, Code.UNKNOWN_IMEI, None, words)
    if sight.fits_pair:
        code = Code.SHARED_IMEI if sight.olds > 1 else Code.NONE
        return CardFinding(sight, CardBucket.KNOWN, code, sight.paired_source, _evidence(sight))
    if sight.scanned_s is not None and sight.life.alive_s < sight.scanned_s:
        words = f"its last session is older than its scan into the unit of old SIM {sight.paired_source}"
        return CardFinding(sight, CardBucket.NEVER_SEEN, Code.NOT_SINCE_SWAP, None, words)
    ambiguous = _ambiguous(sight)
    if ambiguous is not None:
        code, words = ambiguous
        return CardFinding(sight, CardBucket.AMBIGUOUS, code, None, words)
    return _one_to_one(sight)


def _ambiguous(sight: CardSight) -> tuple[Code, str] | None:
    if sight.olds > 1:
        return Code.SHARED_IMEI, f"{sight.olds} old SIMs were in IMEI {sight.imei}"
    if sight.news > 1:
        return Code.TWO_NEW_IN_UNIT, f"{sight.news} new SIMs are in IMEI {sight.imei}"
    if sight.source_news > 1:
        words = f"old SIM {sight.source} was in IMEI {sight.imei}, and in the hardware of another new SIM, too"
        return Code.OLD_SIM_TWICE, words
    return None


def _one_to_one(sight: CardSight) -> CardFinding:
    """Judge a new SIM in the hardware of just one old SIM."""
    source, alive_s = sight.source, sight.life.alive_s
    if sight.source_status is None:
        words = f"old SIM {source} is not in the inventory in force"
        return CardFinding(sight, CardBucket.WAITING, Code.OLD_SIM_GONE, source, words)
    if sight.source_first_s is not None and alive_s is not None and sight.source_first_s > alive_s:
        words = f"old SIM {source} came into IMEI {sight.imei} after the new one was last seen there"
        return CardFinding(sight, CardBucket.WAITING, Code.SEEN_LATER, source, words)
    known = () if sight.used_on is None else (sight.used_on,)
    use = use_by_answer(sight.life, sight.use, known=known)
    if use.use is OldUse.IN_USE:
        words = f"old SIM {source} was used on {use.used_on}, and the new one has not lived since"
        return CardFinding(sight, CardBucket.WAITING, Code.OLD_SIM_IN_USE, source, words, use.used_on)
    is_off = sight.source_status in {SourceStatus.DISABLED, SourceStatus.EXPIRED}
    if use.use is OldUse.UNKNOWN and not (is_off and alive_s is not None and sight.inventory_s >= alive_s):
        asked_lately = sight.use is not None and not sight.use.is_told
        code = Code.OLD_SIM_UNKNOWN if asked_lately else Code.OLD_SIM_NOT_ASKED
        words = f"whether old SIM {source} is silent since is not known"
        return CardFinding(sight, CardBucket.WAITING, code, source, words)
    is_paired = sight.paired_source is not None or sight.paired_target is not None
    bucket = CardBucket.CONTRADICTS if is_paired else CardBucket.EXACT
    last = sight.use.used_on if sight.use is not None else None
    return CardFinding(sight, bucket, Code.NONE, source, _evidence(sight, is_off=is_off, last=last), last)


def _evidence(sight: CardSight, *, is_off: bool = False, last: date | None = None) -> str:
    """Return the evidence of a pair in words."""
    alive_s = sight.life.alive_s
    session = "" if alive_s is None else f"{datetime.fromtimestamp(alive_s, UTC):%Y-%m-%d %H:%M:%S}"
    words = f"IMEI {sight.imei}; session of the new SIM {session}"
    if sight.use is not None and sight.use.is_told:
        used = "not used" if last is None else f"last used {last}"
        return f"{words}; old SIM {used} from {sight.use.asked_from} to {sight.use.asked_to}"
    return f"{words}; old SIM off at its carrier" if is_off else words


def one_digit_off(body: str) -> Iterator[str]:
    """Yield every number that differs in one digit from 14 digits."""
    for at, digit in enumerate(body):
        for other in "0123456789":
            if other != digit:
                yield f"{body[:at]}{other}{body[at + 1 :]}"
