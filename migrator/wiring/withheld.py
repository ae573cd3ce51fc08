"""Secrets that a program of the operator neither sees nor repeats."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from migrator.core.fleet.secrets import SHORTEST_MASKED, forms_of, struck
from migrator.errors import InputError
from migrator.inputs.files.toml_checks import Unfit
from migrator.inputs.settings.account_names import at_account, with_account
from migrator.inputs.settings.account_secrets import PLACES
from migrator.inputs.settings.secrets import Secret, SecretSource
from migrator.inputs.settings.settings import SECRET_NAMES, Settings, least_settings, load_settings

__all__ = ["Withheld", "secret_source", "withheld", "withheld_of"]

STORE, STORE_PASSWORDS, STORE_FILES = "MIGRATOR_STATE", ("PGPASSWORD", "PGSSLPASSWORD"), ("PGPASSFILE", "PGSERVICEFILE")
"""Variables with a password of the store, or with its file."""

_IN_ADDRESS = ("password", "sslpassword")


def secret_source(name: str) -> SecretSource:
    """Return the source of the secret of this name.

    That is a variable, the file that NAME_FILE names, or the keyring.
    """
    value, file = os.environ.get(name, "").strip(), os.environ.get(f"{name}_FILE", "").strip()
    return SecretSource(name, Secret(value) if value else None, Path(file) if file else None)


@dataclass(slots=True)
class Withheld:
    """Secrets that no program gets, struck out of what programs say.

    Args:
        sources: where each secret is found; nothing was opened yet.
    """

    sources: tuple[SecretSource, ...]
    _forms: list[str] | None = field(default=None, init=False, repr=False)

    def environment(self) -> dict[str, str]:
        """Return our environment without any variable that holds or names a secret."""
        names = {name for one in self.sources for name in (one.variable, f"{one.variable}_FILE")} | {
            *PLACES,
            *STORE_FILES,
        }
        return {name: value for name, value in os.environ.items() if name.upper() not in names}

    def struck(self, text: str) -> str:
        """Return `text` without any of the secrets.

        A program may have read one from a file, a keyring, or its own settings.
        """
        if not text:
            return text
        if self._forms is None:
            values = {value for one in self.sources if (value := _value(one)) and len(value) >= SHORTEST_MASKED}
            self._forms = sorted({form for value in values for form in forms_of(value)}, key=len, reverse=True)
        return struck(text, self._forms)


def withheld(settings: Settings | None, names: Iterable[str] = ()) -> Withheld:
    """Return the secrets of carriers and store, and those of these names.

    Args:
        settings: of this installation, whose configuration file may name files; None for the environment alone.
        names: of the secrets of all receivers.
    """
    of_accounts = [name for name in os.environ if name.upper().startswith(tuple(f"{one}__" for one in SECRET_NAMES))]
    sources = {name: secret_source(name) for name in (*SECRET_NAMES, *names)}
    sources |= {name.upper(): SecretSource(name.upper(), Secret(os.environ[name].strip())) for name in of_accounts}
    sources |= {name: SecretSource(name, Secret(os.environ[name])) for name in STORE_PASSWORDS if name in os.environ}
    for name, address in ((STORE, os.environ.get(STORE)), ("state", settings.state if settings is not None else None)):
        sources |= {f"{name} {no}": SecretSource(name, word) for no, word in enumerate(_passwords(address or ""))}
    chosen = () if settings is None else settings.secret_sources
    own = {one.variable: one for one in chosen}  # beside those without an account, which a program may know, too
    return Withheld(tuple((sources | own).values()))


def withheld_of(account: str, config: Path | None) -> Withheld:
    """Return the secrets of an account, as its processes find them here.

    Settings that cannot be used hide no more secrets than they must.

    Args:
        account: its name.
        config: the settings file; None for `migrator.toml` here, if there is one.
    """
    with at_account(account):
        for settings in (load_settings, least_settings):
            with suppress(InputError):
                return withheld(settings(with_account(os.environ), config))
    return withheld(None)


def _passwords(address: str) -> list[Secret]:
    """Return the passwords in the address of a store.

    Nobody knows where one stands in what cannot be read: then it is the whole of it.
    """
    from migrator.store.database.postgresql.address import address_of
    from migrator.store.opening import is_postgresql

    if not is_postgresql(address):
        return []
    try:
        parts = address_of(address).parts
    except InputError:
        return [Secret(address)]
    return [Secret(str(parts[name])) for name in _IN_ADDRESS if parts.get(name)]


def _value(source: SecretSource) -> str | None:
    """Return a secret; None where there is none to be read."""
    try:
        secret = source.resolve()
    except Unfit:
        secret = source.value
    return None if secret is None else secret.reveal()
