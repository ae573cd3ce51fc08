"""The list of safety rules keeps up with the code: each can still be taken out, and its test is there."""

from pathlib import Path

import pytest

from tests.simulation.mutations import MUTATIONS, ROOT, Mutation, patched


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_each_rule_is_found_where_the_mutations_look_for_it(mutation: Mutation) -> None:
    text = patched(mutation)
    assert text != (ROOT / mutation.file).read_text(encoding="utf-8")
    compile(text, mutation.file, "exec")


@pytest.mark.parametrize("mutation", [one for one in MUTATIONS if one.test], ids=lambda mutation: mutation.rule)
def test_each_test_that_must_notice_is_there(mutation: Mutation) -> None:
    path, _, name = mutation.test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_a_rule_is_taken_out_of_its_own_function_alone(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def a():\n    return 1\n\n\nclass B:\n    def a(self):\n        return 1\n")
    rule = Mutation("r", "x.py::B.a", "return 1", "return 2")
    assert patched(rule, tmp_path).endswith("return 2\n")
    assert "def a():\n    return 1\n" in patched(rule, tmp_path)


@pytest.mark.parametrize("place", ["x.py::c", "x.py::a.b"])
def test_a_rule_whose_function_is_gone_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "x.py").write_text("def a():\n    return 1\n")
    with pytest.raises(ValueError, match=f"there is no {place}"):
        patched(Mutation("r", place, "return 1", "return 2"), tmp_path)
