"""A share of the seeded schedules with the store in PostgreSQL: crashes, lost answers, orders, a second run."""

from pathlib import Path

import pytest

from tests.server import ALL, MISSING, kept_there, running
from tests.simulation.test_seeds import KEPT, lived

SEEDS = (*range(100, 106), *KEPT) if ALL else (*range(100, 104), *KEPT[:4])


@pytest.mark.share(2)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_goes_wrong_the_end_is_right_in_postgresql_too(seed: int, tmp_path: Path) -> None:
    if running() is None:
        pytest.skip(MISSING)
    with kept_there():
        lived(seed, tmp_path)
