"""Tags of a plan, of its old SIMs, and of the stock.

A tag is reused by its exact name, else made, once.
"""

from collections.abc import Mapping

from migrator.core.plan.plan import Action
from migrator.core.run.states import StepKind
from migrator.engine.run.context import Context
from migrator.engine.run.send import send
from migrator.errors import Halted, NotAuthorised, OutcomeUnknown, Permanent
from migrator.ports import MakeTag

__all__ = ["copied_tag_ids_of", "stock_tag_id_of", "tag_id_of"]

ACTIONS = (Action.CLAIM, Action.ADOPT, Action.UPDATE)


async def tag_id_of(ctx: Context) -> int | None:
    """Return the id of the plan's tag, or None.

    None where the plan has no tag, or nothing to put the tag on.

    Raises: Halted, if Hologram will not make the tag; OutcomeUnknown, if nobody knows whether Hologram made the tag.
    """
    name = ctx.policy.claim.tag
    if name is None or not any(ctx.header.counts.get(action, 0) for action in ACTIONS):
        return None
    known = await _known(ctx, name)
    return known if known is not None else await _made(ctx, name)


async def copied_tag_ids_of(ctx: Context) -> Mapping[str, int]:
    """Return the ids of the old SIMs' tags, by name.

    Empty where the plan copies none. The plan bounds their number.

    Raises: as `tag_id_of`.
    """
    names: list[str] = ctx.header.summary.get("copied_tags", [])
    if not names:
        return {}
    known = {tag.name: tag.tag_id for tag in await ctx.target.tags()}
    return {name: known[name] if name in known else await _made(ctx, name) for name in names}


async def stock_tag_id_of(ctx: Context) -> int | None:
    """Return the id of the stock's tag, or None.

    None where no SIM of the plan was claimed before, or Hologram has no such tag.
    """
    name = ctx.policy.stock.tag
    if name is None or not ctx.header.counts.get(Action.UPDATE, 0):
        return None
    return await _known(ctx, name)


async def _known(ctx: Context, name: str) -> int | None:
    return next((tag.tag_id for tag in await ctx.target.tags() if tag.name == name), None)


async def _made(ctx: Context, name: str) -> int:
    try:
        answer = await send(ctx, StepKind.TAG, (), MakeTag(name))
    except OutcomeUnknown:
        known = await _known(ctx, name)
        if known is None:
            raise  # a resume looks again, and makes it only if it is not there then
        return known
    except NotAuthorised:
        raise
    except Permanent as error:
        raise Halted(
            f"Hologram will not make the tag {name!r}: {error.carrier_words or error.message}; nothing was claimed",
            code="tag_refused",
            hint="make the tag in Hologram's dashboard and run the same command again, or set [claim] tag to another "
            'name ("" is no tag), or tags = "leave", and make a new plan',
        ) from error
    assert answer.tag is not None  # noqa: S101 - MakeTag is answered with its tag
    return answer.tag.tag_id
