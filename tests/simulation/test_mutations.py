"""The list of safety rules keeps up with the code: each can still be taken out, and its test is there."""

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
