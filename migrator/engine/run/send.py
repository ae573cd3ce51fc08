"""Writes: intent on disk, request, outcome on disk.

The `run` of a write is the `Context` of a migration, or the `CutoverContext` of a cutover or rollback.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from migrator.core.run.states import StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.engine.run.anchor import anchored
from migrator.engine.run.context import RunContext
from migrator.engine.run.unforeseen import defect_words, is_of_one_sim
from migrator.errors import NotAuthorised, OutcomeUnknown, Permanent, PlatformError, Transient, Unforeseen
from migrator.ports import Answer, SetSourceState, TargetOrder, Vouch

__all__ = ["keys_of", "send"]


class Keyed(Protocol):
    """SIM of a plan."""

    @property
    def key(self) -> str:
        """Key of the old SIM."""


def keys_of(items: Collection[Keyed], code: str = "", message: str = "") -> dict[str, tuple[str, str]]:
    """Return the SIM keys of some items, with one code and message."""
    return {item.key: (code, message) for item in items}


async def send(
    run: RunContext[Any],
    kind: StepKind,
    items: Collection[Keyed],
    order: TargetOrder | SetSourceState,
    *,
    vouch: Vouch | None = None,
    said: Callable[[Answer | Permanent], Mapping[str, tuple[str, str]]] | None = None,
    proves: bool = False,
) -> Answer:
    """Journal the intent, send the order, journal what came back.

    The caller settles the steps, as only the caller knows what the answer is worth. A lost answer makes them UNCERTAIN.
    So does an answer, or a refusal for good, with `said`: it gives code and words by SIM key, which are kept in the
    same commit, so that a process that dies right after it has forgotten nothing. An answer that accepts an order
    makes the steps DONE, if it `proves` them. Else they stay IN_FLIGHT.

    Args:
        run: of a migration, a cutover or a rollback.
        kind: the step.
        items: the SIMs, as `run.begin` takes them.
        order: what goes out.
        vouch: called as the order leaves.
        said: what an answer means for the SIMs.
        proves: whether the answer alone shows that the order took effect.

    Raises: PlatformError, after the request's outcome is on disk; what `Stopper.checkpoint` raises, and InputError for
        an order that must not leave, before its intent.
    """
    request = run.request(order)
    await run.stopper.checkpoint()  # nothing is waited for between this and the intent
    request_id = run.begin(kind, items, request)
    run.hooks.after_intent(kind)
    try:
        if run.is_anchored(kind):
            await anchored(run.journal, run.stopper)
        answer = await run.send(order, vouch)
    except PlatformError as error:
        run.hooks.after_effect(kind)
        in_doubt: Mapping[str, tuple[str, str]] | None = None
        if isinstance(error, OutcomeUnknown):
            in_doubt = keys_of(items, error.code, error.message)
        elif isinstance(error, Permanent) and not isinstance(error, NotAuthorised) and said is not None:
            in_doubt = said(error)
        words = error.carrier_words or error.message
        run.journal.answered(
            request_id, _outcome_of(error), now=run.now(), status=error.status, message=words, in_doubt=in_doubt
        )
        run.hooks.after_outcome(kind)
        raise
    except Exception as error:
        if not is_of_one_sim(error):
            raise
        run.hooks.after_effect(kind)
        defect = Unforeseen(defect_words(error))
        in_doubt = keys_of(items, defect.code, defect.message)
        run.journal.answered(request_id, RequestOutcome.LOST, now=run.now(), message=defect.message, in_doubt=in_doubt)
        run.hooks.after_outcome(kind)
        raise defect from error
    run.hooks.after_effect(kind)
    in_doubt = None if said is None else said(answer)
    proved = [item.key for item in items] if proves else ()
    run.journal.answered(
        request_id, RequestOutcome.ACCEPTED, now=run.now(), job_id=answer.job_id, in_doubt=in_doubt, proved=proved
    )
    run.hooks.after_outcome(kind)
    return answer


def _outcome_of(error: PlatformError) -> RequestOutcome:
    if isinstance(error, OutcomeUnknown):
        return RequestOutcome.LOST
    return RequestOutcome.REFUSED_FOR_NOW if isinstance(error, Transient) else RequestOutcome.REFUSED
