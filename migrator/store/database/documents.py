"""Records that are kept whole, as JSON text.

`core.plan.document` defines the form of a plan.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import PLAIN, is_secret_key, without_secrets
from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.document import change_from
from migrator.core.plan.plan import Change
from migrator.store.database.database import storable

__all__ = ["change_of", "document_text", "findings_from", "findings_text", "raw_text"]

document_text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""Encoder of JSON in one spelling: sorted keys, no white space, ASCII.

Equal values have equal texts, and equal hashes.
"""

_raw_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def raw_text(record: Any) -> str:
    """Return a carrier's record as JSON, without PIN and PUK.

    The record keeps its own order. The store is the last line of defence for these secrets. Text that not every
    database reads within JSON is changed as `storable` tells.
    """
    text = _raw_encode(without_secrets(record) if _may_hold_secrets(record) else record)
    if "\\u0000" in text or "\\ud" in text:
        text = _raw_encode(_storable(json.loads(text)))
    return text


def _storable(value: Any) -> Any:
    if isinstance(value, dict):
        return {storable(name): _storable(inner) for name, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list) else storable(value)


def _may_hold_secrets(record: Any) -> bool:
    """True if a field anywhere in the record may be secret.

    A secret's field is known by its name. The check runs for every SIM of a fleet: plain values cost nothing.
    """
    if isinstance(record, dict):
        if _has_secret_name(tuple(record)):
            return True
        for value in record.values():  # noqa: SIM110 - `any` over a generator takes three times as long
            if type(value) not in PLAIN and _may_hold_secrets(value):
                return True
        return False
    if isinstance(record, list | tuple):
        return any(map(_may_hold_secrets, record))
    return type(record) not in PLAIN


@lru_cache(maxsize=1024)
def _has_secret_name(names: tuple[object, ...]) -> bool:
    """True if any of the names is the name of a secret.

    The result is cached by the names: the SIMs of a list all have the same names.
    """
    return any(is_secret_key(str(name)) for name in names)


def findings_text(findings: Iterable[Finding]) -> str:
    """Return findings as JSON; `findings_from` is the inverse."""
    return document_text([[finding.code, finding.planned, finding.observed] for finding in findings])


def findings_from(text: str) -> tuple[Finding, ...]:
    """Return the findings of a stored document."""
    return tuple(Finding(FindingCode(code), planned, observed) for code, planned, observed in json.loads(text))


def change_of(text: str, source_key: str, target_key: str | None) -> Change:
    """Return the change of a stored line.

    The keys save parsing the ICCIDs of the line again.
    """
    values = json.loads(text)
    target = None if target_key is None else Iccid(values["target_iccid"], target_key)
    return change_from(values, Iccid(values["source_iccid"], source_key), target)
