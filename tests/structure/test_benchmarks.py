"""The page of the benchmarks names each of them."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_names_every_measurement() -> None:
    tree = ast.parse((ROOT / "bench/__main__.py").read_text(encoding="utf-8"))
    noted = [node for node in tree.body if isinstance(node, ast.AnnAssign)]
    (table,) = [node.value for node in noted if ast.unparse(node.target) == "MEASUREMENTS"]
    assert isinstance(table, ast.Dict)
    names = [ast.literal_eval(key) for key in table.keys if key is not None]
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in page] == []
