"""Statements of a run for each request, to a store that may be a machine away."""

from itertools import pairwise
from pathlib import Path

import pytest

from migrator.core.run.states import StepKind
from migrator.engine.run.context import ApplyOptions, Hooks
from tests.store.journal.statements import said
from tests.worlds.world import World

MOST = 12


@pytest.mark.parametrize("kind", [StepKind.NAME, StepKind.LIMITS])
def test_from_one_request_to_the_next_the_store_is_asked_twelve_times(tmp_path: Path, kind: StepKind) -> None:
    world = World(tmp_path, sims=5, options=ApplyOptions(workers=1, batch=1))
    world.ready()
    ends: list[int] = []

    def note(sent: StepKind) -> None:
        if sent is kind:
            ends.append(len(found))

    with said() as found:
        world.apply(hooks=Hooks(after_outcome=note), leased=True)
    asked = [later - earlier for earlier, later in pairwise(ends)]
    assert asked
    assert max(asked) <= MOST, "\n".join(found[ends[0] : ends[1]])
