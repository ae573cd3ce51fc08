"""Facts from the audit log, gathered event by event.

The facts are about plans, runs, requests and steps. Migrations, and the cutovers and rollbacks after them, have the
same kinds of events, each under its own numbers: a `Replayed` is about one of the two. What an older version of the
tool did not report is None here, and counts as no problem.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrator.core.audit.chain import AuditEvent, request_digest
from migrator.core.run.states import STEP_TRANSITIONS, PlanState, RunState, StepState
from migrator.core.run.steps import RequestOutcome

__all__ = [
    "ENDS",
    "Answered",
    "Course",
    "Log",
    "Ran",
    "Replayed",
    "SentRequest",
    "course_problem",
    "order_problem",
    "request_problem",
    "run_problem",
]

ENDS = (StepState.DONE, StepState.SKIPPED)
"""States that a step never leaves."""
_OVER = (RunState.COMPLETED, RunState.STOPPED, RunState.HALTED)


@dataclass(slots=True)
class SentRequest:
    """Request as sent: plan, moment (UTC seconds) and event detail."""

    plan_id: str | None
    at: float
    detail: Mapping[str, Any]


@dataclass(slots=True)
class Answered:
    """Outcome of one request; `at` is None while there is none."""

    outcome: str = RequestOutcome.SENT.value
    status: int | None = None
    job_id: str | None = None
    at: float | None = None
    message: str | None = None


@dataclass(slots=True)
class Ran:
    """Run of a plan: owner, start, end and result."""

    plan_id: str | None
    owner: str
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    state: str | None = None


@dataclass(slots=True)
class Course:
    """Progress of a plan, with moments (UTC seconds)."""

    created_at: float
    state: PlanState = PlanState.CREATED
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(slots=True)
class Replayed:
    """Facts that a log reports about one kind of plan.

    `ended` counts the steps that came to a final state, by plan, kind and state. `made` has the details of the events
    that a plan was made by. `steps` and `verdicts` are the newest tallies of their rows, by plan. `order` names the
    plans as they were made, the newest last. `gates` has the moment since which a wave has been open.
    """

    made: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    runs: dict[int, Ran] = field(default_factory=dict)
    sent: dict[int, SentRequest] = field(default_factory=dict)
    answered: dict[int, Answered] = field(default_factory=dict)
    ended: Counter[tuple[str | None, str, StepState]] = field(default_factory=Counter)
    steps: dict[str | None, str] = field(default_factory=dict)
    verdicts: dict[str | None, str] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)
    gates: dict[tuple[str | None, str], float] = field(default_factory=dict)

    def note(self, what: str, plan_id: str | None, at: float, detail: Mapping[str, Any]) -> None:
        """Gather the facts of one event.

        Raises: KeyError and the like, if the event lacks what it should report.
        """
        for tallies, name in ((self.steps, "steps_sha256"), (self.verdicts, "verdicts_sha256")):
            if name in detail:
                tallies[plan_id] = detail[name]
        if what == "request_sent":
            self.sent[int(detail["request_id"])] = SentRequest(plan_id, at, detail)
        elif what == "request_answered":
            answer = Answered(detail["outcome"], detail["status"], detail["job_id"], at, detail.get("message"))
            self.answered[detail["request_id"]] = answer
        elif what == "wave_reached":
            self.gates[plan_id, detail["wave"]] = at
        elif what == "wave_lost":
            self.gates.pop((plan_id, detail["wave"]), None)
        elif what == "run_took_over":
            self.answered |= {number: Answered(RequestOutcome.LOST.value, at=at) for number in detail["requests"]}
        elif what == "steps_moved":
            if (end := end_by(detail["event"])) is not None:
                self.ended[plan_id, detail["kind"], end] += detail["sims"]
        else:
            self._note_run(what, plan_id, at, detail)
            self._note_course(what, plan_id, at, detail)

    def _note_run(self, what: str, plan_id: str | None, at: float, detail: Mapping[str, Any]) -> None:
        if what == "run_started":
            self.runs[int(detail["run_id"])] = Ran(plan_id, detail["owner"], at)
        elif what == "run_ended" and (run := self.runs.get(detail["run_id"])) is not None:
            run.ended_at, run.exit_code, run.reason = at, detail["exit_code"], _whole(detail["reason"])
            run.state = detail.get("state")

    def _note_course(self, what: str, plan_id: str | None, at: float, detail: Mapping[str, Any]) -> None:
        if plan_id is None:
            return
        if what in {"plan_made", "plan_made_again"}:
            self.order.pop(plan_id, None)
            self.order[plan_id] = None
        if what == "plan_made":
            self.made[plan_id] = detail
            self.courses[plan_id] = Course(at)
        elif (course := self.courses.get(plan_id)) is None:
            return  # made before there was a log: nobody can tell
        elif what == "plan_made_again":
            course.created_at = at
        elif what == "run_started" and course.state is PlanState.CREATED:
            course.state, course.started_at = PlanState.STARTED, at
        elif what == "plan_finished":
            course.state, course.finished_at = PlanState.FINISHED, at
        elif what == "plan_reopened":
            course.state, course.finished_at = PlanState.STARTED, None


@dataclass(slots=True)
class Log:
    """Facts of a log: of migrations, and of cutovers and rollbacks."""

    migrations: Replayed = field(default_factory=Replayed)
    switches: Replayed = field(default_factory=Replayed)

    def note(self, event: AuditEvent) -> None:
        """Gather the facts of one event.

        Raises: KeyError and the like, if the event lacks what it should report.
        """
        family, _, what = event.kind.partition(".")
        if family in {"plan", "run", "request", "steps", "verdicts", "wave"}:
            self.migrations.note(f"{family}_{what}", event.plan_id, event.at, event.detail)
        elif family == "switch":
            what = what if what.startswith(("run_", "request_", "steps_")) else f"plan_{what}"
            self.switches.note(what, event.detail["switch_id"], event.at, event.detail)


def end_by(event: str) -> StepState | None:
    """Return the final state that an event puts a step in.

    None, if the step may go on after the event.
    """
    return next((to for (_, taken), to in STEP_TRANSITIONS.items() if taken == event and to in ENDS), None)


def request_problem(row: Mapping[str, Any], sent: SentRequest, answer: Answered) -> str | None:
    """Return the difference between a request's row and the log, or None.

    `row` has the row's columns, with the `plan_id` and `body` as text.
    """
    told, may_be_told = sent.detail, [name for name in ("run_id", "wave") if name in sent.detail and name in row]
    lies = {
        "is not what was sent": told["sha256"] != request_digest(row["method"], row["path"], row["body"]),
        f"is for {row['sims']} SIMs ({row['kind']}), and otherwise in the log": (
            (told["kind"], told["sims"]) != (row["kind"], row["sims"])
        ),
        f"is one of plan {row['plan_id']}, and otherwise in the log": sent.plan_id != row["plan_id"],
        "is of another run or wave by the log": any(told[name] != row[name] for name in may_be_told),
        f"is {row['outcome']}, and otherwise in the log": (
            (row["outcome"], row["status"], row["job_id"]) != (answer.outcome, answer.status, answer.job_id)
        ),
        "was answered with another message by the log": answer.message not in {None, row["message"]},
        "was sent or answered at another time by the log": (row["intent_at"], row["outcome_at"])
        != (sent.at, answer.at),
    }
    return next((words for words, is_so in lies.items() if is_so), None)


def order_problem(made_nos: Mapping[str, int], told: Replayed) -> str | None:
    """Describe a difference between the order of plans and the log.

    `made_nos` has the number of each plan: the largest number makes a plan the newest. None if the order is the same.
    """
    here = sorted((plan_id for plan_id in made_nos if plan_id in told.order), key=made_nos.__getitem__)
    if here != [plan_id for plan_id in told.order if plan_id in made_nos]:
        return f"plan {here[-1]} is not the newest by the log, or others are in another order"
    return None


def course_problem(
    row: Mapping[str, Any], course: Course, *, as_time: Callable[[float | None], object] = lambda at: at
) -> str | None:
    """Return the difference between a plan's row and the log, or None.

    The difference is in how far the plan is. `as_time` spells a time as the row does.
    """
    if row["state"] != course.state:
        return f"is {row['state']}, and {course.state} by the log"
    times = (course.created_at, course.started_at, course.finished_at)
    if [row[name] for name in ("created_at", "started_at", "finished_at")] != [as_time(at) for at in times]:
        return "was made, begun or finished at another time by the log"
    return None


def run_problem(
    row: Mapping[str, Any], ran: Ran, *, as_time: Callable[[float | None], object] = lambda at: at
) -> str | None:
    """Return the difference between a run's row and the log, or None.

    `as_time` spells a time of the log as the row does. A run that was never ended may have been taken for dead: the
    reason of the run says so, and no event does.
    """
    if row["owner"] != ran.owner:
        return f"has the owner {row['owner']}, and another in the log"
    if (row["started_at"], row["ended_at"]) != (as_time(ran.started_at), as_time(ran.ended_at)):
        return "began or ended at another time by the log"
    is_over = ran.exit_code is not None
    states: Sequence[str] = _OVER if is_over else (RunState.RUNNING, RunState.STOPPED)
    if ran.state is not None:
        states = [ran.state]
    if row["exit_code"] != ran.exit_code or row["state"] not in states or (is_over and row["reason"] != ran.reason):
        return "ended otherwise by the log"
    return None


def _whole(text: str) -> str:
    """Return a text as a store keeps it: without lone surrogates."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
