"""Hologram's JSON and our records: devices, links, claims, changes and pages.

The JSON of the account is in `catalogue`. Every edition of the vendor's reference is read (reference, sections 0 and
12): numbers may be text, `device` may be `Devices`, a list may be one object or null, warnings may be objects or words.
Pure: no network, no clock.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from migrator.carriers.lenient import LARGEST, flag_of, shortened, text_of, whole_of
from migrator.core.cutover.rules import moment_s
from migrator.core.cutover.silence import Recorded
from migrator.core.fleet.identifiers import Iccid, NotAnIdentifier
from migrator.core.fleet.secrets import clean_record
from migrator.core.fleet.sims import LinkState, TargetLink, link_state
from migrator.core.fleet.units import Bytes
from migrator.errors import WireMismatch
from migrator.ports import Answer, CarrierJob, DataSession

__all__ = [
    "NO_DEVICE",
    "carrier_jobs",
    "change_reply",
    "claim_reasons",
    "claim_reply",
    "data_of",
    "data_session",
    "device_link",
    "next_cursor",
    "profile_link",
    "record_eids",
    "recorded_traffic",
    "records",
    "rows_of",
    "sim_numbers",
]

NO_DEVICE = 0
"""Stand-in for the device of a warning that names no device."""


PAGE_NAMES = ("devices", "cellular", "results", "items")
"""Names under which a list of SIMs may stand in `data`.

Nobody has seen one in replies of the true Hologram.
"""

LIST_NAMES = ("tags", *PAGE_NAMES)
"""Names under which a list may stand in `data`.

