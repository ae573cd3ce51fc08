"""TOML files with the line of every key.

`tomllib` does not report lines.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from migrator.errors import InputError
from migrator.inputs.files.text import small_text

__all__ = ["KeyPath", "TomlFile", "key_lines", "parse_toml", "read_toml"]

KeyPath = tuple[str | int, ...]
"""Place of a value: keys, and the numbers of array items.

Numbers count from 0: ("waves", 1, "count").
"""

SYNTAX_HINT = 'text stands in "quotes", numbers and true/false without; one key = value a line; a key is set once'

_STRING = r"""\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
_PART = r"""(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_STATEMENT = re.compile(rf"(?P<open>\[{{0,2}})[ \t]*(?P<key>{_KEY})[ \t]*(?:=|\]{{1,2}})")
_TOKEN = re.compile(rf"""(?P<string>{_STRING})|\#[^\n]*|(?P<mark>[\[{{\]}}\n])|[^"'#\[{{\]}}\n]+""", re.DOTALL)


_BETWEEN = re.compile(r"([,=])")
MOST_KEY_PARTS = 16
LONGEST_WORD = 10_000
"""Most characters without a space, outside of quotes."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """Parsed TOML file.

    `data` has decimals for numbers with a point. `lines` has the line of each key, table and item.
    """

    name: str
    text: str
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """Return the line of a value.

        Without such a line: the line of the table around the value, else 1.
        """
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file.

    Raises: InputError, with the line that is not valid TOML.
    """
    return parse_toml(small_text(path), name=str(path))


def parse_toml(text: str, *, name: str) -> TomlFile:
    """Read TOML text; `name` stands for the file in messages.

    Raises: InputError, with the line that is not valid TOML.
    """
    _refuse_bombs(text, name)
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError) as error:
        message = f"{name}:{_error_line(str(error), text)}: {_error_words(str(error))}"
    except RecursionError:
        message = f"{name}: brackets are nested too deep"
    else:
        return TomlFile(name, text, data, key_lines(text))
    raise InputError(message, code="syntax", hint=SYNTAX_HINT)


def _refuse_bombs(text: str, name: str) -> None:
    """Refuse keys of very many parts and very long numbers.

    Their parsing takes memory that grows with the square of their length: gigabytes for a file of 1 MB.

    Raises: InputError, with the line.
    """
    dots, line = 0, 1
    for token in _TOKEN.finditer(text):
        if token["string"] is None:
            dots = dots if token["mark"] is None else 0
            for piece in _BETWEEN.split(token[0]) if not token[0].startswith("#") else ():
                dots = 0 if piece in {",", "="} else dots + piece.count(".")
                longest = max(map(len, piece.split()), default=0)
                if dots >= MOST_KEY_PARTS:
                    raise _bomb(name, line, f"a key of more than {MOST_KEY_PARTS} parts")
                if longest > LONGEST_WORD:
                    raise _bomb(name, line, f"a word or number of more than {LONGEST_WORD} characters")
        line += token[0].count("\n")


def _bomb(name: str, line: int, what: str) -> InputError:
    return InputError(f"{name}:{line}: not valid TOML: {what}", code="syntax", hint=SYNTAX_HINT)


def _error_line(message: str, text: str) -> int:
    told = re.search(r"at line (\d+)", message)
    return int(told[1]) if told else text.rstrip().count("\n") + 1


def _error_words(message: str) -> str:
    words = re.sub(r" \(at (?:line \d+, column \d+|end of document)\)", "", message)
    return f"not valid TOML: {words}"


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each key, table header and array table.

    The text must be valid TOML.
    """
    lines: dict[KeyPath, int] = {}
    items: dict[KeyPath, int] = {}  # the number of the last item of each array of tables
    table: KeyPath = ()
    for line, opening, key, value in _statements(text):
        parts = _key_parts(key)
        if not opening:
            for end in range(1, len(parts) + 1):
                lines.setdefault((*table, *parts[:end]), line)
            lines.update({(*table, *parts, number): at for number, at in _inline_tables(value, line)})
            continue
        table = _last_items(parts[:-1], items) + parts[-1:]
        if opening == "[[":
            items[table] = items.get(table, -1) + 1
            lines.setdefault(table, line)
        table = _last_items(table, items) if opening == "[[" else table
        lines.setdefault(table, line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Read each table header and each assignment.

    The values are the line, the opening brackets (none for an assignment), the key as written, and the value.
    """
    line, end = 1, 0
    while statement := _STATEMENT.match(text, start := _after_blank(text, end)):
        line += text.count("\n", end, start)
        end = _value_end(text, statement.end())
        yield line, statement["open"], statement["key"], text[statement.end() : end]
        line += text.count("\n", start, end)


def _after_blank(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _value_end(text: str, start: int) -> int:
    """Return the position where the value that begins at `start` ends.

    This is the end of the line on which all brackets and strings that open after `start` are closed.
    """
    depth = 0
    for token in _TOKEN.finditer(text, start):
        mark = token["mark"]
        if mark == "\n" and depth == 0:
            return token.start()
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark or "", 0)
    return len(text)


def _inline_tables(value: str, line: int) -> Iterator[tuple[int, int]]:
    """Return number and line of each inline table directly in an array."""
    depth, number = 0, 0
    is_array = value.lstrip().startswith("[")
    for token in _TOKEN.finditer(value):
        mark = token["mark"] or ""
        if is_array and mark == "{" and depth == 1:
            yield number, line + value.count("\n", 0, token.start())
            number += 1
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)


def _key_parts(key: str) -> KeyPath:
    """Turn a key as written (bare, quoted or dotted) into a path.

    The TOML parser itself splits the key.
    """
    nested: Any = tomllib.loads(f"{key} = 0")
    parts: list[str] = []
    while isinstance(nested, dict):
        part, nested = next(iter(nested.items()))
        parts.append(part)
    return tuple(parts)


def _last_items(path: KeyPath, items: Mapping[KeyPath, int]) -> KeyPath:
    """Add the number of the last item after each array of tables.

    Returns: `path` with these numbers.
    """
    resolved: KeyPath = ()
    for part in path:
        resolved += (part,)
        if resolved in items:
            resolved += (items[resolved],)
    return resolved
