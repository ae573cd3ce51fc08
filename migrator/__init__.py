"""Library and command line that move SIM fleets from 1NCE to Hologram.

The stages of a migration are functions here; each works on a `Site`. See docs/library.md.
"""

import importlib
from typing import TYPE_CHECKING, Any

from migrator.version import VERSION

if TYPE_CHECKING:
    from migrator.workflows.apply import Bounds, apply
    from migrator.workflows.campaign.make import approve_campaign, create_campaign
    from migrator.workflows.campaign.once import run_once
    from migrator.workflows.campaign.report import campaign_exceptions, campaign_report
    from migrator.workflows.campaign.retire import retire_list
    from migrator.workflows.campaign.status import campaign_status
    from migrator.workflows.deal_pool import pair_pool
    from migrator.workflows.field.correct import correct_pairs
    from migrator.workflows.field.discover import discover
    from migrator.workflows.field.import_pairs import import_pairs
    from migrator.workflows.field.stock import claim_stock, import_stock
    from migrator.workflows.field.swap import swap
    from migrator.workflows.handover import check_handover, handover
    from migrator.workflows.notices.deliver import deliver
    from migrator.workflows.plans.plan import plan
    from migrator.workflows.pull import pull
    from migrator.workflows.report import report
    from migrator.workflows.site import Site, open_site
    from migrator.workflows.story.story import show
    from migrator.workflows.verify.verify import verify

__all__ = [
    "Bounds",
    "Site",
    "apply",
    "approve_campaign",
    "campaign_exceptions",
    "campaign_report",
    "campaign_status",
    "check_handover",
    "claim_stock",
    "correct_pairs",
    "create_campaign",
    "deliver",
    "discover",
    "handover",
    "import_pairs",
    "import_stock",
    "open_site",
    "pair_pool",
    "plan",
    "pull",
    "report",
    "retire_list",
    "run_once",
    "show",
    "swap",
    "verify",
]

__version__ = VERSION

_STAGES = {
    "Bounds": "apply",
    "Site": "site",
    "apply": "apply",
    "approve_campaign": "campaign.make",
    "campaign_exceptions": "campaign.report",
    "campaign_report": "campaign.report",
    "campaign_status": "campaign.status",
    "check_handover": "handover",
    "claim_stock": "field.stock",
    "correct_pairs": "field.correct",
    "create_campaign": "campaign.make",
    "deliver": "notices.deliver",
    "discover": "field.discover",
    "handover": "handover",
    "import_pairs": "field.import_pairs",
    "import_stock": "field.stock",
    "open_site": "site",
    "pair_pool": "deal_pool",
    "plan": "plans.plan",
    "pull": "pull",
    "report": "report",
    "retire_list": "campaign.retire",
    "run_once": "campaign.once",
    "show": "story.story",
    "swap": "field.swap",
    "verify": "verify.verify",
}
"""Module below `migrator.workflows` that has each name."""


def __getattr__(name: str) -> Any:
    """Import a stage when it is first asked for.

    The command line needs few of them, and `--help` none.
    """
    if name not in _STAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"migrator.workflows.{_STAGES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
