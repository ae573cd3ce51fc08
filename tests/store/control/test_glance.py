"""A glance at plans, runs and requests: the newest first, bounded, and of all plans or one."""

from pathlib import Path

from migrator.core.run.states import RunEvent, StepKind
from migrator.core.run.steps import RequestOutcome
from tests.store.store_kit import NOW, SENT, change, key, open_store, planned


def test_a_glance_shows_the_newest_first_and_no_more_than_asked(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for number in (1, 2, 3):
            planned(store, [change(number)], plan_id=f"p{number}")
            run = store.journal.start_run(f"p{number}", "ops@here", NOW + number)
            request = store.journal.begin(run, StepKind.CLAIM, [key(number)], SENT, wave="all", now=NOW + number)
            outcome = RequestOutcome.LOST if number == 3 else RequestOutcome.ACCEPTED
            store.journal.answered(request, outcome, now=NOW + number)
            if number < 3:
                store.journal.end_run(run, RunEvent.FINISH, exit_code=0, reason="", now=NOW + number)
        glance = store.glance
        assert [row.plan_id for row in glance.plans(2)] == ["p3", "p2"]
        assert [row.plan_id for row in glance.runs(2)] == ["p3", "p2"]
        assert [row.plan_id for row in glance.runs(9, "p1")] == ["p1"]
        assert glance.run_states() == {"completed": 2, "running": 1}
        assert glance.outcomes() == {("claim", "accepted"): 2, ("claim", "lost"): 1}
        assert glance.outcomes("p3") == {("claim", "lost"): 1}
        assert glance.pace(NOW + 2) == {("claim", "accepted"): 1, ("claim", "lost"): 1}
        assert [row.run_id for row in glance.requests("p2", 5)] == [2]
        assert glance.plan("p4") is None
