"""Records that are kept whole, as JSON text. What a plan looks like is told in `core.plan.document`."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import is_secret_key, without_secrets
from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.document import change_from
from migrator.core.plan.plan import Change

__all__ = ["change_of", "document_text", "findings_from", "findings_text", "raw_text"]

document_text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""JSON in one spelling: sorted keys, no white space, ASCII. Equal values have equal texts, and equal hashes."""

_raw_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def raw_text(record: Any) -> str:
    """A carrier's record as JSON, in its own order and without PIN and PUK: the store is the last line."""
    return _raw_encode(without_secrets(record) if _may_hold_secrets(record) else record)


def _may_hold_secrets(record: Any) -> bool:
    """Whether a field anywhere in it has a secret's name. Runs for every SIM of a fleet: plain values cost nothing."""
    if isinstance(record, dict):
        if _has_secret_name(tuple(record)):
            return True
        for value in record.values():  # noqa: SIM110 - `any` over a generator takes three times as long
            if type(value) not in _PLAIN and _may_hold_secrets(value):
                return True
        return False
    if isinstance(record, list | tuple):
        return any(map(_may_hold_secrets, record))
    return type(record) not in _PLAIN


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of JSON that hold nothing else; what is neither these nor a dict or list is looked at by `without_secrets`."""


@lru_cache(maxsize=1024)
def _has_secret_name(names: tuple[object, ...]) -> bool:
    """Remembered by the names: the SIMs of a list all have the same."""
    return any(is_secret_key(str(name)) for name in names)


def findings_text(findings: Iterable[Finding]) -> str:
    """Findings as JSON; `findings_from` is its inverse."""
    return document_text([[finding.code, finding.planned, finding.observed] for finding in findings])


def findings_from(text: str) -> tuple[Finding, ...]:
    """The findings that a stored document tells."""
    return tuple(Finding(FindingCode(code), planned, observed) for code, planned, observed in json.loads(text))


def change_of(text: str, source_key: str, target_key: str | None) -> Change:
    """The change of a stored line; the keys spare parsing its ICCIDs again."""
    values = json.loads(text)
    target = None if target_key is None else Iccid(values["target_iccid"], target_key)
    return change_from(values, Iccid(values["source_iccid"], source_key), target)
