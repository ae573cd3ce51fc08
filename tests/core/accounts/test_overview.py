"""What an overview says of accounts that nobody looks after."""

from dataclasses import replace

from migrator.core.accounts.overview import OVERDUE_S, SILENT_S, Line, Overview
from migrator.core.accounts.records import Account, AccountStanding, KnownWorker, Phase
from migrator.core.accounts.turns import AccountState, Turn
from migrator.reports.accounts.page import page_values
from migrator.reports.accounts.values import next_words, overview_values
from migrator.reports.model import moment

NOW = 1_790_000_000.0


def line(name: str, *, due_s: float | None = None, worker: str | None = None, is_held: bool = False) -> Line:
    """An account that has been due for some seconds, or is done."""
    turn = Turn(AccountState.DONE) if due_s is None else Turn(AccountState.READY, NOW - due_s)
    since = None if worker is None else NOW - 100
    account = Account(name, "1nce", "c", 1, turn, is_held, None, 900.0, worker, since, NOW - 1000, "ada")
    return Line(account, AccountStanding(Phase.PLANNED))


def worker(name: str, *serves: str, heard_s: float = 1.0) -> KnownWorker:
    """A worker that was heard of some seconds ago."""
    return KnownWorker(name, "rome", "1", 2, NOW - 5000, NOW - heard_s, serves, ())


def overview(*lines: Line, workers: tuple[KnownWorker, ...] = ()) -> Overview:
    """All accounts, those at work by their locks."""
    at_work = {one.account.lock: one.account.name for one in lines if one.account.worker is not None}
    return Overview("here", NOW, lines, workers, at_work)


def headline(*lines: Line, workers: tuple[KnownWorker, ...] = ()) -> tuple[str, str]:
    """The page's first words, and their tone."""
    told = page_values(overview(*lines, workers=workers), {})["headline"]
    return told.tone, told.words


def test_an_account_that_is_due_and_that_nobody_serves_is_named() -> None:
    late = line("acme", due_s=OVERDUE_S + 1)
    for workers in ((), (worker("w1", "bolt"),), (worker("w1", "acme", heard_s=SILENT_S + 1),)):
        assert headline(late, workers=workers) == ("bad", "Due, and no living worker serves them: acme")
    assert headline(late, workers=(worker("w1", "acme"),))[0] == "good"


def test_who_is_not_due_for_long_or_held_or_done_is_not() -> None:
    lines = (line("a", due_s=OVERDUE_S - 1), line("b", due_s=9000, is_held=True), line("c"), line("d", due_s=-900))
    assert headline(*lines)[0] == "good"


def test_who_waits_for_an_account_of_the_same_customer_is_told_for_which() -> None:
    lines = [line("a", due_s=9, worker="w1"), line("b", due_s=9), line("c", due_s=-900), line("d")]
    other = replace(line("e", due_s=9), account=replace(line("e", due_s=9).account, customer="another"))
    found = overview(*lines, other)
    told = {one.account.name: next_words(one, found) for one in found.lines}
    assert told == {"a": "", "b": "after a", "c": moment(NOW + 900), "d": "", "e": "now"}
    assert [one["next"] for one in page_values(found, {})["lines"]] == list(told.values())
    assert [one["waits_for"] for one in overview_values(found)["accounts"]] == [None, "a", None, None, None]
    assert next_words(line("b", due_s=9), overview(line("b", due_s=9))) == "now"


def test_an_account_at_a_worker_that_is_silent_or_gone_is_named() -> None:
    for workers in ((), (worker("w1", "acme", heard_s=SILENT_S + 1),)):
        told = headline(line("acme", due_s=900, worker="w1"), workers=workers)
        assert told == ("open", "At a worker that gives no sign of life: acme")
    assert headline(line("acme", due_s=900, worker="w1"), workers=(worker("w1", "acme"),))[0] == "good"
