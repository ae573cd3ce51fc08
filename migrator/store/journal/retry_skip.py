"""`retry` and `skip`: operator commands for SIMs that failed or wait.

Each command is one transaction, with moves that the table allows.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Select, delete, literal, select, update

from migrator.chunks import chunks
from migrator.core.plan.plan import ACTING, Action
from migrator.core.run.control import Intervened, Selection
from migrator.core.run.doubts import Doubt, doubt_of
from migrator.core.run.states import IN_DOUBT, MIGRATION_STEPS, PlanState, StepEvent, StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow, among, json_list
from migrator.store.database.sql import changed_rows
from migrator.store.journal.moves import move_noted
from migrator.store.journal.verifications import in_wave, set_aside
from migrator.store.log import note, note_of_plan
from migrator.store.pairs.paid_pairs import paid_by_others
from migrator.store.plans.lookup import any_plan_row, plan_row
from migrator.store.tables.plans import changes, plans, steps, verifications

__all__ = [
    "LEFT_TO_DO",
    "NOT_BEGUN",
    "Interventions",
    "Moves",
    "chosen_keys",
    "chosen_plan",
    "move_all",
    "refuse_doubt",
    "steps_of",
]

NOT_BEGUN = "not_begun"
WAITING = "waiting"
SHOWN = 5
LEFT_TO_DO = (StepState.PENDING, StepState.FAILED)

_judged = (verifications.c.plan_no == changes.c.plan_no) & (verifications.c.source_key == changes.c.source_key)

Moves = dict[StepKind, dict[str, tuple[str, str]]]
"""Code and message by SIM key, by kind of step."""


class Interventions:
    """Moves of steps that an operator orders.

    The caller holds the lease, unless the call only counts.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def retry(
        self, plan_id: str, chosen: Selection, *, now: float, never_claimed: bool = False, dry_run: bool = False
    ) -> Intervened:
        """Make FAILED steps UNCERTAIN, so that `apply` reads before sending.

        The plan may be of any kind. The SIMs take orders again, whatever was found of the SIMs before. A finished plan
        is in use again. A claim that the carrier named as done keeps that code: the claim is searched for again, and
        never sent again, unless `never_claimed`. A claim of a card that another plan claimed, or may have, stays as it
        is: it would count twice.

        Args:
            plan_id: the plan.
            chosen: which SIMs; with codes, only the steps that failed under one of them.
            now: UTC seconds.
            never_claimed: the carrier withdrew its word; a claim that no read shows in due time may be sent again.
            dry_run: only count.

        Raises: InputError, if there is no such plan or wave.
        """
        row = chosen_plan(self._db, plan_id, chosen)
        failed = (
            select(steps.c.source_key, steps.c.kind, steps.c.code, steps.c.message)
            .where(steps.c.plan_no == row.plan_no, steps.c.state == StepState.FAILED)
            .where(steps.c.source_key.in_(chosen_keys(row.plan_no, chosen)), _has_code(chosen.codes))
        )
        with self._db.write() as connection:
            found = connection.execute(failed).all()
            claims = [step.source_key for step in found if step.kind == StepKind.CLAIM]
            others = paid_by_others(connection, row.plan_no, claims)
            found = [step for step in found if step.kind != StepKind.CLAIM or step.source_key not in others]
            moves: Moves = defaultdict(dict)
            for step in found:
                is_named = doubt_of(step.code) is Doubt.CLAIMED_UNSEEN and not never_claimed
                doubt = Doubt.CLAIMED_UNSEEN if is_named else Doubt.RETRIED
                moves[StepKind(step.kind)][step.source_key] = (doubt, step.message)
            if found and not dry_run:
                move_all(connection, row, StepEvent.OPERATOR_RETRY, moves, now)
                _forget_verdicts(connection, row, {step.source_key for step in found}, now)
                _reopen(connection, row, now)
        return Intervened(len({step.source_key for step in found}), Counter(step.code for step in found))

    def skip(self, plan_id: str, chosen: Selection, *, now: float, dry_run: bool = False) -> Intervened:
        """Skip SIMs: nothing more is sent for them under this plan.

        Verified SIMs are left as they are. PENDING and FAILED steps become SKIPPED. A SIM without such a step gets a
        SKIPPED step for what would come first.

        Args:
            plan_id: the plan.
            chosen: which SIMs; with codes, those with a step that failed under one of them.
            now: UTC seconds.
            dry_run: only count.

        Raises: InputError, if there is no such plan or wave, or if the outcome of a request for one of the SIMs is
            unknown; then nothing is written.
        """
        row = chosen_plan(self._db, plan_row(self._db, plan_id).plan_id, chosen)
        with self._db.write() as connection:
            sims = connection.execute(_to_skip(row.plan_no, chosen)).all()
            by_key = steps_of(connection, row.plan_no, [sim.source_key for sim in sims])
            doubtful = [sim.source_iccid for sim in sims if _is_in_doubt(by_key[sim.source_key])]
            refuse_doubt(f"migrator apply {plan_id}", doubtful)
            moves: Moves = defaultdict(dict)
            codes: Counter[str] = Counter()
            for sim in sims:
                codes[_plan_skip(moves, sim, by_key[sim.source_key])] += 1
            if not dry_run:
                move_all(connection, row, StepEvent.OPERATOR_SKIP, moves, now)
        return Intervened(len(sims), codes)

    def not_in_plan(self, plan_id: str, keys: Iterable[str]) -> set[str]:
        """Return the keys that a plan of any kind does not hold."""
        plan_no = any_plan_row(self._db, plan_id).plan_no
        missing = set(keys)
        for chunk in chunks(sorted(missing)):
            held = select(changes.c.source_key).where(changes.c.plan_no == plan_no, _among(chunk))
            missing -= {row.source_key for row in self._db.rows(held)}
        return missing


