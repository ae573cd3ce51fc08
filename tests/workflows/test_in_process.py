"""A whole small migration by the public workflows, in process and on the virtual clock."""

import csv
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from migrator import apply, correct_pairs, discover, import_pairs, plan, pull, verify
from migrator.core.cutover.plan import Require
from migrator.core.cutover.rules import Demand
from migrator.core.run.results import ExitCode
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.cutover.plan import plan_cutover
from tests.worlds.corrected import CorrectedWorld
from tests.worlds.outside import site_of
from tests.worlds.world import POLICY, new_sims

SIMS = 8
STRANGER = "8944500888888000001"


def test_every_stage_takes_clock_and_carriers_from_its_site(tmp_path: Path) -> None:
    world = CorrectedWorld(tmp_path, sims=SIMS, seed=3)
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    cards = new_sims(SIMS)
    world.target.stock(cards)
    with site_of(world) as site:
        assert pull(site).result.sims == SIMS
        units = world.on()
        pairs = [("source_iccid", "target_iccid"), *zip(units, cards, strict=False)]
        _write(tmp_path / "pairs.csv", pairs)
        assert import_pairs(site, tmp_path / "pairs.csv").counts["added"] == len(units)
        made = plan(site, tmp_path / "policy.toml")
        assert made.claims == len(units)
        assert apply(site, made.plan_id, confirm=made.claims).exit_code in {ExitCode.DONE, ExitCode.ATTENTION}
        assert verify(site, made.plan_id) == {"ok": made.claims}
    began_s = world.elapsed_s
    for old in units[1:]:
        world.seen_in(world.pairs()[old], old)
    world.target.stock_claimed([STRANGER])
    world.seen_in(STRANGER, units[0])
    world.wait(2 * 86_400)
    with site_of(world) as site:
        pull(site)
        found = discover(site, live=True, out=tmp_path / "found.csv")
        assert found.tally.looked_at == len(units) + 1
        _write(tmp_path / "fix.csv", [("source_iccid", "target_iccid", "evidence"), (units[0], STRANGER, "IMEI seen")])
        assert correct_pairs(site, tmp_path / "fix.csv", by="ann", reason="mistyped").corrected
        header = site.store.plans.header(made.plan_id)
        cutover = plan_cutover(site, header, Demand(Require.TRAFFIC, 0.0, site.now()))
        assert cutover.count == len(units) - 1
        assert carry_out_cutover(site, cutover, CutoverBounds()).exit_code is ExitCode.DONE
    assert world.off() >= set(units[1:])
    assert world.old_state(units[0]) == "Enabled"
    assert world.elapsed_s - began_s > timedelta(days=2).total_seconds()
    world.check()


def _write(file: Path, rows: Iterable[tuple[str, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
