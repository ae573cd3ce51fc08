"""Approvals: people who looked at a plan and stand by it. Names are taken as given: this is a record, not a lock."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Approval", "approvers", "same_person"]


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval: who, when (UTC seconds), and the SHA-256 of the changes that it was given for."""

    approved_by: str
    approved_at: float
    changes_sha256: str
    note: str = ""


def approvers(approvals: Iterable[Approval], changes_sha256: str) -> tuple[str, ...]:
    """Who approved these very changes, each person once and in the order of their first approval."""
    people: dict[str, str] = {}
    for approval in approvals:
        if approval.changes_sha256 == changes_sha256:
            people.setdefault(same_person(approval.approved_by), approval.approved_by)
    return tuple(people.values())


def same_person(name: str) -> str:
    """What the spellings of one name have in common: case, width and white space do not make another person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
