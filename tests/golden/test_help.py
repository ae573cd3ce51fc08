"""The help of every command, kept in help.txt: a change of the command line shows up in review.

`UPDATE_GOLDEN=1 make test` rewrites the file.
"""

import os
from pathlib import Path

import pytest

from migrator.cli.app.root import run
from migrator.core.run.results import ExitCode
from tests.golden.readme_text import command_names

GOLDEN = Path(__file__).with_name("help.txt")


def test_the_help_of_every_command_is_the_one_on_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = ""
    for name in ["", *command_names()]:
        assert run([*name.split(), "--help"]) == ExitCode.DONE
        text += f"$ migrator {name} --help\n".replace("  ", " ") + capfd.readouterr().out + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "if the change is meant: UPDATE_GOLDEN=1, then review the diff"
