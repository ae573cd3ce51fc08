"""Upgrade of the stores of many accounts, after a new version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrator.core.accounts.records import Account
from migrator.errors import MigratorError, NoStore, OlderStore, StoreLost
from migrator.store import Store, held_by
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

    A store that a worker is at, or a run by hand, is left alone: it would be cut off. Where there are roles, they get
    their rights in what is new.

    Args:
        url: of the database.
        names: of the accounts; none for all.

    Raises: InputError, for an account that is not registered; StoreLost.
    """
    with Register.open(url) as register:
        chosen = [register.account(name).name for name in names] or [one.name for one in register.accounts()]
        for name in chosen:
            yield _upgraded(url, register, register.account(name))


def _upgraded(url: str, register: Register, account: Account) -> Upgraded:
    name = account.name
    try:
        Store.look(url, account=name).close()
    except NoStore:
        return Upgraded(name, "has no store yet")
    except OlderStore:
        return _brought_up(url, register, account)
    except StoreLost:
        raise
    except MigratorError as error:
        return _left(name, error)
    return Upgraded(name, "is up to date")


def _brought_up(url: str, register: Register, account: Account) -> Upgraded:
    name = account.name
    try:
        by_hand = held_by(url, name)
        if account.worker is not None or by_hand is not None:
            who = f"worker {account.worker}" if account.worker is not None else f"a run ({by_hand})"
            return Upgraded(name, f"{who} is at it: let it end, then upgrade it", is_left=True)
        Store.open(url, account=name, now=SystemClock().now().timestamp(), create=False, upgrade=True).close()
        if register.has_roles():
            register.grant(name)
    except StoreLost:
        raise
    except MigratorError as error:
        return _left(name, error)
    return Upgraded(name, "was upgraded", is_new=True)


def _left(name: str, error: MigratorError) -> Upgraded:
    return Upgraded(name, f"{error.message} ({error.hint})" if error.hint else error.message, is_left=True)
