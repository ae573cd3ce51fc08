"""Where requests really go: an address that is not the carrier's own is told by every command that uses it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["telling_addresses", "used_address", "used_addresses"]


@dataclass(slots=True)
class _Heard:
    """Who is told of an address, and which were used, by carrier."""

    tell: Callable[[str], None]
    used: dict[str, str] = field(default_factory=dict)


_heard: ContextVar[_Heard | None] = ContextVar("addresses", default=None)


@contextmanager
def telling_addresses(tell: Callable[[str], None]) -> Iterator[None]:
    """Have `tell` called with a line for each address that is used within this block, once."""
    token = _heard.set(_Heard(tell))
    try:
        yield
    finally:
        _heard.reset(token)


def used_addresses() -> Mapping[str, str]:
    """The addresses that this command used and that are not the carriers' own, by carrier."""
    heard = _heard.get()
    return {} if heard is None else dict(heard.used)


def used_address(carrier: str, url: str, own: str) -> None:
    """Note that a carrier is about to be reached, and where; before any credentials go there.

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
