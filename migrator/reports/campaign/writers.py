"""The report over all plans in files, all or none."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from migrator.reports.campaign.documents import write_bounds, write_csv, write_json, write_md
from migrator.reports.campaign.model import FleetReport
from migrator.reports.campaign.page import write_html
from migrator.reports.writers import report_folder, write_together

__all__ = ["FORMATS", "write_fleet_report"]

FORMATS: Mapping[str, Callable[[FleetReport, TextIO], None]] = {
    "html": write_html,
    "json": write_json,
    "csv": write_csv,
    "md": write_md,
}


def write_fleet_report(report: FleetReport, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write `campaign.FORMAT` for each of `formats` into `folder`.

    The CSV has SIMs; the bounds of a campaign have a file of their own beside it.

    Raises: InputError, if the folder or a file in it cannot be written; then what was there before is still there.
    """
    files = {folder / f"campaign.{name}": partial(FORMATS[name], report) for name in formats}
    if report.campaign is not None and "csv" in formats:
        files[folder / "campaign-bounds.csv"] = partial(write_bounds, report)
    with report_folder(folder):
        write_together(files)
    return list(files)
