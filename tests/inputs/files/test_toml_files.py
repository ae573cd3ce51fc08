"""What is no TOML is refused in words, and every key is found on its line."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import InputError
from migrator.inputs.files.toml import key_lines, parse_toml
from migrator.inputs.policy.file import read_policy
from tests.inputs.policy.policy_api import CLAIM, Writer


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("policy_version = 1\n[claim]\nzone = global\n", 3),
        ("policy_version = 1\n[claim\n", 2),
        ("policy_version = 1\npolicy_version = 1\n", 2),
        ('policy_version = 1\n[claim]\nzone = """\nno end', 4),
        (f"policy_version = {'9' * 5000}\n", 1),
    ],
    ids=["no quotes", "open bracket", "key twice", "open string", "endless number"],
)
def test_text_that_is_no_toml_is_told_with_its_line(write: Writer, text: str, line: int) -> None:
    problem = write.only(text)
    assert problem.code == "syntax"
    assert problem.message.startswith(f"policy.toml:{line}: not valid TOML: ")


def test_brackets_nested_without_end_are_refused_in_words(write: Writer) -> None:
    assert "nested too deep" in write.only("a = " + "[" * 100_000).message


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"policy_version = 1\nzone = '\xe9'", "policy.toml:2: not text in UTF-8"), (b"PK\x03\x04", "a spreadsheet")],
    ids=["Latin-1", "archive"],
)
def test_file_that_is_no_text_is_refused_with_the_remedy(write: Writer, content: bytes, words: str) -> None:
    problem = write.only(content)
    assert words in problem.message
    assert "UTF-8" in problem.hint


def test_missing_file_and_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_policy(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is a directory"):
        read_policy(tmp_path)


def test_file_too_large_for_a_policy_is_not_parsed(write: Writer) -> None:
    assert "larger than 1 MB" in write.only("#" * 1_000_001).message


# --- the lines of keys --------------------------------------------------------------------------------------------


def test_lines_are_right_behind_whatever_spans_lines() -> None:
    text = (
        'a = """\n[not]\nx = 1\n"""  # [[no]]\n'  # 1 to 4
        "b = [\n  1, # ]\n  '[',\n]\n"  # 5 to 8
        "'c d'.\"e\\\"f\" = '''\n= '''\n"  # 9, 10
        "[ t . u ]\r\nk = { v = { x = 1 } }\r\n"  # 11, 12
        "[[w]]\nn = 1\n[w.sub]\ns = 2\n\n"  # 13 to 17
        "[[ w ]]\nn = 3\n"  # 18, 19
        'i = [\n  { a = 1 },\n\n  { a = "{" },\n]\n'  # 20 to 24
        'q = """""a"""""\nlast = ""'  # 25, 26
    )
    lines = key_lines(text)
    assert {path: line for path, line in lines.items() if path != ("c d",)} == {
        ("a",): 1,
        ("b",): 5,
        ("c d", 'e"f'): 9,
        ("t", "u"): 11,
        ("t", "u", "k"): 12,
        ("w",): 13,
        ("w", 0): 13,
        ("w", 0, "n"): 14,
        ("w", 0, "sub"): 15,
        ("w", 0, "sub", "s"): 16,
        ("w", 1): 18,
        ("w", 1, "n"): 19,
        ("w", 1, "i"): 20,
        ("w", 1, "i", 0): 21,
        ("w", 1, "i", 1): 23,
        ("w", 1, "q"): 25,
        ("w", 1, "last"): 26,
    }


@given(st.lists(st.sampled_from(['"\\""', "'''\n\n'''", "[\n1,\n]", '"""\n\\"""\n"""', "1 # [", "{a = ']'}"])))
def test_every_key_is_found_on_its_line_whatever_the_values_before(values: list[str]) -> None:
    text, expected = "", {}
    for number, value in enumerate(values):
        expected[(f"k{number}",)] = text.count("\n") + 1
        text += f"k{number} = {value}\n"
    assert key_lines(text) == expected


def test_problem_in_an_inline_wave_is_told_at_the_line_of_its_table(write: Writer) -> None:
    text = 'policy_version = 1\nwaves = [\n  {name = "a", count = 1},\n  {name = "b", count = 0},\n]\n' + CLAIM
    assert write.only(text).message.startswith("policy.toml:4: waves[2].count: ")


def test_problem_in_an_inline_section_is_told_at_its_line(write: Writer) -> None:
    assert write.only("policy_version = 1\ncaps = {max_sims = -1}\n" + CLAIM).message.startswith("policy.toml:2: caps.")


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 10_000 + " = 1",
        "[a" + ".a" * 10_000 + "]",
        '"a"' + ' . "a"' * 10_000 + " = 1",
        "x = {a" + ".a" * 10_000 + " = 1}",
        "x = 0x" + "F" * 20_000,
    ],
)
def test_a_small_file_that_takes_gigabytes_is_refused_with_its_line(text: str) -> None:
    """What `tomllib` keeps of a key grows with the square of its parts: 3 GB and more for a file of 1 MB."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"^p.toml:3: not valid TOML: "):
            parse_toml(f"k = [1.5, 2.5, '{'.' * 300}'] # {'.' * 300}\n\n{text}\n", name="p.toml")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_many_numbers_with_points_are_no_long_key() -> None:
    text = f"k = [{', '.join(['1.5'] * 1000)}]\nd = 2026-11-20T10:00:00.5Z\na.b.c.d = 1\n"
    assert len(parse_toml(text, name="p.toml").data["k"]) == 1000
