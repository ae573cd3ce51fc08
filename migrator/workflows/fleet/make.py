"""Making of what a team needs in a database: register and queue."""

from dataclasses import dataclass

from migrator import wiring
from migrator.jobs.schema import make_queue
from migrator.store.register import Register

__all__ = ["MadeFleet", "make_fleet"]


@dataclass(frozen=True, slots=True)
class MadeFleet:
    """Register and queue of a database.

    Args:
        place: of the register, for people.
        is_new: whether there was no register before.
        accounts: how many are registered.
        roles_made: roles that were made now.
        has_roles: whether there are roles, whose rights were given anew.
    """

    place: str
    is_new: bool
    accounts: int
    roles_made: list[str]
    has_roles: bool


def make_fleet(url: str, *, with_roles: bool = False) -> MadeFleet:
    """Make register and queue, or bring both up to date.

    Accounts and their stores stay as they are.

    Args:
        url: address of the database.
        with_roles: whether to make roles for a team.

    Raises: InputError, for an address of a file, and without a right or the driver; StoreLost; StoreError.
    """
    is_new = Register.make(url, wiring.SystemClock().now().timestamp())
    make_queue(url)
    with Register.open(url) as register:
        has_roles = with_roles or register.has_roles()
        made = register.make_roles() if has_roles else []
        return MadeFleet(register.place, is_new, len(register.accounts()), made, has_roles)
