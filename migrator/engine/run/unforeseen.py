"""Defects that nobody foresaw, kept to the SIM that shows them.

That SIM is skipped, and the other SIMs are never stopped.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from migrator.core.cutover.plan import CutoverItem
from migrator.core.cutover.rules import Told
from migrator.core.fleet.sims import SourceSim
from migrator.errors import Interrupted, MigratorError, NotStorable, StoreError, Unforeseen

__all__ = ["alone_if_need_be", "defect_words", "is_of_one_sim", "sim_by_sim"]

log = logging.getLogger("migrator.engine")

Asker = Callable[[Sequence[CutoverItem]], Awaitable[Mapping[str, Told]]]
Guard = Callable[[Mapping[CutoverItem, SourceSim]], Awaitable[Mapping[str, Told]]]


def is_of_one_sim(error: Exception) -> bool:
    """True if an error concerns one SIM and not the whole run.

    Such an error is a defect of ours, or a value that cannot be kept. Every other error of ours has its own meaning,
    and an order to stop is no error.
    """
    if isinstance(error, StoreError):
        return isinstance(error, NotStorable)
    return not isinstance(error, MigratorError | Interrupted)


def defect_words(error: Exception) -> str:
    """Return the place where a defect showed itself, in words.

    The error's own words are left out: they may hold anything, a secret too.
    """
    if isinstance(error, MigratorError):
        return error.message
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    frame = first.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = "" if frame is None else f" in {Path(frame.tb_frame.f_code.co_filename).name}, line {frame.tb_lineno}"
    words = f"a defect of this tool: {type(first).__name__}{place}; please report it"
    log.debug("%s", words)
    return words


async def alone_if_need_be(items: Sequence[CutoverItem], ask: Asker) -> Mapping[str, Told]:
    """Ask about SIMs together, and after a defect about each alone.

    The defect is reported for the SIM behind it, and for no other SIM.
    """
    try:
        return await ask(items)
    except Exception as error:
        if not is_of_one_sim(error):
            raise
        if len(items) == 1:
            return {items[0].key: Told(Unforeseen.code, defect_words(error))}
    told: dict[str, Told] = {}
    for item in items:
        told |= await alone_if_need_be([item], ask)
    return told


def sim_by_sim(guard: Guard) -> Guard:
    """Return a `guard` that handles each SIM alone after a defect.

    Only the SIM behind the defect is then not ordered.
    """

    async def guarded(seen: Mapping[CutoverItem, SourceSim]) -> Mapping[str, Told]:
        async def ask(some: Sequence[CutoverItem]) -> Mapping[str, Told]:
            return await guard({item: seen[item] for item in some})

        return await alone_if_need_be(list(seen), ask)

    return guarded
