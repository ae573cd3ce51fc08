"""Name of the account that a command works for."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from migrator.errors import InputError

__all__ = ["ACCOUNT", "account_of", "at_account", "at_state", "variable_of", "with_account"]

ACCOUNT, STATE = "MIGRATOR_ACCOUNT", "MIGRATOR_STATE"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_chosen: ContextVar[str | None] = ContextVar("account", default=None)
_place: ContextVar[str | None] = ContextVar("state", default=None)


@contextmanager
def at_account(name: str | None) -> Iterator[None]:
    """Choose an account for this block.

    None leaves the choice as it is: to a block around this one, or to the environment.
    """
    token = _chosen.set(_chosen.get() if name is None else name)
    try:
        yield
    finally:
        _chosen.reset(token)


@contextmanager
def at_state(url: str | None) -> Iterator[None]:
    """Choose the state store for this block.

    None leaves the choice as it is.
    """
    token = _place.set(_place.get() if url is None else url)
    try:
        yield
    finally:
        _place.reset(token)


def with_account(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the account and store that were chosen.

    Raises: InputError, for what is no name of an account.
    """
    name, place = _chosen.get(), _place.get()
    if name is not None:
        environ = {**environ, ACCOUNT: _checked(name, "--account")}
    return environ if place is None else {**environ, STATE: place}


def account_of(environ: Mapping[str, str]) -> str | None:
    """Return the account of an environment, or None.

    Raises: InputError, for what is no name of an account.
    """
    name = environ.get(ACCOUNT, "").strip()
    return _checked(name, ACCOUNT) if name else None


def variable_of(name: str, account: str) -> str:
    """Return the variable of a setting for one account."""
    return f"{name}__{account.upper()}"


def _checked(name: str, place: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{place}: a text of {len(name)} characters is no name of an account",
            code="account_name",
            hint="such as acme: a letter, then letters, digits and _, all in lower case, and at most 40",
        )
    return name
