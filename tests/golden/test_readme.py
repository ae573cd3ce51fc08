"""The README against the code: what it names is there, what is there it names, and its migration runs as shown."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import click
import pytest
from starlette.types import Receive, Scope, Send

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.core.policy.policy import ClaimPolicy, Policy, StatusPolicy, StatusRule, Wave
from migrator.core.run.results import ExitCode
from migrator.inputs.policy.file import parse_policy
from migrator.inputs.settings import settings
from migrator.reports.model import COLUMNS
from migrator.wiring.rehearsal.rehearsal import Rehearsal
from tests.cli.conftest import Desk
from tests.golden.readme_text import (
    COMMANDS_PAGE,
    SETTINGS,
    TEXT,
    TOP,
    blocks,
    column,
    command_names,
    options,
    resolved,
    section,
    sessions,
    spans,
    steps,
    table,
)

WIDEST, LONGEST = 120, 420
SIMS = 100
TYPED = [words for block in blocks("console") for words, _ in sessions(block)]


def test_every_command_is_named_and_no_other() -> None:
    cells = column(COMMANDS_PAGE, "command")
    assert [name for cell in cells for name in cell.split("`, `")] == command_names()


def test_every_exit_code_is_named_and_no_other() -> None:
    assert [int(code) for code in column(section("Commands"), "exit code")] == list(ExitCode)


def test_every_setting_is_named_and_no_other() -> None:
    assert sorted(column(SETTINGS, "variable")) == sorted(settings._NAMES)


@pytest.mark.parametrize("setting", settings._SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_has_the_key_and_the_default_that_the_table_shows(setting: settings._Setting) -> None:
    (row,) = (row for row in table(SETTINGS, "variable") if row["variable"] == f"`{setting.name}`")
    default = row["default"].strip("`")
    assert row["in the file"].strip("`").split()[-1] == setting.key
    assert default == "must be set" if setting.default is None else setting.parse(default) == setting.default


@pytest.mark.parametrize("secret", settings._SECRETS, ids=lambda secret: secret.name)
def test_a_secret_is_told_never_to_stand_in_the_file(secret: settings._SecretSetting) -> None:
    keys = {row["variable"].strip("`"): row["in the file"].strip("`") for row in table(SETTINGS, "variable")}
    assert keys[secret.name] == "never"
    assert keys[f"{secret.name}_FILE"].split()[-1] == f"{secret.key}_file"


def test_the_policy_shown_is_the_default_policy_with_the_choice_made() -> None:
    (text,) = blocks("toml", section("The policy"))
    assert parse_policy(text, name="README.md").policy == Policy(
        ClaimPolicy(2096, "global"), StatusPolicy(disabled=StatusRule.SKIP)
    )


def test_the_policy_shown_names_every_key() -> None:
    (text,) = blocks("toml", section("The policy"))
    default = Policy(ClaimPolicy(2096, "global"))
    records = [getattr(default, part.name) for part in fields(default)]
    keys = [
        key.name.removesuffix("_s")
        for record in [*records, Wave("rest")]
        if is_dataclass(record)
        for key in fields(record)
    ]
    assert [key for key in keys if not re.search(rf"\b{key} = ", text)] == []


def test_the_columns_of_the_report_are_listed_in_their_order() -> None:
    report = section("Files").partition("**A report**")[2]
    assert tuple(name for name in spans(report) if name in COLUMNS) == COLUMNS


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_a_command_line_shown_is_one_that_the_tool_takes(words: tuple[str, ...]) -> None:
    """Its options are known, their values are of the right kind, and nothing that it needs is missing."""
    found = resolved(words)
    assert found is not None
    command, ctx, rest = found
    command.make_context(ctx.info_name, rest, parent=ctx.parent)


def test_commands_within_sentences_have_the_options_shown_there() -> None:
    known = command_names()
    shown = spans(TEXT + COMMANDS_PAGE)
    named = [span for span in shown if any(span == name or span.startswith(f"{name} ") for name in known)]
    assert len(named) > len(known)
    for span in named:
        command, ctx, rest = resolved(span.split()) or pytest.fail(span)
        try:
            command.make_parser(ctx).parse_args(rest)
        except click.UsageError as error:
            pytest.fail(f"`{span}`: {error.format_message()}")


def test_every_option_named_is_one_of_some_command() -> None:
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", TEXT)) - options() == set()


def test_messages_and_codes_of_the_trouble_table_are_those_of_the_tool() -> None:
    told = [span for row in table(section("When things go wrong"), "you see") for span in spans(row["you see"])]
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted((TOP / "migrator").rglob("*.py")))
    ours = [span.replace(" N ", " {sims} ") for span in told if span != "kill -9"]
    assert [words for words in ours if words not in sources] == []


def test_links_lead_somewhere() -> None:
    headings = {"#" + line[3:].lower().replace(" ", "-") for line in TEXT.splitlines() if line.startswith("## ")}
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    broken = [link for link in links if link not in headings and not (TOP / link).exists()]
    assert broken == []


def test_it_stays_short_enough_to_be_read() -> None:
    lines = TEXT.splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > WIDEST] == []
    assert len(lines) <= LONGEST


class InterruptingHologram(HologramSimulator):
    """Presses Ctrl-C, where it is told to, while the next claim is under way."""

    is_armed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.is_armed and scope["path"].endswith("/bulkclaim"):
            self.is_armed = False
            os.kill(os.getpid(), signal.SIGINT)
        await super().__call__(scope, receive, send)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """An empty folder with the files that the README's steps begin with, and carriers that answer at once."""
    quick = HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0))
    hologram = InterruptingHologram(seed=1, behaviour=quick)
    rehearsal = Rehearsal(OnenceSimulator(seed=1, sims=SIMS, behaviour=OnenceBehaviour(rate_limit=None)), hologram)
    monkeypatch.chdir(tmp_path)
    for name in ("MIGRATOR_STATE", "MIGRATOR_CRASH_AT", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("migrator.wiring.START_RPS", 500.0)  # feeling the way up takes seconds of real time
    for name, value in {**rehearsal.environment(), "ONENCE_MAX_RPS": "500", "HOLOGRAM_MAX_RPS": "500"}.items():
        monkeypatch.setenv(name, value)
    shutil.copy(TOP / "plans" / "default.toml", "policy.toml")
    with rehearsal.running():
        at_work = Desk(tmp_path, rehearsal, capfd.readouterr, SIMS)
        at_work.pool()
        yield at_work


def test_the_migration_runs_as_shown(desk: Desk) -> None:
    """Every step in order, Ctrl-C and all: the exit codes promised, and every line shown is really printed.

    The fleet is smaller than the README's, so numbers and plan ids may be others.
    """
    for step in steps("A migration, step by step"):
        if step.is_interrupted:
            assert isinstance(desk.rehearsal.hologram, InterruptingHologram)
            desk.rehearsal.hologram.is_armed = True
        ended = desk.run(*_with_our_count(desk, step.words))
        assert ended.code == step.exit_code, (step.words, ended.err)
        printed = [_without_numbers(line) for line in (ended.out + ended.err).splitlines()]
        unprinted = [line for line in step.shown if not any(_pattern(line).fullmatch(other) for other in printed)]
        assert unprinted == [], step.words
    ledger = desk.rehearsal.hologram.ledger.as_dict()
    assert (ledger["charged_more_than_once"], ledger["forbidden"]) == ([], [])


def _with_our_count(desk: Desk, words: tuple[str, ...]) -> list[str]:
    """The words with the number of claims of the plan here in place of the README's."""
    if "--confirm" not in words:
        return list(words)
    claims = desk.json("plan", "list").data["plans"][0]["claims"]
    return [str(claims) if before == "--confirm" else word for before, word in zip(("", *words), words, strict=False)]


def _without_numbers(line: str) -> str:
    named = re.sub(r"\bp[0-9a-f]{10}\b", "PLAN", line)
    return " ".join(re.sub(r"\d+(,\d{3})*", "0", named).split())


def _pattern(shown: str) -> re.Pattern[str]:
    """A line of the README; `...` within it stands for whatever was cut."""
    return re.compile(".*".join(re.escape(part) for part in _without_numbers(shown).split("...")))
