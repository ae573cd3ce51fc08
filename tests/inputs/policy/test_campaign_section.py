"""`[campaign]`: bounds that must be stated, and what is refused by line with a remedy."""

from datetime import date
from decimal import Decimal

import pytest

from migrator.core.policy.policy import CampaignPolicy, ClaimWhen, CutoverMode, DiscoverMode, QuietHours
from migrator.errors import InputError
from migrator.inputs.policy.file import parse_policy

CLAIM = 'policy_version = 1\n[claim]\ndata_plan_id = 2096\nzone = "global"\n'
BOUNDS = """\
[campaign]
until = 2027-03-31
claims_per_day = 500
claims_total = 50000
spend_per_day = 600.00
spend_total = 60000.00
"""


def test_every_key_is_taken_over() -> None:
    more = """\
cutover = "auto"
cutover_rest = "48h"
quiet_hours = "22:00-06:00"
time_zone = "Europe/Berlin"
approvals = 2
discover = "exact"
silent_after = "7d"
last_units = 100
error_budget = 0.1
"""
    policy = parse_policy(CLAIM + 'when = "scanned"\nahead = "14d"\n' + BOUNDS + more, name="policy.toml").policy
    assert (policy.claim.when, policy.claim.ahead_s) == (ClaimWhen.SCANNED, 14 * 86_400)
    assert policy.campaign == CampaignPolicy(
        until=date(2027, 3, 31),
        claims_per_day=500,
        claims_total=50_000,
        spend_per_day=Decimal("600.00"),
        spend_total=Decimal("60000.00"),
        cutover=CutoverMode.AUTO,
        cutover_rest_s=48 * 3600,
        quiet_hours=QuietHours(22 * 60, 6 * 60),
        time_zone="Europe/Berlin",
        approvals=2,
        discover=DiscoverMode.EXACT,
        silent_after_s=7 * 86_400,
        last_units=100,
        error_budget=Decimal("0.1"),
    )
    assert policy.campaign.most_failures == 10


def test_a_policy_without_the_section_is_as_before() -> None:
    loaded = parse_policy(CLAIM, name="policy.toml")
    assert loaded.policy.campaign is None
    assert "campaign" not in loaded.canonical


@pytest.mark.parametrize(
    ("text", "told", "remedy"),
    [
        (BOUNDS.replace("spend_total = 60000.00\n", ""), "campaign.spend_total: missing", "add spend_total"),
        (BOUNDS.replace("2027-03-31", "2027-03-31T10:00:00Z"), ":6: campaign.until", "2027-03-31"),
        (BOUNDS.replace("2027-03-31", '"soon"'), ":6: campaign.until", "2027-03-31"),
        (BOUNDS.replace("= 500\n", "= 0\n"), ":7: campaign.claims_per_day", ""),
        (BOUNDS + 'quiet_hours = "22-6"\n', ":11: campaign.quiet_hours", "22:00-06:00"),
        (BOUNDS + 'quiet_hours = "24:00-06:00"\n', ":11: campaign.quiet_hours", "22:00-06:00"),
        (BOUNDS + 'quiet_hours = "06:00-06:00"\n', ":11: campaign.quiet_hours", "leave the key out"),
        (BOUNDS + 'time_zone = "Mars/Base"\n', ":11: campaign.time_zone", "Europe/Berlin"),
        (BOUNDS + 'time_zone = "../../etc"\n', ":11: campaign.time_zone", "Europe/Berlin"),
        (BOUNDS + 'cutover = "yes"\n', ":11: campaign.cutover", ""),
        (BOUNDS + "error_budget = 2\n", ":11: campaign.error_budget", ""),
        (BOUNDS + "api_key = 1\n", ":11: campaign.api_key: unknown key", ""),
    ],
)
def test_what_is_refused_is_told_with_line_and_remedy(text: str, told: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_policy(CLAIM + text, name="policy.toml")
    (problem,) = caught.value.problems
    assert told in problem.message
    assert remedy in f"{problem.message} {problem.hint}"
