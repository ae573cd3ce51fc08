"""Pull, pair, plan and apply over HTTP, as processes: is every SIM exact, and which requests were more than needed."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.carriers import Carriers, Setup, serving
from bench.commands import Desk
from bench.fewest import Kind, Planned, kind_of, to_apply, to_plan, to_pull
from bench.measures import Measure
from migrator.wiring.rehearsal.rehearsal import pool_of

__all__ = ["POLICY", "compared", "whole_way"]

SIMS = 3000
BYTES_PER_MB = 1_048_576
SMS_MOST = 100
POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
tag = "from-1nce"
[status]
disabled = "pause"
[[waves]]
name = "canary"
count = 10
[[waves]]
name = "rest"
"""
STATES = {"Enabled": "LIVE", "Disabled": "PAUSED-USER"}
FACTS = ("name", "state", "overage_limit", "sms_limit", "plan_id", "zone", "tags")


def whole_way(folder: Path) -> Iterator[Measure]:
    """3,000 SIMs in two waves, no faults, no rate limit at the carriers."""
    with serving(Setup(sims=SIMS)) as carriers:
        desk = Desk(folder, carriers.environment)
        (folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool_of(SIMS)))
        (folder / "policy.toml").write_text(POLICY)
        pulled = desk.run("inventory", "pull")
        desk.run("pair", "pool", "pool.txt")
        claims = desk.run("plan", "create", "--policy", "policy.toml").data["claims"]
        applied = desk.run("apply", "--confirm", str(claims))
        desk.run("plan", "export", "plan.jsonl")
        desk.run("pair", "export", "pairs.csv")
        yield from _exactness(folder, carriers)
        asked = [*carriers.asked("onence"), *carriers.asked("hologram")]
    sent = Counter(kind_of(entry.method, entry.path) for entry in asked)
    needed = to_pull(SIMS) + to_plan(SIMS) + to_apply(_planned_of(folder / "plan.jsonl"))
    yield from compared("3,000 SIMs, whole way: requests sent", sent, needed, most=1.01)
    yield Measure(what="… seconds of `inventory pull` and `apply`", value=pulled.seconds + applied.seconds, unit="s")


def _exactness(folder: Path, carriers: Carriers) -> Iterator[Measure]:
    """What the carriers' own books say: charges, and every SIM that is not as its source SIM asks."""
    truth, ledger = carriers.truth("hologram"), carriers.summary("hologram")
    expected = _expected(folder / "pairs.csv", carriers.truth("onence"))
    claimed = {iccid for iccid, link in truth.items() if link["device_id"] is not None}
    wrong = [iccid for iccid, facts in expected.items() if {name: truth[iccid][name] for name in FACTS} != facts]
    yield Measure(
        what="3,000 SIMs, whole way: SIMs charged",
        value=ledger["sims_charged"],
        against=len(expected),
        against_what="to be charged",
        most=1.0,
        least=1.0,
    )
    yield Measure(what="… SIMs charged twice", value=len(ledger["charged_more_than_once"]), most=0)
    yield Measure(what="… SIMs claimed that nobody planned, or not claimed", value=len(claimed ^ set(expected)), most=0)
    yield Measure(what="… SIMs whose name, state, limits, tariff or tag differ", value=len(wrong), most=0)


def _expected(pairs: Path, sims: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each target SIM should be, worked out from 1NCE's truth alone; expired SIMs stay behind."""
    with pairs.open(newline="") as lines:
        target_of = {row["source_iccid"]: row["target_iccid"] for row in csv.DictReader(lines)}
    return {target_of[sim["iccid"]]: _wanted(sim) for sim in sims if sim["status"] in STATES}


def _wanted(sim: Mapping[str, Any]) -> dict[str, Any]:
    label = sim["label"] or ""
    return {
        "name": label if label.strip() else f"1nce-{sim['iccid']}",
        "state": STATES[sim["status"]],
        "overage_limit": int(Decimal(sim["data_quota_mb"]) * BYTES_PER_MB),
        "sms_limit": min(SMS_MOST, int(Decimal(sim["sms_quota"]))),
        "plan_id": 2096,
        "zone": "global",
        "tags": ["from-1nce"],
    }


def _planned_of(plan: Path) -> list[Planned]:
    """The SIMs that an exported plan claims."""
    with plan.open() as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Planned(row["wave"], row["name"], (row["overage_limit_bytes"], row["sms_limit"]), row["state"] == "pause")
        for row in rows
        if row.get("action") == "CLAIM"
    ]


def compared(what: str, sent: Counter[Kind], needed: Counter[Kind], *, most: float) -> Iterator[Measure]:
    """The sum against its bar, then kind by kind where something was sent beyond the need."""
    yield Measure(what=what, value=sent.total(), against=needed.total(), against_what="fewest", most=most)
    for kind in Kind:
        if sent[kind] or needed[kind]:
            yield Measure(what=f"… {kind}", value=sent[kind], against=needed[kind], against_what="fewest")
