"""Each safety rule taken out in turn, on a copy of the tree: does its test notice, or do the schedules, and how soon?

`make mutations`, or `python -m tests.simulation.mutations [RULE ...] --jobs 2`. Not part of CI, which only sees to it
that every text below is still found where it should be.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

__all__ = ["MUTATIONS", "ROOT", "Mutation", "main", "patched"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One rule, and how to take it out: `old` becomes `new` in `place`, where it stands exactly once.

    `place` is "FILE::NAME", the name of a function, class or constant: lines may move, and it is still found.

    `test` is the test that must notice. A rule without one is for the schedules: `seed` is one that noticed it before,
    and is tried first, then seeds from 0 on, as what a seed draws changes with the simulation.
    """

    rule: str
    place: str
    old: str
    new: str
    what: str = "migration"
    source: str = "1nce"
    seed: int | None = None
    test: str = ""

    @property
    def file(self) -> str:
        """The file of the place."""
        return self.place.partition("::")[0]


MUTATIONS = (
    Mutation(
        "read before resend",
        "migrator/engine/apply/settle.py::settle_claims",
        "        await reader.read(targets_of(items), full=False, thorough=True)  # what our list lacks may be ours\n"
        "        found",
        "        _move_absent(ctx, items)\n        return\n        found",
    ),
    Mutation(
        "two agreeing reads",
        "migrator/engine/apply/settle.py::settle_claims",
        "if item.key in absent_before and _rested(ctx, item, began_at)]",
        "if _rested(ctx, item, began_at)]",
        test="tests/engine/apply/test_apply.py::test_one_read_that_shows_nothing_sends_no_claim_again",
    ),
    Mutation(
        "wait for the reads' lag",
        "migrator/engine/apply/settle.py::_rested",
        "return item.read_at is not None and item.read_at >= _ripe_at(ctx, item, began_at)",
        "return item.read_at is not None",
    ),
    Mutation(
        "what was not answered may go on",
        "migrator/engine/apply/settle.py::_ripe_at",
        "_at_work_s(ctx) if patience is Patience.AT_WORK else 0.0",
        "0.0",
        seed=11,
    ),
    Mutation(
        "guard in SQL (steps begun before)",
        "migrator/store/journal/moves.py::_from_pending",
        "        where=steps.c.state == S.PENDING,\n",
        "",
        seed=83,
    ),
    Mutation(
        "guard in SQL (steps under way)",
        "migrator/store/journal/moves.py::_from",
        "update(steps).where(this, steps.c.state == was)",
        "update(steps).where(this)",
        test="tests/store/journal/test_store_journal.py::test_one_step_that_may_not_move_holds_all_the_others",
    ),
    Mutation(
        "each claim is held against its pair",
        "migrator/store/journal/journal.py::SqlJournal.begin",
        "                refuse_changed_pairs(connection, plan_no, keys)\n",
        "",
    ),
    Mutation(
        "a pair that a begun plan has to claim is kept",
        "migrator/store/pairs/pairs.py::Pairs.add_values",
        "                refuse_pairs_in_use(connection, _incoming, dropped)\n",
        "                pass\n",
        seed=8,
    ),
    Mutation(
        "the price is read before each claim",
        "migrator/engine/apply/claim.py::Claimer._check_money",
        "        await self.money.look()\n",
        "        pass\n",
        seed=117,
    ),
    Mutation(
        "nothing is claimed above the confirmed price",
        "migrator/engine/apply/guards.py::Money.look",
        "if rises := list(price_rises(confirmed, now)):",
        "if rises := list[str]():",
        seed=3,
    ),
    Mutation(
        "a plan that is listed twice must say the same twice",
        "migrator/engine/apply/prices.py::prices_of",
        "    if len(found) > 1:\n",
        "    if False:\n",
        seed=15,
    ),
    Mutation(
        "caps hold over all plans",
        "migrator/core/money/caps.py::used_of",
        "others = () if caps.scope is CapsScope.PLAN else",
        "others = () if caps.scope is not None else",
        seed=33,
    ),
    Mutation(
        "smallest limit first",
        "migrator/core/run/packing.py::smallest",
        "return min(bounded) if bounded else NO_LIMIT",
        "return max(bounded) if bounded else NO_LIMIT",
    ),
    Mutation(
        "resume only with limits on record",
        "migrator/engine/apply/secure.py::_may_become",
        "item.target.state is LinkState.PAUSED_USER and _is_limited(item.change, item.target)",
        "item.target.state is LinkState.PAUSED_USER",
        seed=42,
    ),
    Mutation(
        "intent before send",
        "migrator/engine/run/send.py::send",
        "    request_id = run.begin(kind, items, request)\n    run.hooks.after_intent(kind)\n    try:\n"
        "        if run.is_anchored(kind):\n            await anchored(run.journal, run.stopper)\n"
        "        answer = await run.send(order, vouch)\n",
        "    try:\n        try:\n            answer = await run.send(order, vouch)\n        finally:\n"
        "            run.hooks.after_intent(kind)\n"
        "            request_id = run.begin(kind, items, request)\n",
        seed=3,
    ),
    Mutation(
        "what is lost is uncertain",
        "migrator/engine/run/send.py::send",
        "            in_doubt = keys_of(items, error.code, error.message)\n",
        "            from migrator.core.run.states import StepEvent as Event\n"
        "            lost = keys_of(items, error.code, error.message)\n"
        "            run.journal.move(run.plan_id, kind, Event.REFUSED_FOR_NOW, lost, now=run.now())\n",
    ),
    Mutation(
        "what a dead process left is uncertain",
        "migrator/store/journal/journal.py::SqlJournal.reclaim_in_flight",
        "state = advance(StepState.IN_FLIGHT, StepEvent.LOST)",
        "state = advance(StepState.IN_FLIGHT, StepEvent.REFUSED_FOR_NOW)",
        seed=122,
    ),
    Mutation(
        "reclaim at the start of a run",
        "migrator/engine/apply/apply.py::Applying._all_waves",
        "        ctx.journal.reclaim_in_flight(ctx.plan_id, began_at)\n        must_be_a_wave(",
        "        must_be_a_wave(",
        seed=3,
    ),
    Mutation(
        "settle at the start of a run",
        "migrator/engine/apply/apply.py::Applying._all_waves",
        "        await self._settle_all(securer)\n",
        "",
        seed=3,
    ),
    Mutation(
        "observe first",
        "migrator/engine/apply/apply.py::Applying._all_waves",
        "        await self._observe()\n        await self._observe_after_failover()\n",
        "        await self._observe_after_failover()\n",
        seed=14,
    ),
    Mutation(
        "secure right after the read-back",
        "migrator/engine/apply/claim.py::Claimer._read_back",
        "            await self.securer.secure(self._fresh(present))\n",
        "",
        seed=71,
    ),
    Mutation(
        "secure while others are waited for",
        "migrator/engine/apply/settle.py::settle_claims",
        "        if secure is not None:\n",
        "        if secure is not None and not absent:\n",
        test="tests/engine/apply/test_securing.py::"
        "test_what_a_lost_claim_made_ours_gets_its_limits_while_the_others_are_waited_for",
    ),
    Mutation(
        "no orders once verified",
        "migrator/core/run/steps.py::Item.takes_orders",
        "return self.change.action is not Action.NO_OP and not is_judged and not self.is_set_aside",
        "return self.change.action is not Action.NO_OP and not self.is_set_aside",
        seed=12,
    ),
    Mutation(
        "balance before each claim",
        "migrator/engine/apply/guards.py::Money.check",
        "if balance is not None and balance < need:",
        "if balance is not None and balance < 0 * need:",
        seed=14,
    ),
    Mutation(
        "caps before each claim",
        "migrator/core/money/caps.py::past_caps",
        "if total > caps.max_sims:",
        "if total > 10**9:",
        seed=4,
    ),
    Mutation(
        "what is somebody's is not claimed",
        "migrator/core/run/steps.py::Item.awaits_claim",
        "return self.change.action is Action.CLAIM and is_open and nobody_has_it",
        "return self.change.action is Action.CLAIM and is_open",
        seed=16,
    ),
    Mutation(
        "a conflict is never claimed",
        "migrator/engine/apply/claim.py::Claimer._fail",
        "self._move(StepEvent.PROBED_CONFLICT, {key",
        "self._move(StepEvent.PROBED_ABSENT, {key",
    ),
    Mutation(
        "a lost lease ends the run",
        "migrator/store/journal/journal.py::_may_send",
        " & (runs.c.state == RunState.RUNNING) & ~_is_replaced\n",
        "\n",
        test="tests/store/journal/test_store_journal.py::test_a_run_that_another_took_for_dead_begins_nothing_more",
    ),
    Mutation(
        "the lease is looked at before each request",
        "migrator/engine/run/context.py::Stopper.while_leased",
        "        self._look, self._holder = look, holder\n",
        "        self._look = look\n",
        seed=10,
    ),
    Mutation(
        "nothing is claimed past a bound on failures",
        "migrator/engine/apply/guards.py::too_many_failures",
        "    return broken_bound(ctx.journal.failures(ctx.plan_id), ctx.policy.gates)",
        "    return None",
        seed=27,
    ),
    Mutation(
        "refused by name is not claimed again",
        "migrator/core/run/doubts.py::_REFUSED_BY_NAME",
        "_REFUSED_BY_NAME = Settling(tries=0, kinds=_CLAIM)",
        "_REFUSED_BY_NAME = Settling()",
        test="tests/core/run/test_doubts.py::test_a_sim_that_was_named_is_never_claimed_again",
    ),
    Mutation(
        "a lock says nothing against a SIM",
        "migrator/core/run/doubts.py::SETTLING",
        "        Doubt.LOCKED: Settling(),",
        "        Doubt.LOCKED: Settling(tries=6, kinds=_SETTINGS - {StepKind.STATE}),",
        test="tests/engine/apply/test_securing.py::test_a_lock_is_outlasted_whatever_the_reply_says_of_it",
    ),
    Mutation(
        "limits that follow the claim are seen through",
        "migrator/engine/apply/secure.py::Securer.follow_up",
        "        self._note([item.key for item in items])\n",
        "        return\n",
        seed=127,
    ),
    Mutation(
        "old looks are renewed before a claim",
        "migrator/engine/apply/claim.py::Claimer._look_at",
        "(item.read_at or 0.0 for item in items), OLDEST_LOOK_S)",
        "(item.read_at or 0.0 for item in items), 1e9)",
        seed=3,
    ),
    Mutation(
        "a gate opens by what is verified",
        "migrator/engine/apply/waves.py::Waves._check_gate",
        "        if decision is Gate.OPEN:\n            return\n",
        "        return\n",
    ),
    Mutation(
        "a claim takes no more than asked",
        "migrator/engine/apply/claim.py::Claimer._within_max_sims",
        "left = most - (self.money.claimed() - self._claimed_before)",
        "left = most",
        seed=6,
    ),
    Mutation(
        "orders hold from the next request on",
        "migrator/engine/run/context.py::Stopper._order",
        "        return self.signs.order\n",
        "        return None\n",
    ),
    Mutation(
        "a long pause ends with a look",
        "migrator/engine/run/context.py::Stopper._note_resume",
        "self._must_look_again = self._must_look_again or paused_s >= LONG_PAUSE_S",
        "self._must_look_again = False",
        seed=254,
    ),
    Mutation(
        "a rate that was ordered",
        "migrator/carriers/pacing.py::Pacer._steered",
        "            self._keep_below(self.ceiling_now())\n",
        "            pass\n",
        seed=9,
    ),
    Mutation(
        "a wave rests",
        "migrator/engine/apply/waves.py::Waves._open",
        "rest_s = min(open_at - self.ctx.now(), soak_s)",
        "rest_s = 0.0",
        seed=37,
    ),
    Mutation(
        "a rest is noted with the machine's naps",
        "migrator/engine/apply/waves.py::Waves._reached_at",
        "ctx.steady.latest().timestamp()",
        "ctx.now()",
        test="tests/engine/apply/test_waves.py::test_a_rest_is_not_over_because_the_machine_slept_before_it_began",
    ),
    Mutation(
        "cutover: only what is verified",
        "migrator/core/cutover/rules.py::is_alive",
        "return is_ours and target is not None and verdict is Verdict.OK and target.state is LinkState.LIVE",
        "return is_ours and target is not None",
        "cutover",
        seed=10,
    ),
    Mutation(
        "cutover: proof of life",
        "migrator/core/cutover/rules.py::_unproved",
        "if demand.require is Require.VERIFIED:",
        "if demand.require is not None:",
        "cutover",
        test="tests/cli/cutover/test_cutover.py::"
        "test_the_policy_says_what_a_new_sim_must_have_shown_and_an_option_wins",
    ),
    Mutation(
        "cutover: a new SIM in another unit leaves the old one on",
        "migrator/core/cutover/rules.py::not_in_its_unit",
        "if where.unit is Unit.MOVED and not accepts_other_units:",
        "if False:",
        "cutover",
        seed=11,
    ),
    Mutation(
        "cutover: an old SIM that is in use stays on",
        "migrator/workflows/cutover/judge_old_sims.py::OldSimJudge._by_policy",
        "        if found.use is OldUse.IN_USE:\n            return replace(",
        "        if False:\n            return replace(",
        "cutover",
        seed=32,
    ),
    Mutation(
        "cutover: an old SIM that was in use stays on until its new one lived on a later day",
        "migrator/core/cutover/old_use.py::use_of_old",
        "default=None)\n    if last is not None:\n",
        "default=None)\n    if last is not None and last == today:\n",
        "cutover",
        seed=20,
    ),
    Mutation(
        "cutover: rest before the old SIM goes",
        "migrator/core/cutover/rules.py::_unproved",
        "if demand.rest_s and (rested_s is None or rested_s < demand.rest_s):",
        "if demand.rest_s and rested_s is None:",
        "cutover",
    ),
    Mutation(
        "cutover: the label goes along",
        "migrator/engine/cutover/old_sims.py::OldSims._order",
        "label=sim.label, imei_lock=bool(sim.imei_lock)",
        "label=None, imei_lock=bool(sim.imei_lock)",
        "cutover",
    ),
    Mutation(
        "cutover: the IMEI lock goes along",
        "migrator/engine/cutover/old_sims.py::OldSims._order",
        "imei_lock=bool(sim.imei_lock)",
        "imei_lock=False",
        "cutover",
        seed=5,
    ),
    Mutation(
        "cutover: an unknown IMEI lock leaves the SIM on",
        "migrator/core/cutover/rules.py::lock_obstacle",
        "    if sim.imei_lock is None:\n",
        "    if False:\n",
        "cutover",
        test="tests/engine/cutover/test_cutover_runs.py::test_a_lock_that_1nce_does_not_tell_is_not_guessed",
    ),
    Mutation(
        "cutover: what is done is not ordered again",
        "migrator/core/cutover/rules.py::obstacle_at_source",
        "    if sim.status is direction.wanted and not must_order:\n        return Told(Aside.ALREADY)\n",
        "",
        "cutover",
        seed=14,
    ),
    Mutation(
        "cutover: a new SIM is looked at before its old one goes",
        "migrator/engine/cutover/old_sims.py::OldSims._order_some",
        "aside |= await self.guard(ready) if ready else {}",
        "aside |= {}",
        "cutover",
    ),
    Mutation(
        "cutover: what a dead process left is uncertain",
        "migrator/engine/cutover/cutover.py::CutoverRun._all_waves",
        "        ctx.journal.reclaim_in_flight(ctx.cutover_id, ctx.now())\n",
        "",
        "cutover",
    ),
    Mutation(
        "cutover: no order leaves on an old look",
        "migrator/engine/cutover/old_sims.py::OldSims._send",
        "await send(ctx, StepKind.SOURCE, before, order, vouch=known.vouch,",
        "await send(ctx, StepKind.SOURCE, before, order, vouch=lambda: None,",
        "cutover",
    ),
    Mutation(
        "rollback: no pause leaves on an old look",
        "migrator/engine/cutover/new_sims.py::NewSims._order",
        "await send(ctx, StepKind.PAUSE, before, order, vouch=known.vouch,",
        "await send(ctx, StepKind.PAUSE, before, order, vouch=lambda: None,",
        "cutover",
        seed=5,
    ),
    Mutation(
        "no claim leaves on an old look",
        "migrator/engine/apply/claim.py::Claimer._vouch",
        "        look.vouch()\n",
        "",
        seed=88,
    ),
    Mutation(
        "no body leaves that nobody vouches for any more",
        "migrator/carriers/http.py::_Request.trace",
        "elif moment in BODY_LEAVES and self.content is not None and ",
        "elif False and ",
        test="tests/carriers/test_vouching.py::test_a_write_that_grows_old_after_its_head_left_sends_no_body",
    ),
    Mutation(
        "the error budget takes the newest units by the log, not by the machine's time",
        "migrator/store/campaigns/due.py::_BEGUN",
        ".order_by(_newest_no.desc(), ",
        ".order_by(",
        test="tests/workflows/campaign/test_budget_over_plans.py::test_failures_under_another_clock_count_as_what_came_last",
    ),
    Mutation(
        "rollback: no pause before the old SIM is proved on",
        "migrator/engine/cutover/new_sims.py::_wants_pause",
        "return is_settled_as_wanted(item, StepKind.SOURCE) and is_open",
        "return is_open",
        "cutover",
        seed=4,
    ),
    Mutation(
        "rollback: the old SIM is read once more before the pause",
        "migrator/engine/cutover/new_sims.py::NewSims._pause_some",
        "            if not _is_on(looks[item.key]):\n",
        "            if False:\n",
        "cutover",
        seed=19,
    ),
    Mutation(
        "onomondo: a limit that is not for a month waits for a word",
        "migrator/core/plan/mapping.py::_period_limit",
        "if told.period is LimitPeriod.MONTHLY:",
        "if True:",
        source="onomondo",
    ),
    Mutation(
        "onomondo: a look-up without tags proves no tag",
        "migrator/engine/apply/settle.py::_outcome",
        "if step.kind in {StepKind.TAG, StepKind.UNTAG} and item.target is not None and item.target.tags is None:",
        "if False:",
        source="onomondo",
        seed=48,
    ),
    Mutation(
        "onomondo: no further tag after one that went wrong",
        "migrator/engine/apply/change.py::Changer._tags",
        "                        del lacking[item.key]\n",
        "                        pass\n",
        source="onomondo",
        seed=6,
    ),
    Mutation(
        "onomondo: a key's form is found by one request at a time",
        "migrator/carriers/onomondo/client.py::OnomondoClient._with_key",
        "            async with self._settling:\n",
        "            if True:\n",
        "cutover",
        "onomondo",
        test="tests/carriers/onomondo/test_onomondo_reads.py::"
        "test_the_form_is_found_once_also_where_many_ask_at_the_same_moment",
    ),
)


