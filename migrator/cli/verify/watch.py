"""`verify --watch`: fresh reads again and again, and drift as it appears."""

from datetime import UTC, datetime

from migrator import wiring
from migrator.cli.app import voice
from migrator.cli.app.common import Globals, Outcome, printable
from migrator.core.fleet.spelling import json_text
from migrator.core.fleet.units import counted, n_sims
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem, Transient
from migrator.inputs.settings.settings import duration_s
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.site import Site
from migrator.workflows.verify.drift import DriftWatch, NewFinding, watch_plan

__all__ = ["watched"]


def watched(shared: Globals, plan: str | None, *, every: str, for_: str | None, keep_going: bool) -> Outcome:
    """Watch a plan until drift, the end of the time, or Ctrl-C.

    Raises: Interrupted, before the first round.
    """
    every_s, for_s = duration_s(every), None if for_ is None else duration_s(for_)
    if every_s <= 0:
        raise InputError("--every is zero", code="bad_duration", hint="give a duration such as 60s")
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        header = store.plans.header(plan_or_file(store, plan))
        voice.last()
        watch = watch_plan(
            Site(store, chosen),
            header,
            lambda moved: _tell(shared, moved),
            lambda error: _tell_trouble(shared, error),
            every_s=every_s,
            for_s=for_s,
            goes_on=keep_going,
        )
        return _told(header, dict(store.journal.verdicts(header.plan_id)), watch)


def _told(header: PlanHeader, verdicts: dict[str, int], watch: DriftWatch) -> Outcome:
    now = len(watch.drift)
    data = {"plan_id": header.plan_id, "rounds": watch.rounds, "drift_seen": watch.seen, "drift_now": now}
    data |= {"verdicts": verdicts}
    if watch.seen:
        words = f"there was drift: {counted(now, 'finding')} now, after {counted(watch.rounds, 'round')}"
        problem = Problem("attention", words, "`migrator report` lists them SIM by SIM")
        return Outcome(data, (), ExitCode.ATTENTION, (problem,))
    if verdicts.get("pending", 0):
        words = f"{n_sims(verdicts['pending'])} pending: not as planned yet"
        problem = Problem("stopped", words, f"`migrator apply {header.plan_id}` goes on with them")
        return Outcome(data, (), ExitCode.RESUMABLE, (problem,))
    return Outcome(data, [f"No drift in {counted(watch.rounds, 'round')}."])


def _tell(shared: Globals, moved: NewFinding) -> None:
    """Print a change as one line, or one event.

    With --json, print nothing but the document at the end.
    """
    values = {
        "source_iccid": moved.key,
        "code": moved.finding.code.value,
        "planned": moved.finding.planned,
        "observed": moved.finding.observed,
    }
    if shared.events:
        event = "drift" if moved.is_new else "drift_gone"
        voice.tell(json_text({"event": event, **values}), err=False)
    elif not shared.json:
        words = f"planned {values['planned']}, found {values['observed']}" if moved.is_new else "is gone"
        voice.tell(printable(f"{_now()} {values['source_iccid']} {values['code']}: {words}"), err=False)


def _tell_trouble(shared: Globals, error: Transient) -> None:
    if shared.events:
        event = {"event": "round_failed", "message": error.message}
        voice.tell(json_text(event), err=False)
    elif not shared.quiet:
        words = f"{_now()} this round failed, and the next one goes on: {error.message}"
        voice.tell(printable(words), err=True)


def _now() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")
