"""Whatever these tests run is compiled for PostgreSQL, too."""

from collections.abc import Iterator

import pytest

from tests.store.two_spellings import also_for_postgresql


@pytest.fixture(autouse=True)
def _for_postgresql() -> Iterator[None]:
    with also_for_postgresql():
        yield
