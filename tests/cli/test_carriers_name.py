"""Every word about a fleet names its own carrier: what commands say, the reports, and the pages of `serve`."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.inputs.settings.settings import load_settings
from migrator.pages.app import Pages
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.cli.conftest import CAMPAIGN, Desk, Ended
from tests.pages.kit import Browser

TOP = Path(__file__).parents[2]
SIMS = 10
MEGABYTE = 1_048_576
POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
tag = "from-elsewhere"
[status]
disabled = "pause"
[sms_limit]
basis = "keep"
[name]
when_missing = "unit-{source_iccid}"
[cutover]
rest = "0s"
old_sim = "if_known"
"""
BOUNDS = f"""{CAMPAIGN}[stock]
max_cards = 8
data_limit_mb = 2
"""
HARDWARE = {f"8945730{number:012d}": f"3569380356400{number}0" for number in range(1, SIMS)}
"""The SIMs of a file, with their IMEIs."""


@dataclass(slots=True)
class Told:
    """All that was said, by what said it."""

    desk: Desk
    words: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, code: int = 0) -> Ended:
        """Run a command."""
        ended = self.desk.run(*words)
        assert ended.code == code, (words, ended.out, ended.err)
        self.words[" ".join(words)] = ended.out + ended.err
        return ended

    def asked(self, *words: str) -> None:
        """Run a command for what it says alone, in words and as JSON."""
        for options in ((), ("--json",)):
            ended = self.desk.run(*options, *words)
            self.words[" ".join((*options, *words))] = ended.out + ended.err

    def read(self, *folders: str) -> None:
        """Read the files of a report."""
        for path in (path for folder in folders for path in Path(folder).rglob("*.*")):
            self.words[str(path)] = path.read_text(encoding="utf-8")

    def looked(self, *paths: str) -> None:
        """Look at pages of `serve`."""
        pages = Pages("sqlite:///migrator.db", load_settings({}, None), None, now=time.time)
        with asyncio.Runner() as runner:
            browser = Browser(pages, runner)
            for path in paths:
                answer = browser.counted(path)
                assert answer.status_code == 200, path
                self.words[path] = answer.text
            pages.close()

    def naming(self, carrier: str) -> list[str]:
        """What said a carrier's name, with the line."""
        return [f"{said}: {line}" for said, text in self.words.items() for line in text.splitlines() if carrier in line]


def live_in_their_units(desk: Desk, hardware: dict[str, str | None]) -> None:
    """Each new SIM that is claimed had a session in the unit of its old one an hour ago."""
    for card, imei in zip(pool_of(SIMS), hardware.values(), strict=False):
        link = desk.rehearsal.hologram.sims[card]
        if link.claimed_at is not None and imei is not None:
            link.claimed_at -= timedelta(hours=1)
            desk.rehearsal.hologram.add_session(card, link.claimed_at + timedelta(seconds=5), MEGABYTE, imei)


def planned_and_claimed(told: Told, some: str) -> None:
    """Go from the inventory to new SIMs, and ask all that can be asked on the way."""
    for words in (("show",), ("show", some), ("export", "-")):
        told.asked("inventory", *words)
    told.asked("pair", "check")
    told.run("pair", "pool", told.desk.pool(), "--partial")
    told.asked("plan", "create", "--policy", told.desk.write("usual.toml", "policy_version = 1\n"))
    told.asked("plan", "create", "--policy", told.desk.write("where.toml", POLICY), "--where", "iccid = 5")
    told.run("plan", "create", "--policy", told.desk.write("policy.toml", POLICY + BOUNDS))
    for words in (("show",), ("list",), ("explain", some)):
        told.asked("plan", *words)
    told.asked("apply", "--dry-run")
    told.asked("apply")


def reported(told: Told, some: str) -> None:
    """Ask for all that tells how it stands."""
    told.asked("status")
    told.asked("show", some)
    told.asked("jobs", "list")
    told.asked("retire", "list")
    told.asked("report", "--format", "md,json,html,csv", "--out", "report")
    told.asked("handover", "export", "--out", "handover")
    told.asked("campaign", "create", "--policy", "policy.toml", "--name", "north")
    told.asked("campaign", "approve", "--by", "ann")
    told.asked("campaign", "run", "--once")
    told.asked("campaign", "status")
    told.asked("campaign", "exceptions")
    told.asked("campaign", "report", "--out", "campaign-report")
    told.asked("doctor")
    told.asked("audit", "log")
    told.read("report", "campaign-report", "handover")
    told.looked("/", "/sims", "/sims?stage=exception", "/runs", f"/find?q={some}", "/metrics")


