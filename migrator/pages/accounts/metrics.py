"""Metrics over all accounts."""

from migrator.core.accounts.overview import Overview
from migrator.pages.metrics import Family

__all__ = ["accounts_metrics"]


def accounts_metrics(overview: Overview) -> str:
    """Return the metrics as the text of OpenMetrics."""
    total = overview.totals
    states = ("ready", "at work", "done", "attention", "held")
    of_account = [({"account": line.account.name}, line.standing) for line in overview.lines]
    families = [
        Family(
            "migrator_accounts",
            "gauge",
            "Accounts by their state.",
            [({"state": state}, total.states.get(state, 0)) for state in states],
        ),
        Family("migrator_account_sims", "gauge", "Old SIMs.", [(labels, one.sims) for labels, one in of_account]),
        Family(
            "migrator_account_verified",
            "gauge",
            "SIMs whose newest verdict is that all is as planned.",
            [(labels, one.verified) for labels, one in of_account],
        ),
        Family(
            "migrator_account_cut_over",
            "gauge",
            "SIMs whose old SIM was switched off.",
            [(labels, one.cut_over) for labels, one in of_account],
        ),
        Family(
            "migrator_workers_alive",
            "gauge",
            "Workers that gave a sign of life lately.",
            [({}, sum(map(overview.is_alive, overview.workers)))],
        ),
    ]
    return "\n".join([*(line for family in families for line in family.lines()), "# EOF"]) + "\n"
