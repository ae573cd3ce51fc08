"""Docstrings in plain words: each begins with a verb or a noun, and its first line is short."""

from tests.structure.sources import MOST_WORDS, docstrings


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    found = [f"{one.place}: {one.first_line}" for one in docstrings() if one.is_relative]
    assert not found, "begin with a verb for what acts, a noun for a value:\n" + "\n".join(found)


def test_first_lines_of_docstrings_are_short() -> None:
    found = [f"{one.place}: {one.first_line}" for one in docstrings() if one.is_long]
    assert not found, f"at most {MOST_WORDS} words in the first line:\n" + "\n".join(found)
