"""Statements of a run for each request, to a store that may be a machine away."""

from itertools import pairwise
from pathlib import Path

from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions, Hooks
from tests.store.journal.statements import said
from tests.worlds.world import World

MOST = 12


def test_from_one_single_request_to_the_next_the_store_is_asked_twelve_times(tmp_path: Path) -> None:
    world = World(tmp_path, sims=5, options=ApplyOptions(workers=1))
    world.ready()
    ends: list[int] = []

    def note(kind: StepKind) -> None:
        if kind is StepKind.NAME:
            ends.append(len(found))

    with said() as found:
        world.apply(hooks=Hooks(after_outcome=note), leased=True)
    assert len(ends) == 5
    asked = [later - earlier for earlier, later in pairwise(ends)]
    assert max(asked) <= MOST, "\n".join(found[ends[0] : ends[1]])
