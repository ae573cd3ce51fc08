"""Row of a unit for the systems that hold ICCIDs.

`handover.schema.json` beside this module describes the row.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.core.cutover.handover import Stage

__all__ = ["HANDOVER_VERSION", "NEW", "OLD", "OWN", "HandoverRow", "columns", "removed_row", "schema_text"]

HANDOVER_VERSION = 1
"""Version of the row.

Within a version fields are added; none is taken away or changes its meaning.
"""

OLD = ("iccid", "iccid_with_luhn", "imsi", "msisdn", "ip", "imei", "label", "eid")
NEW = (
    *("device_id", "link_id", "simcard_id", "iccid", "iccid_with_luhn", "imsi", "msisdn", "ip", "imei", "eid"),
    *("name", "data_plan_id", "zone", "state"),
)
OWN = ("status", "in_service", "unit", "site", "ticket", "live_at", "in_unit_at", "old_off_at")

_one_spelling = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(slots=True)
class HandoverRow:
    """Unit with both of its SIMs, as values of JSON.

    Args:
        key: the key of the old SIM's ICCID.
        target: the ICCID of the new SIM as the pair has it.
        status: the stage of the unit.
        old: values of `OLD` by name.
        new: values of `NEW` by name.
        unit: the unit as people call it; so are `site` and `ticket` what people noted.
        live_at: when the new SIM went live (ISO 8601 in UTC).
        in_unit_at: when the new SIM was first seen in the unit, as far back as is known.
        old_off_at: when a cutover proved the old SIM off.
    """

    key: str
    target: str
    status: Stage
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    unit: str | None = None
    site: str | None = None
    ticket: str | None = None
    live_at: str | None = None
    in_unit_at: str | None = None
    old_off_at: str | None = None

    @property
    def in_service(self) -> bool:
        """True if the new SIM was seen in the unit."""
        return self.status is Stage.IN_SERVICE

    def document(self) -> dict[str, Any]:
        """Return the row as JSON values, in the order of the schema."""
        return {
            "handover_version": HANDOVER_VERSION,
            "status": self.status.value,
            "in_service": self.in_service,
            "unit": self.unit,
            "site": self.site,
            "ticket": self.ticket,
            "old": self.old,
            "new": self.new,
            "live_at": self.live_at,
            "in_unit_at": self.in_unit_at,
            "old_off_at": self.old_off_at,
        }

    def values(self) -> list[Any]:
        """Return the values of the row in the order of `columns`."""
        own = (self.status.value, self.in_service, self.unit, self.site, self.ticket)
        times = (self.live_at, self.in_unit_at, self.old_off_at)
        return [*own, *self.old.values(), *self.new.values(), *times]

    def digest(self) -> str:
        """Return a digest of all that the row tells.

        Empty values do not count, so that a field which is added later changes only rows that have it. Of `in_unit_at`
        only counts that there is one: the first sight does not change, but the store forgets it.
        """
        told = {name: value for name, value in zip(columns(), self.values(), strict=True) if value is not None}
        if self.in_unit_at is not None:
            told["in_unit_at"] = True
        return hashlib.blake2b(_one_spelling(told).encode(), digest_size=8).hexdigest()


def columns() -> tuple[str, ...]:
    """Return the columns of the CSV."""
    split = OWN.index("live_at")
    return (*OWN[:split], *(f"old_{name}" for name in OLD), *(f"new_{name}" for name in NEW), *OWN[split:])


def removed_row(key: str, old: Mapping[str, Any], new: Mapping[str, Any], target: str) -> HandoverRow:
    """Return the row of a pair that is no more.

    It has no values but the ICCIDs.
    """
    blank_old, blank_new = dict.fromkeys(OLD), dict.fromkeys(NEW)
    return HandoverRow(key, target, Stage.REMOVED, {**blank_old, **old}, {**blank_new, **new})


def schema_text() -> str:
    """Return the JSON Schema of a row, as published."""
    return Path(__file__).with_name("handover.schema.json").read_text(encoding="utf-8")
