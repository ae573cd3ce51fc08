"""Every command that reads ICCIDs refuses digits that were lost, glued or swapped, and shows no PIN or PUK."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from migrator.workflows.plans.changes_since import _left_out
from tests.cli.conftest import POLICY, Desk
from tests.cli.conftest import Ended as EndedCommand

CASES = next(
    (p / "shared" / "cases" for p in Path(__file__).parents[3:5] if (p / "shared" / "cases").is_dir()), Path("none")
)
"""Sample files from the field; where they are not at hand, the tests below with their own content tell the same."""

BAD = {
    "rounded": ("8988228066600010000", "ends in zeros"),
    "glued": ("1\t8988228066600000001", "two numbers"),
    "swapped": ("98882208666000000001", "swapped in pairs"),
    "notation": ("8.98823E+18", "a spreadsheet rounded"),
    "PUK": ("55500001", "a value of 8 digits"),
}


@pytest.fixture
def planned(desk: Desk) -> Desk:
    """A desk with a plan."""
    desk.run("inventory", "pull")
    desk.run("pair", "pool", desk.pool())
    assert desk.run("plan", "create", "--policy", desk.write("policy.toml", POLICY)).code == 0
    return desk


def every_word(ended: EndedCommand) -> str:
    """All that a command said, and wrote into files of problems."""
    return ended.out + ended.err + "".join(path.read_text() for path in Path().glob("*problems.txt"))


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("command", ["retry", "skip", "rollback", "policy"])
def test_lists_of_old_sims_are_refused_by_line(planned: Desk, command: str, kind: str) -> None:
    value, words = BAD[kind]
    name = planned.write("list.txt", f"{value}\n")
    if command == "rollback":
        ended = planned.run("rollback", "plan", "--iccids", name)
    elif command == "policy":
        waves = POLICY.replace("count = 3", f'iccids = "{name}"')
        ended = planned.run("plan", "create", "--policy", planned.write("policy.toml", waves))
    else:
        ended = planned.run(command, "--iccids", name, "--dry-run")
    assert (ended.code, "list.txt:1: " in ended.err, words in ended.err) == (2, True, True), ended.err
    assert "55500001" not in every_word(ended)


@pytest.mark.parametrize("kind", ["rounded", "glued", "swapped", "notation"])
def test_an_expression_is_refused_too(planned: Desk, kind: str) -> None:
    value, words = BAD[kind]
    ended = planned.run("plan", "create", "--policy", "policy.toml", "--where", f'iccid == "{value}"')
    assert (ended.code, words in ended.err) == (2, True), ended.err
    bound = planned.run("plan", "create", "--policy", "policy.toml", "--where", 'iccid >= "8988228066600010000"')
    assert bound.code == 0, bound.err


@pytest.mark.parametrize("kind", ["glued", "swapped", "notation", "PUK"])
def test_a_sim_on_the_command_line_is_refused_too(planned: Desk, kind: str) -> None:
    value, words = BAD[kind]
    ended = planned.run("inventory", "show", value)
    assert (ended.code, words in ended.err) == (2, True), ended.err
    assert "55500001" not in every_word(ended)


def test_a_plan_of_an_earlier_version_says_why_its_expression_is_not_read_any_more() -> None:
    """It may have been made with an ICCID that a spreadsheet rounded."""
    (words,) = _left_out(None, None, 'iccid == "8988228066600010000"')  # type: ignore[arg-type]
    assert "ends in zeros" in words


def test_a_line_of_a_plan_file_without_an_iccid_is_refused(planned: Desk) -> None:
    header, *lines = planned.run("plan", "export", "-").out.splitlines()
    Path("plan.jsonl").write_text("\n".join((header, *lines)) + "\n")
    lines[0] = lines[0].replace('"source_iccid":"89', '"source_iccid":"98', 1)
    body = "\n".join(lines) + "\n"
    values = json.loads(header)
    values["fingerprints"]["changes"] = hashlib.sha256(body.encode()).hexdigest()
    Path("other.jsonl").write_text(json.dumps(values) + "\n" + body)
    ended = planned.run("plan", "diff", "plan.jsonl", "other.jsonl")
    assert (ended.code, "swapped in pairs" in ended.err) == (2, True), ended.err


VENDOR = "ICCID,PIN1,PUK1\n8944500000000000014,4111,55500001\n8944500000000000022,4211,55500002\n"
SHIFTED = "source_iccid,target_iccid,pin\n{0},55500001,8944500000000000014\n{1},4111,8944500000000000022\n"


@pytest.mark.parametrize("problems", [(), ("--problems", "own-problems.txt")])
def test_no_pin_or_puk_of_a_vendor_reaches_screen_json_or_problem_file(desk: Desk, problems: tuple[str, ...]) -> None:
    desk.run("inventory", "pull")
    sims = [json.loads(line)["iccid"] for line in desk.run("inventory", "export", "-").out.splitlines()]
    bad = VENDOR.replace("8944500000000000022,", "89445,")
    files = (("pool", VENDOR), ("pool", bad), ("import", SHIFTED.format(*sims)), ("import", VENDOR))
    for command, content in files:
        for say in (desk.run, desk.json):
            ended = say("pair", command, desk.write("vendor.csv", content), *problems)
            told = every_word(ended)
            assert not any(secret in told for secret in ("4111", "55500001", "4211", "55500002")), told


@pytest.mark.skipif(not CASES.is_dir(), reason="the sample files are not at hand")
@pytest.mark.parametrize(
    ("name", "command", "codes"),
    [
        ("c01-range-rounded.txt", "pool", {"rounded_by_spreadsheet"}),
        ("c02-singles-rounded.txt", "pool", {"rounded_by_spreadsheet"}),
        ("c03-numbered.txt", "pool", {"two_numbers"}),
        ("c03-pairs.csv", "import", {"two_numbers"}),
        ("c04-pairs-shifted.csv", "import", {"not_an_iccid"}),
        ("c09-swapped-pool.txt", "pool", {"swapped_digits"}),
    ],
)
def test_files_from_the_field_are_refused(desk: Desk, name: str, command: str, codes: set[str]) -> None:
    for file in (name, "fleet.csv"):
        shutil.copy(CASES / file, file)
    assert desk.run("inventory", "import", "fleet.csv").code == 0
    ended = desk.json("pair", command, name)
    told = {error["code"] for error in ended.document["errors"]} - {"input", "pair_import"}
    assert (ended.code, told) == (2, codes)
    assert not any(secret in every_word(ended) for secret in ("55500001", "4111"))
