"""The pages over all accounts: a line each and one total, and each account's own pages below them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.accounts.turns import AccountState, Turn
from migrator.inputs.settings.settings import Secret, Settings, load_settings
from migrator.pages.accounts.app import MOST_OPEN, AccountsPages
from migrator.pages.door.access import Access
from migrator.store.register import Register
from tests.pages.kit import HOSTILE, Browser, fleet
from tests.server import MISSING, Kept, kept_there, running, sql
from tests.store.store_kit import NOW

TOKEN = "a-token-of-some-length-0123456789"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A database with a register of an account that has a store, and of one that has none."""
    if running() is None:
        pytest.skip(MISSING)
    with kept_there():
        assert Kept.accounts is not None
        url, name = Kept.accounts.url, Kept.accounts.of(tmp_path)
        sql(url, f"DROP SCHEMA IF EXISTS a_{name} CASCADE; DROP SCHEMA IF EXISTS fleet CASCADE")
        fleet(tmp_path)
        Register.make(url, NOW)
        with Register.open(url) as register:
            register.add(name, carrier="1nce", customer="c1", organization=4711, by="ada")
            register.add("zulu", carrier="portal", customer="", organization=None, by="ada")
            register.beat("rome/1", host="rome", version="0.1", slots=2, serves=["zulu"])
            assert register.began("zulu", "rome/1")
            register.ended("zulu", "rome/1", Turn(AccountState.ATTENTION, None, HOSTILE))
            assert register.began(name, "rome/1")
        yield url
        sql(url, "DROP SCHEMA IF EXISTS fleet CASCADE")


@pytest.fixture
def name(url: str, tmp_path: Path) -> str:
    del url
    assert Kept.accounts is not None
    return Kept.accounts.of(tmp_path)


def settings_of(account: str) -> Settings:
    return load_settings({"MIGRATOR_ACCOUNT": account}, None)


@pytest.fixture
def browser(url: str) -> Iterator[Browser]:
    yield from browsing(url, None)


def browsing(url: str, access: Access | None) -> Iterator[Browser]:
    pages = AccountsPages(url, settings_of, access, now=lambda: NOW + 3600)
    with asyncio.Runner() as runner:
        yield Browser(pages, runner)  # type: ignore[arg-type]  # it asks any application
        pages.close()


def test_each_account_has_a_line_and_there_is_one_total(browser: Browser, name: str) -> None:
    page = browser.ask("/")
    assert page.status_code == 200
    assert f'<a href="/a/{name}/">{name}</a>' in page.text
    assert "2 in all" in page.text
    assert "at work" in page.text
    assert "rome/1" in page.text
    assert "A person must look: zulu" in page.text
    assert HOSTILE not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert browser.ask("/watch.css").status_code == 200


def test_an_account_has_its_own_pages_below_and_their_links_stay_there(browser: Browser, name: str) -> None:
    base = f"/a/{name}"
    moved = browser.ask(base)
    assert (moved.status_code, moved.headers["location"]) == (307, f"{base}/")
    for path, status in (("/", 200), ("/sims", 200), ("/runs", 200), ("/runs/p1", 200), ("/find?q=nothing", 404)):
        page = browser.counted(f"{base}{path}")
        assert page.status_code == status, path
        assert f'href="{base}/sims"' in page.text
        assert '<a href="/">All accounts</a>' in page.text
        assert 'href="/sims' not in page.text
        assert f'action="{base}/find"' in page.text
        assert HOSTILE not in page.text
        assert int(page.headers["content-length"]) == len(page.content)
    assert f'href="{base}/sims" aria-current="page"' in browser.counted(f"{base}/sims").text
    assert browser.ask(f"{base}/sims.csv").headers["content-type"].startswith("text/csv")
    assert browser.ask(f"{base}/metrics").status_code == 200
    assert browser.ask(f"{base}/nowhere").status_code == 404


def test_an_account_that_is_not_registered_has_no_page_though_it_has_a_store(
    browser: Browser, name: str, url: str
) -> None:
    assert browser.ask(f"/a/{name}/").status_code == 200
    sql(url, f"DELETE FROM fleet.accounts WHERE name = '{name}'")  # noqa: S608 - our own
    for path in (f"/a/{name}/", f"/a/{name}/sims", "/a/nobody/", "/a/nobody", "/a/..%2fx/"):
        assert browser.ask(path).status_code in {404, 503}, path
    assert "is not in the register" in browser.ask(f"/a/{name}/").text


def test_nothing_but_reads_is_answered(browser: Browser, name: str, url: str) -> None:
    before = sql(url, "SELECT value FROM fleet.meta")
    for path in ("/", f"/a/{name}/", f"/a/{name}/sims"):
        assert browser.ask(path, method="POST").status_code == 405
    browser.ask("/")
    assert sql(url, "SELECT value FROM fleet.meta") == before


def test_a_token_is_asked_for_once_for_all_of_them(url: str, name: str) -> None:
    for browser in browsing(url, Access("0.0.0.0", Secret(TOKEN))):  # noqa: S104 - it only stands there
        for path in ("/", f"/a/{name}/", f"/a/{name}/sims", "/metrics"):
            assert browser.ask(path).status_code == 401, path
            told = browser.ask(path, headers={"authorization": f"Bearer {TOKEN}"})
            assert told.status_code == 200, path


def test_machines_are_told_by_account(browser: Browser, name: str) -> None:
    text = browser.ask("/metrics").text
    assert 'migrator_accounts{state="attention"} 1' in text
    assert f'migrator_account_sims{{account="{name}"}} 8' in text
    assert "migrator_workers_alive 1" in text
    assert text.endswith("# EOF\n")
    assert browser.ask("/healthz").json() == {"status": "ok"}


def test_a_lost_connection_comes_back_and_few_accounts_stay_open(browser: Browser, name: str, url: str) -> None:
    with Register.open(url) as register:
        for number in range(MOST_OPEN + 1):
            register.add(f"empty{number}", carrier="portal", customer="", organization=None, by="ada")
    assert browser.ask(f"/a/{name}/").status_code == 200
    for number in range(MOST_OPEN + 1):
        assert browser.ask(f"/a/empty{number}/").status_code == 503
    assert browser.ask(f"/a/{name}/").status_code == 200
    sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    answers = [browser.ask("/metrics").status_code for _ in range(3)]
    assert answers[-1] == 200
