"""The whole way of a fleet that is swapped before anybody knows which card is where, over HTTP.

Stock is claimed, technicians swap, hardware tells the pairs, a wrong scan is corrected, old SIMs go off, the office
gets its list.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from migrator.core.fleet.identifiers import Iccid
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.cli.conftest import POLICY, Desk

MEGABYTE = 1_048_576
SWAPPED = 6
STOCK = "\n[stock]\nmax_cards = 24\n"


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk at which it is now: what old SIMs used is told up to yesterday. Each unit has hardware of its own."""
    desk = make_desk(epoch=datetime.now(UTC))
    for number, sim in enumerate(desk.rehearsal.onence.fleet):
        sim.imei = f"35300000{number:06d}17"
    desk.pool()
    desk.write("policy.toml", POLICY + STOCK)
    return desk


def done(desk: Desk, *words: str, codes: tuple[int, ...] = (0,)) -> dict[str, object]:
    """Run one command with --json. Returns: its data."""
    ended = desk.json(*words)
    assert ended.code in codes, ended.err
    return ended.data


def same(found: dict[str, str], truth: dict[str, str]) -> bool:
    """Whether two sets of pairs are the same, with check digits or without."""
    some, other = ({Iccid.parse(old): Iccid.parse(new) for old, new in pairs.items()} for pairs in (found, truth))
    return some == other


def swap(desk: Desk, old: str, card: str) -> None:
    """A technician puts a card into the unit of an old SIM, which falls silent."""
    unit = desk.rehearsal.onence.fleet.find(old)
    assert unit is not None
    assert unit.imei is not None
    desk.rehearsal.hologram.add_session(card, desk.rehearsal.hologram.now, MEGABYTE, unit.imei)
    unit.silent_from = desk.rehearsal.hologram.now.date() - timedelta(days=1)


@pytest.mark.loopback
def test_cards_are_claimed_swapped_found_corrected_cut_over_and_handed_over(desk: Desk) -> None:
    hologram, cards = desk.rehearsal.hologram, pool_of(desk.sims)[:SWAPPED]
    done(desk, "inventory", "pull")
    olds = [sim.iccid for sim in desk.rehearsal.onence.fleet if str(sim.status).lower() == "enabled"][:SWAPPED]
    done(desk, "stock", "import", "pool.txt")
    done(desk, "stock", "claim", "--policy", "policy.toml", "--count", str(SWAPPED), "--confirm", str(SWAPPED))

    truth = dict(zip(olds, reversed(cards), strict=True))  # whichever card was on top
    for old, card in truth.items():
        swap(desk, old, card)
    wrong = {olds[0]: truth[olds[1]], olds[1]: truth[olds[0]]}  # two scans that were mixed up
    desk.write("scans.csv", "old SIM,new SIM,unit\n" + "".join(f"{a},{b},meter {a[-3:]}\n" for a, b in wrong.items()))
    done(desk, "pair", "import", "scans.csv")

    found = done(desk, "pair", "discover", "--live", "--accept", "exact", "--out", "found.csv", codes=(0, 3))
    assert (found["exact"], found["contradicts"]) == (SWAPPED - 2, 2)
    assert done(desk, "pair", "correct", "found.csv", "--by", "Ann Field")["corrected"] == 2
    desk.run("pair", "export", "pairs.csv")
    lines = (desk.folder / "pairs.csv").read_text().splitlines()[1:]
    assert same({old: new for old, new, *_ in (line.split(",") for line in lines)}, truth)

    plan = done(desk, "plan", "create", "--policy", "policy.toml", "--where", "paired")
    assert (plan["claims"], plan["counts"]["UPDATE"]) == (0, SWAPPED)  # type: ignore[index]
    done(desk, "apply", codes=(0, 3))
    assert dict(hologram.ledger.charges) == dict.fromkeys(cards, 1)
    off = done(desk, "cutover", "plan", codes=(0, 3))
    done(desk, "cutover", "apply", "--confirm", str(off["count"]), codes=(0, 3))
    switched = {
        sim.iccid for sim in desk.rehearsal.onence.fleet if sim.iccid in truth and str(sim.status).lower() == "disabled"
    }
    assert switched == set(olds)

    rows = [json.loads(line) for line in desk.run("handover", "export", "--format", "jsonl").out.splitlines()]
    in_service = {row["old"]["iccid"]: row["new"]["iccid"] for row in rows if row["in_service"]}
    assert same(in_service, truth)
    story = done(desk, "show", truth[olds[0]], codes=(0, 3))
    assert story["next"]["words"] == "Nothing: the new SIM passes data, and the old one is off."  # type: ignore[index]
    assert desk.run("audit", "verify").code == 0
