"""A file that is one line of gigabytes is refused where it is read, in bounded memory."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import InputError
from migrator.inputs.files.iccids import read_iccids
from migrator.inputs.files.plan import read_plan_file
from migrator.inputs.inventory.file import opened_inventory
from migrator.inputs.pairing.pool import read_pool
from migrator.inputs.pairing.rows import read_pairs
from migrator.inputs.policy.file import read_policy
from migrator.inputs.policy.iccids import read_iccids as read_list

MEMORY_BYTES = 60_000_000


def inventory(path: Path) -> None:
    """Read an inventory to its end."""
    with opened_inventory(path, {}) as file:
        list(file.rows)


READERS: dict[str, Callable[[Path], Any]] = {
    "iccids": read_iccids,
    "a policy's list": read_list,
    "pool": lambda path: read_pool(path, range_mode=None),
    "pairs": lambda path: list(read_pairs(path)),
    "inventory": inventory,
    "policy": read_policy,
    "plan": read_plan_file,
}


@pytest.mark.share(3)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("character", ["8", "a", " ", "["])
def test_a_line_without_end_is_refused(tmp_path: Path, reader: str, character: str) -> None:
    path = tmp_path / "long.txt"
    with path.open("w") as file:
        for _ in range(200):
            file.write(character * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            READERS[reader](path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()
