"""Odd names travel unharmed from one carrier to the other, and harm nobody's terminal on the way."""

from migrator.carriers.onence.simulator.model import SimStatus
from tests.cli.conftest import POLICY, Desk

ODD = ["  padded ", "a\x1b[2Jb", "abc\u202edef", "cafe\u0301", "café", "{imsi}", "x" * 300, "=1+1", '"q"|\\n', "泵 7"]


def test_odd_names_are_set_exactly_shown_escaped_and_warned_of(desk: Desk) -> None:
    for sim, label in zip(desk.rehearsal.onence.fleet, ODD, strict=False):
        sim.label, sim.status = label, SimStatus.ENABLED
    plan = desk.planned()
    named = {change["source"]["label"]: change for change in desk.json("plan", "show", "--sims", "99").data["sims"]}
    planned = [label for label in ODD if named[label]["action"] == "CLAIM"]
    assert planned == ODD
    for words in ("control or invisible", "white space at an end", "more than 255", "other than NFC", "differ"):
        assert any(words in warning for warning in plan["warnings"]), words
    text = desk.run("plan", "show", "--sims", "99")
    assert not set(text.out + text.err) & set("\x1b\u202e")
    assert desk.run("apply", "--confirm", str(plan["claims"])).code in {0, 3}
    names = {link.name for link in desk.rehearsal.hologram.sims.values()}
    assert set(ODD) <= names


def test_names_that_two_sims_would_bear_are_told_apart_or_blocked_as_the_policy_says(desk: Desk) -> None:
    desk.paired()
    first, second, third = desk.rehearsal.onence.fleet[:3]
    first.label = second.label = "twin"
    third.label = "Twin"
    desk.run("inventory", "pull")
    found = {}
    for rule in ("keep", "suffix", "block"):
        policy = desk.write(f"{rule}.toml", f'{POLICY}[name]\non_duplicate = "{rule}"\n')
        desk.run("plan", "create", "--policy", policy)
        sims = desk.json("plan", "show", "--sims", "99").data["sims"]
        found[rule] = [one for one in sims if (one["source"]["label"] or "").lower() == "twin"]
    assert [one["name"] for one in found["keep"]].count("twin") == 2
    assert len({one["name"] for one in found["suffix"]}) == 3
    assert "Twin" in {one["name"] for one in found["suffix"]}
    assert sorted(one["reason"] for one in found["block"])[:2] == ["name_duplicate"] * 2
