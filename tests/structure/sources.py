"""The product's own source, as the tests of its structure read it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import migrator

__all__ = ["MOST_WORDS", "Docstring", "docstrings", "folders", "modules"]

ROOT = Path(migrator.__file__).parent

MOST_WORDS = 12
"""Words in the first line of a docstring."""

RELATIVE = {"what", "whether", "which", "who", "whose", "how", "where", "when", "why"} | {
    *("it", "its", "they", "their", "this", "that", "these", "those", "one", "ones")
}
"""First words that make a reader wait for the subject."""


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring, or the text below a constant or field."""

    place: str
    text: str

    @property
    def first_line(self) -> str:
        """The line that editors and lists show."""
        return self.text.strip().partition("\n")[0].strip()

    @property
    def is_relative(self) -> bool:
        """True if it begins with a relative word or a pronoun."""
        return re.split(r"[^A-Za-z']", self.first_line, maxsplit=1)[0].lower() in RELATIVE

    @property
    def is_long(self) -> bool:
        """True if the first line has more words than a reader takes in at once."""
        return len(self.first_line.split()) > MOST_WORDS


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the product, parsed; paths are relative to it."""
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def docstrings() -> Iterator[Docstring]:
    """Every docstring of the product, in the order of files."""
    for path, tree in modules():
        for body in _bodies(tree):
            for before, node in zip([None, *body], body, strict=False):
                text = _text_of(node)
                if text is not None and (before is None or isinstance(before, ast.Assign | ast.AnnAssign)):
                    yield Docstring(f"{path}:{node.lineno}", text)


def folders() -> dict[str, int]:
    """Files in each folder of the product, simulators and `__init__.py` aside."""
    found: dict[str, int] = {}
    for path, _ in modules():
        if "simulator" not in path.parts and path.name != "__init__.py":
            found[str(path.parent)] = found.get(str(path.parent), 0) + 1
    return found


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body


def _text_of(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None
