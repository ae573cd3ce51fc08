"""State machines, written down.

Code calls `advance`; nothing else decides where a step may go. When an UNCERTAIN step goes where is in
`doubts.SETTLING`, by the doubt that its code stands for.
"""

from enum import StrEnum
from types import MappingProxyType

from migrator.errors import IllegalTransition

__all__ = [
    "CLAIMING_PLANS",
    "CUTOVER_STEPS",
    "IN_DOUBT",
    "MIGRATION_STEPS",
    "RUN_TRANSITIONS",
    "STEP_TRANSITIONS",
    "UNSETTLED",
    "PlanKind",
    "PlanState",
    "RunEvent",
    "RunState",
    "StepEvent",
    "StepKind",
    "StepState",
    "advance",
]


class PlanKind(StrEnum):
    """Kind of a plan, with its own kinds of steps."""

    MIGRATE = "migrate"  # claims new SIMs, and sets them up
    STOCK = "stock"  # claims cards before anybody knows their unit: each card stands in the place of an old SIM
    CUTOVER = "cutover"  # to the new SIMs: the old ones are switched off
    ROLLBACK = "rollback"  # back to the old SIMs: they are switched on, then the new ones are paused


CLAIMING_PLANS = (PlanKind.MIGRATE, PlanKind.STOCK)
"""Kinds of plans that claim SIMs."""


class StepKind(StrEnum):
    """Kind of a step of one SIM, in the order of work.

    The claim, which is irreversible, waits for no later step.
    """

    CLAIM = "claim"  # activate at Hologram: bills
    LIMITS = "limits"  # overage and SMS limit
    STATE = "state"  # live or paused
    TAG = "tag"  # for adopted SIMs, and for copied tags: a claim brings the migration's own along
    UNTAG = "untag"  # only for cards that were claimed for the stock: its tag goes
    NAME = "name"  # the exact name
    SOURCE = "source"  # the old SIM on or off
    PAUSE = "pause"  # the new SIM paused; rollback only, and only after the old one is proved on
    PAIR = "pair"  # no order: skipped once a correction gave the SIM another new SIM than this plan
    CARD = "card"  # no order: skipped once a pair names the card that this plan claims for the stock


MIGRATION_STEPS = (StepKind.CLAIM, StepKind.LIMITS, StepKind.STATE, StepKind.TAG, StepKind.UNTAG, StepKind.NAME)
"""Steps of a migration that send something, in order."""

CUTOVER_STEPS = (StepKind.SOURCE, StepKind.PAUSE)
"""Steps of a cutover or rollback, in order."""


class StepState(StrEnum):
    """State of one step. A step without a row is PENDING."""

    PENDING = "pending"  # nothing sent, or surely nothing happened
    IN_FLIGHT = "in_flight"  # its intent is on disk and the request may have left
    UNCERTAIN = "uncertain"  # sent, outcome unknown: to be read, never to be sent again first
    DONE = "done"  # the carrier's record shows it
    FAILED = "failed"  # refused for good, or in conflict: a person must look
    SKIPPED = "skipped"  # an operator set it aside, or gave its SIM another pair

    @property
    def is_in_doubt(self) -> bool:
        """True if the outcome of an order is not known."""
        return self in IN_DOUBT


IN_DOUBT = (StepState.IN_FLIGHT, StepState.UNCERTAIN)
"""States of a step whose order has no known outcome."""

UNSETTLED = (StepState.PENDING, *IN_DOUBT)
"""States of a step that may still change by itself."""


class StepEvent(StrEnum):
    """Event that may happen to a step."""

    BEGIN = "begin"  # committed before the request leaves
    MORE = "more"  # the carrier took a part of it, which does no harm if it is sent again; the rest follows
    CONFIRMED = "confirmed"  # the answer, or the record, says it is done
    REFUSED_FOR_NOW = "refused_for_now"  # nothing happened; may be tried again later
    REFUSED_FOR_GOOD = "refused_for_good"  # the carrier will not
    LOST = "lost"  # no readable answer, or our process died
    PROBED_PRESENT = "probed_present"  # the carrier's record shows it
    PROBED_ABSENT = "probed_absent"  # it surely did not happen: agreeing reads, after the carrier's own lag
    PROBED_CONFLICT = "probed_conflict"  # the record shows something that we did not want
    PAIR_CHANGED = "pair_changed"  # it was about to be sent, and its SIM is paired with another target now
    OPERATOR_RETRY = "operator_retry"  # ask again before sending again
    OPERATOR_SKIP = "operator_skip"  # leave it


S, E = StepState, StepEvent

STEP_TRANSITIONS = MappingProxyType(
    {  # (from, event): to
        (S.PENDING, E.BEGIN): S.IN_FLIGHT,
        (S.PENDING, E.PAIR_CHANGED): S.FAILED,
        (S.IN_FLIGHT, E.MORE): S.PENDING,
        (S.IN_FLIGHT, E.CONFIRMED): S.DONE,
        (S.IN_FLIGHT, E.REFUSED_FOR_NOW): S.PENDING,
        (S.IN_FLIGHT, E.REFUSED_FOR_GOOD): S.FAILED,
        (S.IN_FLIGHT, E.LOST): S.UNCERTAIN,
        (S.UNCERTAIN, E.PROBED_PRESENT): S.DONE,
        (S.UNCERTAIN, E.PROBED_ABSENT): S.PENDING,
        (S.UNCERTAIN, E.PROBED_CONFLICT): S.FAILED,
        (S.FAILED, E.OPERATOR_RETRY): S.UNCERTAIN,
        (S.FAILED, E.OPERATOR_SKIP): S.SKIPPED,
        (S.PENDING, E.OPERATOR_SKIP): S.SKIPPED,
    }
)


class PlanState(StrEnum):
    """Progress of a plan."""

    DRAFT = "draft"  # being written; nobody sees it
    CREATED = "created"  # to be reviewed; nothing was sent
    STARTED = "started"  # `apply` began: the same command resumes
    FINISHED = "finished"  # used up


class RunState(StrEnum):
    """State of one run of `apply`."""

    RUNNING = "running"  # somebody is at it, or died at it
    COMPLETED = "completed"  # nothing is left to do
    STOPPED = "stopped"  # left in good order with work remaining: waiting, interrupted, capped
    HALTED = "halted"  # stopped by a gate, a cap or an error that concerns the whole run


class RunEvent(StrEnum):
    """Event that ends a run."""

    FINISH = "finish"  # all SIMs reached their end
    STOP = "stop"  # the same command goes on
    HALT = "halt"  # something must be mended first
    TAKE_OVER = "take_over"  # the owner died; its lease went to another run


RUN_TRANSITIONS = MappingProxyType(
    {
        (RunState.RUNNING, RunEvent.FINISH): RunState.COMPLETED,
        (RunState.RUNNING, RunEvent.STOP): RunState.STOPPED,
        (RunState.RUNNING, RunEvent.HALT): RunState.HALTED,
        (RunState.RUNNING, RunEvent.TAKE_OVER): RunState.STOPPED,
    }
)


def advance(state: StepState, event: StepEvent) -> StepState:
    """Return the state after `event`.

    Raises: IllegalTransition, where the table has no such move.
    """
    try:
        return STEP_TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a step that is {state} cannot take the event {event}") from None
