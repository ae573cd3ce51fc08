"""Lists with titles above their header, pipes, commas behind each line: read, and no line of data is passed over."""

from pathlib import Path

import pytest

from migrator.errors import InputError
from migrator.inputs.files.csv_rows import csv_records
from migrator.inputs.inventory.columns import parse_choices
from migrator.inputs.inventory.file import opened_inventory
from tests.builders import source_iccid

S1, S2 = source_iccid(1).digits, source_iccid(2).digits


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sims.csv"


def told(path: Path, content: str, *choices: str) -> list[tuple[int, str, str | None]]:
    """Line, ICCID and label of each SIM."""
    path.write_text(content, encoding="utf-8")
    with opened_inventory(path, parse_choices(choices)) as opened:
        rows = list(opened.rows)
    assert [problem for row in rows for problem in row.problems] == []
    return [(row.line, row.sim.iccid.digits, row.sim.label) for row in rows if row.sim]


@pytest.mark.parametrize(
    ("content", "first"),
    [
        (f"SIM inventory,,\nGenerated 2026-03-01 08:00,,\n\nICCID,Status,Label\n{S1},Enabled,a\n{S2},Enabled,b\n", 5),
        (f"SIM inventory\n\nICCID;Label\n{S1};a\n{S2};b\n", 4),
        (f"SIM inventory\nKarte;Bezeichnung\n{S1};a\n{S2};b\n", 3),
        (f"Report;for;you\nICCID;Label\n{S1};a\n{S2};b\n", 3),
        (f"ICCID|Label\n{S1}|a\n{S2}|b\n", 2),
        (f"| ICCID | Label |\n|-------|:-----:|\n| {S1} | a |\n| {S2} | b |\n", 3),
        (f"ICCID,Label,\n{S1},a,\n{S2},b,\n", 2),
        (f"ICCID,Label\n{S1},a,\n{S2},b,\n", 2),
        (f"\ufeffICCID;Label\n\u202d{S1}\u202c;a\n\u200b{S2};b\n", 2),
        (f"ICCID;Label\nF{S1};a\nf{S2};b\n", 2),
        (f"ICCID;Label\n{S1[:4]} {S1[4:8]} {S1[8:12]} {S1[12:16]} {S1[16:]};a\n{S2};b\n", 2),
    ],
    ids=[
        *("title rows", "one cell", "unknown titles", "three cells", "pipes", "drawn"),
        *("comma", "comma below", "invisible", "F", "groups"),
    ],
)
def test_the_same_sims_are_read_from_every_shape(file: Path, content: str, first: int) -> None:
    assert told(file, content) == [(first, S1, "a"), (first + 1, S2, "b")]


def test_the_samples_from_the_field_are_read(file: Path) -> None:
    shared = next(
        (p / "shared" / "cases" for p in Path(__file__).parents[3:5] if (p / "shared" / "cases").is_dir()), None
    )
    if shared is None:
        pytest.skip("the sample files are not at hand")
    for name in ("c10-invisible.csv", "c11-title-rows.csv"):
        assert len(told(file, (shared / name).read_text(encoding="utf-8"))) == 10


@pytest.mark.parametrize("line", ["Total: 2,", "total,2", "Summe: 2 Karten,", "Gesamt;2"])
def test_a_last_line_that_counts_the_others_is_left_out(file: Path, line: str) -> None:
    assert len(told(file, f"ICCID,Label\n{S1},a\n{S2},b\n{line.replace(';', ',')}\n")) == 2


def test_it_is_left_out_below_a_list_without_titles_too(file: Path) -> None:
    assert len(told(file, f"{S1};10.0.0.1\n{S2};10.0.0.2\nTotal: 2;\n")) == 2


@pytest.mark.parametrize(
    ("line", "after"), [("Total: 3,", ""), ("Total: 2,", ""), ("Total: 1,", f"{S2},b\n"), ("Total,", "")]
)
def test_a_line_of_totals_that_is_wrong_or_not_the_last_is_told(file: Path, line: str, after: str) -> None:
    """A file that was cut off must not pass for a whole one."""
    file.write_text(f"ICCID,Label\n{S1},a\n{line}\n{after}")
    with opened_inventory(file, {}) as opened:
        (problem,) = [problem for row in opened.rows for problem in row.problems]
    assert (problem.code, problem.message) == ("line_of_totals", f"{file}:3 (iccid): a line of totals, not an ICCID")


def test_a_list_without_delimiters_may_have_commas_behind_its_lines(file: Path) -> None:
    assert [iccid for _, iccid, _ in told(file, f"ICCID\n{S1};\n{S2};\n")] == [S1, S2]


def test_a_column_chosen_by_hand_is_found_below_title_rows(file: Path) -> None:
    assert told(file, f"My;list\nNr;Karte;Name\n1;{S1};a\n", "iccid=Karte", "label=Name") == [(3, S1, "a")]


@pytest.mark.parametrize("content", [f"A;B\nxx;1\n{S1};2\n", f"{S1};a\nICCID;Label\n{S2};b\n", f"x;1\nICCID;y\n{S1};"])
def test_no_row_of_data_is_passed_over_as_a_title(file: Path, content: str) -> None:
    """Either all of the file is read, or it is refused: here are no titles, or they stand below data."""
    file.write_text(content)
    rows, refused = [], ""
    try:
        with opened_inventory(file, {}) as opened:
            rows = list(opened.rows)
    except InputError as error:
        refused = error.code
    assert refused == "no_iccid_column" or len(rows) == content.count("\n") - 1


def test_breaks_within_quotes_stay_as_they_are() -> None:
    lines = iter(["ICCID,Label\r\n", f'{S1},"a\r\n', "\r\n", "  \r\n", 'b"\r\n'])
    assert list(csv_records(lines, "x")) == [(1, ["ICCID", "Label"]), (2, [S1, "a\r\n\r\n  \r\nb"])]


def test_title_rows_without_a_header_are_refused(file: Path) -> None:
    file.write_text("SIM inventory\nGenerated\n")
    with pytest.raises(InputError, match="no column of ICCIDs"), opened_inventory(file, {}):
        pass
