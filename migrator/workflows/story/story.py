"""Story of one unit: both SIMs, their life, what is next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migrator.carriers.hologram.wire import recorded_traffic
from migrator.core.cutover.life import KeptProof, silent_as_kept
from migrator.core.cutover.plan import CutoverStep
from migrator.core.cutover.rules import claimed_at_s, is_open
from migrator.core.cutover.silence import MEANING, Recorded, Silence, Silent
from migrator.core.fleet.identifiers import Iccid, luhn_digit
from migrator.core.fleet.sims import DataLimit, Pair, SourceSim, SourceStatus, TargetLink
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.run.sources import api_words
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Item, Step
from migrator.errors import Problem
from migrator.reports.model import life_values, moment, row_of
from migrator.reports.remedies import remedy
from migrator.store.pairs.finder import Found
from migrator.workflows.site import Site, going_on
from migrator.workflows.story.life import life_of
from migrator.workflows.story.live import Asking, Live, ask_carriers
from migrator.workflows.story.next_step import UnitStanding, next_step
from migrator.workflows.story.subject import one_named

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["STORY_VERSION", "Story", "show"]

STORY_VERSION = 1
PRINTED = 20
"""Digits of an ICCID as a card shows it."""


@dataclass(frozen=True, slots=True)
class Story:
    """Story of one unit.

    Args:
        document: the story as JSON values: see docs/one-unit.md.
        trouble: what went wrong while the carriers were asked.
        exit_code: that of the first trouble; 0 without any.
    """

    document: Mapping[str, Any]
    trouble: tuple[Problem, ...] = ()
    exit_code: int = 0


@dataclass(slots=True, kw_only=True)
class _Known:
    """All that the store has of one unit."""

    found: Found
    sim: SourceSim | None
    pair: Pair | None
    target_iccid: Iccid | None
    facts: UnitFacts | None
    link: TargetLink | None
    read_s: float | None
    recorded: Recorded
    plans: list[dict[str, Any]] = field(default_factory=list)
    claimed_s: float | None = None
    proof: KeptProof | None = None

    @property
    def source(self) -> Iccid | None:
        """ICCID of the old SIM, as far as known."""
        if self.sim is not None:
            return self.sim.iccid
        if self.pair is not None:
            return self.pair.source
        return next((Iccid.parse(plan["source_iccid"]) for plan in self.plans), None)


def show(site: Site, text: str, *, live: bool = False) -> Story:
    """Tell the story of the one unit that a text names.

    Args:
        site: the store, and the carriers' settings for `live`.
        text: an old or new ICCID, EID, IMEI, device id, label, unit, ticket, IMSI or MSISDN.
        live: whether both carriers are asked now, one SIM each; else nothing is asked.

    Raises: SeveralSims, if the text names several; InputError, if it names none, or settings are missing.
    """
    store = site.store
    known = _known(store, one_named(store, text))
    answers = None
    if live:
        asking = Asking(
            source=known.source,
            target=known.target_iccid,
            claimed_s=known.claimed_s,
            scanned_s=None if known.facts is None else known.facts.scanned_at,
        )
        answers = ask_carriers(store, site.settings, asking)
    document = _document(store, known, text, answers)
    if answers is None:
        return Story(document)
    return Story(document, tuple(answers.trouble), answers.exit_code)


def _known(store: "Store", found: Found) -> _Known:
    source, target = found.source_key, found.target_key
    looked = None if target is None else store.story.link(target)
    link, read_s = (None, None) if looked is None else looked
    pair = None if source is None else store.pairs.by_source_keys([source]).get(source)
    records = {} if target is None else store.target_records.among([target])
    known = _Known(
        found=found,
        sim=None if source is None else next(store.inventory.sims([source]), None),
        pair=pair,
        target_iccid=pair.target if pair is not None else None if link is None else link.iccid,
        facts=None if source is None else store.unit_facts.by_source_keys([source]).get(source),
        link=link,
        read_s=read_s,
        recorded=recorded_traffic(records.get(target or "", {})),
    )
    if source is not None:
        back = store.cutovers.rolled_back().get(source)
        for plan in store.story.plans(source):
            known.plans.append(_plan(store, plan, source, back, known))
    return known


def _plan(store: "Store", plan: dict[str, Any], source: str, back: str | None, known: _Known) -> dict[str, Any]:
    """Return what one plan has of the SIM.

    The newest claim and proof are noted in `known`.
    """
    plan_id = plan["plan_id"]
    (item,) = store.journal.items_by_key(plan_id, [source])
    verdict = store.story.verdict(plan_id, source)
    claimed_s = _claimed_at(store, item, plan_id, source)
    proof = store.proofs.among(plan_id, [source]).get(source)
    known.claimed_s = claimed_s if claimed_s is not None else known.claimed_s
    if proof is not None and (known.proof is None or proof.proved_s >= known.proof.proved_s):
        known.proof = proof
    verified = None if verdict is None else verdict[0]
    row = row_of(
        item,
        verified,
        job_ids=(),
        claimed_at=claimed_s,
        verified_at=None if verdict is None else verdict[1],
        rollback=back,
        proof=proof,
    )
    change = item.change
    return {
        **{name: plan[name] for name in ("plan_id", "state")},
        **{name: moment(plan[name]) for name in ("created_at", "started_at", "finished_at")},
        "source_iccid": change.source_iccid.digits,
        "target_iccid": None if change.target_iccid is None else change.target_iccid.digits,
        "action": change.action.value,
        "reason": change.reason.value,
        "detail": change.detail,
        "wave": change.wave,
        "rule": change.rule,
        "planned": {
            "name": change.name,
            "state": None if change.state is None else change.state.value,
            "overage_limit_bytes": change.overage_limit_bytes,
            "sms_limit": change.sms_limit,
        },
        "steps": [
            _step(step) for step in sorted(item.steps.values(), key=lambda step: list(StepKind).index(step.kind))
        ],
        "verdict": None if verified is None else verified.verdict.value,
        "verified_at": row.verified_at,
        "findings": []
        if verified is None
        else [
            {"code": one.code.value, "planned": str(one.planned), "observed": str(one.observed)}
            for one in verified.findings
        ],
        "bucket": row.bucket,
        "code": row.code,
        "why": row.detail,
        "remedy": remedy(row.bucket, row.code, going_on(store, plan_id), store.inventory.source_name()),
        "proof_of_life": None if proof is None else life_values(proof),
    }


def _step(step: Step | CutoverStep) -> dict[str, Any]:
    told = {"kind": step.kind.value, "state": step.state.value, "since": moment(step.since), "attempts": step.attempts}
    return {**told, "code": step.code, "message": step.message}


def _claimed_at(store: "Store", item: Item, plan_id: str, source: str) -> float | None:
    """Return when the claim that is done was answered, or sent."""
    if item.state_of(StepKind.CLAIM) is not StepState.DONE:
        return None
    sent = [one for one in store.story.requests(source) if one["plan_id"] == plan_id and one["kind"] == StepKind.CLAIM]
    return (sent[-1]["outcome_at"] or sent[-1]["intent_at"]) if sent else None


# --- the document -------------------------------------------------------------------------------------------------


def _document(store: "Store", known: _Known, text: str, live: Live | None) -> dict[str, Any]:
    cutovers = _cutovers(store, known)
    silent = _silence(known)
    document = {
        "story_version": STORY_VERSION,
        "asked": {"text": text, "found_by": [name.value for name in known.found.names]},
        "source": store.inventory.source_name(),
        "unit": _unit(known.facts),
        "pair": _pair(store, known),
        "earlier_pairs": _versions(store, known),
        "old_sim": _old_sim(store, known),
        "new_sim": _new_sim(known),
        "silence": None if silent is None else {**silent.as_dict(), "meaning": MEANING[silent.silence]},
        "plans": known.plans,
        "switches": cutovers,
        "requests": _requests(store, known, cutovers),
        "live": None if live is None else live.as_dict(),
    }
    told = silent if live is None or live.silent is None else live.silent
    step = next_step(_standing(store, known, cutovers, None if told is None else told.silence, live))
    return {**document, "life": life_of(document), "next": step.as_dict()}


def _silence(known: _Known) -> Silent | None:
    """Return why the new SIM is silent, or None.

    None where nobody claimed it yet.
    """
    if known.link is None or not known.link.is_claimed:
        return None
    claimed_s = claimed_at_s(known.link, known.claimed_s)
    return silent_as_kept(known.link, known.recorded, claimed_s=claimed_s, proof=known.proof)


def _standing(
    store: "Store", known: _Known, cutovers: list[dict[str, Any]], silence: Silence | None, live: Live | None
) -> UnitStanding:
    source, target = known.source, known.target_iccid
    sim = known.sim if live is None or live.sim is None else live.sim
    open_cutovers = [one for one in cutovers if one["is_open"]]
    back = known.found.source_key is not None and known.found.source_key in store.cutovers.rolled_back()
    return UnitStanding(
        iccid=str(source or target),
        is_listed=known.sim is not None,
        is_paired=known.pair is not None,
        plan=_plan_that_counts(known.plans),
        open_cutover=_command(store, open_cutovers[-1]) if open_cutovers else None,
        old_status=_status_now(store, sim, is_live=live is not None and live.sim is not None),
        is_taken_back=back,
        silence=silence,
    )


def _command(store: "Store", cutover: Mapping[str, Any]) -> tuple[str, str]:
    return cutover["direction"], store.cutovers.header(cutover["switch_id"]).command


def _status_now(store: "Store", sim: SourceSim | None, *, is_live: bool) -> str | None:
    """Return the old SIM's status, also by our cutovers since."""
    if sim is None:
        return None
    off = None if is_live else store.cutovers.switched_off([sim.iccid.key]).get(sim.iccid.key)
    return SourceStatus.DISABLED.value if off is not None and not off.is_on_again else sim.status.value


