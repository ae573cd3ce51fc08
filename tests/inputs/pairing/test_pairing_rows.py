"""A pairing file is read in every shape that spreadsheets leave it in."""

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import InputError
from migrator.inputs.pairing.file import PairRow, read_pairs
from tests.builders import source_iccid, target_iccid

HEADER = "source_iccid,target_iccid\n"
S1, S2, S3 = (source_iccid(number).digits for number in (1, 2, 3))
T1, T2, T3 = (target_iccid(number).digits for number in (1, 2, 3))


def rows_of(path: Path, content: str | bytes) -> list[PairRow]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_pairs(path))


def refusal(path: Path, content: str | bytes) -> InputError:
    with pytest.raises(InputError) as refused:
        rows_of(path, content)
    return refused.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pairs.csv"


PLAIN = f"{HEADER}{S1},{T1}\n{S2},{T2}\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.removesuffix("\n"),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.upper(),
        PLAIN.replace("source_iccid", " Source ICCID ").replace("target_iccid", "Target-ICCID"),
        f'"source_iccid","target_iccid"\n"{S1}","{T1}"\n"{S2}", "{T2}"\n',
        f"{HEADER}'{S1},'{T1}\n'{S2}','{T2}'\n",
        f'{HEADER}="{S1}",="{T1}"\n"=""{S2}""","=""{T2}"""\n',
        f"target_iccid,source_iccid\n{T1},{S1}\n{T2},{S2}\n",
        f'note,source_iccid,x,target_iccid\n"a, ""b""",{S1},,{T1},left over\n,{S2}, "\u00e9, x",{T2}\n',
        f"{HEADER}  {S1} , {T1}\u00a0\n{S2},{T2}\n",
        f"{S1},{T1}\n{S2},{T2}\n",
        f"{S1};{T1};\n{S2};{T2};\n",
    ],
    ids=[
        "comma",
        "semicolon",
        "tab",
        "CRLF",
        "CR",
        "no line end at the end",
        "UTF-8 with byte order mark",
        "UTF-16",
        "UTF-16 big endian",
        "header in capitals",
        "header as people write it",
        "quotes",
        "apostrophes",
        "formulas",
        "columns swapped",
        "other columns",
        "blanks around",
        "no header",
        "no header, empty third column",
    ],
)
def test_same_pairs_are_read_from_every_shape(file: Path, content: str | bytes) -> None:
    rows = rows_of(file, content)
    assert [(row.source_text, row.target_text) for row in rows] == [(S1, T1), (S2, T2)]


def test_line_told_is_the_line_in_the_file(file: Path) -> None:
    """Blank lines and line breaks within quotes count, as they do in an editor."""
    content = f'\n\nsep=,\nnote,{HEADER}\n,{S1},{T1}\n,,\n"two\nlines",{S2},{T2}\nx,{S3},{T3}'
    assert [row.line for row in rows_of(file, content)] == [6, 8, 10]


def test_values_that_are_missing_are_empty(file: Path) -> None:
    assert rows_of(file, f"{HEADER}{S1}\n,{T1}\n") == [PairRow(2, S1, ""), PairRow(3, "", T1)]


def test_spreadsheet_numbers_without_a_header_are_rows_not_a_header(file: Path) -> None:
    """Else the message would be about a header, and not about the digits that are lost."""
    assert rows_of(file, "8.98823E+18,8.94450E+18\n") == [PairRow(1, "8.98823E+18", "8.94450E+18")]


@given(st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 9999)), min_size=1), st.sampled_from(",;\t"))
def test_rows_written_are_the_rows_read(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[int, int]], delimiter: str
) -> None:
    pairs = [(source_iccid(source).digits, target_iccid(target).digits) for source, target in numbers]
    path = tmp_path_factory.getbasetemp() / "any.csv"
    content = delimiter.join(("source_iccid", "target_iccid")) + "".join(
        f"\n{source}{delimiter}{target}" for source, target in pairs
    )
    assert [(row.source_text, row.target_text) for row in rows_of(path, content)] == pairs


