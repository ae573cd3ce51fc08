"""Approvals: records of people who agree with a plan.

Names are taken as given: an approval is a record, not a lock.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Approval", "approvers", "same_person"]


@dataclass(frozen=True, slots=True)
class Approval:
    """Approval of a plan's changes by one person.

    `approved_at` is UTC seconds. `changes_sha256` is the SHA-256 of the changes that the approval was given for. `ref`
    is the change or ticket that it belongs to.
    """

    approved_by: str
    approved_at: float
    changes_sha256: str
    note: str = ""
    ref: str = ""


def approvers(approvals: Iterable[Approval], changes_sha256: str) -> tuple[str, ...]:
    """Return the people who approved exactly these changes.

    Each person is named once, in the order of the first approvals.
    """
    people: dict[str, str] = {}
    for approval in approvals:
        if approval.changes_sha256 == changes_sha256:
            people.setdefault(same_person(approval.approved_by), approval.approved_by)
    return tuple(people.values())


def same_person(name: str) -> str:
    """Return the form that all spellings of one name share.

    Case, width and white space do not make another person.
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
