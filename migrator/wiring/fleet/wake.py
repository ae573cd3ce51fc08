"""Waking of an account after what a person did."""

from pathlib import Path

from migrator.wiring.fleet.bound import register_found, register_place

__all__ = ["wake"]


def wake(account: str | None, config: Path | None) -> bool | None:
    """Let the account of a command have its turn at once.

    Returns: False if it is held; None where accounts are not registered, or none was chosen.

    Raises: InputError, without the right to do so; StoreError.
    """
    if account is None:
        return None
    with register_found(register_place(config), writable=True) as register:
        return None if register is None else register.wake(account)
