"""Plans shown to an operator, and the plan of a bare `apply`.

A command that names no plan must be about the plan that this operator was shown last. A newer plan is somebody
else's.
"""

from collections.abc import Callable
from contextlib import suppress

from migrator.core.cutover.plan import Direction
from migrator.errors import InputError, StoreError
from migrator.store import Store
from migrator.wiring import SystemClock, person

__all__ = ["Ask", "meant_cutover", "meant_plan", "shown_cutover", "shown_plan"]

PLAN = "plan"

Ask = Callable[[str], str]
"""Question to a person for a plan's id, with words on why."""


def shown_plan(store: Store, plan_id: str) -> None:
    """Note that this operator was shown a plan.

    A plan is shown when it is made, printed, approved or gone through by a dry run.
    """
    _note(store, PLAN, plan_id)


def shown_cutover(store: Store, direction: Direction, cutover_id: str) -> None:
    """Note that this operator was shown a cutover or rollback plan."""
    _note(store, direction.value, cutover_id)


def _note(store: Store, kind: str, named: str) -> None:
    """Note the plan that was shown, if the store can be written.

    The store may be busy, or not ours to write. Then the operator has to name the plan.
    """
    who = person()
    if who is not None:
        with suppress(StoreError, InputError):
            store.looks.note(who, kind, named, SystemClock().now().timestamp())


def meant_plan(store: Store, newest: str, ask: Ask | None) -> str:
    """Return the plan of a bare `apply`.

    The newest plan is meant, unless this operator was shown another plan last.

    Args:
        store: with the plans.
        newest: the newest plan.
        ask: asked where the operator may mean another; None where nobody can be asked.

    Raises: InputError, if nobody says which plan is meant.
    """
    if store.plans.state(newest) != "created" and not _is_elsewhere(store, PLAN, newest):
        return newest
    others = [str(plan["plan_id"]) for plan in store.plans.list() if plan["state"] != "finished"]
    known = [str(plan["plan_id"]) for plan in store.plans.list()]
    return _meant(store, ask, PLAN, newest, others=others, known=known)


def meant_cutover(store: Store, direction: Direction, newest: str, ask: Ask | None) -> str:
    """Return the plan of a bare `cutover apply` or `rollback apply`.

    The rule is the same as for `meant_plan`.
    """
    if store.cutovers.state(newest) != "created" and not _is_elsewhere(store, direction.value, newest):
        return newest
    known = store.cutovers.known(direction)
    others = [named for named, state in known.items() if state != "finished"]
    return _meant(store, ask, direction.value, newest, others=others, known=list(known))


def _is_elsewhere(store: Store, kind: str, newest: str) -> bool:
    """True if this operator was shown another plan last.

    A plan that others began is then theirs to go on with.
    """
    who = person()
    look = None if who is None else store.looks.last(who, kind)
    return look is not None and look.named != newest


def _meant(store: Store, ask: Ask | None, kind: str, newest: str, *, others: list[str], known: list[str]) -> str:
    who = person()
    look = None if who is None else store.looks.last(who, kind)
    if look is None and others == [newest]:
        return newest  # somebody who never looked, such as a later step of a pipeline: no other can be meant
    if look is not None and look.named == newest:
        return newest
    words = _words(kind, newest, None if look is None else look.named, who)
    if ask is None:
        raise _unnamed(kind, newest, words)
    given = ask(f"{words[0].upper()}{words[1:]}.")
    if given not in known:
        raise _unnamed(kind, newest, f"there is no such {_name(kind)} in this store")
    return given


def _words(kind: str, newest: str, last: str | None, who: str | None) -> str:
    name = _name(kind)
    if last is not None:
        return f"the newest {name} is {newest}, and {who} was shown {last} last"
    return f"the newest {name} is {newest}, there are others, and none was shown to {who or 'whoever this is'}"


def _unnamed(kind: str, newest: str, words: str) -> InputError:
    show, apply = ("plan show", "apply") if kind == PLAN else ("cutover show", f"{kind} apply")
    return InputError(
        f"{words}; nothing was sent",
        code="which_plan",
        hint=f"look at `migrator {show} {newest}`, then name the plan that you mean: `migrator {apply} {newest}`",
    )


def _name(kind: str) -> str:
    return PLAN if kind == PLAN else f"{kind} plan"
