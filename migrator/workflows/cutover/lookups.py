"""Cutovers and rollbacks by id, by file, or the newest."""

from itertools import zip_longest
from pathlib import Path

from migrator.core.cutover.plan import Direction, header_from
from migrator.core.policy.policy import CutoverPolicy
from migrator.errors import InputError, StalePlan
from migrator.inputs.policy.file import stored_policy
from migrator.store import Store
from migrator.workflows.cutover.make import cutover_lines

__all__ = ["cutover_id_of", "cutover_policy", "last_exit_code", "plan_cut_over_last"]


def cutover_id_of(store: Store, given: str | None, direction: Direction | None) -> str:
    """Return the id of the cutover or rollback plan that is meant.

    That is `given`, an id or a plan file, or the newest of this direction.

    Raises: InputError, if there is none; StalePlan, for a file of another store.
    """
    if given is None:
        newest = store.cutovers.newest(direction)
        if newest is None:
            name = "cutover" if direction is None else direction.value
            hint = f"run `migrator {name} plan`"
            raise InputError(f"the store holds no {name} plan yet", code="no_plan", hint=hint)
        return newest
    file = Path(given) if Path(given).is_file() else None
    if file is not None:
        given = _id_in_file(store, file)
    header = store.cutovers.header(given)
    if file is not None:
        _must_be_the_stored_plan(store, file, given)
    if direction is not None and header.direction is not direction:
        raise InputError(
            f"{given} is a {header.direction} plan", code="other_direction", hint=f"`migrator {header.direction} apply`"
        )
    return given


def _id_in_file(store: Store, file: Path) -> str:

    try:
        with file.open(encoding="utf-8") as lines:
            header = header_from(next(lines))
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        hint = "`migrator cutover show --out FILE` writes one"
        raise InputError(f"{file} is no cutover or rollback plan", code="bad_plan_file", hint=hint) from None
    if header.lineage != store.lineage:
        raise StalePlan(
            f"{file} was made from another store (lineage {header.lineage}, this one is {store.lineage})",
            code="other_lineage",
            hint="use the store that it was made from, or make a new plan here",
        )
    return header.cutover_id


def _must_be_the_stored_plan(store: Store, file: Path, cutover_id: str) -> None:
    """Refuse a file that is not the stored plan to the letter.

    Raises: InputError, naming the first line that differs.
    """
    with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        pairs = zip_longest(lines, cutover_lines(store, cutover_id))
        number = next((at for at, (here, there) in enumerate(pairs, 1) if here != there), None)
    if number is not None:
        raise InputError(
            f"{file}:{number}: this is not what the store holds of plan {cutover_id}: the file was changed since it "
            "was written",
            code="edited_plan",
            hint="a plan is not edited: make a new one; or write this one again: `migrator cutover show --out FILE`",
        )


def plan_cut_over_last(store: Store) -> str | None:
    """Return the migration's plan that was cut over last.

    The way back is for that plan, also when there is a newer plan.
    """
    newest = store.cutovers.newest(Direction.CUTOVER)
    return None if newest is None else store.cutovers.header(newest).plan_id


def cutover_policy(store: Store, plan_id: str) -> CutoverPolicy:
    """Return what the policy of a migration's plan says of its cutovers."""
    return stored_policy(store.plans.policy_text(plan_id), name=f"policy of {plan_id}").cutover


def last_exit_code(store: Store, cutover_id: str) -> int:
    """Return the exit code of a plan's last run; 0 for none."""
    runs = store.journal.runs(cutover_id)
    return int(runs[-1].exit_code or 0) if runs else 0
