"""Tables of a plan for people: by wave and by rule."""

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType

from migrator.cli.app.common import table
from migrator.core.fleet.sims import ONENCE
from migrator.core.fleet.units import grouped, sized

__all__ = ["caps_table", "summary_tables"]

CALLS = ("claims", "limits", "states", "names", "reads")


def summary_tables(summary: Mapping[str, Any]) -> list[RenderableType]:
    """Return the tables of a plan's summary.

    The tables show what happens wave after wave, and what the limits of each rule may cost.
    """
    return [_waves(summary), _requests(summary), _groups(summary)]


def _waves(summary: Mapping[str, Any]) -> RenderableType:
    columns = ("wave", "SIMs", "to claim", "requests", "hours", "then rests", "charged")
    rows = [
        (
            wave["wave"],
            wave["sims"],
            wave["claims"],
            sum(wave["calls"].values()),
            wave["hours"],
            f"{wave['soak_hours']:g} h" if wave["soak_hours"] else "",
            _known(wave["charged_now"]),
        )
        for wave in summary["by_wave"]
    ]
    return table("Waves", columns, rows)


def _requests(summary: Mapping[str, Any]) -> RenderableType:
    """Return the table of requests by kind and wave, with sums.

    Requests before the first wave stand alone.
    """
    kinds = (*CALLS, *(("tags",) if "tags" in summary["calls"] else ()))
    waves = [(wave["wave"], wave["calls"]) for wave in summary["by_wave"]]
    before = {kind: summary["calls"][kind] - sum(calls.get(kind, 0) for _, calls in waves) for kind in kinds}
    parts = [("before the waves", before), *waves]
    rows = [(name, *(calls.get(kind, 0) for kind in kinds)) for name, calls in (*parts, ("sum", summary["calls"]))]
    return table("Requests to Hologram, about", ("", *kinds), rows)


def _groups(summary: Mapping[str, Any]) -> RenderableType:
    source, groups = summary.get("source", ONENCE), summary["groups"]
    at_source, terms = {f"MB at {source}": "onence_mb"}, "MB at 1NCE are for a lifetime, bytes at Hologram"
    if source != ONENCE:
        has_periods = any("not_monthly" in group for group in groups)
        at_source, terms = {f"bytes{' a month' * has_periods} at {source}": "source_bytes"}, "bytes at Hologram are"
        if has_periods:
            at_source["SIMs not monthly"] = "not_monthly"
    columns = (
        "rule",
        "data limit by",
        "SIMs",
        *at_source,
        "bytes per period",
        "that is",
        "no limit",
        "largest bill per period",
    )
    rows = [
        (
            group["rule"],
            group["basis"],
            group["sims"],
            *(grouped(group[key]) if key in group else "" for key in at_source.values()),
            group["limit_bytes"],
            sized(group["limit_bytes"]),
            group["unlimited"],
            _known(group["per_period_at_most"]),
        )
        for group in groups
    ]
    return table(f"Limits: {terms} for a billing period", columns, rows)


def caps_table(caps: Mapping[str, Any]) -> RenderableType:
    """Return the table of a policy's caps, used up and left."""
    over = "over all plans of the organization" if caps["scope"] == "organization" else "of this plan alone"
    rows = [
        ("SIMs (max_sims)", caps["max_sims"], caps["used_sims"], caps["left_sims"]),
        ("money (max_spend_now)", caps["max_spend_now"], caps["used_spend"], caps["left_spend"]),
    ]
    return table(f"Caps, {over}", ("", "at most", "used up", "left"), rows)


def _known(amount: str | None) -> str:
    return "unknown" if amount is None else amount
