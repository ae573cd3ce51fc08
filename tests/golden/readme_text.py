"""The README taken apart: sections, tables, code spans, and the console sessions with what they promise."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from migrator.cli.app.root import COMMANDS, root

__all__ = [
    "COMMANDS_PAGE",
    "SETTINGS",
    "TEXT",
    "TOP",
    "Step",
    "blocks",
    "column",
    "command_names",
    "options",
    "resolved",
    "section",
    "sessions",
    "spans",
    "steps",
    "table",
]

TOP = Path(__file__).parents[2]
TEXT = (TOP / "README.md").read_text(encoding="utf-8")
SETTINGS = (TOP / "docs" / "settings.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (TOP / "docs" / "commands.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_PROMISE = re.compile(r"Exit code (\d+)")


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a console session.

    Args:
        words: what is typed after `migrator`.
        shown: the lines that the README shows of its output, without `...` and `^C`.
        exit_code: what the text before promises.
        is_interrupted: whether Ctrl-C is pressed.
    """

    words: tuple[str, ...]
    shown: tuple[str, ...]
    exit_code: int
    is_interrupted: bool


def section(title: str) -> str:
    """The text under a heading, up to the next one."""
    _, _, rest = TEXT.partition(f"\n## {title}\n")
    assert rest, f"no section {title!r}"
    return rest.partition("\n## ")[0]


def blocks(language: str, text: str = TEXT) -> list[str]:
    """The fenced blocks of one language."""
    return [body for name, body in _BLOCK.findall(text) if name == language]


def spans(text: str) -> list[str]:
    """What stands between backticks, outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))


def table(text: str, heading: str) -> list[dict[str, str]]:
    """The rows of the table of a text whose first column is `heading`, each by column, backticks and all."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    names = _cells(lines[start])
    body = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        body.append(dict(zip(names, _cells(line), strict=True)))
    return body


def column(text: str, heading: str) -> list[str]:
    """The first column of a table, without backticks."""
    return [row[heading].strip("`") for row in table(text, heading)]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def sessions(block: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The `$ migrator` commands of a console block, each with the lines shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        program, *words = shlex.split(command, comments=True)
        if program == "migrator":
            yield tuple(words), lines


def steps(title: str) -> list[Step]:
    """The commands of a section in order, with the exit code that the text before each block promises."""
    text, found, seen_to = section(title), [], 0
    for block in _BLOCK.finditer(text):
        before, seen_to = text[seen_to : block.start()], block.end()
        if block[1] != "console":
            continue
        promised = _PROMISE.search(before)
        assert promised, f"the text promises no exit code for {block[2]!r}"
        for words, lines in sessions(block[2]):
            shown = tuple(line for line in lines if line not in {"...", "^C"})
            found.append(Step(words, shown, int(promised[1]), is_interrupted="^C" in lines))
    return found


def command_names(entries: Mapping[str, object] = COMMANDS) -> list[str]:
    """Every command of the tree by its full name, in the order of the table."""
    names: list[str] = []
    for name, entry in entries.items():
        names += [f"{name} {below}" for below in entry] if isinstance(entry, Mapping) else [name]
    return names


def resolved(words: Sequence[str]) -> tuple[click.Command, click.Context, list[str]] | None:
    """The command that a line names, with its context and what is left of the line; None if there is none.

    Raises: click.UsageError, for an option before the command's name that is not known there.
    """
    command: click.Command = root
    ctx, rest = click.Context(root, info_name="migrator", **root.context_settings), list(words)
    while isinstance(command, click.Group):
        _, rest, _ = command.make_parser(ctx).parse_args(rest)
        below = command.get_command(ctx, rest[0]) if rest else None
        if below is None:
            return None
        ctx, command, rest = click.Context(below, parent=ctx, info_name=rest[0]), below, rest[1:]
    return command, ctx, rest


def options() -> set[str]:
    """Every option of every command."""
    found = {"--help"}
    for name in ["", *command_names()]:
        command = root if not name else (resolved(name.split()) or (root,))[0]
        found |= {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    return found