def test_of_a_fleet_of_onomondo_nothing_says_1nce(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=SIMS, source="onomondo", epoch=datetime.now(UTC))
    told = Told(desk)
    told.asked("inventory", "pull")
    told.asked("inventory", "pull", "--quotas", "--limits")
    fleet = sorted(desk.rehearsal.source.fleet, key=lambda sim: sim.iccid)
    some = next(sim.iccid for sim in fleet if sim.activated)
    planned_and_claimed(told, some)
    claims = desk.json("plan", "create", "--policy", "policy.toml").data["claims"]
    told.run("apply", "--confirm", str(claims), code=3)
    live_in_their_units(desk, {sim.iccid: sim.imei for sim in fleet})
    for sim in fleet:
        sim.silent_from = datetime.now(UTC).date() - timedelta(days=2)
    told.asked("verify", "--source", "--traffic", "--old-silent")
    told.asked("pair", "discover", "--live")
    told.asked("cutover", "plan")
    told.asked("cutover", "show")
    told.asked("cutover", "export")
    told.asked("cutover", "apply", "--dry-run")
    count = desk.json("cutover", "show").data["count"]
    assert count > 0
    told.run("cutover", "apply", "--confirm", str(count))
    told.asked("show", some, "--live")
    reported(told, some)
    told.asked("rollback", "plan")
    told.asked("rollback", "apply")
    back = told.words["rollback plan"]
    assert "Next: `migrator rollback apply " in back
    assert "export" not in back
    assert told.words[f"plan explain {some}"].count(" bytes ") > 1
    assert told.naming("1NCE") == []
    assert len({line.split(":")[0] for line in told.naming("Onomondo")}) > 15


def test_of_a_fleet_of_a_file_nothing_says_1nce_or_another_carrier(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=SIMS, epoch=datetime.now(UTC))
    told = Told(desk)
    rows = "".join(f"{iccid},{imei},Activated,500,\n" for iccid, imei in HARDWARE.items())
    lacking = f"8945730{SIMS:012d},,Strange,,\n"
    for name, text in (("part.csv", rows), ("fleet.csv", rows + lacking)):
        desk.write(name, "iccid,imei,status,Data limit (MB),label\n" + text)
    named = ("--source-name", "Elsewhere")
    told.asked("inventory", "import", "part.csv", *named)
    told.asked("inventory", "import", "fleet.csv", *named, "--megabyte", "1000000")
    ways = (*named, "--megabyte", "1000000", "--value", "status:Strange=unknown")
    told.asked("inventory", "import", "fleet.csv", *ways)
    some = next(iter(HARDWARE))
    planned_and_claimed(told, some)
    claims = desk.json("plan", "create", "--policy", "policy.toml").data["claims"]
    told.run("apply", "--confirm", str(claims), code=3)
    live_in_their_units(desk, dict(HARDWARE))
    told.asked("verify", "--traffic")
    told.asked("pair", "discover", "--live")
    told.asked("cutover", "plan")
    told.asked("cutover", "show")
    told.asked("cutover", "export", "--out", "off.csv")
    count = desk.json("cutover", "show").data["count"]
    assert count > 0
    told.run("cutover", "export", "--confirm", str(count), "--out", "off.csv")
    told.asked("show", some)
    reported(told, some)
    assert told.naming("1NCE") == []
    assert told.naming("Onomondo") == []
    assert len({line.split(":")[0] for line in told.naming("Elsewhere")}) > 15


@pytest.mark.slow
@pytest.mark.long
def test_the_demo_of_onomondo_goes_the_whole_way_and_nothing_of_it_says_1nce(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "migrator", "demo", "--source", "onomondo", "--sims", "20"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONPATH": str(TOP)}
    done = subprocess.run(words, cwd=tmp_path, env=clean, check=False, capture_output=True, text=True, timeout=240)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "migrator cutover apply --wave canary" in said
    assert "none of them twice" in said
    files = [path for path in tmp_path.rglob("*.*") if path.is_file() and path.suffix not in {".db", ".lock"}]
    assert len([path for path in files if "reports" in path.parts]) >= 3
    told = {str(path): path.read_text(encoding="utf-8") for path in files} | {"the demo": said}
    assert [where for where, text in told.items() if "1NCE" in text or "1nce" in text] == []