def patched(mutation: Mutation, root: Path = ROOT) -> str:
    """The file without the rule. Raises: ValueError, if the rule's text is not found exactly once in its place."""
    file, _, name = mutation.place.partition("::")
    lines = (root / file).read_text(encoding="utf-8").splitlines(keepends=True)
    first, last = _lines_of(mutation, name, ast.parse("".join(lines)))
    before, text, after = "".join(lines[:first]), "".join(lines[first:last]), "".join(lines[last:])
    if text.count(mutation.old) != 1:
        times = text.count(mutation.old)
        raise ValueError(f"{mutation.rule}: its text is found {times} times in {mutation.place}; bring it up to date")
    return before + text.replace(mutation.old, mutation.new) + after


def _lines_of(mutation: Mutation, name: str, tree: ast.Module) -> tuple[int, int]:
    """First line of a function, class or constant, counted from 0, and the line after it."""
    place: ast.Module | ast.stmt = tree
    for part in name.split("."):
        inner = [one for one in ast.walk(place) if isinstance(one, ast.stmt) and part in _names(one)]
        if not inner:
            raise ValueError(f"{mutation.rule}: there is no {mutation.place}; bring it up to date")
        place = inner[0]
    assert isinstance(place, ast.stmt)
    first = min([place.lineno, *(one.lineno for one in getattr(place, "decorator_list", []))])
    return first - 1, place.end_lineno or first


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign() | ast.AnnAssign():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def caught_at(mutation: Mutation, most: int) -> str:
    """The first seed that notices, and what it says; how many passed if none does, or why none could be tried."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("migrator", "migrations", "tests"):
            shutil.copytree(ROOT / part, Path(folder) / part, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / mutation.file).write_text(patched(mutation), encoding="utf-8")
        for command in _tries(mutation, most):
            environment = {**os.environ, "PYTHONPATH": folder}
            ran = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
            if ran.returncode:
                return _first_failure(ran.stdout + ran.stderr)
    return f"NOT CAUGHT by {mutation.test}" if mutation.test else f"NOT CAUGHT in {most} seeds"


def _tries(mutation: Mutation, most: int) -> Iterator[list[str]]:
    """Commands, one after the other until one notices."""
    if mutation.test:
        yield [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", mutation.test]
        return
    many = [sys.executable, "-m", "tests.simulation.many", "--what", mutation.what, "--source", mutation.source]
    for first, seeds in _ranges(mutation.seed, most):
        yield [*many, "--first", str(first), "--seeds", str(seeds), "--jobs", "1", "--fail-fast"]


def _ranges(seed: int | None, most: int) -> Iterator[tuple[int, int]]:
    """The first seed of each process, and how many it tries."""
    if seed is not None:
        yield seed, 1
    yield 0, most


def _first_failure(printed: str) -> str:
    """The test that failed; or the seed, and the line after it that is not indented: the error."""
    lines = iter(line for line in printed.splitlines() if line.strip())
    first = next((line for line in lines if line.startswith(("seed ", "FAILED "))), None)
    if first is None:
        return f"NOT TRIED: {printed.strip()[-110:]}"
    if first.startswith("FAILED"):
        return first[:110]
    return f"{first.split(' failed:')[0]}: {next((line for line in lines if not line.startswith(' ')), '')[:110]}"


def main() -> None:
    """Try the rules that are named, or all of them; print a line for each. Exit code 1 if one is not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rules", nargs="*", help="part of the rules' names; default: every rule")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to try before giving up")
    asked = parser.parse_args()
    chosen = [one for one in MUTATIONS if not asked.rules or any(part in one.rule for part in asked.rules)]
    missed = 0
    for mutation, told in zip(chosen, _in_turn(chosen, asked.jobs, asked.seeds), strict=True):
        missed += told.startswith("NOT")
        print(f"{mutation.rule:42} {told}", flush=True)
    sys.exit(bool(missed))


def _in_turn(chosen: list[Mutation], jobs: int, most: int) -> Iterator[str]:
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(caught_at, chosen, repeat(most))


if __name__ == "__main__":
    main()
