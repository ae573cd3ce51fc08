"""Places of the product that decide by the text of a `code`."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.structure.sources import modules

__all__ = ["STEERING", "Names", "places", "steered"]

STEERING = {"core", "engine", "store", "workflows", "carriers"}
"""Folders whose code decides what is done. What renders for people may look texts up by a code."""

ASKS = {"startswith", "endswith", "in_", "not_in", "like", "get"}
"""Methods of a text, a column or a table that ask what a text is."""


@dataclass(slots=True)
class Names:
    """Enumerations and constants of the product."""

    enumerations: set[str] = field(default_factory=set)
    constants: dict[str, list[ast.AST]] = field(default_factory=dict)

    def learn(self, tree: ast.Module) -> "Names":
        """Add those of one module."""
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & {"StrEnum", "Enum"}:
                self.enumerations.add(node.name)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants.setdefault(node.targets[0].id, []).append(node.value)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.constants.setdefault(node.target.id, []).append(node)
        return self

    def is_text(self, node: ast.AST) -> bool:
        """True if it is a text, a constant that is not of an enumeration, or holds one."""
        match node:
            case ast.Constant():
                return isinstance(node.value, str)
            case ast.AnnAssign():
                return (
                    not {one.id for one in ast.walk(node.annotation) if isinstance(one, ast.Name)} & self.enumerations
                )
            case ast.Name():
                return node.id.strip("_").isupper() and any(
                    map(self.is_text, self.constants.get(node.id) or [ast.Constant("")])
                )
            case ast.Attribute(value=ast.Name(id=owner)):
                return owner not in self.enumerations and (node.attr.isupper() or owner[:1].isupper())
        return any(map(self.is_text, ast.iter_child_nodes(node)))


def steered() -> Iterator[str]:
    """Places where the text of a code decides: all in `STEERING`, elsewhere those that compare `x.code` with one."""
    names = Names()
    for _, tree in modules():
        names.learn(tree)
    for path, tree in modules():
        if "simulator" not in path.parts:
            yield from places(path, tree, names)


def places(path: Path, tree: ast.Module, names: Names) -> Iterator[str]:
    """Places of one module where the text of a code decides."""
    renders = path.parts[0] not in STEERING
    for node in ast.walk(tree):
        if (not renders or _compares_codes(node)) and any(map(names.is_text, _asked(node))):
            yield f"{path}:{getattr(node, 'lineno', 0)}"


def _compares_codes(node: ast.AST) -> bool:
    """True for a comparison with `x.code`."""
    if not isinstance(node, ast.Compare):
        return False
    return any(isinstance(side, ast.Attribute) and _holds_code(side) for side in (node.left, *node.comparators))


def _asked(node: ast.AST) -> Iterable[ast.AST]:
    """Return what a code is compared with, or looked up in."""
    match node:
        case ast.Compare():
            sides = [node.left, *node.comparators]
            if any(map(_holds_code, sides)):
                return [one for side in sides for one in _parts(side)]
            return [side for side in sides if isinstance(side, ast.Attribute) and side.attr == "code"]
        case ast.Call(func=ast.Attribute(attr=attr, value=asked)) if attr in ASKS:
            held = [asked, *node.args]
            return [one for side in held for one in _parts(side)] if any(map(_holds_code, held)) else []
        case ast.Subscript() if _holds_code(node.slice):
            return _parts(node.value)
        case ast.Match() if _holds_code(node.subject):
            return [one.value for one in ast.walk(node) if isinstance(one, ast.MatchValue)]
    return []


def _parts(node: ast.AST) -> Iterable[ast.AST]:
    """Return an expression without the code in it."""
    if isinstance(node, ast.Tuple):
        return [one for part in node.elts for one in _parts(part)]
    return [] if _holds_code(node) else [node]


def _holds_code(node: ast.AST) -> bool:
    """True for `x.code`, a variable `code`, and a tuple with one."""
    match node:
        case ast.Tuple():
            return any(map(_holds_code, node.elts))
        case ast.NamedExpr():
            return _holds_code(node.value)
        case ast.Attribute(attr="code", value=owner):
            return not (isinstance(owner, ast.Name) and owner.id[:1].isupper())  # `Unforeseen.code` is a constant
        case ast.Name(id="code"):
            return True
    return False