Replies have "tags" (reference, section 10.3), and devices have them, too.
"""


# --- envelopes and pages -------------------------------------------------------------------------------------------


def data_of(body: Any) -> Any:
    """Return the data in the envelope, or None."""
    return body.get("data") if isinstance(body, Mapping) else None


def records(data: Any, *names: str) -> list[Mapping[str, Any]]:
    """Return the objects in `data`.

    `data` may be a list of objects, a list under one of `names`, one bare object, or nothing.
    """
    if isinstance(data, Mapping):
        inner = next((data[name] for name in names if name in data), None)
        return [data] if inner is None else records(inner)
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else []


def rows_of(body: Any) -> list[Mapping[str, Any]]:
    """Return the records of a list.

    The list may be one bare record, an object whose values are the records, or an object that holds one list. Null is
    an empty list.

    Raises: WireMismatch, for anything else: what a list does not show counts as absent, and is claimed.
    """
    is_told = isinstance(body, Mapping) and "data" in body
    rows = _rows(body["data"]) if is_told else None
    if rows is None:
        raise WireMismatch("Hologram answered with something we cannot read where a list should be")
    return rows


def _rows(data: Any) -> list[Mapping[str, Any]] | None:
    """Return the records in `data`; None if it is no list."""
    if data is None:
        return []
    if isinstance(data, list):
        return data if all(map(_is_record, data)) else None
    return _rows_in_object(data) if isinstance(data, Mapping) else None


def _rows_in_object(data: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    if _is_record(data):  # but not a page of records that has an id or a name of its own
        return None if any(isinstance(data.get(name), list) for name in PAGE_NAMES) else [data]
    named = [data[name] for name in LIST_NAMES if isinstance(data.get(name), list)]
    if len(named) == 1:  # whatever else stands beside it
        return _rows(named[0])
    values = list(data.values())
    if values and all(map(_is_record, values)):
        return values
    inner = [value for value in values if isinstance(value, list | Mapping)]
    is_list = len(inner) == 1 and isinstance(inner[0], list) and inner[0]  # an empty one may be a list of errors
    return _rows(inner[0]) if is_list else None


def _is_record(value: Any) -> bool:
    """True for an object with an id, an ICCID or a name."""
    return isinstance(value, Mapping) and not value.keys().isdisjoint({"id", "sim", "name"})


def next_cursor(body: Any, *, own: Collection[str], asked: str | None = None, limit: int | None = None) -> str | None:
    """Return the query for the next page, or None at the end.

    Args:
        body: the reply.
        own: what we send anyhow.
        asked: the cursor that this page was asked for with.
        limit: how many elements we asked for, for replies that do not report a limit.

    Of `links.next` only the query is used, and of that not what we send anyhow (`own`): its host may be a staging host,
    and our key goes nowhere but to the configured base. The query counts even beside `continues: false`, unless the
    page was empty. Without a query the last element counts, as `lastid` is wrong in two of the vendor's own samples.

    `continues: false` does not end a list with a full page: the flag may be about that page, and what a list does not
    show counts as absent. A list that then comes again unchanged does not know the cursor, and was at its end.

    Raises: WireMismatch, where there is more and nothing says how to get it.

    Source: reference, section 4.
    """
    envelope = body if isinstance(body, Mapping) else {}
    elements = rows_of(body)
    continues = flag_of(envelope.get("continues"))
    links = envelope.get("links")
    address = text_of(links.get("next")) if isinstance(links, Mapping) else None
    told = parse_qsl(urlsplit(address or "").query)
    query = {key: value for key, value in told if key not in own and key.lower() != "apikey"}  # no key in an address
    if query and (elements or continues):
        return urlencode(query)
    if not continues and not _is_full(envelope, elements, limit):
        return None
    last_id = _exact_id(elements[-1].get("id")) if elements else None
    last_id = _exact_id(envelope.get("lastid")) if last_id is None else last_id
    ends_here = continues is False
    if last_id is None:
        if ends_here:
            return None
        raise WireMismatch("Hologram says that its list goes on, but not where")
    after = urlencode({"startafter": last_id})
    return None if ends_here and after == asked else after


def _exact_id(value: Any) -> str | None:
    """Return an id of any size as digits, or None."""
    digits = text_of(value) or ""
    return digits if digits.isascii() and digits.isdigit() else None


def _is_full(envelope: Mapping[str, Any], elements: Sequence[Any], asked: int | None) -> bool:
    """True if a page is as full as a page may be.

    Such a page may have a next page even if the reply reports none: asking once more costs less than a gap.
    """
    limits = [limit for limit in (whole_of(envelope.get("limit")), asked) if limit is not None and limit > 0]
    return bool(limits) and min(limits) <= len(elements)


# --- devices and links ---------------------------------------------------------------------------------------------


def device_link(device: Mapping[str, Any]) -> TargetLink | None:
    """Read a device of `GET /devices` by its enabled profile.

    The result is None if the device has no profile with an ICCID. Several profiles share a device after a change over
    the air. A profile without `profile_state` counts as enabled.
    """
    profiles = [(iccid, profile) for profile in _profiles(device) if (iccid := _iccid(profile.get("sim"))) is not None]
    if not profiles:
        return None
    iccid, profile = next((pair for pair in profiles if _is_enabled(pair[1])), profiles[0])
    others = [other for other, another in profiles if another is not profile]
    return _link(
        iccid,
        profile,
        raw=device,
        device_id=_device_id(device.get("id"), profile.get("deviceid")),
        org_id=_first_id(device.get("orgid"), profile.get("orgid")),
        name=_name(device.get("name")),
        last_session=_last_session(device, profile),
        test_ends_at=_test_end(device),
        tags=_tags(device.get("tags")),
        imei=_seen_imei(device),
        other_iccids=tuple(others),
    )


def profile_link(profile: Mapping[str, Any]) -> TargetLink | None:
    """Read a profile of `GET /links/cellular`; None without an ICCID.

    Such a profile names no tags. `deviceid` is 0 or absent and `devicename` null before the SIM is claimed.
    """
    iccid = _iccid(profile.get("sim"))
    if iccid is None:
        return None
    return _link(
        iccid,
        profile,
        raw=profile,
        device_id=_device_id(profile.get("deviceid")),
        org_id=_first_id(profile.get("orgid")),
        name=_name(profile.get("devicename")),
    )


def record_eids(record: Mapping[str, Any]) -> frozenset[str]:
    """Return the chips that a device's or a profile's record names.

    The field is null on most records.
    """
    profiles = [record, *_profiles(record)]
    return frozenset(eid for profile in profiles if (eid := text_of(profile.get("eid"))) is not None)


def sim_numbers(record: Mapping[str, Any], iccid: Iccid) -> dict[str, str | None]:
    """Return the further numbers of a SIM in its record.

    The record is a device's or a profile's. The profile is the one of this ICCID, or else the record itself.

    Returns: `simcard_id`, `imsi`, `msisdn`, `ip` and `eid`; None for what the record does not tell.
    """
    profiles = _profiles(record)
    profile = next((one for one in profiles if _iccid(one.get("sim")) == iccid), profiles[0] if profiles else record)
    named = {name: [profile.get(key) for key in keys] for name, keys in _NUMBERS.items()}
    named["simcard_id"].append(record.get("simcardid"))
    return {name: next((told for told in map(text_of, values) if told), None) for name, values in named.items()}


_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "simcard_id": ("simcardid",),
    "imsi": ("imsi",),
    "msisdn": ("msisdn",),
    "ip": ("priv_ip_address", "ip_address"),
    "eid": ("eid",),
}
"""Fields of a profile, by name of the number.

