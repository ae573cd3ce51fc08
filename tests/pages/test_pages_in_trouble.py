"""A store that is missing, replaced, upgraded or written to while its pages are open."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from migrator.core.run.states import RunEvent
from migrator.errors import StoreError
from migrator.pages.reading import StoreReader
from tests.builders import sim
from tests.pages.kit import Browser, browsing, fleet
from tests.store.store_kit import NOW, open_store, pulled, url_of


def unavailable(browser: Browser, code: str, words: str) -> None:
    """Every page tells the trouble with 503, and so does the health."""
    for path in ("/", "/sims", "/runs", "/runs/p1", "/find?q=unit+1"):
        answer = browser.ask(path)
        assert answer.status_code == 503, path
        assert words in answer.text
        assert "comes back by itself" in answer.text
        assert 'data-every="10"' in answer.text
    assert browser.ask("/metrics", headers={"accept": "*/*"}).status_code == 503
    health = browser.ask("/healthz")
    assert (health.status_code, health.json()["code"]) == (503, code)


def test_a_store_that_is_not_there_yet_is_told_and_shown_once_it_is(tmp_path: Path) -> None:
    with browsing(tmp_path) as browser:
        unavailable(browser, "no_store", "there is no state store at")
        assert list(tmp_path.iterdir()) == []
        fleet(tmp_path)
        assert "3 SIMs need a person" in browser.counted("/").text
        assert browser.ask("/healthz").status_code == 200


def test_a_store_that_is_taken_away_and_put_back_is_read_anew(tmp_path: Path) -> None:
    fleet(tmp_path)
    with browsing(tmp_path) as browser:
        browser.counted("/")
        (tmp_path / "state.db").rename(tmp_path / "old.db")
        unavailable(browser, "no_store", "there is no state store at")
        for companion in tmp_path.glob("state.db-*"):
            companion.unlink()
        with open_store(tmp_path) as store:
            pulled(store, [sim(1), sim(2)])
        assert "2 SIMs, counted at" in browser.counted("/sims").text


@pytest.mark.parametrize(("version", "code"), [("9999", "schema_newer"), ("0009", "schema_older")])
def test_a_store_that_another_version_has_in_hand_is_told(tmp_path: Path, version: str, code: str) -> None:
    """Also while the pages have it open: an upgrade comes from another process."""
    fleet(tmp_path)
    with browsing(tmp_path) as browser:
        browser.counted("/")
        with open_store(tmp_path) as store, store._db.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": version})
        unavailable(browser, code, f"has schema {version}")


def test_an_upgrade_in_flight_is_in_nobodys_way(tmp_path: Path) -> None:
    """Its transaction is not committed: the pages show what was before."""
    fleet(tmp_path)
    with browsing(tmp_path) as browser, closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        browser.counted("/")
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        assert browser.ask("/runs").status_code == 200
        other.execute("ROLLBACK")
        assert browser.ask("/healthz").status_code == 200


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("no store at all " * 100)
    with browsing(tmp_path) as browser:
        unavailable(browser, "not_a_store", "is not a state store")


def test_what_is_written_beside_the_pages_is_shown_by_them(tmp_path: Path) -> None:
    fleet(tmp_path)
    with browsing(tmp_path) as browser, open_store(tmp_path) as store:
        browser.counted("/")
        run = store.journal.start_run("p1", "ops@here", NOW + 100)
        store.journal.end_run(run, RunEvent.HALT, exit_code=6, reason="the caps are used up", now=NOW + 110)
        page = browser.ask("/").text
        assert "The last run did not end well" in page
        assert "the caps are used up" in page
        assert "migrator apply p1" in page


def test_pages_leave_no_transaction_behind_that_a_writer_would_wait_for(tmp_path: Path) -> None:
    """An intent counts once it is in the main file: no open page keeps it out."""
    fleet(tmp_path)
    with browsing(tmp_path) as browser, open_store(tmp_path) as store:
        for path in ("/", "/sims", "/runs/p1", "/find?q=unit+1", "/metrics"):
            browser.counted(path)
            store.journal.start_run("p1", "ops@here", NOW + 100)
            assert store.journal.into_main_file()


def test_nothing_that_the_pages_are_asked_for_changes_the_store(tmp_path: Path) -> None:
    fleet(tmp_path)
    before = (tmp_path / "state.db").read_bytes()
    with browsing(tmp_path) as browser:
        for path in ("/", "/sims", "/sims.csv", "/runs", "/runs/p1", "/find?q=unit+1", "/metrics", "/healthz"):
            browser.counted(path)
    assert (tmp_path / "state.db").read_bytes() == before
    assert not (tmp_path / "state.db-wal").exists() or (tmp_path / "state.db-wal").stat().st_size == 0


def test_a_reader_cannot_write_whatever_it_is_asked(tmp_path: Path) -> None:
    fleet(tmp_path)
    with browsing(tmp_path) as browser:
        reader = StoreReader(url_of(tmp_path))
        with pytest.raises(StoreError):
            browser.runner.run(reader.ask(lambda store: pulled(store, [sim(1)])))
        assert browser.runner.run(reader.ask(lambda store: store.inventory.summary()["count"])) == 8
        reader.close()


def test_a_defect_of_ours_is_told_without_its_insides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet(tmp_path)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret insides")

    monkeypatch.setattr("migrator.pages.app.runs_page", broken)
    with browsing(tmp_path) as browser:
        answer = browser.ask("/runs")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    assert "insides" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
