"""The page over all accounts: a line each, and one total.

Nothing is fetched, and no script runs.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import jinja2
from markupsafe import Markup

from migrator.core.accounts.overview import Line, Overview
from migrator.core.accounts.turns import AccountState
from migrator.reports.accounts.values import next_words, share_of
from migrator.reports.advice import Headline
from migrator.reports.formats.html_page import sha256_of
from migrator.reports.formats.page_kit import TEMPLATES as SHARED
from migrator.reports.formats.page_kit import page_environment
from migrator.reports.model import moment
from migrator.version import VERSION

__all__ = ["page_values", "write_html"]

TEMPLATES = Path(__file__).with_name("templates")
_TONES = {"at work": "pending", "ready": "pending", "done": "verified", "attention": "failed", "held": "skipped"}
"""Colours of the report that states have."""


def write_html(overview: Overview, links: Mapping[str, str], out: TextIO) -> None:
    """Write the page.

    `links` are the places of accounts' own pages, by name.
    """
    style = (SHARED / "page.css").read_text(encoding="utf-8")
    values = page_values(overview, links) | {
        "tool": f"migrator {VERSION}",
        "style": Markup(style),  # noqa: S704 - our own file
        "style_hash": sha256_of(style),
    }
    out.writelines(_environment().get_template("accounts.html.j2").generate(values))


@cache
def _environment() -> jinja2.Environment:
    return page_environment(TEMPLATES, SHARED)


def page_values(overview: Overview, links: Mapping[str, str]) -> dict[str, Any]:
    """Return what a page shows of all accounts."""
    total = overview.totals
    return {
        "place": overview.place,
        "at": moment(overview.now),
        "headline": _headline(overview),
        "total": total,
        "total_share": share_of(total.verified, total.sims),
        "states": ", ".join(f"{count} {state}" for state, count in total.states.items()),
        "lines": [_line(line, overview, links.get(line.account.name)) for line in overview.lines],
        "workers": [
            {
                "name": worker.name,
                "heard_s": max(0, round(overview.now - worker.seen_at)),
                "is_alive": overview.is_alive(worker),
                "slots": worker.slots,
                "serves": len(worker.serves),
                "version": worker.version,
                "at_work": _at_work(overview, worker.takes),
            }
            for worker in overview.workers
        ],
    }


def _at_work(overview: Overview, names: tuple[str, ...]) -> str:
    since = {line.account.name: moment(line.account.since) for line in overview.lines}
    return ", ".join(f"{name} since {since[name]}" if since.get(name) else name for name in names)


def _line(line: Line, overview: Overview, link: str | None) -> dict[str, Any]:
    account, standing = line.account, line.standing
    return {
        "name": account.name,
        "link": link,
        "source": account.carrier,
        "organization": account.organization,
        "state": account.word,
        "tone": _TONES[account.word],
        "phase": standing.phase.value,
        "sims": standing.sims,
        "verified": standing.verified,
        "share": share_of(standing.verified, standing.sims),
        "cut_over": standing.cut_over,
        "next": next_words(line, overview),
        "worker": account.worker or "",
        "since": moment(account.since) or "",
        "holder": standing.holder or "",
        "words": standing.trouble or account.turn.words,
    }


def _headline(overview: Overview) -> Headline:
    """Return whether all is well, over all accounts."""
    waiting = [line.account.name for line in overview.lines if line.account.turn.state is AccountState.ATTENTION]
    unread = [line.account.name for line in overview.lines if line.standing.trouble]
    lost, unserved = overview.lost, overview.unserved
    at_work = sum(line.account.worker is not None for line in overview.lines)
    detail = f"{at_work} at work, {sum(map(overview.is_alive, overview.workers))} workers alive."
    if waiting:
        return Headline("bad", f"A person must look: {', '.join(waiting)}", detail)
    if unread:
        return Headline("bad", f"Stores that cannot be read: {', '.join(unread)}", detail)
    if unserved:
        detail = f"{detail} `migrator work` takes them where their secrets are."
        return Headline("bad", f"Due, and no living worker serves them: {', '.join(unserved)}", detail)
    if lost:
        return Headline("open", f"At a worker that gives no sign of life: {', '.join(lost)}", detail)
    if not overview.lines:
        return Headline("open", "No account is registered", "`migrator fleet add NAME` adds one.")
    is_done = all(line.account.turn.state is AccountState.DONE for line in overview.lines)
    return Headline("good", "All accounts are done" if is_done else "All accounts go on by themselves", detail)
