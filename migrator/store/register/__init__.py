"""Register of accounts in PostgreSQL, and of their workers."""

from migrator.core.accounts.records import EVERY_S, Account, KnownWorker, TurnOrder
from migrator.store.register.register import Register

__all__ = ["EVERY_S", "Account", "KnownWorker", "Register", "TurnOrder"]
