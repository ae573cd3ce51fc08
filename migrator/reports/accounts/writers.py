"""The report over all accounts in files, all or none."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from migrator.core.accounts.overview import Overview
from migrator.reports.accounts.page import write_html
from migrator.reports.accounts.values import overview_values
from migrator.reports.formats.csv_file import spreadsheet_safe
from migrator.reports.writers import report_folder, write_together
from migrator.version import VERSION

__all__ = ["ACCOUNTS_VERSION", "FORMATS", "OWN_PAGES", "write_accounts_report"]

ACCOUNTS_VERSION = 1
OWN_PAGES = ("reconciliation.html", "campaign.html")
"""Pages of an account's own; the first that is there is linked."""

COLUMNS = (
    *("account", "source", "customer", "organization", "state", "phase", "sims", "verified", "cut_over", "campaign"),
    *("next_at", "worker", "since", "held_by", "words", "trouble"),
)


def _write_json(overview: Overview, _links: Mapping[str, str], out: TextIO) -> None:
    told = {"accounts_version": ACCOUNTS_VERSION, "tool": f"migrator {VERSION}", **overview_values(overview)}
    json.dump(told, out, ensure_ascii=False, indent=1)
    out.write("\n")


def _write_csv(overview: Overview, _links: Mapping[str, str], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in overview_values(overview)["accounts"]:
        texts = ("" if line[name] is None else str(line[name]) for name in COLUMNS)
        writer.writerow([spreadsheet_safe(text) for text in texts])


FORMATS: Mapping[str, Callable[[Overview, Mapping[str, str], TextIO], None]] = {
    "html": write_html,
    "json": _write_json,
    "csv": _write_csv,
}


def write_accounts_report(overview: Overview, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write `accounts.FORMAT` for each of `formats` into `folder`.

    The page links what is in the folder of an account's name.

    Raises: InputError, if the folder or a file in it cannot be written; then what was there before is still there.
    """
    with report_folder(folder):
        names = [line.account.name for line in overview.lines]
        links = {
            name: f"{name}/{page}" for name in names for page in reversed(OWN_PAGES) if (folder / name / page).is_file()
        }
        files = {folder / f"accounts.{name}": partial(FORMATS[name], overview, links) for name in formats}
        write_together(files)
    return list(files)
