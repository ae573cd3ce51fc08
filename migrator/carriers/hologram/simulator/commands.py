"""Bulk commands on devices: states, limits, and the list of jobs.

`success` true says little: a device that the reply leaves out was not changed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from migrator.carriers.hologram.simulator.access import require, require_org
from migrator.carriers.hologram.simulator.choices import Operation, ReplyEdition, SmsIncrease
from migrator.carriers.hologram.simulator.claims import SMS_MOST
from migrator.carriers.hologram.simulator.model import SimulatedLink, is_pending
from migrator.carriers.hologram.simulator.replies import NO_PERMISSION, Call, HologramReply, Refusal, ok, refusal
from migrator.carriers.hologram.simulator.rows import stamp
from migrator.carriers.hologram.simulator.world import Job, World

__all__ = ["batch_state", "batch_usage_limit", "chosen_devices", "list_jobs"]

_MOVES = {  # command: (pending state, state it leads to)
    "pause": ("PAUSED-PENDING-USER", "PAUSED-USER"),
    "live": ("LIVE-PENDING", "LIVE"),
    "deactivate": ("DEAD-PENDING", "DEAD"),
}
_LIMITS = {"datathreshold": "threshold", "overagelimit": "overage_limit", "smslimit": "sms_limit"}
"""Keys of a limit command, with the names of the condition's fields."""

_Outcome: TypeAlias = tuple[bool, str | None]
"""True if a device took a command, and the warning about it."""


@dataclass(slots=True)
class _Summary:
    """Result of a bulk command.

    `modified` has the ids of the devices that took the command. `warnings` has the warnings about devices.
    """

    modified: list[int] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self, world: World, edition: ReplyEdition) -> dict[str, Any]:
        """Return the common part of replies (reference, sections 7.2 and 9.1)."""
        warnings = [warning["message"] for warning in self.warnings] if edition == ReplyEdition.REF_1 else self.warnings
        profiles = [world.by_device[device_id].link_id for device_id in self.modified]
        return {"warnings": warnings, "devices_modified": self.modified, "profiles_modified": profiles}


