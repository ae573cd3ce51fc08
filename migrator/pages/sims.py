"""SIMs by stage and code, as a page or as CSV."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from migrator.chunks import PAGE, chunks
from migrator.core.campaign.life import MEANINGS, REMEDIES, STAGE_WORDS, ExceptionCode, LifeStage, SimLife
from migrator.pages.picture import Picture
from migrator.pages.runs import clock
from migrator.reports.campaign.model import LIFE_COLUMNS, life_values_of
from migrator.reports.formats.csv_file import as_text
from migrator.store import Store

__all__ = ["Filter", "csv_of", "filter_from", "sims_page"]

PAGE_SIMS = 100


@dataclass(frozen=True, slots=True)
class Filter:
    """Stage and code of the SIMs that are wanted; None for any.

    `page` counts from 1.
    """

    stage: LifeStage | None = None
    code: ExceptionCode | None = None
    page: int = 1

    @property
    def query(self) -> str:
        """Query of an address for these SIMs, without the page."""
        named = (("stage", self.stage), ("code", self.code))
        return "&".join(f"{name}={value.value}" for name, value in named if value is not None)


def filter_from(query: Mapping[str, str]) -> Filter:
    """Return the filter of an address.

    Words that nobody knows are left out.
    """
    stage, code, page = query.get("stage", ""), query.get("code", ""), query.get("page", "")
    return Filter(
        stage=LifeStage(stage) if stage in set(LifeStage) else None,
        code=ExceptionCode(code) if code in set(ExceptionCode) else None,
        page=max(int(page), 1) if page.isascii() and page.isdecimal() and len(page) < 9 else 1,  # noqa: PLR2004
    )


def sims_page(store: Store, picture: Picture, wanted: Filter, now: float) -> dict[str, Any]:
    """Return what a page of SIMs shows.

    Which SIMs are on the page is as of the picture; their values are those of now.
    """
    if wanted.stage is LifeStage.IN_STOCK:
        return _stock_page(store, picture, wanted, now)
    keys = picture.selected(wanted.stage, wanted.code)
    pages = max(-(-len(keys) // PAGE_SIMS), 1)
    page = min(wanted.page, pages)
    shown = keys[(page - 1) * PAGE_SIMS : page * PAGE_SIMS]
    lives = store.lives.of(shown, now)
    rows = [_row(lives[key]) for key in shown if key in lives]
    return _told(picture, wanted, rows, total=len(keys), page=page, pages=pages)


def _stock_page(store: Store, picture: Picture, wanted: Filter, now: float) -> dict[str, Any]:
    total = len(picture.stock)
    pages = max(-(-total // PAGE_SIMS), 1)
    page = min(wanted.page, pages)
    after = picture.stock[(page - 1) * PAGE_SIMS - 1] if page > 1 else None
    found = store.lives.page(now, stage=LifeStage.IN_STOCK, after=after, limit=PAGE_SIMS)
    return _told(picture, wanted, [_row(life) for _, life in found], total=total, page=page, pages=pages)


def _told(
    picture: Picture, wanted: Filter, rows: Sequence[Mapping[str, Any]], *, total: int, page: int, pages: int
) -> dict[str, Any]:
    counts = picture.counts
    first = (page - 1) * PAGE_SIMS + 1
    stages = [(stage.value, stage.value.replace("_", " "), counts.of(stage)) for stage in LifeStage]
    codes = [(code.value, code.value.replace("_", " "), counts.codes.get(code, 0)) for code in ExceptionCode]
    return {
        "wanted": wanted,
        "rows": rows,
        "total": total,
        "all": counts.total,
        "span": (first, first + len(rows) - 1) if rows else (0, 0),
        "page": page,
        "pages": pages,
        "stages": [one for one in stages if one[2] or (wanted.stage is not None and one[0] == wanted.stage.value)],
        "codes": [one for one in codes if one[2] or (wanted.code is not None and one[0] == wanted.code.value)],
        "meaning": MEANINGS[wanted.code]
        if wanted.code is not None
        else STAGE_WORDS[wanted.stage]
        if wanted.stage is not None
        else "",
        "remedy": "" if wanted.code is None else REMEDIES[wanted.code],
        "counted_at": clock(picture.made_at),
    }


def _row(life: SimLife) -> dict[str, Any]:
    """Return a life for a page, with what was otherwise before."""
    was = {
        name: before
        for name, before, now in (
            ("status", life.baseline_status, life.status),
            ("label", life.baseline_label, life.label),
            ("imei", life.baseline_imei, life.imei),
        )
        if before is not None and before != now
    }
    return {
        "life": life,
        "iccid": life.source_iccid or life.target_iccid,
        "stage": life.stage.value,
        "stage_words": life.stage.value.replace("_", " "),
        "code": None if life.code is None else life.code.value,
        "since": clock(life.since_s),
        "was": was,
    }


# --- CSV ----------------------------------------------------------------------------------------------------------


async def csv_of(
    picture: Picture, wanted: Filter, ask: Callable[[Callable[[Store], Any]], Awaitable[Any]], now: float
) -> AsyncIterator[str]:
    """Yield every SIM that is wanted as CSV for spreadsheets, in parts.

    `ask` puts a question to the store. No part holds the store while another is sent.
    """
    yield _lines([LIFE_COLUMNS])
    if wanted.stage is LifeStage.IN_STOCK:
        after: str | None = None
        while found := await ask(partial(_stock_after, after=after, now=now)):
            yield _lines(_cells(life) for _, life in found)
            after = found[-1][0]
        return
    for keys in chunks(picture.selected(wanted.stage, wanted.code)):
        lives = await ask(partial(_lives_of, keys=keys, now=now))
        yield _lines(map(_cells, lives))


def _stock_after(store: Store, *, after: str | None, now: float) -> list[tuple[str, SimLife]]:
    return store.lives.page(now, stage=LifeStage.IN_STOCK, after=after, limit=PAGE)


def _lives_of(store: Store, *, keys: Sequence[str], now: float) -> list[SimLife]:
    lives = store.lives.of(keys, now)
    return [lives[key] for key in keys if key in lives]


def _cells(life: SimLife) -> list[Any]:
    values = life_values_of(life)
    return [values[name] for name in LIFE_COLUMNS]


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(map(as_text, row) for row in rows)
    return out.getvalue()
