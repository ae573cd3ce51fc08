"""Life of every SIM, derived of facts from all plans.

Pure. A life is never stored: the facts are, and each has one home.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from migrator.core.cutover.silence import ADVICE, Silence
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.records import record
from migrator.core.fleet.sims import LinkState
from migrator.core.plan.plan import Action, Reason

__all__ = [
    "MEANINGS",
    "REMEDIES",
    "SILENT_AFTER_S",
    "STAGE_WORDS",
    "ExceptionCode",
    "LifeCounts",
    "LifeFacts",
    "LifeStage",
    "SimLife",
    "life_of_facts",
]

SILENT_AFTER_S = 14 * 86_400.0
"""Seconds after its claim in which a card may stay unseen."""


class LifeStage(StrEnum):
    """Stage of one SIM on its way, over all plans."""

    WAITING = "waiting"  # nothing is claimed for it yet
    STAGED = "staged"  # its card is ours in Test Mode
    IN_STOCK = "in_stock"  # a card of the stock that is claimed and has no unit
    CLAIMED_SILENT = "claimed_silent"  # its card is claimed, and nobody has seen it alive
    ALIVE = "alive"  # its card lives; its unit, or the silence of the old SIM, is not proved
    RESTING = "resting"  # its card was seen in its unit and the old SIM is silent: a cutover is next
    CUT_OVER = "cut_over"  # the old SIM is off
    LEFT_ALONE = "left_alone"  # the policy, or an operator, leaves it behind
    EXCEPTION = "exception"  # a person must look: see its code


class ExceptionCode(StrEnum):
    """Reason why a person must look after a SIM."""

    IN_DOUBT = "in_doubt"  # the outcome of a claim or of an order at the source is not known
    ROLLED_BACK = "rolled_back"  # a rollback took it back to its old SIM
    REFUSED = "refused"  # the claim of its card was refused for good
    BLOCKED = "blocked"  # its plan says that a person must decide
    MISMATCH = "mismatch"  # the card's record differs from the plan, or is gone
    OTHER_UNIT = "other_unit"  # its card was seen in another unit
    OLD_SIM_TALKING = "old_sim_talking"  # the old SIM was used after the new one, or after the swap
    UNIT_DEAD = "unit_dead"  # the unit was silent already before the swap
    SILENT = "silent"  # claimed for N days and never seen


STAGE_WORDS: Mapping[LifeStage, str] = MappingProxyType(
    {
        LifeStage.WAITING: "nothing claimed yet",
        LifeStage.STAGED: "card in Test Mode",
        LifeStage.IN_STOCK: "card claimed for the stock, no unit",
        LifeStage.CLAIMED_SILENT: "card claimed, not seen yet",
        LifeStage.ALIVE: "new SIM alive",
        LifeStage.RESTING: "new SIM alive in its unit, old SIM silent",
        LifeStage.CUT_OVER: "old SIM off",
        LifeStage.LEFT_ALONE: "left behind by the policy or an operator",
        LifeStage.EXCEPTION: "a person must look",
    }
)

MEANINGS: Mapping[ExceptionCode, str] = MappingProxyType(
    {
        ExceptionCode.IN_DOUBT: "an order was sent and its outcome is not known",
        ExceptionCode.ROLLED_BACK: "a rollback took the unit back to its old SIM",
        ExceptionCode.REFUSED: "Hologram refused the claim of its card",
        ExceptionCode.BLOCKED: "its plan waits for a person's decision",
        ExceptionCode.MISMATCH: "the card's record at Hologram is not as planned",
        ExceptionCode.OTHER_UNIT: "its card was seen in another unit",
        ExceptionCode.OLD_SIM_TALKING: "the old SIM is in use, although the new one was put in",
        ExceptionCode.UNIT_DEAD: "the unit was silent already before the swap",
        ExceptionCode.SILENT: "its card is claimed and was never seen",
    }
)

REMEDIES: Mapping[ExceptionCode, str] = MappingProxyType(
    {
        ExceptionCode.IN_DOUBT: "Run its plan again (`migrator apply`, `cutover apply`, for a portal's list "
        "`cutover export`, or `rollback apply`; in a campaign: `campaign run --once`): it reads what became of the "
        "order before it sends anything.",
        ExceptionCode.ROLLED_BACK: "Nothing, if it stays: its new SIM is paused and billed (`migrator retire list`). "
        "To move it after all: `migrator plan create --include-rolled-back`, `apply`, and a new cutover.",
        ExceptionCode.REFUSED: "Read the carrier's words (`migrator show ICCID`); mend the cause, or pair another "
        "card. In a campaign, `campaign retry` then asks again.",
        ExceptionCode.BLOCKED: "Mend what `migrator show ICCID` says, then make a new plan; in a campaign: "
        "`campaign retry`.",
        ExceptionCode.MISMATCH: "See who changed it (`migrator show ICCID`). A new plan sets it again, in a campaign "
        "`campaign retry --code mismatch`; nothing is claimed twice.",
        ExceptionCode.OTHER_UNIT: "`migrator pair discover` finds whose unit it is; `migrator pair correct` gives each "
        "unit the card that it has.",
        ExceptionCode.OLD_SIM_TALKING: ADVICE[Silence.OLD_SIM_TALKS],
        ExceptionCode.UNIT_DEAD: ADVICE[Silence.UNIT_DEAD_BEFORE],
        ExceptionCode.SILENT: ADVICE[Silence.NEVER_ATTACHED],
    }
)


@record
class LifeFacts:
    """Facts of one SIM that decide its life.

    Args:
        is_off: whether a cutover of ours switched the old SIM off, and no rollback took it back.
        is_found_off: whether 1NCE says that the old SIM is off or expired.
        is_back: whether a rollback took it back.
        is_in_doubt: whether the outcome of its claim, or of an order at the source, is not known.
        is_claimed: whether its card is ours, by Hologram's record or by our journal.
        is_recorded: whether Hologram's record of the card was seen, and is ours.
        is_refused: whether the claim of its card was refused for good.
        is_set_aside: whether an operator set it aside in the plan that counts.
        state: the card's state at Hologram by the last read; None if it was never seen.
        is_alive: whether the card showed a sign of life since its claim.
        unit: where the card was seen.
        old_is_silent: whether 1NCE told that the old SIM is silent since.
        old_is_back: whether the old SIM was used after the new one lived last, or after the swap.
        was_dead: whether the old SIM used nothing in the days before the swap.
        differs: whether the last verdict found a difference that stays.
        waits_long: whether the card was claimed so long ago that its silence is told.
        action: what the newest plan does with it; None without a plan for its card.
        reason: the reason of that.
    """

    is_off: bool = False
    is_found_off: bool = False
    is_back: bool = False
    is_in_doubt: bool = False
    is_claimed: bool = False
    is_recorded: bool = False
    is_refused: bool = False
    is_set_aside: bool = False
    state: LinkState | None = None
    is_alive: bool = False
    unit: Unit = Unit.NEVER_SEEN
    old_is_silent: bool = False
    old_is_back: bool = False
    was_dead: bool = False
    differs: bool = False
    waits_long: bool = False
    action: Action | None = None
    reason: Reason | None = None


Standing = tuple[LifeStage, ExceptionCode | None]

_NOT_THIS_TIME = frozenset({Reason.NOT_SELECTED, Reason.NO_WAVE, Reason.NO_PAIRING})
"""Reasons of a plan that left a SIM to a later one."""
_CANNOT_TALK = frozenset({LinkState.RETIRED, LinkState.PAUSED_SYSTEM, LinkState.INVENTORY, LinkState.UNKNOWN})
_HELD = frozenset({LinkState.PAUSED_USER, LinkState.PENDING_PAUSE})


def life_of_facts(facts: LifeFacts) -> Standing:
    """Return stage and code; the first rule that fits wins."""
    if facts.is_in_doubt:
        return _exception(ExceptionCode.IN_DOUBT)
    if facts.is_back:
        return _exception(ExceptionCode.ROLLED_BACK)
    if not facts.is_claimed:
        return _unclaimed(facts)
    if facts.is_off:
        return LifeStage.CUT_OVER, None
    return _claimed(facts)


def _exception(code: ExceptionCode) -> Standing:
    return LifeStage.EXCEPTION, code


def _unclaimed(facts: LifeFacts) -> Standing:
    if facts.is_off:
        return _exception(ExceptionCode.MISMATCH)  # the unit has no service of ours
    if facts.is_set_aside:
        return LifeStage.LEFT_ALONE, None
    if facts.is_refused:
        return _exception(ExceptionCode.REFUSED)
    if facts.reason in _NOT_THIS_TIME or facts.action is None or facts.action.acts:
        return LifeStage.WAITING, None
    if facts.action is Action.SKIP:
        return LifeStage.LEFT_ALONE, None
    return _exception(ExceptionCode.IN_DOUBT if facts.reason is Reason.CLAIMED_UNSEEN else ExceptionCode.BLOCKED)


def _claimed(facts: LifeFacts) -> Standing:  # noqa: PLR0911 - a table of rules, the first that fits wins
    if facts.state is LinkState.TEST:
        return _unclaimed(facts) if facts.action in {Action.SKIP, Action.BLOCK} else (LifeStage.STAGED, None)
    if facts.reason is Reason.PAUSES_LIVE:
        return _exception(ExceptionCode.BLOCKED)
    if not facts.is_recorded or facts.differs or facts.state in _CANNOT_TALK:
        return _exception(ExceptionCode.MISMATCH)
    if facts.is_alive and facts.unit is Unit.MOVED:
        return _exception(ExceptionCode.OTHER_UNIT)
    if facts.old_is_back:
        return _exception(ExceptionCode.OLD_SIM_TALKING)
    if facts.is_alive:
        return _alive(facts)
    if facts.was_dead:
        return _exception(ExceptionCode.UNIT_DEAD)
    if facts.waits_long and facts.state not in _HELD:
        return _exception(ExceptionCode.SILENT)
    return LifeStage.CLAIMED_SILENT, None


def _alive(facts: LifeFacts) -> Standing:
    if facts.is_found_off:
        return LifeStage.CUT_OVER, None  # somebody else switched it off, or its time is over
    is_proved = facts.unit is Unit.MATCHED and facts.old_is_silent
    return (LifeStage.RESTING if is_proved else LifeStage.ALIVE), None


@record
class SimLife:
    """Life of one SIM, with the values that tell it from others.

    Args:
        source_iccid: the old SIM; None for a card of the stock without one.
        target_iccid: the new SIM; None where it has none.
        stage: where it stands.
        code: the reason of an exception; else None.
        since_s: since when, as far as the store tells (UTC seconds); None if nobody knows.
        unit: the unit as people name it.
        site: where the unit is.
        ticket: the ticket of its swap.
        label: the label of the old SIM at 1NCE now.
        status: its status there now.
        imei: the hardware that it is in now.
        baseline_status: its status as it was first seen; None where nothing is frozen.
        baseline_label: its label as it was first seen.
        baseline_imei: its hardware as it was first seen.
        plan_id: the plan that holds its claim, or the newest that names it; None without one.
        claimed_s: when its card was claimed (UTC seconds).
        alive_s: the first sign of life of its card since (UTC seconds).
    """

    source_iccid: str | None
    target_iccid: str | None
    stage: LifeStage
    code: ExceptionCode | None = None
    since_s: float | None = None
    unit: str | None = None
    site: str | None = None
    ticket: str | None = None
    label: str | None = None
    status: str | None = None
    imei: str | None = None
    baseline_status: str | None = None
    baseline_label: str | None = None
    baseline_imei: str | None = None
    plan_id: str | None = None
    claimed_s: float | None = None
    alive_s: float | None = None

    @property
    def is_unseen(self) -> bool:
        """True for a card that may be claimed, and was never seen."""
        may_be_claimed = self.claimed_s is not None or self.code is ExceptionCode.IN_DOUBT
        is_unseen_exception = self.stage is LifeStage.EXCEPTION and may_be_claimed and self.alive_s is None
        return self.stage is LifeStage.CLAIMED_SILENT or is_unseen_exception

    @property
    def advice(self) -> str:
        """Advice for a person; empty where none is needed."""
        return "" if self.code is None else REMEDIES[self.code]


@dataclass(frozen=True, slots=True)
class LifeCounts:
    """Number of SIMs in each stage, and of exceptions by code.

    The stages of old SIMs sum to `total`, which is the inventory. Cards of the stock are counted apart.
    """

    total: int = 0
    stages: Mapping[LifeStage, int] = field(default_factory=dict)
    codes: Mapping[ExceptionCode, int] = field(default_factory=dict)
    stock: Mapping[LifeStage, int] = field(default_factory=dict)

    def of(self, stage: LifeStage) -> int:
        """Return the number of SIMs in a stage."""
        return (self.stock if stage is LifeStage.IN_STOCK else self.stages).get(stage, 0)

    @property
    def exceptions(self) -> int:
        """SIMs that a person must look after."""
        return self.of(LifeStage.EXCEPTION)

    def as_dict(self) -> dict[str, object]:
        """Return the counts as JSON values, each stage and code named."""
        return {
            "total": self.total,
            "stages": {stage.value: self.of(stage) for stage in LifeStage if stage is not LifeStage.IN_STOCK},
            "exceptions": {code.value: self.codes.get(code, 0) for code in ExceptionCode},
            "stock": {stage.value: self.stock.get(stage, 0) for stage in STOCK_STAGES},
        }


STOCK_STAGES = (LifeStage.WAITING, LifeStage.STAGED, LifeStage.IN_STOCK, LifeStage.EXCEPTION)
"""Stages of a card of the stock that no pair names."""