def _plan_that_counts(plans: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the plan that says where the SIM stands.

    That is the last one that was begun, or a later one that has something to do for the SIM.
    """
    begun = [number for number, plan in enumerate(plans) if plan["started_at"] is not None]
    later = plans[begun[-1] + 1 :] if begun else plans
    acting = [plan for plan in later if plan["action"] != "NO_OP"]
    if acting:
        return acting[-1]
    return plans[begun[-1]] if begun else plans[-1] if plans else None


def _unit(facts: UnitFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    names = ("unit", "site", "ticket", "imei", "scanned_by", "origin")
    times = {"scanned_at": moment(facts.scanned_at), "noted_at": moment(facts.noted_at)}
    return {name: getattr(facts, name) for name in names} | times


def _pair(store: "Store", known: _Known) -> dict[str, Any] | None:
    pair = known.pair
    if pair is None:
        return None
    return {
        "source_iccid": pair.source.digits,
        "target_iccid": pair.target.digits,
        "eid": None if pair.eid is None else pair.eid.digits,
        "origin": pair.origin,
        "paired_at": moment(store.story.paired_at(pair.source.key)),
    }


def _versions(store: "Store", known: _Known) -> list[dict[str, Any]]:
    names = (
        "source_iccid",
        "version",
        "was_target_iccid",
        "was_origin",
        "target_iccid",
        "origin",
        "evidence",
        "reason",
    )
    rows = store.story.versions(known.found.source_key, known.found.target_key)
    return [
        {name: getattr(row, name) for name in names}
        | {"corrected_by": row.corrected_by, "corrected_at": moment(row.corrected_at)}
        for row in rows
    ]


def _printed(iccid: Iccid) -> str | None:
    """Return an ICCID with its check digit, as the card shows it."""
    if len(iccid.digits) == PRINTED:
        return iccid.digits
    return iccid.digits + luhn_digit(iccid.digits) if len(iccid.digits) == PRINTED - 1 else None


def _old_sim(store: "Store", known: _Known) -> dict[str, Any] | None:
    iccid, sim = known.source, known.sim
    if iccid is None:
        return None
    pulled, off = store.story.inventory(), store.cutovers.switched_off([iccid.key]).get(iccid.key)
    told = {"iccid": iccid.digits, "iccid_with_check_digit": _printed(iccid), "is_listed": sim is not None}
    history = [
        {"imei": seen.imei, "first_pulled_at": moment(seen.first_seen_s), "last_pulled_at": moment(seen.last_seen_s)}
        for seen in store.imeis.of([iccid.key]).get(iccid.key, [])
    ]
    use = store.story.old_use(iccid.key)
    names = ("label", "imsi", "msisdn", "imei", "imei_lock", "ip_address", "activated_at", "expires_at")
    volumes = ("data_quota_mb", "data_remaining_mb", "sms_quota", "sms_remaining")
    return {
        **told,
        "status": None if sim is None else sim.status.value,
        "status_word": None if sim is None else sim.status_word,
        **{name: None if sim is None else getattr(sim, name) for name in names},
        **{name: _volume(None if sim is None else getattr(sim, name)) for name in volumes},
        "data_limit": None if sim is None or sim.data_limit is None else _data_limit(sim.data_limit),
        "tags": None if sim is None or sim.tags is None else list(sim.tags),
        "imeis": history,
        "first_seen": _first_seen(store, iccid, sim),
        "switched_off": None if off is None else off.words,
        "last_use_asked": None
        if use is None
        else {"used_on": use.used_on, "from": use.asked_from, "to": use.asked_to, "asked_at": moment(use.asked_at)},
        "pulled_at": None if pulled is None else moment(pulled.completed_at),
        "pulled_from": None
        if pulled is None
        else pulled.origin or f"{store.inventory.source_name()} {api_words(pulled.api_version)}",
    }


def _first_seen(store: "Store", iccid: Iccid, sim: SourceSim | None) -> dict[str, Any] | None:
    """Return the old SIM as first seen, and what differs now."""
    first = store.baselines.of([iccid.key]).get(iccid.key)
    if first is None:
        return None
    differs: tuple[str, ...] = ()
    if sim is not None:
        differs = first.differences(status=sim.status.value, label=sim.label, imei=sim.imei)
    return {
        "status": first.status,
        "label": first.label,
        "imei": first.imei,
        "at": moment(first.seen_s),
        "is_first": first.is_first,
        "differs": list(differs),
    }


def _data_limit(limit: DataLimit) -> dict[str, Any]:
    return {"bytes": limit.volume, "period": limit.word}


def _volume(value: Any) -> str | None:
    return None if value is None else f"{value:f}"


def _new_sim(known: _Known) -> dict[str, Any] | None:
    iccid, link = known.target_iccid, known.link
    if iccid is None:
        return None
    names = ("device_id", "link_id", "org_id", "state_word", "name", "overage_limit_bytes", "sms_limit")
    more = ("data_plan_id", "zone", "imei", "claimed_at", "last_connected_at", "test_ends_at")
    return {
        "iccid": iccid.digits,
        "iccid_with_check_digit": _printed(iccid),
        "is_seen": link is not None,
        "is_claimed": link is not None and link.is_claimed,
        "state": None if link is None else link.state.value,
        **{name: None if link is None else getattr(link, name) for name in (*names, *more)},
        "tags": None if link is None or link.tags is None else sorted(link.tags),
        "read_at": moment(known.read_s),
    }


# --- cutovers, rollbacks and requests -----------------------------------------------------------------------------


def _cutovers(store: "Store", known: _Known) -> list[dict[str, Any]]:
    source = known.found.source_key
    if source is None:
        return []
    return [_cutover(store, cutover_id, source) for cutover_id in store.story.cutovers(source)]


def _cutover(store: "Store", cutover_id: str, source: str) -> dict[str, Any]:
    header, state = store.cutovers.header(cutover_id), store.cutovers.state(cutover_id)
    times = next(one for one in store.cutovers.of_plan(header.plan_id) if one["switch_id"] == cutover_id)
    (item,) = store.cutovers.items_by_key(cutover_id, [source])
    row = item.row
    return {
        "switch_id": cutover_id,
        "plan_id": header.plan_id,
        "direction": header.direction.value,
        "state": str(state),
        **{name: moment(times[name]) for name in ("created_at", "started_at", "finished_at")},
        "action": row.action.value,
        "reason": row.reason.value,
        "detail": row.detail,
        "wave": row.wave,
        "proof": row.proof,
        "unit": None if row.unit is None else row.unit.value,
        "is_open": str(state) != "finished" and row.action.acts and is_open(item, header.direction),
        "steps": [_step(step) for step in item.steps.values()],
    }


def _requests(store: "Store", known: _Known, cutovers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every request that named one of the SIMs, oldest first."""
    source = known.found.source_key
    if source is None:
        return []
    sent = [_request(one, one["plan_id"]) for one in store.story.requests(source)]
    for cutover in cutovers:
        named = store.story.cutover_requests(cutover["switch_id"], source)
        sent += [_request(one, cutover["switch_id"]) for one in named]
    return sorted(sent, key=lambda one: (one["sent_at"] or "", one["request_id"]))


def _request(row: dict[str, Any], of: str) -> dict[str, Any]:
    return {
        "request_id": row["request_id"],
        "of": of,
        "kind": row["kind"],
        "method": row["method"],
        "path": row["path"],
        "sims": row["sims"],
        "sent_at": moment(row["intent_at"]),
        "answered_at": moment(row["outcome_at"]),
        "outcome": str(row["outcome"]),
        "http_status": row["status"],
        "job_id": row["job_id"],
        "job_status": row["job_status"],
        "words": row["message"],
    }
