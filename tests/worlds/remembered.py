"""Migrated worlds, kept by what they were before: many tests begin with the same migration."""

import copy
import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from migrator.engine.run.context import Stopper
from tests.server import Kept
from tests.worlds.world import World

__all__ = ["begin_of", "keep", "recall"]

BUT = {"folder", "stopper"}
"""Own to each world: where it lies, and what stops its next process."""
MOST = 64

_KEPT: dict[bytes, "_Migrated"] = {}


@dataclass(frozen=True, slots=True)
class _Migrated:
    world: World
    fields: dict[str, Any]
    store: bytes


def begin_of(world: World, **asked: Any) -> bytes | None:
    """Return all that decides how a migration of this world goes.

    None: the store has something already, or is in no file, or some part of the world cannot be written down, as a rule
    of a test.
    """
    if Kept.accounts is not None or _store(world.folder).exists():
        return None
    kind = type(world)
    try:
        return pickle.dumps((kind, kind.start_rps, kind.ceiling_rps, _fields(world), asked))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def recall(world: World, begin: bytes | None) -> bool:
    """Bring a world to where a world of the same begin came. Returns: whether there was one."""
    kept = None if begin is None else _KEPT.get(begin)
    if kept is None:
        return False
    _store(world.folder).write_bytes(kept.store)
    for name, value in copy.deepcopy(kept.fields, {id(kept.world): world}).items():
        setattr(world, name, value)
    world.stopper = Stopper()
    return True


def keep(world: World, begin: bytes | None) -> None:
    """Keep a copy of the world as it is now, for others of the same begin."""
    store = _store(world.folder)
    if begin is None or len(_KEPT) >= MOST or store.with_name("state.db-wal").exists():
        return
    _KEPT[begin] = _Migrated(world, copy.deepcopy(_fields(world), {id(world): world}), store.read_bytes())


def _store(folder: Path) -> Path:
    return folder / "state.db"


def _fields(world: World) -> dict[str, Any]:
    return {one.name: getattr(world, one.name) for one in fields(world) if one.name not in BUT}
