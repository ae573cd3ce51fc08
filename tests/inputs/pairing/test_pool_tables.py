"""Vendors' lists and delivery notes are read by their columns, and a quantity has to agree with its range."""

from pathlib import Path

import pytest

from migrator.core.fleet.identifiers import luhn_digit
from migrator.errors import InputError, Problem
from migrator.inputs.pairing.list_columns import PAIR_TITLES, POOL_TITLES, parse_choices
from migrator.inputs.pairing.pool import RangeMode, read_pool
from migrator.inputs.pairing.rows import read_pairs

BODIES = [f"894450000000000{number:04d}" for number in range(1, 40)]
T1, T2, T3 = BODIES[0], BODIES[1], BODIES[2]
S1, S2 = "8988228066600000101", "8988228066600000102"


def full(number: int) -> str:
    return BODIES[number] + luhn_digit(BODIES[number])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vendor.csv"


def pool(path: Path, content: str, *choices: str, mode: RangeMode | None = None) -> list[str]:
    path.write_text(content, encoding="utf-8")
    chosen = parse_choices(choices, tuple(POOL_TITLES))
    return [str(entry.iccid) for entry in read_pool(path, range_mode=mode, chosen=chosen)]


def problem(path: Path, content: str, *choices: str, mode: RangeMode | None = None) -> Problem:
    with pytest.raises(InputError) as refused:
        pool(path, content, *choices, mode=mode)
    (only,) = refused.value.problems
    return only


@pytest.mark.parametrize(
    "content",
    [
        f"ICCID,PIN1,PUK1\n{T1},4111,55500001\n{T2},4211,55500002\n",
        f"Delivery 7\n2026-03-01\n\nNo;ICCID;PUK\n1;{T1};55500001\n2;{T2};55500002\n",
        f"ICCID,\n{T1},\n{T2},\n",
        f"ICCID\n{T1},\n{T2};\n",
        f"{T1};\n{T2};\n",
        f"| SIM Number | PIN |\n|---|---|\n| {T1} | 4111 |\n| {T2} | 4211 |\n",
        f"Nr;Kartennummer\n# the first box\n1;F{T1}\n2;\u202d{T2}\u202c\n",
        f"ICCID FROM;ICCID TO;QTY\n{T1};{T2};2\n",
        f"from\tto\tquantity\n{T1}\t{T1}\t1\n{T2}\t\t1\n",
    ],
    ids=["vendor", "titles", "comma", "comma below", "no header", "pipes", "marks", "delivery note", "one each"],
)
def test_the_same_sims_are_read_from_every_table(file: Path, content: str) -> None:
    assert pool(file, content) == [T1, T2]


def test_columns_by_hand_are_read_with_titles_and_without(file: Path) -> None:
    assert pool(file, f"A;B\n1;{T1}\n", "iccid=B") == [T1]
    assert pool(file, f"1;{T1}\n2;{T2}\n", "iccid=2") == [T1, T2]


def test_19_and_20_digits_stand_beside_each_other(file: Path) -> None:
    assert pool(file, f"ICCID;Box\n{T1};a\n{full(1)};a\n") == [T1, full(1)]
    assert "stands on line 2 already" in problem(file, f"ICCID;Box\n{T1};a\n{full(0)};b\n").message


@pytest.mark.parametrize(
    ("first", "last", "quantity", "count"),
    [
        (BODIES[4], BODIES[13], "10", 10),
        (full(0), full(9), "10", 10),
        (full(0), full(1), str(int(full(1)) - int(full(0)) + 1), None),
    ],
)
def test_the_quantity_tells_how_a_range_is_counted(
    file: Path, first: str, last: str, quantity: str, count: int | None
) -> None:
    """With check digits at its ends it would have to be asked about."""
    read = pool(file, f"FROM;TO;QTY\n{first};{last};{quantity}\n")
    assert len(read) == (count or int(quantity))
    assert (read[0], read[-1]) == (first, last)


@pytest.mark.parametrize("quantity", ["9", "11", "100", "", "many", "1.5"])
@pytest.mark.parametrize("mode", [None, "body"])
def test_a_quantity_that_does_not_agree_is_refused(file: Path, quantity: str, mode: RangeMode | None) -> None:
    told = problem(file, f"FROM;TO;QTY\n{full(0)};{full(9)};{quantity}\n", mode=mode)
    assert (told.code, told.message.startswith(f"{file}:2: ")) == ("wrong_quantity", True)


def test_a_quantity_may_part_thousands_and_must_fit_a_single_sim(file: Path) -> None:
    last = f"{int(T1) + 1233}"
    assert len(pool(file, f"FROM;TO;QTY\n{T1};{last};1.234\n")) == 1234
    assert problem(file, f"ICCID;QTY\n{T1};5\n").code == "wrong_quantity"
    assert pool(file, f"ICCID;QTY\n{T1};5\n", "quantity=") == [T1]


def test_rounded_ends_are_refused_even_with_a_quantity_that_agrees(file: Path) -> None:
    content = "FROM;TO;QTY\n8944538500000000000;8944538500000040000;40001\n"
    assert problem(file, content).code == "rounded_by_spreadsheet"


@pytest.mark.parametrize(
    ("content", "choices", "code"),
    [
        (f"ICCID No;SIM Number\n{T1};{T2}\n", (), "no_header"),
        (f"source_iccid;target_iccid\n{S1};{T1}\n", (), "no_header"),
        (f"ICCID;PIN1\n{T1};4111\n", ("iccid=PIN1",), "secret_column"),
        (f"ICCID;Box\n{T1};a\n", ("iccid=Karte",), "no_such_column"),
        (f"A;B\n{T1};a\n", ("quantity=B",), "no_iccid_column"),
        (f"ICCID;FROM;TO\n{T1};{T2};{T3}\n", (), "no_header"),
    ],
    ids=["two columns", "pairs", "secret", "no such", "none", "both"],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(
    file: Path, content: str, choices: tuple[str, ...], code: str
) -> None:
    told = problem(file, content, *choices)
    assert (told.code, bool(told.hint)) == (code, True)


def test_a_table_without_titles_is_not_guessed(file: Path) -> None:
    """The second column may be anything."""
    assert problem(file, f"{T1};{T2}\n").code == "not_an_iccid"


@pytest.mark.parametrize(
    ("content", "choices"),
    [
        (f"Old ICCID;New ICCID;Technician\n{S1};{T1};Ann\n", ()),
        (f"Swaps of May\n\nunit|alte ICCID|neue ICCID\n1|{S1}|{T1}\n", ()),
        (f"was;is\n{S1};{T1}\n", ("source_iccid=was", "target_iccid=is")),
        (f"x;{T1};{S1}\n", ("source_iccid=3", "target_iccid=2")),
        (f"source_iccid,target_iccid,\nF{S1},{T1},\n", ()),
    ],
)
def test_technicians_lists_of_pairs_are_read_by_their_columns(
    file: Path, content: str, choices: tuple[str, ...]
) -> None:
    file.write_text(content, encoding="utf-8")
    (row,) = read_pairs(file, chosen=parse_choices(choices, tuple(PAIR_TITLES)))
    assert (row.source_text.lstrip("F"), row.target_text) == (S1, T1)
