"""Secrets of accounts that this machine can resolve."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from migrator.core.accounts.records import Account, SecretsHere
from migrator.core.run.sources import SOURCES
from migrator.errors import InputError
from migrator.inputs.files.toml_checks import Unfit
from migrator.inputs.settings.account_names import at_account, with_account
from migrator.inputs.settings.account_secrets import SECRETS_COMMAND, AccountSecret, CommandHung
from migrator.inputs.settings.secrets import SecretSource
from migrator.inputs.settings.settings import load_settings
from migrator.wiring.fleet.bound import values_of

__all__ = ["secrets_here"]

TARGET = "HOLOGRAM"

AT_ONCE = 8
"""Accounts looked for at a time.

So many commands that hang are the most that one look waits for.
"""


def secrets_here(accounts: Iterable[Account], config: Path | None = None) -> Iterator[tuple[str, SecretsHere]]:
    """Look which secrets of accounts this machine has.

    Each place is looked at, and a command that prints secrets is run, for some accounts at a time; no secret is kept.
    A source without an API here needs none. Once as many commands hang as are run at a time, no other is begun: what
    the rest lacks is that it was not asked for.

    Args:
        accounts: of the register.
        config: the settings file; None for `migrator.toml` here, if there is one.

    Yields: name of the account and what was found, as it is known.
    """
    hung: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        looks = [pool.submit(_looked, account.name, _places(account, config), hung) for account in accounts]
        try:
            for look in as_completed(looks):
                yield look.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _places(account: Account, config: Path | None) -> list[SecretSource] | str:
    """Return the places of an account's secrets, or why nobody knows them.

    Settings of this machine that do not fit the account are a reason, too: each turn here would end at once, and leave
    an account that others could serve to a person.
    """
    try:
        with at_account(account.name):
            chosen = load_settings(with_account(os.environ), config)
            sources = chosen.bound_to(values_of(account), "the register").secret_sources
    except InputError as error:
        return "; ".join(problem.message for problem in error.problems)
    carrier = SOURCES.get(account.carrier)
    prefixes = (TARGET,) if carrier is None else (TARGET, carrier.prefix)
    return [source for source in sources if source.name.startswith(prefixes)]


def _looked(account: str, places: list[SecretSource] | str, hung: list[str]) -> tuple[str, SecretsHere]:
    """Look for the secrets of one account.

    Args:
        account: its name.
        places: as `_places` returns them.
        hung: accounts for which a command hung; this one is added if its does.
    """
    if isinstance(places, str):
        return account, SecretsHere((places,), places)
    missing, trouble = [], ""
    for place in places:
        try:
            if (why := _lacking(place, hung)) is not None:
                missing.append(why)
        except CommandHung as error:
            hung.append(account)
            return account, SecretsHere((*missing, error.words), error.words)
        except Unfit as error:
            missing.append(error.words)
            trouble = trouble or error.words
    return account, SecretsHere(tuple(missing), trouble)


def _lacking(place: SecretSource, hung: list[str]) -> str | None:
    """Return why a secret is not here; None if it is.

    Raises: Unfit, for a place that is in trouble.
    """
    if not isinstance(place, AccountSecret) or place.command is None or len(hung) < AT_ONCE:
        return f"{place.variable} is not set" if place.resolve() is None else None
    if replace(place, command=None).resolve() is not None:
        return None
    return f"{place.called}: {SECRETS_COMMAND} hangs for other accounts, and was not asked"
