"""Outcomes of `verify` beyond the record."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from migrator.cli.app.common import Globals, Outcome, table
from migrator.core.cutover.life import Life, Proof
from migrator.core.cutover.silence import ADVICE, MEANING, OldSide, Silence
from migrator.core.fleet.imei import Unit
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.workflows.verify.devices import DeviceWatch
from migrator.workflows.verify.source_list import SourceLook

__all__ = ["ProofSum", "lives_told", "most_kept", "source_told", "unexpected_told"]

SHOWN = 20


def most_kept(shared: Globals) -> int | None:
    """Return the number of SIMs to keep one by one.

    A program gets all of them, a person some.
    """
    return None if shared.json or shared.events else SHOWN


# --- devices that nobody planned ----------------------------------------------------------------------------------


def unexpected_told(devices: DeviceWatch) -> Outcome:
    """Return the outcome for devices that no plan put in our organization."""
    total = devices.counts.total()
    found = [one.as_dict() for one in devices.found]
    data = {
        "unexpected": {
            "count": total,
            "by_reason": dict(sorted(devices.counts.items())),
            "devices_looked_at": devices.devices,
            "whole_list": devices.is_complete,
            "devices": found,
        }
    }
    if not total:
        whole = "; that is the whole organization" if devices.is_complete else ""
        words = f"Nothing unexpected among {devices.devices} devices{whole}." if devices.devices else ""
        return Outcome(data, [words] if words else ())
    columns = ("target_iccid", "device_id", "name", "reason")
    rows = [tuple(one[column] for column in columns) for one in found]
    problem = Problem(
        "attention",
        f"{total} devices are unexpected: no plan of this store put them there",
        "each of them is billed; look them up at Hologram by their ICCID",
    )
    return Outcome(data, [table(_title("Unexpected", total, len(rows)), columns, rows)], ExitCode.ATTENTION, (problem,))


# --- the source side ----------------------------------------------------------------------------------------------


def source_told(found: SourceLook, source: str) -> Outcome:
    """Return the outcome for changes at the source since the plan."""
    pulled = found.pulled
    data = {
        "source": {
            "settled": pulled.settled,
            "sims_listed": pulled.sims,
            "unreadable": pulled.unreadable,
            "changed": found.sims if pulled.settled else None,
            "switched_off_by_us": found.ours_off if pulled.settled else None,
            "by_change": dict(sorted(found.counts.items())),
            "sims": [change.as_dict() for change in found.changes],
        }
    }
    warnings = [Problem("warning", words) for words in pulled.warnings]
    if pulled.unreadable:
        words = f"{pulled.unreadable} rows of {source}'s list cannot be read: SIMs told as gone may be among them"
        warnings.append(Problem("warning", words))
    if not pulled.settled:
        words = f"{source}'s list kept moving while it was read ({pulled.sims} SIMs, it tells of {pulled.listed})"
        problem = Problem("stopped", words, "run `migrator verify --source` again later")
        return Outcome(data, (), ExitCode.RESUMABLE, (*warnings, problem))
    ours = f"a cutover of this plan switched {found.ours_off} of them off, as ordered" if found.ours_off else ""
    if not found.sims:
        but = f", but that {ours}" if ours else ""
        return Outcome(data, [f"At {source}, {pulled.sims} SIMs are as the plan used them{but}."], 0, tuple(warnings))
    rows = [(change.iccid, ", ".join(change.codes), change.words) for change in found.changes]
    problem = Problem(
        "attention",
        f"{found.sims} SIMs changed at {source} since the plan was made",
        "`migrator inventory pull`, then a new plan, takes that in",
    )
    shown = table(_title(f"Changed at {source}", found.sims, len(rows)), ("source_iccid", "what", "how"), rows)
    counts = table(f"At {source} since the plan", ("change", "SIMs"), sorted(found.counts.items()))
    off = [f"Of {pulled.sims} SIMs at {source}, {ours}."] if ours else []
    return Outcome(data, [counts, shown, *off], ExitCode.ATTENTION, (*warnings, problem))


# --- proof of life ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ProofSum:
    """Sum of the proofs of life, with some proofs kept.

    Args:
        most: the number of proofs to keep one by one, of those that need attention; None for every SIM.
    """

    most: int | None
    sims: int = 0
    attention: int = 0
    life: Counter[Life] = field(default_factory=Counter)
    unit: Counter[Unit] = field(default_factory=Counter)
    old: Counter[OldSide] = field(default_factory=Counter)
    silence: Counter[Silence] = field(default_factory=Counter)
    kept: list[Proof] = field(default_factory=list)

    def keep(self, proof: Proof) -> None:
        """Add the proof of one SIM."""
        self.sims += 1
        self.attention += proof.needs_attention
        self.life[proof.life] += 1
        self.unit[proof.unit] += 1
        if proof.old is not None:
            self.old[proof.old] += 1
        if proof.silent is not None:
            self.silence[proof.silent.silence] += 1
        if self.most is None or (proof.needs_attention and len(self.kept) < self.most):
            self.kept.append(proof)


def lives_told(lives: ProofSum) -> Outcome:
    """Return the outcome of the proofs of life.

    Signs of life and units are always in it, the old side where it was asked.
    """
    counts = {"new_sim": _in_order(lives.life, Life), "unit": _in_order(lives.unit, Unit)}
    if lives.old:
        counts["old_sim"] = _in_order(lives.old, OldSide)
    counts["silence"] = _in_order(lives.silence, Silence)
    data = {"traffic": {"sims": lives.sims, **counts, "attention": lives.attention, "proofs": _rows(lives)}}
    titles = {"new_sim": "Signs of life since the claim", "unit": "The unit", "old_sim": "The old SIM"}
    text: list[Any] = [
        table(title, ("", "SIMs"), list(counts[n].items())) for n, title in titles.items() if n in counts
    ]
    text += _why_silent(lives.silence)
    if not lives.attention:
        return Outcome(data, text)
    rows = [tuple(value for name, value in row.items() if name != "silence_advice") for row in _rows(lives)]
    seen = ("new SIM", "since", "unit", "IMEI at source", "at Hologram", "old", "used", "why", "not known")
    columns = ("source_iccid", "target_iccid", *seen)
    text.append(table(_title("Signs of life that are missing or odd", lives.attention, len(rows)), columns, rows))
    silent, moved = lives.life[Life.SILENT] + lives.life[Life.UNKNOWN], lives.unit[Unit.MOVED]
    words = f"{silent} new SIMs show no life, {moved} sit in another unit than the old one"
    if lives.old:
        words += f", {lives.old[OldSide.TALKS]} old SIMs still talk"
    problem = Problem("attention", words, "these are the units to visit, or to wait for, before `migrator cutover`")
    return Outcome(data, text, ExitCode.ATTENTION, (problem,))


def _why_silent(counts: Mapping[Silence, int]) -> list[Any]:
    """Return the reasons for silence, each with what to do."""
    rows = [(MEANING[why], counts[why], ADVICE[why]) for why in Silence if counts[why] and ADVICE[why]]
    return [table("Why no data comes through", ("what shows", "SIMs", "what to do"), rows)] if rows else []


def _rows(lives: ProofSum) -> list[dict[str, Any]]:
    return [
        {
            "source_iccid": proof.source_iccid,
            "target_iccid": proof.target_iccid,
            "new_sim": proof.life.value,
            "since": None
            if proof.since_s is None
            else f"{datetime.fromtimestamp(proof.since_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "unit": proof.unit.value,
            "source_imei": proof.source_imei,
            "target_imei": proof.target_imei,
            "old_sim": None if proof.old is None else proof.old.value,
            "old_used_on": proof.old_used_on,
            **({} if proof.silent is None else proof.silent.as_dict()),
        }
        for proof in lives.kept
    ]


def _in_order(counts: Mapping[Any, int], words: Any) -> dict[str, int]:
    """Return every word with its count, in the order of definition."""
    return {word.value: counts[word] for word in words}


def _title(what: str, total: int, shown: int) -> str:
    return what if total <= shown else f"{what} (the first {shown} of {total})"
