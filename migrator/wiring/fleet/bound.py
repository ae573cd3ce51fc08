"""Settings of an account, as the register of accounts has them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.core.run.sources import SOURCES
from migrator.inputs.settings.account_names import ACCOUNT, with_account

if TYPE_CHECKING:
    from migrator.core.accounts.records import Account
    from migrator.inputs.settings.settings import Settings
    from migrator.store.register import Register

__all__ = ["bound_to_register", "register_found", "register_place", "values_of"]


@contextmanager
def register_found(url: str, *, writable: bool = False) -> Iterator["Register | None"]:
    """Open the register beside a store, for a block.

    None for a file, and where `fleet init` was never run.

    Raises: InputError, StoreError.
    """
    from migrator.store.opening import is_postgresql

    if not is_postgresql(url):
        yield None
        return
    from migrator.store.register import Register

    with Register.find(url, writable=writable) or nullcontext() as found:
        yield found


def bound_to_register(chosen: "Settings") -> "Settings":
    """Return settings with the source, customer and organization of an account.

    Nothing is asked without an account, for a store in a file, or where accounts are not registered.

    Raises: InputError, for an account that is not registered, or where this machine says something else; StoreLost.
    """
    if chosen.account is None:
        return chosen
    with register_found(chosen.state) as register:
        if register is None:
            return chosen
        return chosen.bound_to(values_of(register.account(chosen.account)), register.place)


def register_place(config: Path | None) -> str:
    """Return the URL of the database that holds all accounts.

    Raises: InputError, naming every problem of the settings.
    """
    from migrator.inputs.settings.settings import load_settings

    return load_settings(
        {name: value for name, value in with_account(os.environ).items() if name != ACCOUNT}, config
    ).state


def values_of(account: "Account") -> dict[str, Any]:
    """Return the settings that belong to an account, by name."""
    values: dict[str, Any] = {}
    if account.carrier in SOURCES:
        values["MIGRATOR_SOURCE"] = account.carrier
    if account.carrier == "1nce":
        values["ONENCE_CLIENT_ID"] = account.customer
    if account.organization is not None:
        values["HOLOGRAM_ORG_ID"] = account.organization
    return values
