"""Words on a cutover or rollback, for receivers and hooks."""

from collections.abc import Mapping
from typing import Any

from migrator.core.campaign.notices import Notice
from migrator.core.cutover.plan import Direction
from migrator.core.cutover.results import CutoverResult
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.results import ExitCode
from migrator.engine.cutover.context import CutoverContext

__all__ = ["asked_of_hook", "notices_at_end", "notices_of_wave"]

_OVER = {ExitCode.DONE, ExitCode.ATTENTION}


def notices_at_end(ctx: CutoverContext, result: CutoverResult) -> list[Notice]:
    """Return the notices of a run that ends.

    The call of a campaign tells it, summed over its cutovers.
    """
    if not ctx.around.to or ctx.around.campaign:
        return []
    counts = {"planned": ctx.header.count, "proved": result.proved, "as_found": result.already}
    counts |= {"paused": result.paused, "open": result.unproved, "not_alive": len(result.not_alive)}
    bad = {**result.aside, **result.failed, **result.changed}
    command = f"migrator cutover show {ctx.cutover_id}" if result.exit_code in _OVER else _command(ctx)
    told = {**_head(ctx), "run_id": result.run_id, "counts": counts, "failed": bad, "reason": result.reason}
    told |= {"hint": result.hint, "next": command, "sims": list(result.not_alive)}
    around, plan_id = ctx.around, ctx.header.plan_id
    notices = around.notices_of_end(ctx.cutover_id, result, told, ctx.clock, plan_id=plan_id)
    if result.exit_code in _OVER and not result.unproved:
        key = f"cutover_done:{ctx.cutover_id}"
        notices.append(Notice(NoticeEvent.CUTOVER_DONE, key, told, around.to, plan_id))
    return notices


def notices_of_wave(ctx: CutoverContext, wave: str, words: str, next_wave: str) -> list[Notice]:
    """Return the notice that a wave opened the next one.

    A campaign's cutover has one wave.
    """
    if not ctx.around.to or ctx.around.campaign:
        return []
    told = {**_head(ctx), "wave": wave, "reason": f"{words}: {next_wave!r} is open", "next": _command(ctx)}
    key = f"wave_done:{ctx.cutover_id}:{wave}"
    return [Notice(NoticeEvent.WAVE_DONE, key, told, ctx.around.to, ctx.header.plan_id)]


def asked_of_hook(ctx: CutoverContext, left_in_wave: int) -> Mapping[str, Any]:
    """Return what `before_cutover` is told: counts."""
    counts = {"planned": ctx.header.count, "left_in_wave": left_in_wave}
    return {"direction": Direction(ctx.header.direction).value, "counts": counts, "money": None}


def _command(ctx: CutoverContext) -> str:
    return ctx.around.way_on(f"migrator {ctx.header.direction} apply {ctx.cutover_id}")


def _head(ctx: CutoverContext) -> dict[str, Any]:
    head = {"plan_id": ctx.header.plan_id, "switch_id": ctx.cutover_id, "direction": ctx.header.direction.value}
    return {**head, "ref": ctx.around.ref, "who": ctx.around.who}