def chosen_plan(database: Database, plan_id: str, chosen: Selection) -> AnyRow:
    """Return the row of a plan of any kind.

    Raises: InputError, if there is no such plan or wave.
    """
    row = any_plan_row(database, plan_id)
    waves = json.loads(row.header)["waves"]
    if chosen.wave is not None and chosen.wave not in waves:
        raise InputError(
            f"plan {plan_id} has no wave {chosen.wave!r}", code="no_such_wave", hint=f"its waves: {', '.join(waves)}"
        )
    return row


def chosen_keys(plan_no: int, chosen: Selection) -> Select[tuple[str]]:
    """Select the keys of the SIMs in a wave and a list."""
    picked = select(changes.c.source_key).where(changes.c.plan_no == plan_no, in_wave(chosen.wave))
    return picked if chosen.keys is None else picked.where(_among(chosen.keys))


def _among(keys: Collection[str]) -> ColumnElement[bool]:
    return among(changes.c.source_key, literal(json_list(keys)))


def _has_code(codes: frozenset[str]) -> ColumnElement[bool]:
    return steps.c.code.in_(sorted(codes)) if codes else steps.c.code.is_not(None)


def _to_skip(plan_no: int, chosen: Selection) -> Select[tuple[str, str, str]]:
    """Select key, ICCID and action of the SIMs to skip.

    Such SIMs are chosen, and still have something to do.
    """
    wanted = (
        select(changes.c.source_key, changes.c.source_iccid, changes.c.action)
        .outerjoin_from(changes, verifications, _judged)
        .where(changes.c.plan_no == plan_no, changes.c.action.in_(ACTING))
        .where(changes.c.source_key.in_(chosen_keys(plan_no, chosen)), changes.c.source_key.not_in(set_aside(plan_no)))
        .where(verifications.c.verdict.is_distinct_from(Verdict.OK.value))
        .order_by(changes.c.source_iccid)
    )
    if not chosen.codes:
        return wanted
    failed = select(steps.c.source_key).where(
        steps.c.plan_no == plan_no, steps.c.state == StepState.FAILED, _has_code(chosen.codes)
    )
    return wanted.where(changes.c.source_key.in_(failed))


def steps_of(connection: Connection, plan_no: int, keys: Sequence[str]) -> dict[str, list[AnyRow]]:
    """Return the steps of some SIMs, by key."""
    found: dict[str, list[AnyRow]] = {key: [] for key in keys}
    for chunk in chunks(keys):
        mine = select(steps).where(steps.c.plan_no == plan_no, steps.c.source_key.in_(chunk))
        for row in connection.execute(mine):
            found[row.source_key].append(row)
    return found


def _is_in_doubt(taken: Iterable[AnyRow]) -> bool:
    return any(step.state in IN_DOUBT for step in taken)


def refuse_doubt(command: str, sims: Sequence[str]) -> None:
    """Refuse SIMs that have a request whose outcome is unknown.

    Args:
        command: what reads the outcome.
        sims: their ICCIDs.

    Raises: InputError, if there are such SIMs.
    """
    if sims:
        named = ", ".join(sims[:SHOWN]) + (", ..." if len(sims) > SHOWN else "")
        raise InputError(
            f"{len(sims)} of these SIMs have a request whose outcome is not known yet ({named}); nothing was changed",
            code="in_doubt",
            hint=f"run `{command}` first: it reads what became of them; then skip what is left",
        )


def _plan_skip(moves: Moves, sim: AnyRow, taken: Sequence[AnyRow]) -> str:
    """Note which steps of a SIM are skipped.

    Codes and messages are kept: a skip does not forget a claim that the carrier named as done.

    Returns: the code under which the SIM is counted.
    """
    open_steps = [step for step in taken if step.state in LEFT_TO_DO]
    for step in open_steps:
        moves[StepKind(step.kind)][sim.source_key] = (step.code, step.message)
    if not open_steps:
        kinds = MIGRATION_STEPS if sim.action == Action.CLAIM else MIGRATION_STEPS[1:]
        free = [kind for kind in kinds if kind not in {step.kind for step in taken}]
        for kind in free[:1]:
            moves[kind][sim.source_key] = ("", "")
    failed = [step.code for step in open_steps if step.state == StepState.FAILED]
    if failed:
        return str(failed[0])
    return WAITING if taken else NOT_BEGUN


def move_all(connection: Connection, plan: AnyRow, event: StepEvent, moves: Moves, now: float) -> None:
    """Move the steps of several kinds by one event."""
    for kind, keys in moves.items():
        move_noted(connection, plan, kind, event, keys, now=now)


def _forget_verdicts(connection: Connection, plan: AnyRow, keys: Iterable[str], now: float) -> None:
    for chunk in chunks(sorted(keys)):
        mine = (verifications.c.plan_no == plan.plan_no) & verifications.c.source_key.in_(chunk)
        dropped = changed_rows(connection.execute(delete(verifications).where(mine)))
        if dropped:
            note(connection, now, "verdicts.dropped", plan.plan_id, {"sims": dropped})


def _reopen(connection: Connection, plan: AnyRow, now: float) -> None:
    """Put a finished plan in use again."""
    finished = (plans.c.plan_no == plan.plan_no) & (plans.c.state == PlanState.FINISHED)
    reopened = update(plans).where(finished).values(state=PlanState.STARTED, finished_at=None)
    if changed_rows(connection.execute(reopened)):
        note_of_plan(connection, now, "plan.reopened", plan, {})
