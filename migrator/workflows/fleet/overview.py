"""Overview of the accounts of a register."""

from collections.abc import Callable, Iterable, Sequence

from migrator.core.accounts.overview import Line, Overview
from migrator.core.accounts.records import Account
from migrator.store.register import Register

__all__ = ["read_overview"]


def read_overview(
    register: Register,
    missing: Callable[[Account], Sequence[str]] | None = None,
    *,
    names: Iterable[str] | None = None,
) -> Overview:
    """Read accounts, their stores, and the workers.

    Args:
        register: of the accounts.
        missing: tells what this machine lacks to work on an account; None: nobody asks.
        names: of the accounts; None for all.

    Raises: InputError, for an account that is not registered; StoreLost.
    """
    accounts = register.accounts() if names is None else [register.account(name) for name in names]
    standings = register.standings(account.name for account in accounts)
    lines = [
        Line(account, standings[account.name], None if missing is None else missing(account)) for account in accounts
    ]
    return Overview(register.place, register.now(), lines, register.workers())
