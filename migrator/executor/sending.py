"""One write: its intent on disk, the request, its outcome on disk."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from migrator.core.journal import Item, RequestOutcome
from migrator.core.states import StepEvent, StepKind
from migrator.errors import OutcomeUnknown, PlatformError, Transient
from migrator.executor.context import Context
from migrator.ports import Outgoing

__all__ = ["keys_of", "send"]

T = TypeVar("T")


def keys_of(items: Sequence[Item], code: str = "", message: str = "") -> dict[str, tuple[str, str]]:
    """The SIM keys of some items, each with the same code and message."""
    return {item.key: (code, message) for item in items}


async def send(
    ctx: Context,
    kind: StepKind,
    items: Sequence[Item],
    outgoing: Outgoing,
    effect: Callable[[], Awaitable[T]],
    *,
    said: Callable[[T], Mapping[str, tuple[str, str]]] | None = None,
) -> tuple[int, T]:
    """Journal the intent, act, journal what came back. Returns: the request's id and the reply.

    The steps are left IN_FLIGHT for the caller to settle, whatever comes: only it knows what the answer is worth. With
    `said`, which gives code and words by SIM key, an answer leaves them UNCERTAIN, and that is kept in one with the
    answer: a process that dies right after it has forgotten nothing of what the carrier said.

    Raises: PlatformError, after the request's outcome is on disk; what `Stopper.checkpoint` raises, before its intent.
    """
    await ctx.stopper.checkpoint()  # nothing is waited for between this and the intent
    wave = items[0].change.wave if items else None
    keys = [item.key for item in items]
    request_id = ctx.journal.begin(ctx.run_id, kind, keys, outgoing, wave=wave, now=ctx.now())
    ctx.hooks.after_intent(kind)
    try:
        reply = await effect()
    except PlatformError as error:
        ctx.hooks.after_effect(kind)
        outcome = _outcome_of(error)
        ctx.journal.answered(
            request_id, outcome, now=ctx.now(), status=error.status, message=error.carrier_words or error.message
        )
        if outcome is RequestOutcome.LOST:
            lost = keys_of(items, error.code, error.message)
            ctx.journal.move(ctx.plan_id, kind, StepEvent.LOST, lost, now=ctx.now())
        raise
    ctx.hooks.after_effect(kind)
    job_id = getattr(reply, "job_id", None)
    in_doubt = None if said is None else said(reply)
    ctx.journal.answered(request_id, RequestOutcome.ACCEPTED, now=ctx.now(), job_id=job_id, in_doubt=in_doubt)
    ctx.hooks.after_outcome(kind)
    return request_id, reply


def _outcome_of(error: PlatformError) -> RequestOutcome:
    if isinstance(error, OutcomeUnknown):
        return RequestOutcome.LOST
    return RequestOutcome.REFUSED_FOR_NOW if isinstance(error, Transient) else RequestOutcome.REFUSED
