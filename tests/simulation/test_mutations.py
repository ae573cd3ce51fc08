"""The list of safety rules keeps up with the code: each can still be taken out, at one place."""

import pytest

from tests.simulation.mutations import MUTATIONS, ROOT, Mutation, patched


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_each_rule_is_found_where_the_mutations_look_for_it(mutation: Mutation) -> None:
    text = patched(mutation)
    assert text != (ROOT / mutation.file).read_text(encoding="utf-8")
    compile(text, mutation.file, "exec")
