"""The reconciliation as one HTML file.

Nothing is fetched, every value is escaped, and only our own script may run.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, TextIO

import jinja2
from markupsafe import Markup

from migrator.core.fleet.sims import ONENCE
from migrator.core.run.verify import Bucket
from migrator.reports.advice import next_steps, verdict
from migrator.reports.formats.charts import limits_chart, outcomes_chart, time_line, waves_chart
from migrator.reports.formats.json_file import run_values
from migrator.reports.formats.page_kit import TEMPLATES, page_environment
from migrator.reports.model import COLUMNS, moment
from migrator.reports.remedies import BUCKET_WORDS, PAID_ONCE, remedy
from migrator.reports.rows_on_disk import Book
from migrator.reports.tally import ATTENTION

__all__ = ["sha256_of", "write_html"]

MOST_JOBS, MOST_RUNS = 200, 100
"""Most jobs and runs on the page; the JSON has all."""


def write_html(book: Book, out: TextIO) -> None:
    """Write the page as its parts come.

    The rows are never all in memory together.
    """
    out.writelines(_environment().get_template("page.html.j2").generate(_values(book)))


@cache
def _environment() -> jinja2.Environment:
    return page_environment(TEMPLATES)


def _values(book: Book) -> dict[str, Any]:
    report, tally = book.report, book.tally
    jobs = list(islice(report.jobs(), MOST_JOBS + 1))
    source = report.plan.get("source", ONENCE)
    groups = [(group, remedy(group.bucket, group.code, report.goes_on, source)) for group in tally.findings()]
    pressing = {*ATTENTION, Bucket.PENDING}
    script, style = _text("page.js"), _text("page.css")
    return {
        "report": report,
        "tally": tally,
        "book": book,
        "buckets": {name: (sims, BUCKET_WORDS[Bucket(name)]) for name, sims in tally.by_bucket().items()},
        "verdict": verdict(book),
        "next_steps": next_steps(book),
        "findings": [pair for pair in groups if Bucket(pair[0].bucket) in pressing],
        "left_out": [pair for pair in groups if Bucket(pair[0].bucket) not in pressing],
        "charts": [outcomes_chart(tally), waves_chart(tally, report.plan.get("waves", ())), limits_chart(tally)],
        "time_line": time_line(tally, report.runs, report.pace, now=report.generated_at),
        "runs": [run_values(run) for run in report.runs[-MOST_RUNS:]],
        "jobs": jobs[:MOST_JOBS],
        "more_jobs": len(jobs) > MOST_JOBS,
        "generated_at": moment(report.generated_at),
        "script": Markup(script),  # noqa: S704 - our own file
        "style": Markup(style),  # noqa: S704 - our own file
        "script_hash": sha256_of(script),
        "style_hash": sha256_of(style),
        "data": _data(book),
        "life": tally.life(),
        "source": source,
        "paid_once": PAID_ONCE if source == ONENCE else "",
    }


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def sha256_of(text: str) -> str:
    """Return SHA-256 in the form of a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# --- the rows, for the script of the page --------------------------------------------------------------------------

_encode = json.JSONEncoder(separators=(",", ":")).encode
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_REPEATED = frozenset(
    ("bucket", "code", "detail", "wave", "state_planned", "state_observed", "job_ids", "claimed_at", "verified_at")
) | {
    "new_sim",
    "alive_at",
    "unit",
    "old_sim",
    "old_used_on",
    "old_asked_at",
    "proved_at",
    "site",
    "ticket",
    "scanned_by",
}
_PLACES = [place for place, name in enumerate(COLUMNS) if name in _REPEATED]
_NAME_PLANNED, _NAME_OBSERVED = COLUMNS.index("name_planned"), COLUMNS.index("name_observed")
SAME = 0
"""Mark for an observed name that is the planned name."""
MOST_WORDS = 10_000
"""Maximum number of words of a column; later words are written out."""


def _data(book: Book) -> Iterator[Markup]:
    """Yield the document of the script block, in parts.

    A part has a few hundred rows. `rows` has a list per SIM, in the order of `columns`. `words` has a list for some
    columns. In such a column, a number is a place in that list, and text stands for itself.
    """
    words: dict[int, dict[str, int]] = {place: {} for place in _PLACES}
    yield _safe(f'{{"plan":{_encode(book.report.plan_id)},"columns":{_encode(COLUMNS)},"rows":[')
    comma = ""
    for chunk in book.chunks():
        yield _safe(comma + _encode([_packed(row, words) for row in chunk])[1:-1])
        comma = ",\n"
    named = {COLUMNS[place]: list(known) for place, known in words.items()}
    yield _safe(f'],"words":{_encode(named)}}}')


def _packed(row: list[Any], words: dict[int, dict[str, int]]) -> list[Any]:
    for place in _PLACES:
        value, known = row[place], words[place]
        if value is not None:
            row[place] = known[value] if value in known else _learned(value, known)
    if row[_NAME_OBSERVED] is not None and row[_NAME_OBSERVED] == row[_NAME_PLANNED]:
        row[_NAME_OBSERVED] = SAME
    return row


def _learned(value: str, known: dict[str, int]) -> int | str:
    if len(known) >= MOST_WORDS:
        return value
    known[value] = len(known)
    return known[value]


def _safe(document: str) -> Markup:
    """Return JSON in ASCII that is safe in a script element.

    The JSON cannot end the element, nor open a comment in the element: < > & only ever stand in strings, and are
    escaped.
    """
    return Markup(document.translate(_ESCAPES))  # noqa: S704 - made safe here
