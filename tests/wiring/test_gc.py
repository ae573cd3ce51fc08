"""The search for cycles is rare while a fleet passes through memory, and as before afterwards, whatever happened."""

import gc

import pytest

from migrator.wiring.gc import collecting_rarely


def test_the_search_for_cycles_is_as_before_afterwards() -> None:
    before = gc.get_threshold()

    def fail() -> None:
        with collecting_rarely():
            assert gc.get_threshold()[0] > before[0]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.get_threshold() == before
