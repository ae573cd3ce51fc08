"""Words on a run of `apply`, for receivers and hooks."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from migrator.core.campaign.notices import Notice, spend_notices
from migrator.core.fleet.units import money
from migrator.core.money.caps import Used, used_of, used_values
from migrator.core.policy.outside import NoticeEvent
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.steps import Verdict
from migrator.engine.run.context import Context

__all__ = ["asked_of_hook", "notices_at_end", "notices_of_spend", "notices_of_wave"]


def notices_at_end(ctx: Context, result: ApplyResult) -> list[Notice]:
    """Return the notices of a run that ends."""
    if not ctx.around.to:
        return []
    counts: dict[str, Any] = {"claimed": result.claimed, "writes": result.writes, "blocked": result.blocked}
    counts |= {str(verdict): count for verdict, count in result.verdicts.items() if count}
    told = {**_head(ctx), "run_id": result.run_id, "counts": counts, "failed": dict(result.failed)}
    told |= {"money": _money(ctx), "reason": result.reason, "hint": result.hint, "next": _next(ctx, result.exit_code)}
    ended = [] if ctx.around.campaign else ctx.around.notices_of_end(ctx.plan_id, result, told, ctx.clock)
    return [*ended, *notices_of_spend(ctx)]


def notices_of_wave(ctx: Context, wave: str) -> list[Notice]:
    """Return the notice that a wave has enough verified SIMs.

    The call of a campaign tells it, summed over its plans.
    """
    if not ctx.around.to or ctx.around.campaign:
        return []
    verdicts = ctx.journal.verdicts(ctx.plan_id, wave)
    words = f"wave {wave!r} is done: {verdicts.get(Verdict.OK, 0)} of {sum(verdicts.values())} SIMs are verified"
    told = {**_head(ctx), "wave": wave, "counts": {str(verdict): n for verdict, n in verdicts.items() if n}}
    told |= {"money": _money(ctx), "reason": words, "next": _next(ctx, ExitCode.DONE)}
    return [Notice(NoticeEvent.WAVE_DONE, f"wave_done:{ctx.plan_id}:{wave}", told, ctx.around.to, ctx.plan_id)]


def notices_of_spend(ctx: Context, price: Decimal | None = None) -> list[Notice]:
    """Return a notice for each cap of which four fifths are used."""
    if not ctx.around.to:
        return []
    told = {**_head(ctx), "next": f"migrator status {ctx.plan_id}"}
    return spend_notices(
        ctx.policy.caps, _used(ctx, price), ctx.header.org_id, told, to=ctx.around.to, plan_id=ctx.plan_id
    )


def asked_of_hook(ctx: Context, price: Decimal | None) -> Mapping[str, Any]:
    """Return what `before_claim` is told: counts and money."""
    used = _used(ctx, price)
    left = max(0, ctx.header.claims - used.own_sims)
    cost = None if price is None else money(price * left)
    return {
        "counts": {"claims": ctx.header.claims, "claimed": used.own_sims, "left": left},
        "money": {"price": None if price is None else money(price), "cost_of_left": cost, **_money(ctx, price)},
    }


def _head(ctx: Context) -> dict[str, Any]:
    head = {"plan_id": ctx.plan_id, "org_id": ctx.header.org_id, "ref": ctx.around.ref, "who": ctx.around.who}
    return {"campaign": ctx.around.campaign, **head} if ctx.around.campaign else head


def _used(ctx: Context, price: Decimal | None = None) -> Used:
    return used_of(ctx.journal.claims_made(ctx.header.org_id), ctx.policy.caps, ctx.plan_id, price)


def _money(ctx: Context, price: Decimal | None = None) -> dict[str, Any]:
    values = used_values(ctx.policy.caps, _used(ctx, price))
    return {name: values[name] for name in ("used_sims", "max_sims", "used_spend", "max_spend_now")}


def _next(ctx: Context, exit_code: ExitCode) -> str:
    if exit_code is ExitCode.STALE:
        return "migrator plan create"
    if exit_code is ExitCode.ATTENTION:
        return f"migrator report {ctx.plan_id}"
    return ctx.around.way_on(f"migrator apply {ctx.plan_id}")
