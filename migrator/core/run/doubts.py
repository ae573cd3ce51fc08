"""Doubts about orders, and how each doubt is settled.

`states.STEP_TRANSITIONS` says which moves a step may make. `SETTLING` says when a step in doubt makes which of them:
how long it stays UNCERTAIN, how often PROBED_ABSENT sends it again, and when PROBED_CONFLICT ends it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType

from migrator.core.run.states import CUTOVER_STEPS, StepKind
from migrator.errors import OutcomeUnknown, Unforeseen

__all__ = ["MAY_STILL_COME", "QUEUE_S", "SETTLING", "Doubt", "Patience", "Settling", "doubt_of"]


class Doubt(StrEnum):
    """Reason why nobody knows yet what became of an order.

    The values are the codes that steps have in a store.
    """

    OUTCOME_UNKNOWN = OutcomeUnknown.code  # no readable answer came
    UNEXPECTED = Unforeseen.code  # a defect of ours showed itself while it was sent
    PROCESS_DIED = "process_died"  # the process that sent it ended before an answer was on disk
    CLAIMED_UNSEEN = "claimed_unseen"  # the reply names the SIM as claimed, and no read shows it
    NOT_IN_REPLY = "not_in_reply"  # the claim was accepted without a word on the SIM
    CLAIMED_ELSEWHERE = "claimed_elsewhere"  # the carrier refused the SIM by name: it is activated already
    TEST_MODE = "test_mode"  # the carrier refused the SIM by name: it is in Test Mode
    CLAIM_REFUSED = "claim_refused"  # the carrier refused the SIM by name, for another reason
    UNPROVEN = "unproven"  # accepted, and no read shows it yet
    LOCKED = "locked"  # the carrier had the SIM locked when the order came
    LEFT_ALONE = "left_alone"  # the reply says that the SIM was left as it was
    NOT_EFFECTIVE = "not_effective"  # no read showed it in time; it is ordered again
    RETRIED = "retried"  # an operator wants it tried again: all that is known begins anew


class Patience(Enum):
    """Reason not to believe yet a read that shows no effect."""

    LAG = auto()  # reads follow with a lag of their own
    NAMED = auto()  # the carrier said that it is done: ten times the lag
    AT_WORK = auto()  # no answer: the carrier may be at work on a claim, then the lag follows; for others the lag
    QUEUE = auto()  # the carrier took the order; an old SIM's waits in a queue, a new SIM's has the lag of its kind


QUEUE_S = 600.0
"""Seconds that an accepted order may wait in the source's queue.

Then the order is given again.
"""


@dataclass(frozen=True, slots=True)
class Settling:
    """Way in which a doubt is settled.

    A read that shows the order settles every doubt; this is about reads that do not.

    Args:
        patience: what is waited for until such a read is believed.
        tries: orders after which the step fails; 0 if it is never sent again, None if it always is.
        kinds: the steps for which `tries` count; other steps are always sent again.
        code: the code with which the step fails; empty for the code that it has.
        words: the words with which the step fails; empty for the words that it has.
        may_still_come: whether the order may take effect even after it was given up and is to be sent again.
    """

    patience: Patience = Patience.LAG
    tries: int | None = None
    kinds: frozenset[StepKind] = frozenset()
    code: str = ""
    words: str = ""
    may_still_come: bool = False

    def is_over(self, kind: StepKind, attempts: int) -> bool:
        """True if the step fails and is not sent again."""
        return self.tries is not None and kind in self.kinds and attempts >= self.tries

    def ending(self, kind: StepKind, attempts: int, code: str, words: str) -> tuple[str, str]:
        """Return code and words with which the step fails.

        `code` and `words` are those that it has.
        """
        told = {"kind": kind.value, "attempts": attempts}
        return self.code.format(**told) or code, self.words.format(**told) or words


_CLAIM = frozenset({StepKind.CLAIM})
_SETTINGS = frozenset({StepKind.LIMITS, StepKind.STATE, StepKind.TAG, StepKind.UNTAG, StepKind.NAME})
_MAY_LACK = frozenset({StepKind.TAG, StepKind.UNTAG, StepKind.NAME, *CUTOVER_STEPS})
"""Steps that a SIM may do without after a defect of ours.

A claim is settled by reads alone, and limits and state keep a SIM from costs: they are ordered again.
"""

_REFUSED_BY_NAME = Settling(tries=0, kinds=_CLAIM)

SETTLING: Mapping[Doubt | None, Settling] = MappingProxyType(
    {
        None: Settling(),  # the answer left no doubt of its own
        Doubt.OUTCOME_UNKNOWN: Settling(Patience.AT_WORK),
        Doubt.UNEXPECTED: Settling(  # the first defect may have been that of another SIM
            Patience.AT_WORK, tries=2, kinds=_MAY_LACK, may_still_come=True
        ),
        Doubt.PROCESS_DIED: Settling(Patience.AT_WORK),
        Doubt.CLAIMED_UNSEEN: Settling(
            Patience.NAMED,
            tries=0,
            kinds=_CLAIM,
            code=Doubt.CLAIMED_UNSEEN.value,
            words="the reply named it as claimed, and no read ever showed it",
        ),
        Doubt.NOT_IN_REPLY: Settling(
            tries=3,
            kinds=_CLAIM,
            code="claim_ignored",
            words="{attempts} claims were accepted, and none of them included it",
        ),
        Doubt.CLAIMED_ELSEWHERE: _REFUSED_BY_NAME,
        Doubt.TEST_MODE: _REFUSED_BY_NAME,
        Doubt.CLAIM_REFUSED: _REFUSED_BY_NAME,
        Doubt.UNPROVEN: Settling(
            Patience.QUEUE,
            tries=6,
            kinds=_SETTINGS - {StepKind.STATE},  # a state rarely takes a day, and is never given up
            code="{kind}_not_applied",
            words="ordered {attempts} times, and the record never showed it",
        ),
        Doubt.LOCKED: Settling(),  # an order that met a lock says nothing against the SIM
        Doubt.LEFT_ALONE: Settling(tries=6, kinds=_SETTINGS, code="{kind}_ignored"),
        Doubt.NOT_EFFECTIVE: Settling(may_still_come=True),
        Doubt.RETRIED: Settling(),
    }
)
"""Settling of each doubt.

The seconds of each patience are in `engine.apply.settle`, `engine.cutover.old_sims` and `engine.cutover.new_sims`, as
a run's options bear on them.
"""

MAY_STILL_COME: tuple[Doubt, ...] = tuple(
    doubt for doubt, settling in SETTLING.items() if doubt and settling.may_still_come
)
"""Doubts of PENDING steps whose earlier order may still take effect."""

_BY_TEXT = {doubt.value: doubt for doubt in Doubt}


def doubt_of(code: str) -> Doubt | None:
    """Return the doubt behind the code of a step, or None."""
    return _BY_TEXT.get(code)
