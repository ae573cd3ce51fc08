"""What a plan comes to, by wave and by rule of its policy, for a person."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migrator.cli.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["summary_tables"]

CALLS = ("claims", "limits", "states", "names", "reads")


def summary_tables(summary: Mapping[str, Any]) -> list["RenderableType"]:
    """The tables of a plan's summary: what happens wave after wave, and what the limits of each rule may cost."""
    return [_waves(summary), _groups(summary)]


def _waves(summary: Mapping[str, Any]) -> "RenderableType":
    columns = (
        "wave",
        "SIMs",
        "claims",
        "requests",
        *(f"… {kind}" for kind in CALLS[1:]),
        "hours",
        "then rests",
        "charged",
    )
    rows = [
        (
            wave["wave"],
            wave["sims"],
            wave["claims"],
            sum(wave["calls"].values()),
            *(wave["calls"][kind] for kind in CALLS[1:]),
            wave["hours"],
            f"{wave['soak_hours']:g} h" if wave["soak_hours"] else "",
            _known(wave["charged_now"]),
        )
        for wave in summary["by_wave"]
    ]
    return table("Waves", columns, rows)


def _groups(summary: Mapping[str, Any]) -> "RenderableType":
    columns = ("rule", "data limit by", "SIMs", "MB at 1NCE", "bytes per period", "no limit", "largest bill per period")
    rows = [
        (
            group["rule"],
            group["basis"],
            group["sims"],
            group["onence_mb"],
            group["limit_bytes"],
            group["unlimited"],
            _known(group["per_period_at_most"]),
        )
        for group in summary["groups"]
    ]
    return table("Limits: MB at 1NCE are for a lifetime, bytes at Hologram for a billing period", columns, rows)


def _known(amount: str | None) -> str:
    return "unknown" if amount is None else amount
