"""Secrets of accounts that this machine can resolve."""

import os
from pathlib import Path

from migrator.core.run.sources import SOURCES
from migrator.errors import InputError
from migrator.inputs.files.toml_checks import Unfit
from migrator.inputs.settings.account_names import at_account, with_account
from migrator.inputs.settings.settings import load_settings

__all__ = ["missing_secrets"]

TARGET = "HOLOGRAM"


def missing_secrets(account: str, carrier: str, config: Path | None = None) -> list[str]:
    """Return what this machine lacks to work on an account, in words.

    Each place is looked at, and a command that prints secrets is run; no secret is kept. A source without an API here
    needs none.

    Args:
        account: its name.
        carrier: the key of its source.
        config: the settings file; None for `migrator.toml` here, if there is one.
    """
    try:
        with at_account(account):
            sources = load_settings(with_account(os.environ), config).secret_sources
    except InputError as error:
        return [problem.message for problem in error.problems]
    prefixes = (TARGET, *([SOURCES[carrier].prefix] if carrier in SOURCES else []))
    missing = []
    for source in sources:
        if not source.name.startswith(prefixes):
            continue
        try:
            if source.resolve() is None:
                missing.append(f"{source.variable} is not set")
        except Unfit as error:
            missing.append(error.words)
    return missing
