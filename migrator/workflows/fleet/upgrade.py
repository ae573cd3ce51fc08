"""Upgrade of the stores of many accounts, after a new version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrator.core.accounts.records import Account
from migrator.errors import MigratorError, NoStore, OlderStore, StoreLost
from migrator.store import Store
from migrator.store.register import Register
from migrator.wiring import SystemClock

__all__ = ["Upgraded", "upgrade_stores"]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """Result for the store of one account.

    Args:
        name: of the account.
        words: what was done, or why nothing was.
        is_new: whether the store was older, and now is not.
        is_left: whether the store is not as this version needs it.
    """

    name: str
    words: str
    is_new: bool = False
    is_left: bool = False


def upgrade_stores(url: str, names: Sequence[str] = ()) -> Iterator[Upgraded]:
    """Bring the stores of accounts up to date, one after the other.

    A store that a worker is at is left alone: its job would be cut off.

    Args:
        url: of the database.
        names: of the accounts; none for all.

    Raises: InputError, for an account that is not registered; StoreLost.
    """
    with Register.open(url) as register:
        chosen = [register.account(name).name for name in names] or [one.name for one in register.accounts()]
        for name in chosen:
            yield _upgraded(url, register.account(name))


def _upgraded(url: str, account: Account) -> Upgraded:
    name = account.name
    try:
        Store.look(url, account=name).close()
    except NoStore:
        return Upgraded(name, "has no store yet")
    except StoreLost:
        raise
    except OlderStore:
        if account.worker is not None:
            words = f"worker {account.worker} is at it: stop the workers, then upgrade it"
            return Upgraded(name, words, is_left=True)
    except MigratorError as error:
        return Upgraded(name, error.message, is_left=True)
    else:
        return Upgraded(name, "is up to date")
    try:
        Store.open(url, account=name, now=SystemClock().now().timestamp(), create=False, upgrade=True).close()
    except StoreLost:
        raise
    except MigratorError as error:
        return Upgraded(name, error.message, is_left=True)
    return Upgraded(name, "was upgraded", is_new=True)
