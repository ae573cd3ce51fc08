"""Invented reconciliations: a fleet of any size, as a migration with some trouble leaves it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from migrator.core.run.steps import JobRecord
from migrator.reports.model import Pace, Reconciliation, ReportRow, moment
from migrator.reports.writers import Written, write_report

__all__ = ["AWKWARD", "NOW", "awkward", "cutover", "iccid", "reconciliation", "row", "written"]

NOW = 1_795_000_000.0
MB = 1_048_576
AWKWARD = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!-- <script>",
    "]]>&lt;b&gt;\u2028\u2029",
    '=HYPERLINK("http://evil.test","x")',
    '"><img src=http://evil.test/x onerror=alert(3)>',
    "{{ 7 * 7 }}{% raw %}",
    "$&$`\\u003c",
)
"""Labels as a stranger may have given them."""
_TROUBLE: Mapping[int, Mapping[str, Any]] = {
    11: {"bucket": "failed", "code": "claimed_elsewhere", "detail": "SIM is already activated"},
    17: {"bucket": "mismatch", "code": "wrong_overage_limit", "overage_limit_observed": 7 * MB},
    23: {"bucket": "pending", "code": "state_pending", "state_observed": "LIVE-PENDING"},
    29: {"bucket": "blocked", "code": "limit_zero", "detail": "no volume is booked at 1NCE", "wave": None},
    31: {"bucket": "unpaired", "code": "no_pairing", "target_iccid": None, "wave": None},
    37: {"bucket": "skipped", "code": "status_skipped", "detail": "expired SIMs are left behind by [status]"},
    41: {"bucket": "excluded", "code": "not_in_plan", "target_iccid": None, "wave": None},
}
"""By number within each fifty SIMs: what is wrong with it."""


def iccid(number: int) -> str:
    """The number-th SIM of the old fleet."""
    return f"8988228{number:012d}"


def row(number: int, **values: Any) -> ReportRow:
    """A verified SIM, unless told otherwise."""
    limit = (50, 100, 250, 500, 500, 500, 1000)[number % 7] * MB
    told: dict[str, Any] = {
        "source_iccid": iccid(number),
        "target_iccid": f"8944500{number:012d}",
        "device_id": 700_000 + number,
        "bucket": "verified",
        "code": "",
        "detail": "",
        "wave": "canary" if number < 10 else f"wave {1 + number * 3 // 2000}",
        "name_planned": f"Meter {number:05d}",
        "name_observed": f"Meter {number:05d}",
        "state_planned": "live",
        "state_observed": "LIVE",
        "overage_limit_planned": limit,
        "overage_limit_observed": limit,
        "sms_limit_planned": 100,
        "sms_limit_observed": 100,
        "job_ids": f"r{1 + number // 500}",
        "claimed_at": moment(NOW - 3600 + number // 500 * 240),
        "verified_at": moment(NOW - 300),
    }
    return ReportRow(**(told | values))


def rows(sims: int) -> Iterator[ReportRow]:
    """A fleet in which some of each fifty SIMs are in trouble."""
    for number in range(1, sims + 1):
        one = row(number)
        trouble = _TROUBLE.get(number % 50)
        if trouble is not None and number > 50:
            one = replace(one, **trouble)
            if one.bucket not in {"mismatch", "pending"}:
                one = replace(one, claimed_at=None, device_id=None, name_observed=None)
        yield one


def awkward() -> list[ReportRow]:
    """A fleet of awkward labels, in names, codes, details, waves and job ids."""
    return [
        row(
            number,
            name_planned=text,
            name_observed=text,
            detail=text,
            wave=text,
            job_ids=text,
            bucket="failed",
            code=text,
        )
        for number, text in enumerate(AWKWARD, 1)
    ]


def reconciliation(sims: int = 120, **values: Any) -> Reconciliation:
    """A report of so many SIMs, with two runs, an approval and some bulk requests."""
    told: dict[str, Any] = {
        "plan_id": "p4f1c09ab27",
        "goes_on": "migrator apply p4f1c09ab27",
        "inventory_total": sims,
        "rows": lambda: rows(sims),
        "runs": [_run(1, NOW - 3600, NOW - 2900, 130, "interrupted"), _run(2, NOW - 2400, NOW - 300, 3, "done")],
        "jobs": lambda: (_job(number, sims) for number in range(1, 9)),
        "money": {
            "planned_charged_now": f"{sims}.00",
            "planned_price_per_sim": "1.00",
            "sims_planned_to_claim": sims,
            "sims_claimed": sims * 9 // 10,
            "sims_uncertain": 0,
            "charged_so_far": f"{sims * 9 // 10}.00",
            "charged_perhaps": "0.00",
        },
        "plan": _plan(),
        "policy_text": 'policy_version = 1\n[claim]\ndata_plan_id = 2096\nzone = "global"\n',
        "approvals": [_approval()],
        "pace": _pace(),
        "double_billing": {
            "on_both_sides": sims // 2,
            "claimed": sims * 9 // 10,
            "hologram_price_per_sim_and_period": "1.00",
            "hologram_per_day": "2.00",
            "not_seen_in_a_unit": sims // 8,
            "not_seen_in_a_unit_per_day": "0.50",
            "left_behind_mb": None,
            "left_behind_mb_read_of_sims": 0,
            "left_behind_days": None,
            "left_behind_days_read_of_sims": 0,
        },
        "cutovers": [cutover()],
        "generated_at": NOW,
        "tool": "migrator 0.0",
    }
    return Reconciliation(**(told | values))


def cutover(**values: Any) -> dict[str, Any]:
    """A cutover plan, half way."""
    told: dict[str, Any] = {
        "switch_id": "c0a1b2c3d4e",
        "direction": "cutover",
        "state": "started",
        "created_at": moment(NOW - 250),
        "started_at": moment(NOW - 200),
        "finished_at": None,
        "count": 40,
        "switched": 20,
        "failed": 2,
        "aside": 1,
        "paused": 0,
        "ran_by": ["ann@desk, process 4711 on desk"],
        "refs": ["CHG0042"],
    }
    return told | values


def written(folder: Path, report: Reconciliation | None = None, *formats: str) -> Written:
    """The report in a folder, in all formats unless some are named."""
    return write_report(report or reconciliation(), folder, formats or ("html", "json", "csv", "md"))


def _run(number: int, started_at: float, ended_at: float, code: int, reason: str) -> JobRecord:
    return JobRecord(number, "p", "completed", "ann@desk, process 4711 on desk", started_at, ended_at, code, reason, 40)


def _job(number: int, sims: int) -> dict[str, Any]:
    is_claim = number % 2 == 1
    count = sims // 4
    return {
        "request_id": number,
        "run_id": 1 + number // 5,
        "wave": "canary" if number == 1 else "wave 1",
        "kind": "claim" if is_claim else "limits",
        "sims": count,
        "outcome": "accepted",
        "status": 200,
        "job_id": None if is_claim else f"{90_000 + number}",
        "job_status": None if is_claim else "finished",
        "sent_at": moment(NOW - 3600 + 200 * number),
        "answered_at": moment(NOW - 3590 + 200 * number),
        "sims_claimed": count if is_claim else None,
        "charge_expected": f"{count}.00" if is_claim else None,
        "charged": f"{count}.00" if is_claim else None,
    }


def _plan() -> dict[str, Any]:
    return {
        "state": "started",
        "lineage": "5a1c7be21d90",
        "org_id": 4711,
        "claims": 118,
        "counts": {"BLOCK": 2, "CLAIM": 118},
        "waves": ["canary", "wave 1"],
        "policy_file": "policy.toml",
        "changes_sha256": "ab" * 32,
        "audit_head": "cd" * 32,
        "created_at": moment(NOW - 5000),
        "started_at": moment(NOW - 3600),
        "finished_at": None,
        "inventory_taken_at": moment(NOW - 6000),
        "inventory_api_version": "v2",
        "inventory_unreadable": 0,
    }


def _approval() -> dict[str, Any]:
    return {
        "approved_by": "ada",
        "approved_at": moment(NOW - 4000),
        "note": "as agreed",
        "changes_sha256": "ab" * 32,
        "ref": "CHG0041",
        "is_of_this_plan": True,
    }


def _pace() -> Pace:
    claims = [1 if place % 7 == 0 else 0 for place in range(60)]
    names = [abs(30 - (place * 11) % 47) if 5 < place < 55 else 0 for place in range(60)]
    return Pace(NOW - 3600, 55.0, {"claim": claims, "name": names})
