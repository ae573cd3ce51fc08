"""The store is removed, replaced or moved while `apply` writes to it: nothing more is sent, and its record is saved."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions, Hooks
from migrator.errors import StoreError
from tests.worlds.world import World

if TYPE_CHECKING:
    from migrator.store import Store

CLAIMS = ApplyOptions(claim_batch=3)


def removed(store: Path) -> None:
    """`rm migrator.db*`, as a clean-up would do it."""
    for file in store.parent.glob("state.db*"):
        file.unlink()


def replaced(store: Path) -> None:
    """An older copy takes the place of the file, as rsync and editors do it."""
    copy = store.with_name("older")
    shutil.copy(store, copy)
    copy.replace(store)


def moved_away(store: Path) -> None:
    """The whole folder gets another name."""
    store.parent.rename(store.parent.with_name("renamed"))


def robbed_of_its_wal(store: Path) -> None:
    """Somebody tidied up."""
    store.with_name("state.db-wal").unlink()


def robbed_of_its_shm(store: Path) -> None:
    """Another process would make a new one, and know nothing of our locks."""
    store.with_name("state.db-shm").unlink()


def given_another_wal(store: Path) -> None:
    """That of another copy."""
    wal = store.with_name("state.db-wal")
    shutil.copy(wal, store.with_name("other"))
    store.with_name("other").replace(wal)


HARMS: list[tuple[Callable[[Path], None], str]] = [
    (removed, "was removed or moved away"),
    (replaced, "was replaced by another file"),
    (moved_away, "was removed or moved away"),
    (robbed_of_its_wal, "lost its state.db-wal"),
    (robbed_of_its_shm, "lost its state.db-shm"),
    (given_another_wal, "was given another state.db-wal"),
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A planned migration of three claims, in a folder of its own."""
    (tmp_path / "desk").mkdir()
    world = World(tmp_path / "desk", sims=9, options=CLAIMS)
    world.ready()
    return world


def after_first_claim(deed: Callable[[], None]) -> Hooks:
    """Hooks that do it once, when the first claim was answered and that is on disk."""
    left = [deed]

    def pass_by(kind: StepKind) -> None:
        if kind is StepKind.CLAIM and left:
            left.pop()()

    return Hooks(after_outcome=pass_by)


def rescued(world: World) -> Path:
    """The one copy that was made, wherever it was put."""
    places = {world.folder, Path.cwd()}
    return next(copy for place in places if place.is_dir() for copy in place.glob("state.db.rescued-*"))


def put_in_place(copy: Path, store: Path) -> None:
    """What the hint asks for."""
    store.parent.mkdir(exist_ok=True)
    for ending in ("-wal", "-shm"):
        store.with_name(store.name + ending).unlink(missing_ok=True)
    copy.replace(store)


@pytest.mark.parametrize(("harm", "words"), HARMS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_run_whose_store_is_gone_claims_nothing_more_and_saves_its_record(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = world.folder / "state.db"
    result = world.apply(hooks=after_first_claim(lambda: harm(store)), leased=True)
    assert len(world.claims_sent()) == 1
    assert (result.exit_code, words in result.reason) == (1, True), result.reason
    copy = rescued(world)
    assert str(copy) in result.reason
    assert str(copy) in result.hint
    put_in_place(copy, store)
    world.wait(120)
    assert world.apply_until_quiet().exit_code == 0
    world.check_fulfilled()


def test_what_was_gone_once_is_not_trusted_when_it_is_back(world: World) -> None:
    """It may have been written to meanwhile."""
    store = world.folder / "state.db"

    def looked_after() -> None:
        store.rename(store.with_name("away"))
        with pytest.raises(StoreError, match="moved away"):
            held[0].presence.must_be()
        store.with_name("away").rename(store)

    held: list[Store] = []
    result = world.apply(hooks=after_first_claim(looked_after), leased=True, before=held.append)
    assert (result.exit_code, len(world.claims_sent())) == (1, 1)
