"""`retire`: cards that nobody needs, and that are billed."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination, is_stdout, written
from migrator.core.fleet.units import counted, money
from migrator.wiring import SystemClock
from migrator.workflows.campaign.retire import retire_list
from migrator.workflows.site import open_site

__all__ = ["list_cards"]

SHOWN = 20
WORDS = {
    "rolled_back": "its unit is back on its old SIM",
    "two_cards": "its unit has another card by now",
    "set_aside": "an operator set its unit aside after the claim",
    "stock_set_aside": "an operator set it aside in the stock",
}


@click.command("list", epilog="Exit codes: 0 done, 2 no store or unwritable place.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write the device ids, one a line, as Hologram's support takes them.",
)
@global_options
@click.pass_obj
def list_cards(shared: Globals, /, *, out: Path | None) -> int:
    """List claimed cards that only deactivation stops charging.

    These are cards of units that were rolled back or set aside, second cards of one unit, and cards of the stock that
    were set aside. Reads the store only. This tool never deactivates: it cannot be undone, and an owner or admin of the
    organization asks Hologram's support for it by mail.
    """
    return finish("retire list", shared, lambda: _list(shared, out))


def _list(shared: Globals, out: Path | None) -> Outcome:
    if out is not None:
        check_destination(shared, out)
    with open_site(shared.state, config=shared.config) as site:
        cards = retire_list(site, now=SystemClock().now().timestamp())
    if out is not None:
        written(out, (f"{card.device_id}\n" for card in cards))
    known = sum((card.price for card in cards if card.price is not None), Decimal(0))
    unpriced = sum(1 for card in cards if card.price is None)
    data = {
        "cards": [card.as_dict() for card in cards],
        "per_month": money(known),
        "without_price": unpriced,
        "file": None if out is None else str(out),
    }
    if not cards:
        return Outcome(data, ["No card is billed for nothing."])
    rows = [(card.device_id, card.target_iccid, card.source_iccid or "", WORDS[card.reason]) for card in cards[:SHOWN]]
    reasons = Counter(card.reason.value for card in cards)
    cost = f"{money(known)} a month" + (f", without {unpriced} of no known price" if unpriced else "")
    text: list[Any] = [
        table("Cards to deactivate", ("device", "card", "old SIM", "why"), rows),
        f"{counted(len(cards), 'card')}: {', '.join(f'{name} {count}' for name, count in reasons.items())}. {cost}.",
        "Nothing was sent. An owner or admin asks Hologram's support, by mail, with the device ids; it is for ever.",
    ]
    if out is None or is_stdout(out):
        return Outcome(data, text if out is None else [], is_on_stdout=out is not None)
    return Outcome(data, [*text, f"wrote {out}"])
