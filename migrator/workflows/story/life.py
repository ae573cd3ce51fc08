"""Life of one unit: what happened when, and by whose clock. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.core.cutover.rules import moment_s
from migrator.core.run.sources import SOURCE_NAMES, SOURCES
from migrator.reports.model import moment

__all__ = ["clock_words", "life_of"]

OURS, FIELD, HOLOGRAM = "ours", "field", "hologram"
"""Clocks: our journal, people in the field, and the target.

The source's has its key.
"""

Event = tuple[str | None, str, str, str]
"""Time, clock, words, and the plan or cutover that it belongs to."""


def life_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what happened to a unit, oldest first.

    Times that can be read are given in UTC; a time that cannot be read stands as its carrier wrote it, and first. A day
    of the source's has no time.
    """
    events = [*_of_unit(document), *_of_requests(document), *_of_plans(document), *_of_cutovers(document)]
    told = [(moment_s(at) or 0.0, at, clock, words, of) for at, clock, words, of in events if at]
    return [
        {"at": _shown(at), "clock": clock, "what": words, "of": of}
        for _, at, clock, words, of in sorted(told, key=lambda event: event[0])
    ]


def clock_words(clock: str) -> str:
    """Return a clock of the events as people read it."""
    known = SOURCES.get(clock)
    return "Hologram" if clock == HOLOGRAM else clock if known is None else known.name


def _shown(at: str) -> str:
    at_s = moment_s(at)
    return at if at_s is None or ("T" not in at and " " not in at.strip()) else str(moment(at_s))


def _of_unit(document: Mapping[str, Any]) -> Iterator[Event]:
    old, new, pair = document["old_sim"] or {}, document["new_sim"] or {}, document["pair"] or {}
    yield old.get("activated_at"), _source(document), "old SIM activated", ""
    yield old.get("pulled_at") if old.get("is_listed") else None, OURS, f"old SIM read: {old.get('status')}", ""
    yield pair.get("paired_at"), OURS, f"paired with {pair.get('target_iccid')} ({pair.get('origin')})", ""
    for one in document["earlier_pairs"]:
        was = one["was_target_iccid"] or "no new SIM"
        words = f"pair corrected by {one['corrected_by']}: {was} -> {one['target_iccid'] or 'none'} ({one['reason']})"
        yield one["corrected_at"], OURS, words, ""
    unit = document["unit"] or {}
    yield unit.get("scanned_at"), FIELD, _by("swap scanned", unit.get("scanned_by")), ""
    yield new.get("claimed_at"), HOLOGRAM, "new SIM claimed", ""
    yield new.get("last_connected_at"), HOLOGRAM, "new SIM connected last", ""
    state = new.get("state_word") if new.get("is_seen") else "not on our organization"
    yield new.get("read_at"), OURS, f"new SIM read: {state}", ""


def _by(words: str, who: str | None) -> str:
    return f"{words} by {who}" if who else words


def _of_plans(document: Mapping[str, Any]) -> Iterator[Event]:
    for plan in document["plans"]:
        of, wave = plan["plan_id"], f", wave {plan['wave']}" if plan["wave"] else ""
        yield plan["created_at"], OURS, f"planned: {plan['action']} ({plan['reason']}{wave})", of
        for step in plan["steps"]:
            yield step["since"], OURS, _step_words(step), of
        differs = "; ".join(
            f"{one['code']}: planned {one['planned']}, is {one['observed']}" for one in plan["findings"]
        )
        yield plan["verified_at"], OURS, f"compared: {plan['verdict']}{differs and ': '}{differs}", of
        yield from _of_proof(plan["proof_of_life"] or {}, of, _source(document))


def _source(document: Mapping[str, Any]) -> str:
    """Return the clock of the source: its key where it has one."""
    name: str = document["source"]
    known = SOURCE_NAMES.get(name)
    return name if known is None else known.key


def _of_proof(proof: Mapping[str, Any], of: str, source: str) -> Iterator[Event]:
    yield (
        proof.get("proved_at"),
        OURS,
        f"life of the new SIM: {proof.get('new_sim')}, unit {_plain(proof.get('unit'))}",
        of,
    )
    yield proof.get("old_asked_at"), OURS, f"use of the old SIM: {proof.get('old_sim')}", of
    yield proof.get("old_used_on"), source, "last day of use of the old SIM", of


def _plain(word: str | None) -> str:
    return (word or "").replace("_", " ")


def _of_cutovers(document: Mapping[str, Any]) -> Iterator[Event]:
    for cutover in document["switches"]:
        of = cutover["switch_id"]
        detail = f": {cutover['detail']}" if cutover["detail"] else ""
        yield cutover["created_at"], OURS, f"{cutover['direction']} planned: {cutover['action']}{detail}", of
        for step in cutover["steps"]:
            words = {"source": "old SIM switched", "pause": "new SIM paused"}[step["kind"]]
            yield step["since"], OURS, _step_words({**step, "kind": words}), of


def _of_requests(document: Mapping[str, Any]) -> Iterator[Event]:
    for sent in document["requests"]:
        kind = {"source": "old SIM", "pause": "pause"}.get(sent["kind"], sent["kind"])
        name = f"request {sent['request_id']}, {kind}"
        yield sent["sent_at"], OURS, f"sent: {name}", sent["of"]
        job = f", job {sent['job_id']}" if sent["job_id"] else ""
        yield sent["answered_at"], OURS, f"answered: {name}: {sent['outcome']}{job}", sent["of"]


def _step_words(step: Mapping[str, Any]) -> str:
    why = ": ".join(part for part in (step["code"], step["message"]) if part)
    return f"{step['kind']}: {step['state']}" + (f" ({why})" if why else "")
