"""Secrets by name of account.

A secret belongs to one account by its place: no account ever gets that of another, nor one that names no account.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from migrator import programs
from migrator.errors import InputError, NoSuchFile
from migrator.inputs.files.text import small_text
from migrator.inputs.files.toml_checks import Unfit
from migrator.inputs.settings.account_names import variable_of
from migrator.inputs.settings.secrets import KEYRING_SERVICE, Secret, SecretSource, from_keyring

__all__ = ["PLACES", "SECRETS_COMMAND", "AccountSecret", "CommandHung", "account_secret"]

SECRETS_DIR, SECRETS_COMMAND = "MIGRATOR_SECRETS_DIR", "MIGRATOR_SECRETS_COMMAND"
PLACES = (SECRETS_DIR, SECRETS_COMMAND)
"""Variables that name places of secrets."""

COMMAND_S = 15.0
"""Most seconds for the command that prints a secret.

A run may need two secrets before its first heartbeat, and its lease ends a minute after the last.
"""


class CommandHung(Unfit):
    """Command for secrets that did not end in time."""


@dataclass(frozen=True, slots=True)
class AccountSecret(SecretSource):
    """Places where one secret of one account is looked for.

    The account's variable goes first; then folder, keyring and command, in this order. The folder has one for each
    account, or files ACCOUNT.SECRET, as systemd and Kubernetes keep them flat; no account's name has a dot.

    Args:
        account: its name.
        folder: that which MIGRATOR_SECRETS_DIR names; None for none.
        command: text of MIGRATOR_SECRETS_COMMAND; None for none.
        environ: the environment, for the command.
    """

    account: str = ""
    folder: Path | None = None
    command: str | None = field(default=None, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def called(self) -> str:
        """Name for people."""
        return f"{self.name} of account {self.account}"

    @property
    def variable(self) -> str:
        """Variable that may hold the secret."""
        return variable_of(self.name, self.account)

    def resolve(self) -> Secret | None:
        """Return the secret.

        None if no place has it.

        Raises: Unfit, naming the account and the place.
        """
        if self.value is not None:
            return self._alone(self.value.reveal(), self.variable)
        for look in (self._from_folder, self._from_keyring, self._from_command):
            found = look()
            if found is not None:
                return found
        return None

    def how_to_set(self) -> str:
        """Return the places where the secret may be put."""
        return (
            f"set {self.variable}, or write it into {SECRETS_DIR}/{self.account}/{self.name.lower()}, or run: keyring "
            f"set {KEYRING_SERVICE}/{self.account} {self.name}, or let the command of {SECRETS_COMMAND} print it"
        )

    def _from_folder(self) -> Secret | None:
        if self.folder is None:
            return None
        if not os.path.isdir(self.folder):  # noqa: PTH112 - Path.is_dir raises where a folder may not be searched
            words = f"{self.called}: {SECRETS_DIR} names {self.folder}, which is no folder that can be read"
            raise Unfit("no_such_folder", words, f"make it, or unset {SECRETS_DIR}")
        name = self.name.lower()
        for path in (self.folder / self.account / name, self.folder / f"{self.account}.{name}"):
            try:
                return self._alone(small_text(path), str(path))
            except NoSuchFile:
                continue
            except InputError as error:
                raise Unfit(error.code, f"{self.called}: {error.message}", error.hint) from None
        return None

    def _from_keyring(self) -> Secret | None:
        service = f"{KEYRING_SERVICE}/{self.account}"
        value = from_keyring(service, self.name, self.called, f"set {self.variable}")
        return None if value is None else self._alone(value, f"the entry {service} of the keyring")

    def _from_command(self) -> Secret | None:
        if self.command is None:
            return None
        place = f"the command of {SECRETS_COMMAND}"
        try:
            printed = _printed([*_words_of(self.command), self.account, self.name.lower()], self.environ)
        except _NotPrinted as error:
            hint = f"with the arguments {self.account} {self.name.lower()} it prints the secret alone, and ends with 0"
            kind = CommandHung if error.is_hung else Unfit
            raise kind("secrets_command", f"{self.called}: {place} {error}", hint) from None
        return self._alone(printed, place)

    def _alone(self, text: str, place: str) -> Secret:
        """Return a secret that stands alone at its place.

        Raises: Unfit, for an empty place, or one with several lines.
        """
        value, remedy = text.strip(), "put the secret there, alone on one line"
        if not value:
            raise Unfit("empty_secret", f"{self.called}: {place} is empty", remedy)
        if len(value.splitlines()) > 1:
            raise Unfit("several_lines", f"{self.called}: {place} has several lines", remedy)
        return Secret(value)


def account_secret(name: str, account: str, given: Mapping[str, str], environ: Mapping[str, str]) -> AccountSecret:
    """Return the places of a secret.

    Args:
        name: of the secret, as ONENCE_CLIENT_SECRET.
        account: its name.
        given: the variables that are set.
        environ: the environment as it is, for the command.
    """
    value, folder = given.get(variable_of(name, account)), given.get(SECRETS_DIR)
    return AccountSecret(
        name,
        Secret(value) if value else None,
        account=account,
        folder=Path(folder) if folder else None,
        command=given.get(SECRETS_COMMAND),
        environ=environ,
    )


class _NotPrinted(Exception):
    """Reason why a command printed no secret."""

    def __init__(self, words: str, *, is_hung: bool = False) -> None:
        super().__init__(words)
        self.is_hung = is_hung


def _words_of(command: str) -> list[str]:
    """Split a command as a shell does; no shell is asked.

    Raises: _NotPrinted.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        raise _NotPrinted("has a quotation mark without its other") from None
    if not words or not words[0]:
        raise _NotPrinted("names no program")
    return words


def _printed(command: list[str], environ: Mapping[str, str]) -> str:
    """Run a command, and return what it prints; blocks meanwhile.

    Its words on stderr are not read: they may hold what it should not tell.

    Raises: _NotPrinted, without a word of what was printed.
    """
    try:
        ended = programs.run(command, b"", environ=environ, timeout_s=COMMAND_S, with_errors=False)
    except (OSError, ValueError) as error:
        raise _NotPrinted(f"cannot be started: {programs.why_not(error)}") from None
    if ended.code is None:
        raise _NotPrinted(f"did not end within {COMMAND_S:g} s", is_hung=True)
    if ended.code:
        raise _NotPrinted(f"ended with exit code {ended.code}")
    if len(ended.said) >= programs.MOST_OUTPUT:
        raise _NotPrinted(f"prints {programs.MOST_OUTPUT} bytes or more")
    try:
        return ended.said.decode("utf-8")
    except UnicodeDecodeError:
        raise _NotPrinted("prints no text in UTF-8") from None
