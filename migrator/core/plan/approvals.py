"""Approvals: records of people who agree with a plan.

Names are taken as given: an approval is a record, not a lock.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Approval", "approvers", "people_of", "same_person"]


@dataclass(frozen=True, slots=True)
class Approval:
    """Approval of a plan's changes by one person.

    `approved_at` is UTC seconds. `changes_sha256` is the SHA-256 of the changes that the approval was given for. `ref`
    is the change or ticket that it belongs to. `db_user` is the user of the database who noted it; None for a store in
    a file.
    """

    approved_by: str
    approved_at: float
    changes_sha256: str
    note: str = ""
    ref: str = ""
    db_user: str | None = None


def approvers(approvals: Iterable[Approval], changes_sha256: str, *, database_users: bool = False) -> tuple[str, ...]:
    """Return the people who approved exactly these changes.

    Each person is named once, in the order of the first approvals. See `people_of`.
    """
    given = [(one.approved_by, one.db_user) for one in approvals if one.changes_sha256 == changes_sha256]
    return people_of(given, database_users=database_users)


def people_of(given: Iterable[tuple[str, str | None]], *, database_users: bool) -> tuple[str, ...]:
    """Return whom typed names and users of the database stand for.

    With `database_users`, a person is both a name and a user that nobody before had; without a user, nobody.
    """
    names: dict[str, str] = {}
    users: set[str | None] = {None}
    for name, user in given:
        if same_person(name) in names or (database_users and user in users):
            continue
        names[same_person(name)] = f"{name} ({user})" if database_users else name
        users.add(user)
    return tuple(names.values())


def same_person(name: str) -> str:
    """Return the form that all spellings of one name share.

    Case, width and white space do not make another person.
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
