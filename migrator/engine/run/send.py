"""Writes: intent on disk, request, outcome on disk."""

from collections.abc import Callable, Mapping, Sequence

from migrator.core.run.states import StepKind
from migrator.core.run.steps import Item, RequestOutcome
from migrator.engine.run.anchor import anchored
from migrator.engine.run.context import Context
from migrator.engine.run.unforeseen import defect_words, is_of_one_sim
from migrator.errors import NotAuthorised, OutcomeUnknown, Permanent, PlatformError, Transient, Unforeseen
from migrator.ports import Answer, TargetOrder, Vouch

__all__ = ["keys_of", "send"]


def keys_of(items: Sequence[Item], code: str = "", message: str = "") -> dict[str, tuple[str, str]]:
    """Return the SIM keys of some items, with one code and message."""
    return {item.key: (code, message) for item in items}


async def send(
    ctx: Context,
    kind: StepKind,
    items: Sequence[Item],
    order: TargetOrder,
    *,
    vouch: Vouch | None = None,
    said: Callable[[Answer | Permanent], Mapping[str, tuple[str, str]]] | None = None,
) -> Answer:
    """Journal the intent, send the order, journal what came back.

    The caller settles the steps, as only the caller knows what the answer is worth. A lost answer makes them UNCERTAIN.
    So does an answer, or a refusal for good, with `said`: it gives code and words by SIM key, which are kept in the
    same commit, so that a process that dies right after it has forgotten nothing. Else the steps stay IN_FLIGHT.

    Raises: PlatformError, after the request's outcome is on disk; what `Stopper.checkpoint` raises, and InputError for
        an order that must not leave, before its intent.
    """
    request = ctx.target.request(order)
    await ctx.stopper.checkpoint()  # nothing is waited for between this and the intent
    wave = items[0].change.wave if items else None
    keys = [item.key for item in items]
    request_id = ctx.journal.begin(ctx.run_id, kind, keys, request, wave=wave, now=ctx.now())
    ctx.hooks.after_intent(kind)
    try:
        if kind is StepKind.CLAIM:  # every other order shows on the record, and may be given twice
            await anchored(ctx.journal, ctx.stopper)
        answer = await ctx.target.send(order, vouch=vouch)
    except PlatformError as error:
        ctx.hooks.after_effect(kind)
        in_doubt: Mapping[str, tuple[str, str]] | None = None
        if isinstance(error, OutcomeUnknown):
            in_doubt = keys_of(items, error.code, error.message)
        elif isinstance(error, Permanent) and not isinstance(error, NotAuthorised) and said is not None:
            in_doubt = said(error)
        words = error.carrier_words or error.message
        ctx.journal.answered(
            request_id, _outcome_of(error), now=ctx.now(), status=error.status, message=words, in_doubt=in_doubt
        )
        ctx.hooks.after_outcome(kind)
        raise
    except Exception as error:
        if not is_of_one_sim(error):
            raise
        ctx.hooks.after_effect(kind)
        defect = Unforeseen(defect_words(error))
        in_doubt = keys_of(items, defect.code, defect.message)
        ctx.journal.answered(request_id, RequestOutcome.LOST, now=ctx.now(), message=defect.message, in_doubt=in_doubt)
        ctx.hooks.after_outcome(kind)
        raise defect from error
    ctx.hooks.after_effect(kind)
    in_doubt = None if said is None else said(answer)
    ctx.journal.answered(request_id, RequestOutcome.ACCEPTED, now=ctx.now(), job_id=answer.job_id, in_doubt=in_doubt)
    ctx.hooks.after_outcome(kind)
    return answer


def _outcome_of(error: PlatformError) -> RequestOutcome:
    if isinstance(error, OutcomeUnknown):
        return RequestOutcome.LOST
    return RequestOutcome.REFUSED_FOR_NOW if isinstance(error, Transient) else RequestOutcome.REFUSED
