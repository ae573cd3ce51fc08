"""Register of accounts in PostgreSQL, and of their workers."""

from migrator.core.accounts.records import EVERY_S, Account, Order, Worker
from migrator.store.register.register import Event, Register

__all__ = ["EVERY_S", "Account", "Event", "Order", "Register", "Worker"]
