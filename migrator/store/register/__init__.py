"""Register of accounts in PostgreSQL, and of their workers."""

from migrator.core.accounts.records import EVERY_S, Account, KnownWorker, TurnOrder
from migrator.store.register.register import Event, Register

__all__ = ["EVERY_S", "Account", "Event", "KnownWorker", "Register", "TurnOrder"]