def batch_state(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/batch/state`: start to move each device.

    Pending devices are locked and left out.
    """
    command, edition = call.body.get("state"), world.edition(world.behaviour.state_edition)
    if command not in _MOVES:
        raise Refusal(refusal(400, "state must be one of pause, live, deactivate"))
    if command == "deactivate":
        world.forbid(call.name, "deactivate")
    require(world, Operation.STATE, "deactivate" if command == "deactivate" else None)
    require_org(world, call, required=edition != ReplyEdition.REF_3)
    device_ids = chosen_devices(world, call)
    ends_s = [world.clock.now_s()]

    def move(link: SimulatedLink) -> _Outcome:
        warning = _obstacle(world, link, command)
        if warning is None and link.state != _MOVES[command][1]:
            ends_s.append(_start(world, link, command))
        return warning is None, warning

    summary = _applied(world, call, device_ids, move)
    job = _new_job(world, command, len(device_ids), max(ends_s))
    results = {**summary.as_dict(world, edition), "newstate": _MOVES[command][0] if summary.modified else ""}
    params = {"state": command, "deviceids": device_ids, "in_transaction": True}
    return _job_reply(job, edition, endpoint="/1/devices/state", params=params, results=results)


def batch_usage_limit(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/batch/usagelimit`: bytes and messages, -1 for no limit."""
    require(world, Operation.LIMITS)
    edition = world.edition(world.behaviour.limits_edition)
    require_org(world, call, required=edition != ReplyEdition.REF_3)
    device_ids, facts = chosen_devices(world, call), _limits(world, call)
    sms_kept = "smslimit" in call.body and "sms_limit" not in facts

    def limit(link: SimulatedLink) -> _Outcome:
        if world.behaviour.limits_locked_while_pending and is_pending(link.state):
            return False, _locked(link.state)
        if facts:
            link.change(world.clock.now_s() + world.behaviour.limits_lag_s, **facts)
        return bool(facts), f"SMS limit cannot be above {SMS_MOST}" if sms_kept else None

    summary = _applied(world, call, device_ids, limit)
    results = summary.as_dict(world, ReplyEdition.REF_2 if edition == ReplyEdition.REF_3 else edition)
    if edition == ReplyEdition.REF_3:
        job = _new_job(world, "usagelimit", len(device_ids), world.clock.now_s())
        return _job_reply(job, edition, endpoint="/1/devices/usagelimit", params={}, results=results)
    return ok(results | {f"new{key}": facts[name] for key, name in _LIMITS.items() if name in facts})


def list_jobs(world: World, call: Call) -> HologramReply:
    """Answer `GET /devices/batch/state`: jobs without results per device.

    The answer is 403 for some organizations.
    """
    require(world, Operation.READ)
    require_org(world, call)
    if world.behaviour.jobs_forbidden:
        raise Refusal(refusal(403, NO_PERMISSION))
    tasks = [_job_row(world, job) for job in reversed(world.jobs)]
    return ok({"tasks": tasks, "startAfterIds": [], "totalPages": 1, "totalTasks": len(tasks)})


def chosen_devices(world: World, call: Call) -> list[int]:
    """Return the device ids of a bulk call.

    Raises: Refusal (400).
    """
    if call.body.get("allSelected"):
        world.forbid(call.name, "allSelected")
        return [device_id for device_id in world.device_ids if world.by_device[device_id].org_id == world.org_id]
    device_ids, most = call.body_numbers("deviceids"), world.behaviour.max_devices
    if most is not None and len(device_ids) > most:
        raise Refusal(refusal(400, f"At most {most} devices per request"))
    return device_ids


def _applied(world: World, call: Call, device_ids: list[int], apply: Callable[[SimulatedLink], _Outcome]) -> _Summary:
    """Apply a command to each device, and return the results."""
    summary = _Summary()
    named = call.number("orgid")
    orgs = world.visible_orgs() if named is None else {named}
    for device_id in device_ids:
        link = world.by_device.get(device_id)
        if link is None or link.org_id not in orgs:
            summary.warnings.append({"deviceid": device_id, "linkid": 0, "message": "Device not found"})
            continue
        done, warning = apply(link)
        if warning is not None:
            summary.warnings.append({"deviceid": device_id, "linkid": link.link_id, "message": warning})
        if done:
            summary.modified.append(device_id)
    return summary


def _obstacle(world: World, link: SimulatedLink, command: str) -> str | None:
    """Return the reason why a device refuses a state command now.

    The result is None if the device takes the command.
    """
    state = link.state
    if is_pending(state):
        return _locked(state)
    if state in {"DEAD", "TEST-ACTIVATE"} or (state == "PAUSED-SYS" and command != "deactivate"):
        return f"State cannot be changed from {state}"
    if state == _MOVES[command][1] and world.behaviour.same_state_warned:
        return f"SIM is already {state}"
    return None


def _locked(state: str) -> str:
    return f"SIM state is locked ({state}). Contact support"


def _start(world: World, link: SimulatedLink, command: str) -> float:
    pending, settled = _MOVES[command]
    after_s = world.pending_s(link, f"state {len(link.history)}", world.behaviour.state_pending_s)
    settled = world.live_state(link) if command == "live" else settled
    return world.move(link, pending=pending, settled=settled, after_s=after_s)


def _limits(world: World, call: Call) -> dict[str, int]:
    """Return the limits to set, by field of a condition.

    Raises: Refusal.
    """
    facts = {name: limit for key, name in _LIMITS.items() if (limit := call.body_number(key)) is not None}
    if not facts or min(facts.values()) < -1:
        raise Refusal(refusal(400, "Provide overagelimit, datathreshold or smslimit, each -1 or more"))
    increase = world.behaviour.sms_increase
    if not 0 <= facts.get("sms_limit", 0) <= SMS_MOST and increase != SmsIncrease.ALLOW:
        if increase == SmsIncrease.REFUSE:
            raise Refusal(refusal(400, f"SMS limit cannot be above {SMS_MOST}"))
        del facts["sms_limit"]
    return facts


def _new_job(world: World, action: str, device_count: int, ends_s: float) -> Job:
    job = Job(world.next_job_id, action, device_count, world.clock.now_s(), ends_s)
    world.jobs.append(job)
    world.next_job_id += 1
    return job


def _job_reply(
    job: Job, edition: ReplyEdition, *, endpoint: str, params: dict[str, Any], results: dict[str, Any]
) -> HologramReply:
    if edition == ReplyEdition.REF_3:
        return ok({"jobid": job.job_id, "preview": False, "valid_tasks": [{}]})
    task = {
        "endpoint": endpoint,
        "params": params,
        "error": False,
        "adding_balance": False,
        "index": 0,
        "task_results": results,
    }
    return ok({"preview": False, "jobid": str(job.job_id), "valid_tasks": [task]})


def _job_row(world: World, job: Job) -> dict[str, Any]:
    is_over = job.ends_s <= world.clock.now_s()
    return {
        "job_id": job.job_id,
        "requester_org_name": "Invented Fleet",
        "requester_first_name": "Kim",
        "requester_last_name": "Example",
        "timestamp_start": stamp(world.clock.date(job.starts_s)),
        "timestamp_end": stamp(world.clock.date(job.ends_s)) if is_over else None,
        "device_count": job.device_count,
        "action": job.action,
        "status": world.behaviour.job_status or ("complete" if is_over else "in_progress"),
        "source": "api",
    }
