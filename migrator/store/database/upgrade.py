"""Upgrade of a store: the only place that runs Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

__all__ = ["alembic_config", "upgrade_to_head"]


def alembic_config(folder: Path) -> Config:
    """Return Alembic's settings, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def upgrade_to_head(connection: Connection, folder: Path, now: float) -> None:
    """Run every missing revision on a connection in a transaction.

    The caller commits. `now` (UTC seconds) is for what a revision adds to the log.
    """
    config = alembic_config(folder)
    config.attributes["connection"] = connection
    config.attributes["now"] = now
    command.upgrade(config, "head")
