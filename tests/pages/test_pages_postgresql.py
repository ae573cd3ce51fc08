"""The pages over an account in PostgreSQL: they show it, follow what is written, and outlive a lost connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.kit import HOSTILE, Browser, browsing, fleet
from tests.server import MISSING, Kept, kept_there, running, sql
from tests.store.store_kit import change, open_store, planned


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if running() is None:
        pytest.skip(MISSING)
    with kept_there():
        fleet(tmp_path)
        with browsing(tmp_path) as browser:
            yield browser


def test_an_account_is_shown_as_it_is_now(browser: Browser, tmp_path: Path) -> None:
    assert Kept.accounts is not None
    account = Kept.accounts.of(tmp_path)
    answer = browser.counted("/")
    assert answer.status_code == 200
    assert "p1" in answer.text
    assert HOSTILE not in answer.text
    assert browser.ask("/sims").status_code == 200
    assert browser.ask("/metrics").status_code == 200

    with open_store(tmp_path) as store:
        assert "the-next" not in browser.ask("/runs").text
        planned(store, [change(7)], plan_id="the-next")
    assert "the-next" in browser.ask("/runs").text

    mine = f"WHERE application_name = 'migrator {account}' AND pid <> pg_backend_pid()"
    sql(Kept.accounts.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity {mine}")  # noqa: S608 - our own
    answers = [browser.ask("/") for _ in range(4)]
    assert answers[-1].status_code == 200
    assert "p1" in answers[-1].text
