"""Whatever these tests run is compiled for PostgreSQL, too; and where there is a server, it runs there as well."""

from collections.abc import Iterator

import pytest

from tests.server import ALL, MISSING, kept_there, running
from tests.store.two_spellings import also_for_postgresql

ALONE = {"files": "sqlite", "server": "server"}
ALWAYS_BOTH = ("control", "cutovers", "journal", "pairs")
"""Folders whose tests run over both databases in `make test`; the others do in `make test-postgresql`."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test over both databases, but those about files, and those that ask a server themselves."""
    marked = [kind for mark, kind in ALONE.items() if metafunc.definition.get_closest_marker(mark)]
    both = ["sqlite", "postgresql"] if ALL or metafunc.definition.path.parent.name in ALWAYS_BOTH else ["sqlite"]
    metafunc.parametrize("kept_in", marked or both, indirect=True)


@pytest.fixture(autouse=True)
def kept_in(request: pytest.FixtureRequest) -> Iterator[str]:
    """The database that the stores of a test are kept in."""
    if request.param == "server":
        yield "server"
        return
    if request.param == "sqlite":
        with also_for_postgresql():
            yield "sqlite"
        return
    if running() is None:
        pytest.skip(MISSING)
    with kept_there():
        yield "postgresql"