Source: reference, sections 5.1 and 6.1.
"""


def _profiles(device: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    links = device.get("links")
    told = links.get("cellular", links) if isinstance(links, Mapping) else links
    return _rows(told) or records(told)


def _seen_imei(device: Mapping[str, Any]) -> str | None:
    """Return the hardware that a device was last seen in.

    The last session counts first, then the device itself.
    """
    session = device.get("lastsession")
    told = text_of(session.get("imei")) if isinstance(session, Mapping) else None
    return told or text_of(device.get("imei")) or text_of(device.get("imei_sv"))


def _link(
    iccid: Iccid,
    profile: Mapping[str, Any],
    *,
    raw: Mapping[str, Any],
    device_id: int | None,
    org_id: int | None,
    name: str | None,
    last_session: str | None = None,
    test_ends_at: str | None = None,
    **of_device: Any,
) -> TargetLink:
    """Return the link of a profile.

    `last_session` counts where the profile tells of none, `test_ends_at` while it is in Test Mode. `of_device` are
    further fields of the link that a profile alone does not tell.
    """
    plan = profile.get("plan")
    inside = plan if isinstance(plan, Mapping) else {"id": plan}
    state_word = text_of(profile.get("state")) or ""
    if device_id == LARGEST:  # it is claimed, and no order can name it
        state_word = f"{state_word}, with a device id that cannot be read"
    link_id = _first_id(profile.get("id"))
    overage_limit = whole_of(profile.get("overagelimit", profile.get("overage_limit")))
    state = link_state(state_word)
    return TargetLink(
        iccid=iccid,
        org_id=org_id,
        device_id=device_id,
        link_id=None if link_id == LARGEST else link_id,
        state=state,
        state_word=state_word,
        name=name,
        overage_limit_bytes=None if overage_limit is None else Bytes(overage_limit),
        sms_limit=whole_of(profile.get("smslimit")),
        data_plan_id=_first_id(inside.get("id"), profile.get("dataplansubscriptionid"), profile.get("planid")),
        zone=text_of(inside.get("zone")) or _zone_of_link(profile),
        claimed_at=_moment(profile.get("whenclaimed")),
        last_connected_at=_moment(profile.get("last_connect_time")) or last_session,
        test_ends_at=test_ends_at if state is LinkState.TEST else None,
        raw=clean_record(raw),
        **of_device,
    )


def _is_enabled(profile: Mapping[str, Any]) -> bool:
    word = text_of(profile.get("profile_state")) or text_of(profile.get("euicc_state")) or "ENABLED"
    return word.upper() == "ENABLED"


def _zone_of_link(profile: Mapping[str, Any]) -> str | None:
    """Return the zone key of a link, or None for a number.

    Beside a plan, `zone` is a number of Hologram's own, not the key that a claim takes (section 5.1).
    """
    zone = text_of(profile.get("zone"))
    return None if zone is None or zone.isdigit() else zone


def _last_session(device: Mapping[str, Any], profile: Mapping[str, Any]) -> str | None:
    """Return the end of the last session, or its beginning.

    The beginning counts if the session is still open: its end is zeros then.
    """
    session = device.get("lastsession")
    if not isinstance(session, Mapping):
        return None
    link_id = whole_of(session.get("linkid"))
    if link_id is not None and link_id != whole_of(profile.get("id")):
        return None
    return _moment(session.get("session_end")) or _moment(session.get("session_begin"))


def _test_end(device: Mapping[str, Any]) -> str | None:
    """Return the planned end of a Test Mode, or None.

    Dates and UTC seconds become ISO 8601; any other text stays as it is: a person may still read it.
    """
    told = _moment(device.get("preflight_scheduled_endtime"))
    seconds = moment_s(told) if told is not None else None
    if seconds is None and told is not None and re.fullmatch(r"[0-9]{9,10}", told):
        seconds = float(told)
    if seconds is None:
        return told
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(value: Any) -> frozenset[str] | None:
    if not isinstance(value, list):
        return None
    names = (entry.get("name") if isinstance(entry, Mapping) else entry for entry in value)
    return frozenset(name for name in names if isinstance(name, str))


# --- usage ---------------------------------------------------------------------------------------------------------


def recorded_traffic(record: Mapping[str, Any]) -> Recorded:
    """Read the traffic that a device's own record tells.

    Zeros for the billing periods are told, too, by a device without sessions; a link's bare record has neither.
    """
    session = record.get("lastsession")
    told = session if isinstance(session, Mapping) else {}
    at_s = moment_s(_moment(told.get("session_end")) or _moment(told.get("session_begin")))
    names = ("cur_billing_data_used", "last_billing_data_used")
    volumes = (whole_of(profile.get(name)) for profile in _profiles(record) for name in names)
    billed = [volume for volume in volumes if volume is not None]
    return Recorded(at_s, whole_of(told.get("bytes")), sum(billed) if billed else None)


def data_session(record: Mapping[str, Any]) -> DataSession | None:
    """Read one row of `GET /usage/data` (section 10.5), or None.

    None means that the row does not name its link or its beginning.
    """
    link_id = _first_id(record.get("linkid"))
    at_s = moment_s(_moment(record.get("session_begin")) or _moment(record.get("timestamp")))
    if link_id is None or at_s is None:
        return None
    return DataSession(link_id, at_s, whole_of(record.get("bytes")), text_of(record.get("imei")))


# --- what writes are answered --------------------------------------------------------------------------------------


def claim_reply(body: Any) -> Answer:
    """Read the answer to a claim that succeeded, in any edition.

    Entries are matched by `sim`, as no order is promised.
    """
    data = data_of(body)
    entries = [(text_of(entry.get("sim")), entry) for entry in records(data) if _complaint(entry) is None]
    claimed = {sim: _first_id(*(entry.get(key) for key in _DEVICE_KEYS)) for sim, entry in entries if sim}
    return Answer(claimed=claimed, reasons=claim_reasons(data))


def claim_reasons(data: Any) -> dict[str, str]:
    """Return the carrier's reasons about single SIMs, by ICCID.

    The reasons stand as `{"<iccid>": "<reason>"}`, also under success, or in entries that complain.
    """
    reasons = {}
    for entry in records(data):
        sim, complaint = text_of(entry.get("sim")), _complaint(entry)
        if sim and complaint:
            reasons[sim] = shortened(complaint)
    by_iccid = data.items() if isinstance(data, Mapping) else ()
    for key, value in by_iccid:
        reason = _complaint(value) if isinstance(value, Mapping) else text_of(value)
        if _iccid(key) is not None and reason:
            reasons[str(key)] = shortened(reason)
    return reasons


_DEVICE_KEYS = ("device", "Devices", "deviceid")


def _complaint(entry: Mapping[str, Any]) -> str | None:
    return text_of(entry.get("error")) or text_of(entry.get("message")) or text_of(entry.get("reason"))


def change_reply(body: Any, device_ids: Collection[int]) -> Answer:
    """Read the answer to a change of state or limits.

    The answer is a result, or a job with one result per task, or a job with nothing.

    Args:
        device_ids: the ids that were asked for; a warning of mere words belongs to the first of them that it names.
    """
    data = data_of(body)
    summary = data if isinstance(data, Mapping) else {}
    tasks = records(summary.get("valid_tasks"))
    results = [task.get("task_results") for task in tasks] if tasks else [summary]
    told = [result for result in results if isinstance(result, Mapping)]
    modified = [result["devices_modified"] for result in told if isinstance(result.get("devices_modified"), list)]
    is_whole = bool(results) and len(modified) == len(results)
    warnings = [warning for result in told for warning in _list(result.get("warnings"))]
    return Answer(
        job_id=text_of(summary.get("jobid")),
        modified=frozenset(filter(None, map(whole_of, chain(*modified)))) if is_whole else None,
        warnings=_by_device(warnings, device_ids),
    )


def _by_device(warnings: Sequence[Any], device_ids: Collection[int]) -> dict[int, str]:
    """Return warnings by device id.

    The warnings of one device are joined. Warnings without a device stand under NO_DEVICE.
    """
    gathered: dict[int, str] = {}
    for warning in warnings:
        device_id, words = _warned(warning, device_ids)
        before = gathered.get(device_id, "")
        if words not in before:
            gathered[device_id] = f"{before}; {words}" if before else words
    return gathered


def _warned(warning: Any, device_ids: Collection[int]) -> tuple[int, str]:
    """Return the device that a warning is about, and its words."""
    if isinstance(warning, Mapping):
        return _first_id(warning.get("deviceid")) or NO_DEVICE, shortened(_complaint(warning) or "")
    words = shortened(text_of(warning) or "")
    named = (number for number in map(int, re.findall(r"\d{1,18}", words)) if number in device_ids)
    return next(named, NO_DEVICE), words


def carrier_jobs(body: Any) -> list[CarrierJob]:
    """Read the job list.

    The id is `jobid` in the POST and `job_id` in the list, as text or number.
    """
    return [
        CarrierJob(
            job_id=job_id,
            status=shortened(text_of(task.get("status")) or ""),
            action=shortened(text_of(task.get("action")) or ""),
        )
        for task in records(data_of(body), "tasks")
        if (job_id := text_of(task.get("job_id")) or text_of(task.get("jobid")))
    ]


# --- single values -------------------------------------------------------------------------------------------------


def _iccid(value: Any) -> Iccid | None:
    try:
        return Iccid.parse(text_of(value) or "")
    except NotAnIdentifier:
        return None


def _first_id(*values: Any) -> int | None:
    """Return the first value that is an id; 0 stands for none."""
    for value in values:  # `next` over a generator takes twice as long
        if number := whole_of(value):
            return number
    return None


def _device_id(*values: Any) -> int | None:
    """Return a device's id; None where there is no device.

    LARGEST stands for an id that cannot be read: a SIM with such an id is claimed all the same.
    """
    is_told = any(value and str(value).strip() not in {"", "0"} for value in values)
    return _first_id(*values) or (LARGEST if is_told else None)


def _moment(value: Any) -> str | None:
    """Return a date as written; None for the zero date.

    The zero date means never (section 3.6).
    """
    text = text_of(value)
    return None if text is None or text.startswith("0000-00-00") else text


def _name(value: Any) -> str | None:
    """Return a name unchanged: its spaces are part of it."""
    return value if isinstance(value, str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
