"""Records of which a fleet has millions."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = ["record"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a dataclass with slots that the type checker sees as frozen.

    The type checker refuses every assignment to a field. At run time nothing guards the fields: a dataclass with a
    guard is made seven times as slowly, and a plan of a million SIMs makes millions. For all other records
    `@dataclass(frozen=True, slots=True)` is right.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
