"""Counts that tell how easy it is to find one's way: `make structure`."""

import ast
from collections import Counter

from tests.structure.one_claim import files_of_a_claim
from tests.structure.sources import ROOT, docstrings, folders, modules
from tests.structure.steering import steered

CARRIERS = {"SourceControl", "SourcePlatform", "TakesOrders", "TargetPlatform"}
"""The ports behind which carriers stand, and what two of them share."""

WRITES = ("claim", "create_tag", "link_tag", "request", "send", "set_", "switch")
"""How the names of their methods begin that write, or say what a write would send."""


def main() -> None:
    """Print each count on its own line."""
    lines = sum(len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path, _ in modules())
    docs = list(docstrings())
    relative, long = sum(one.is_relative for one in docs), sum(one.is_long for one in docs)
    crowded, most = max(folders().items(), key=lambda item: item[1])
    classes = Counter(node.name for _, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    ran, way = files_of_a_claim()
    rows = {
        "product lines": lines,
        "product files": sum(1 for _ in modules()),
        "folders": len(folders()),
        f"most files in a folder ({crowded})": most,
        "docstrings": len(docs),
        "docstrings that begin with a relative word": f"{relative} ({relative / len(docs):.1%})",
        "docstrings with a long first line": f"{long} ({long / len(docs):.1%})",
        "names of classes that stand twice": sum(times > 1 for times in classes.values()),
        "places that steer by the text of a code": sum(1 for _ in steered()),
        "write methods of the ports": len(_writes()),
        "files whose code runs for one claim": len(ran),
        "files on a claim's way from the run to the socket": len(way),
    }
    for name, value in rows.items():
        print(f"{name:<50} {value}")


def _writes() -> list[str]:
    """Methods of the ports that write at a carrier, or say what such a write would send."""
    found = []
    for path, tree in modules():
        if path.parts[0] in {"ports.py", "ports"}:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and node.name in CARRIERS:
                    methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
                    found += [name for name in methods if name.startswith(WRITES)]
    return found


if __name__ == "__main__":
    main()
