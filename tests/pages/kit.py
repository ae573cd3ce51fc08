"""What the tests of the pages share: a small store as a run leaves it, and a browser's half of HTTP without one."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from migrator.core.plan.compare import Finding, FindingCode
from migrator.core.plan.plan import Action, Reason
from migrator.core.run.states import RunEvent, StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome, Verdict, Verified
from migrator.inputs.settings.settings import load_settings
from migrator.pages.app import Pages
from migrator.pages.door.access import Access
from migrator.store import Store
from tests.builders import sim, target
from tests.store.store_kit import NOW, SENT, change, key, open_store, place_of, planned, pulled

__all__ = ["HOSTILE", "Browser", "browsing", "fleet"]

HTML = {"accept": "text/html,application/xhtml+xml"}
HOSTILE = "</td><script>alert(1)</script><img src=http://evil.test/x onerror=alert(2)>\"'{{ 7 * 7 }}"
"""A label as a stranger may have given it."""
BLOCKED, REFUSED, STRAY = 3, 4, 5


def fleet(folder: Path, sims: int = 8) -> None:
    """A store with a plan `p1` that was carried out: one SIM is blocked, one refused, and one as nobody planned.

    All others are claimed and never seen. The label of the stray one is hostile.
    """
    with open_store(folder) as store:
        numbers = range(1, sims + 1)
        pulled(store, [sim(one, label=HOSTILE if one == STRAY else f"unit {one}") for one in numbers])
        planned(store, [_change(one) for one in numbers])
        run = store.journal.start_run("p1", "ops@here, process 1 on bench", NOW)
        claimed = [one for one in numbers if one not in {BLOCKED, REFUSED}]
        _sent(store, run, claimed, RequestOutcome.ACCEPTED, StepEvent.CONFIRMED)
        _sent(store, run, [REFUSED], RequestOutcome.REFUSED, StepEvent.REFUSED_FOR_GOOD)
        store.journal.observed([target(one) for one in claimed], [], now=NOW + 60)
        store.journal.verified("p1", [_judged(one) for one in claimed], now=NOW + 60)
        store.journal.end_run(run, RunEvent.FINISH, exit_code=3, reason="some SIMs need attention", now=NOW + 90)


def _change(number: int) -> Any:
    if number == BLOCKED:
        return change(number, Action.BLOCK, reason=Reason.LIMIT_ZERO, detail="no volume is booked")
    return change(number, name=f"unit {number}")


def _sent(store: Store, run: int, numbers: list[int], outcome: RequestOutcome, event: StepEvent) -> None:
    keys = [key(number) for number in numbers]
    request = store.journal.begin(run, StepKind.CLAIM, keys, SENT, wave="all", now=NOW + 1)
    store.journal.answered(request, outcome, now=NOW + 2)
    words = ("refused", "SIM is <b>unknown</b>") if outcome is RequestOutcome.REFUSED else ("", "")
    store.journal.move("p1", StepKind.CLAIM, event, dict.fromkeys(keys, words), now=NOW + 2)


def _judged(number: int) -> Verified:
    if number != STRAY:
        return Verified(key(number), Verdict.OK)
    return Verified(key(number), Verdict.MISMATCH, (Finding(FindingCode.WRONG_NAME, f"unit {number}", "another"),))


@dataclass(slots=True)
class Browser:
    """Asks the pages in process, one request after the other, on one event loop."""

    pages: Pages
    runner: asyncio.Runner
    headers: Mapping[str, str] = field(default_factory=dict)
    base: str = "http://127.0.0.1:8787"

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Ask for a path as a browser does."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.pages, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self.base) as http:
                return await http.request(method, path, headers={**HTML, **self.headers, **(headers or {})}, **more)

        return self.runner.run(asked())

    def counted(self, path: str) -> httpx.Response:
        """Ask for a page until it does not wait for counts any more."""
        for _ in range(100):
            answer = self.ask(path)
            if "are being counted" not in answer.text:
                return answer
            self.runner.run(asyncio.sleep(0.02))
        raise AssertionError(f"{path} counts without an end")


@contextmanager
def browsing(folder: Path, *, access: Access | None = None, now: float = NOW + 3600) -> Iterator[Browser]:
    """The pages of the store in a folder, or of the account that stands for it, at some time."""
    place = place_of(folder)
    account = {"MIGRATOR_ACCOUNT": place["account"]} if "account" in place else {}
    pages = Pages(place["url"], load_settings(account, None), access, now=lambda: now)
    with asyncio.Runner() as runner:
        yield Browser(pages, runner)
        pages.close()
