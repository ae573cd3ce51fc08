"""Secrets: their sources, and a type that hides the value."""

import importlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.errors import InputError
from migrator.inputs.files.text import small_text
from migrator.inputs.files.toml_checks import Unfit

__all__ = ["KEYRING_SERVICE", "Secret", "SecretSource", "from_keyring"]

KEYRING_SERVICE = "migrator"
_keyring = threading.Lock()


class Secret:
    """Value that shows as *** when printed, logged or formatted."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself.

        Only for the moment when the value goes into a request.
        """
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Values given for one secret.

    No file and no keyring has been opened yet.

    Args:
        name: the environment variable; also its name in the keyring.
        value: the value of the variable.
        file: the path in NAME_FILE.
        configured_file: the path in the configuration file; the environment goes before it.
    """

    name: str
    value: Secret | None = None
    file: Path | None = None
    configured_file: Path | None = None

    @property
    def called(self) -> str:
        """Name for people."""
        return self.name

    @property
    def variable(self) -> str:
        """Variable that may hold the secret."""
        return self.name

    def how_to_set(self) -> str:
        """Return the places where the secret may be put."""
        return f"set {self.name}, or {self.name}_FILE, or run: keyring set {KEYRING_SERVICE} {self.name}"

    def resolve(self) -> Secret | None:
        """Return the secret.

        None if nothing was given and the keyring has no entry.

        Raises: Unfit, with the remedy.
        """
        if self.value is not None and self.file is not None:
            words = f"{self.name} and {self.name}_FILE are both set"
            raise Unfit("secret_given_twice", words, "unset one of them")
        if self.value is not None:
            return self.value
        path = self.file or self.configured_file
        return self._from_file(path) if path is not None else self._from_own_keyring()

    def _from_own_keyring(self) -> Secret | None:
        value = from_keyring(KEYRING_SERVICE, self.name, self.name, f"set {self.name} or {self.name}_FILE")
        return None if value is None else Secret(value)

    def _from_file(self, path: Path) -> Secret:
        """Read the secret from the first line of a file."""
        try:
            first, *_ = [*small_text(path).splitlines(), ""]
        except InputError as error:
            raise Unfit(error.code, f"{self.name}_FILE: {error.message}", error.hint) from None
        if not first.strip():
            words = f"{self.name}_FILE: the first line of {path} is empty"
            raise Unfit("empty_file", words, "write the secret there, alone on the first line")
        return Secret(first.strip())


def from_keyring(service: str, name: str, called: str, remedy: str) -> str | None:
    """Read an entry from the system's keyring.

    None without the optional library, a keyring, or an entry.

    Args:
        service: of the entry.
        name: of the entry.
        called: name of the secret for people.
        remedy: another way to give the secret.

    Raises: Unfit, for a keyring that cannot be read.
    """
    try:
        keyring: Any = importlib.import_module("keyring")
    except ImportError:
        return None
    try:
        with _keyring:  # not every system's keyring may be asked by two threads
            value = keyring.get_password(service, name)
    except keyring.errors.NoKeyringError:
        return None
    except keyring.errors.KeyringError as error:
        words = f"{called}: the system keyring cannot be read ({type(error).__name__})"
        raise Unfit("keyring", words, f"unlock it, or {remedy}") from None
    return value.strip() or None if value else None
