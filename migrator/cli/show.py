"""`show`: the story of one unit, by any name that it has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.words import step_word, verdict_word
from migrator.core.cutover.silence import MEANING, Silence
from migrator.workflows.site import Site
from migrator.workflows.story.life import clock_words
from migrator.workflows.story.sides import both_sides, limit_words
from migrator.workflows.story.story import Story
from migrator.workflows.story.story import show as story_of
from migrator.workflows.story.subject import SeveralSims

__all__ = ["show"]

KINDS = {"source": "switch old SIM", "pause": "pause new SIM"}
MOST_SHOWN = 48
"""Characters that are shown of a name; the JSON has all."""


@click.command(
    "show",
    epilog="Exit codes: 0 done, 2 nothing or several SIMs have this name; with --live also 4 refused, 7 no answer now.",
)
@click.argument("name")
@click.option("--live", is_flag=True, help="Ask both carriers now, about this one SIM. Nothing is written.")
@global_options
@click.pass_obj
def show(shared: Globals, /, *, name: str, live: bool) -> int:
    """Tell the story of the one unit that NAME names.

    NAME is an old or new ICCID (with or without check digit), EID, IMEI, Hologram device id, IMSI, MSISDN, label, unit
    or ticket. Without --live no carrier is asked: each value stands with the time at which it was read.
    """
    return finish("show", shared, lambda: _show(shared, name, live=live))


def _show(shared: Globals, name: str, *, live: bool) -> Outcome:
    chosen = wiring.settings(shared.config)
    with wiring.open_store(shared.state or chosen.state) as store:
        try:
            story = story_of(Site(store, chosen), name, live=live)
        except SeveralSims as error:
            return Outcome({"hits": error.hits}, (), error.exit_code, error.problems)
    return Outcome(story.document, list(_words(story)), story.exit_code, story.trouble)


def _words(story: Story) -> Iterator[Any]:
    told = story.document
    sides = ("", f"old SIM at {told['source']}", "new SIM at Hologram")
    yield from _head(told)
    yield table("", sides, [_fitting(*row) for row in both_sides(told)])
    if told["live"] is not None:
        yield table(f"Asked at {told['live']['asked_at']}", sides, list(_live_sides(told["live"])))
    yield from _first_look(told)
    yield from _silence(told)
    command, words = told["next"]["command"], told["next"]["words"]
    yield f"Next: {words}" + (f" `{command}`" if command and f"`{command}" not in words else "")
    yield from _plans(told["plans"])
    events = [(one["at"], clock_words(one["clock"]), one["what"], one["of"]) for one in told["life"]]
    yield table("\nIts life (times in UTC)", ("when", "clock", "what", "plan"), events)
    requests = [_request(one) for one in told["requests"]]
    if requests:
        columns = ("request", "kind", "SIMs", "sent", "outcome", "carrier job", "words", "plan")
        yield table("\nRequests that named it", columns, requests)


def _head(told: Mapping[str, Any]) -> Iterator[str]:
    unit, found = told["unit"] or {}, ", ".join(told["asked"]["found_by"])
    names = [f"{name} {unit[name]}" for name in ("unit", "site", "ticket") if unit.get(name)]
    yield f"{told['asked']['text']}: found by {found}." + (f" {', '.join(names)}." if names else "")
    for one in told["earlier_pairs"]:
        was = one["was_target_iccid"] or "no new SIM"
        yield f"Pair corrected {one['corrected_at']} by {one['corrected_by']}: {was} before. {one['reason']}"


def _first_look(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the old SIM was at the first look.

    Nothing, where it is the same now.
    """
    first = (told["old_sim"] or {}).get("first_seen") or {}
    if first.get("differs"):
        was = ", ".join(f"{name} {first[name] or 'none'}" for name in first["differs"])
        when = f"first seen {first['at']}" if first["is_first"] else f"{first['at']}, the oldest look that is kept"
        yield f"Old SIM was another ({when}): {was}."


def _fitting(what: str, old: str | None, new: str | None) -> tuple[str, str | None, str | None]:
    """Return a line of both sides, cut for a terminal."""
    return (what, _short(old), _short(new)) if what == "name" else (what, old, new)


def _short(name: str | None) -> str | None:
    return name if name is None or len(name) <= MOST_SHOWN else f"{name[: MOST_SHOWN - 3]}..."


def _live_sides(live: Mapping[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield what both carriers said just now, line by line."""
    old, new = live["old_sim"] or {}, live["new_sim"] or {}
    no_old, no_new = (None if side else "no answer" for side in (old, new))
    state = no_new or (new["state_word"] if new.get("is_seen") else "not on our organization")
    yield "status", no_old or old["status"] or old["seen"], state
    yield "session", old.get("session"), _sessions(new)
    yield "used / connected", _used(old), new.get("last_connected_at")
    yield "name", _short(old.get("label")), _short(new.get("name"))
    yield "IMEI", old.get("imei"), new.get("imei")
    yield "data limit", None, limit_words(new.get("overage_limit_bytes"))


def _sessions(new: Mapping[str, Any]) -> str | None:
    if not new.get("is_seen"):
        return None
    sessions = new["sessions"]
    if sessions is None:
        return "not told"
    if not sessions:
        return "none since the claim"
    last = max(sessions, key=lambda one: one["began_at"])
    return f"{len(sessions)} since the claim, the last {last['began_at']}, {last['bytes']} bytes"


def _used(old: Mapping[str, Any]) -> str | None:
    if not old:
        return None
    if old["days_told"] is None:
        return "use not told"
    return f"last used {old['used_on'][-1]}" if old["used_on"] else f"not used in {old['days_told']} days"


def _silence(told: Mapping[str, Any]) -> Iterator[str]:
    known, live = told["silence"], told["live"] or {}
    why = live if live.get("silence") else known
    if why is None:
        return
    when = "asked now" if why is live else "by what is on disk"
    missing = ", ".join(word.replace("_", " ") for word in why["silence_missing"].split())
    lacks = f" Not known: {missing}." if missing else ""
    yield f"\nData ({when}): {MEANING[Silence(why['silence'])]}.{lacks}"
    if why["silence_advice"] not in {"", told["next"]["words"]}:
        yield why["silence_advice"]


def _plans(plans: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    rows = [
        (
            plan["plan_id"],
            plan["state"],
            plan["action"],
            plan["wave"],
            ", ".join(f"{step['kind']} {step_word(step['state'])}" for step in plan["steps"]),
            verdict_word(plan["verdict"] or "unread"),
            plan["code"] or plan["reason"],
        )
        for plan in plans
    ]
    if rows:
        yield table("\nPlans that hold it", ("plan", "state", "action", "wave", "steps", "verdict", "why"), rows)


def _request(one: Mapping[str, Any]) -> tuple[Any, ...]:
    outcome = one["outcome"] + (f" ({one['http_status']})" if one["http_status"] else "")
    job = " ".join(filter(None, (one["job_id"], one["job_status"])))
    kind = KINDS.get(one["kind"], one["kind"])
    return one["request_id"], kind, one["sims"], one["sent_at"], outcome, job, one["words"], one["of"]
