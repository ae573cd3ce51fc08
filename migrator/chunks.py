"""Long sequences in portions that fit into memory."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["PAGE", "chunks"]

PAGE = 1000
"""Rows that are read, checked or written together."""

T = TypeVar("T")


def chunks(values: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """Yield `values` in lists of at most `size`."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