@pytest.mark.parametrize(
    ("content", "code", "words", "remedy"),
    [
        ("", "empty_file", "is empty", "make the first line source_iccid,target_iccid"),
        ("\n \n;;\n", "empty_file", "is empty", "make the first line source_iccid,target_iccid"),
        (HEADER, "empty_file", "has a header and no pairs", "add a line"),
        ("source_iccid,new\n1,2\n", "no_header", ":1: no column target_iccid; found source_iccid, new", "first line"),
        (f"{S1},{T1},{T2}\n", "no_header", ":1: no column source_iccid, target_iccid; found", "first line"),
        (f"{S1}\n{S2}\n", "no_header", ":1: no column source_iccid, target_iccid; found", "first line"),
        ("source_iccid,target_iccid,Target ICCID\n", "no_header", "more than one column target_iccid", "all but one"),
        (f'{HEADER}{S1},"{T1}\n{S2},{T2}\n', "bad_csv", ":2: not readable as CSV", "quotation mark left open"),
        (f"{HEADER}{S1},{T1}\n{S2},{T2}\xe9".encode("latin-1"), "bad_encoding", ":3: not text in UTF-8", "CSV UTF-8"),
        (PLAIN.encode("utf-16-le"), "bad_encoding", "is not text in UTF-8", "CSV UTF-8"),
        (PLAIN.encode("utf-16")[:-1], "bad_encoding", "pairs.csv: not text in UTF-8", "CSV UTF-8"),
        (PLAIN.encode("utf-32"), "bad_encoding", "is not text in UTF-8", "CSV UTF-8"),
        (b"PK\x03\x04\0\0", "bad_encoding", "is a spreadsheet or an archive", "ICCID columns as text"),
    ],
    ids=[
        "empty",
        "blank",
        "header only",
        "a column missing",
        "three columns of ICCIDs",
        "one column",
        "a column twice",
        "open quote",
        "Latin-1",
        "UTF-16 without byte order mark",
        "UTF-16 cut off",
        "UTF-32",
        "Excel file",
    ],
)
def test_file_that_cannot_be_read_is_refused_with_name_and_remedy(
    file: Path, content: str | bytes, code: str, words: str, remedy: str
) -> None:
    error = refusal(file, content)
    assert error.code == code
    assert str(file) in error.message
    assert words in error.message
    assert remedy in error.hint


def test_missing_file_and_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        list(read_pairs(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="is a directory, expected a file"):
        list(read_pairs(tmp_path))


def test_file_that_the_system_will_not_open_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        list(read_pairs(tmp_path / ("x" * 5000)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    ("more", "expected"),
    [(b"", ["2", "3"]), (b"\xff\n", [": not text in UTF-8 (or UTF-16 with a byte order mark)"])],
    ids=["sound", "bad encoding"],
)
def test_pipe_is_read_front_to_back_once(file: Path, more: bytes, expected: list[str]) -> None:
    """A pipe cannot be read again, not even to find the line of a bad character: that would wait for ever."""
    os.mkfifo(file)
    seen: list[str] = []

    def read() -> None:
        try:
            seen.extend(str(row.line) for row in read_pairs(file))
        except InputError as error:
            seen.append(error.message.removeprefix(str(file)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    file.write_bytes(PLAIN.encode() + more)
    reader.join(timeout=20)
    assert not reader.is_alive()
    assert seen == expected


def test_wrong_encoding_far_down_is_told_with_its_line(file: Path) -> None:
    """The reader is thousands of lines ahead of the rows it has given out; the message must not be."""
    many = "".join(f"{S1},{T1}\n" for _ in range(5000))
    error = refusal(file, (HEADER + many).encode() + b"\xff\n" + many.encode())
    assert f"{file}:5002:" in error.message


def test_large_file_is_read_row_by_row(file: Path) -> None:
    """A file of a million lines must not be held in memory twice, once as text."""
    with file.open("w") as out:
        out.write(HEADER)
        out.writelines(f"{source_iccid(number)},{target_iccid(number)}\n" for number in range(50_000))
    tracemalloc.start()
    try:
        assert exhausted(read_pairs(file)) == 50_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def exhausted(rows: Iterator[PairRow]) -> int:
    return sum(1 for _ in rows)


def test_values_where_titles_should_be_are_not_told(file: Path) -> None:
    """A vendor's list without a header has PIN and PUK in its first line."""
    error = refusal(file, f"{S1},{T1},4111,55500001\n")
    assert "4111" not in error.message
    assert "55500001" not in error.message
