"""Records that are kept whole, as JSON text.

`core.plan.document` defines the form of a plan.
"""

import json
from collections.abc import Iterable
from typing import Any

import orjson

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import without_secrets
from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.document import change_from
from migrator.core.plan.plan import Change
from migrator.store.database.database import storable

__all__ = ["change_of", "document_text", "findings_from", "findings_text", "raw_text", "request_text"]

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
    clean = without_secrets(record)
    try:
        text = orjson.dumps(clean, default=str).decode()
    except orjson.JSONEncodeError:  # a number of more than 64 bits, or half of a character
        return _ascii_text(clean)
    return _ascii_text(clean) if "\\u0000" in text else text


def request_text(body: Any) -> str:
    """Return a request's body as JSON in ASCII.

    PIN and PUK are left out. The log has the digest of this text, and the evidence is checked against it, so it has one
    spelling.
    """
    return _ascii_text(without_secrets(body))


def _ascii_text(clean: Any) -> str:
    text = _raw_encode(clean)
    if "\\u0000" in text or "\\ud" in text:
        text = _raw_encode(_storable(json.loads(text)))
    return text


def _storable(value: Any) -> Any:
    if isinstance(value, dict):
        return {storable(name): _storable(inner) for name, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list) else storable(value)


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
