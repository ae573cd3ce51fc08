"""Addresses that requests really go to.

Every command reports an address that is not the carrier's own.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["telling_addresses", "used_address", "used_addresses"]


@dataclass(slots=True)
class _Heard:
    """Receiver of messages about addresses, and used addresses by carrier."""

    tell: Callable[[str], None]
    used: dict[str, str] = field(default_factory=dict)


_heard: ContextVar[_Heard | None] = ContextVar("addresses", default=None)


@contextmanager
def telling_addresses(tell: Callable[[str], None]) -> Iterator[None]:
    """Call `tell` with a line for each address used in this block.

    Each address is reported once. Addresses that are the carrier's own are not reported.
    """
    token = _heard.set(_Heard(tell))
    try:
        yield
    finally:
        _heard.reset(token)


def used_addresses() -> Mapping[str, str]:
    """Return the addresses that this command used, by carrier.

    The carriers' own addresses are not included.
    """
    heard = _heard.get()
    return {} if heard is None else dict(heard.used)


def used_address(carrier: str, url: str, own: str) -> None:
    """Note the address before a carrier is reached.

    No credentials have been sent there yet.

    Args:
        carrier: its name for people.
        url: the address that the settings name.
        own: the carrier's own.
    """
    heard = _heard.get()
    if heard is None or url == own or heard.used.get(carrier) == url:
        return
    heard.used[carrier] = url
    heard.tell(f"{carrier} at {url} (not the default address)")
