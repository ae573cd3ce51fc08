"""A file of SIMs is read in every form that a portal, a spreadsheet or our own export gives it, or refused in words."""

import csv
import io
import tracemalloc
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.sims import QuotaReading, SourceSim, SourceStatus
from migrator.errors import InputError, Problem
from migrator.inputs.inventory.columns import parse_choices
from migrator.inputs.inventory.file import InventoryFile, opened_inventory
from tests.builders import source_iccid

S1, S2 = source_iccid(1).digits, source_iccid(2).digits
PIN, PUK = "73519428", "64207531"

ENGLISH = ["Status", "ICCID", "IMSI", "MSISDN", "IMEI(SV)", "IP Address", "Label", "PIN1", "PUK1", "Data quota (MB)"]
GERMAN = [
    "Status",
    "ICCID",
    "IMSI",
    "MSISDN",
    "IMEI",
    "IP-Adresse",
    "Bezeichnung",
    "PIN",
    "PUK",
    "Datenkontingent (MB)",
]
OWN = ["status", "iccid", "imsi", "msisdn", "imei", "ip_address", "label", "pin", "puk", "data_quota_mb"]
ODD = [" STATUS ", "icc-id", "Imsi", "msisdn", "IMEISV", "ip-address", "label", "PIN Code", "PUK 2", "current_quota"]
RENAMED = ["A", "B", "C", "D", "IMEI", "E", "Label", "SIM-PIN", "Puk-Code", "Data quota (MB)"]
STATUSES = {
    "on": ("Activated", "aktiviert", "ENABLED", "Activé"),
    "off": ("Deactivated", "Deaktiviert", "disabled", ""),
}


def rows_of(file: InventoryFile) -> tuple[list[SourceSim], list[Problem]]:
    rows = list(file.rows)
    return [row.sim for row in rows if row.sim], [problem for row in rows for problem in row.problems]


def read(path: Path, content: str | bytes, *choices: str) -> tuple[list[SourceSim], list[Problem]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with opened_inventory(path, parse_choices(choices)) as file:
        return rows_of(file)


def refused(path: Path, content: str | bytes, *choices: str) -> InputError:
    with pytest.raises(InputError) as error:
        read(path, content, *choices)
    return error.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sims.csv"


def table(titles: list[str], delimiter: str, *, quotes: bool = False) -> str:
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=delimiter, quoting=csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL, lineterminator="\r\n"
    )
    writer.writerow(titles)
    first = ["Aktiviert", S1, "901405100000001", "882285100000001", "8600000000000104", "10.1.2.3", "M\u00fcller; 1"]
    writer.writerow([*first, PIN, PUK, "500 MB"])
    writer.writerow(["Deactivated", S2, "901405100000002", "882285100000002", "", "10.1.2.4", "", PIN, PUK, "1.024,5"])
    return out.getvalue()


ENCODINGS = {
    "UTF-8": lambda text: text.encode(),
    "UTF-8 with mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 big endian": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "Windows-1252": lambda text: text.encode("cp1252"),
}
FORMS = list(product(",;\t", ENCODINGS, ("english", "german", "odd", "renamed"), (False, True)))
TITLES = {"english": ENGLISH, "german": GERMAN, "odd": ODD, "renamed": RENAMED}


@pytest.mark.parametrize(("delimiter", "encoding", "titles", "quotes"), FORMS)
def test_the_same_sims_are_read_from_every_form(
    file: Path,
    delimiter: str,
    encoding: str,
    titles: str,
    quotes: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    text = table(TITLES[titles], delimiter, quotes=quotes)
    if titles == "odd":
        text = text.replace("1.024,5", "1024.5")  # under a title of the API, a program's number
    sims, problems = read(file, ENCODINGS[encoding](text))
    assert problems == []
    assert sims == [
        SourceSim(
            source_iccid(1),
            SourceStatus.ENABLED,
            "Enabled",
            label="M\u00fcller; 1",
            imsi="901405100000001",
            msisdn="882285100000001",
            imei="8600000000000104",
            ip_address="10.1.2.3",
            data_quota_mb=Decimal(500),
        ),
        SourceSim(
            source_iccid(2),
            SourceStatus.DISABLED,
            "Disabled",
            imsi="901405100000002",
            msisdn="882285100000002",
            ip_address="10.1.2.4",
            data_quota_mb=Decimal("1024.5"),
        ),
    ]


@pytest.mark.parametrize("titles", [ENGLISH, GERMAN, ODD])
def test_no_pin_and_no_puk_is_kept_or_told(file: Path, titles: list[str]) -> None:
    file.write_bytes(table(titles, ";").replace(S2, "x").encode())
    with opened_inventory(file, {}) as opened:
        rows = list(opened.rows)
        assert len(opened.secret_titles) == 2
    held = repr([(row.raw, row.sim, [problem.as_dict() for problem in row.problems]) for row in rows])
    assert PIN not in held
    assert PUK not in held


@pytest.mark.parametrize(
    "title",
    [
        "PIN",
        "PIN1",
        "pin 2",
        "PUK1",
        "PUK-Code",
        "pukCode",
        "SIM-PIN",
        "simPin",
        "ADM",
        "ADM1",
        "Ki",
        "OPc",
        "Auth key",
    ],
)
def test_a_secret_column_cannot_even_be_chosen_by_hand(file: Path, title: str) -> None:
    error = refused(file, f"ICCID,{title}\n{S1},{PIN}\n", f"label={title}")
    assert error.code == "secret_column"
    assert PIN not in error.message


@pytest.mark.parametrize(
    "line",
    [
        f"{S1};a;b;{PIN};;",
        f"x;;{PIN};;",
        f"{S1};ok;;{PIN}",
        f"{PIN};;;",
        f"{S1} {PIN};;;",
        f"{PIN}.0;;;",
    ],
    ids=["too many values", "no ICCID", "among the volumes", "in place of the ICCID", "beside it", "as a number"],
)
def test_a_pin_that_slid_into_another_column_is_not_told(file: Path, line: str) -> None:
    _, problems = read(file, f"ICCID;Label;PIN;Data quota\n{line}\n{S2};;;\n")
    assert problems
    assert PIN not in repr([problem.as_dict() for problem in problems])


@pytest.mark.parametrize(("unit", "volume"), [(" (MB)", "4,111"), (" (MB)", "4 111 x"), ("", "4111")])
def test_a_pin_among_volumes_is_not_told_in_another_form_either(file: Path, unit: str, volume: str) -> None:
    _, problems = read(file, f"ICCID;Data quota{unit}\n{S1};{volume}\n")
    told = repr([problem.as_dict() for problem in problems])
    assert problems
    assert not any(digits in told for digits in ("4111", "4,111", "4.111", "4 111"))


def test_values_where_titles_should_be_are_not_told(file: Path) -> None:
    error = refused(file, f"x{S1};{PIN};{PUK};4111\n{S2};a;b;c\n", "label=Name")
    assert not any(secret in f"{error.message} {error.hint}" for secret in (PIN, PUK, "4111"))


def test_unknown_columns_are_not_kept_either(file: Path) -> None:
    """Their titles may be a translation of PIN that we do not know."""
    file.write_text(f"ICCID;Geheimzahl;Tarif\n{S1};{PIN};500 MB, 250 SMS\n")
    with opened_inventory(file, {}) as opened:
        (row,) = opened.rows
        assert opened.unused_titles == ("Geheimzahl",)
    assert row.raw == {"line": 2, "record": {"ICCID": S1, "Tarif": "500 MB, 250 SMS"}}


# --- columns ------------------------------------------------------------------------------------------------------


def test_a_file_without_titles_is_known_by_its_content(file: Path) -> None:
    (one, _), problems = read(file, f"{S1};Activated;10.0.0.1;pump\n{S2};Expired;10.0.0.2;\n", "label=4")
    assert problems == []
    assert (str(one.iccid), one.status, one.ip_address, one.label) == (S1, "enabled", "10.0.0.1", "pump")


def test_a_list_of_nothing_but_iccids_is_an_inventory_of_unknown_status(file: Path) -> None:
    sims, problems = read(file, f"{S1}\n{S2}\n")
    assert (len(sims), problems) == (2, [])
    assert {one.status for one in sims} == {SourceStatus.UNKNOWN}


def test_a_column_told_by_hand_wins_over_title_and_content(file: Path) -> None:
    content = f"ICCID;Other;Label;Note\n{S1};{S2};a;b\n"
    (one,), _ = read(file, content, "iccid=Other", "label=note")
    assert (str(one.iccid), one.label) == (S2, "b")


def test_a_field_can_be_left_out_by_hand(file: Path) -> None:
    (one,), _ = read(file, f"ICCID;Label\n{S1};a\n", "label=")
    assert one.label is None


def test_the_luhn_column_stands_in_where_there_is_no_other(file: Path) -> None:
    (one,), _ = read(file, "iccid_with_luhn,label\n89882280666000000020,a\n")
    assert str(one.iccid) == "89882280666000000020"


def test_a_tariff_gives_both_volumes_when_it_is_chosen_by_hand_and_only_then(file: Path) -> None:
    content = f"ICCID;Tarif\n{S1};500 MB, 250 SMS\n"
    (without,), _ = read(file, content)
    (with_it,), _ = read(file, content, "data_quota_mb=Tarif", "sms_quota=Tarif")
    assert (without.data_quota_mb, without.sms_quota) == (None, None)
    assert (with_it.data_quota_mb, with_it.sms_quota) == (Decimal(500), Decimal(250))


@pytest.mark.parametrize(
    ("content", "choices", "code", "words"),
    [
        (f"A;B\n{S1};{S2}\n", (), "ambiguous_column", "iccid may be in 2 columns"),
        (
            f"ICCID;Status;SIM Status\n{S1};Enabled;Enabled\n",
            (),
            "ambiguous_column",
            "'Status' (column 2), 'SIM Status'",
        ),
        (f"ICCID;a;b\n{S1};10.0.0.1;10.0.0.2\n", (), "ambiguous_column", "ip_address may be in 2 columns"),
        (f"ICCID;x;x\n{S1};a;b\n", ("label=x",), "ambiguous_column", "label may be in 2 columns"),
        ("Label;Status\na;Enabled\n", (), "no_iccid_column", "no column of ICCIDs; found 'Label', 'Status'"),
        (f"ICCID\n{S1}\n", ("label=Name",), "no_such_column", "no column 'Name' for label"),
        (f"ICCID\n{S1}\n", ("iccd=ICCID",), "bad_column", "there is no field 'iccd'"),
        (f"ICCID\n{S1}\n", ("ICCID",), "bad_column", "expected FIELD=TITLE"),
        (f"ICCID\n{S1}\n", ("iccid=ICCID", "iccid=1"), "bad_column", "is given twice"),
        (f"ICCID;a\n{S1};x\n", ("label=a", "imei=a"), "bad_column", "is chosen for two fields"),
    ],
)
def test_a_header_that_can_be_read_in_two_ways_is_refused(
    file: Path, content: str, choices: tuple[str, ...], code: str, words: str
) -> None:
    error = refused(file, content, *choices)
    assert error.code == code
    assert words in error.message
    assert error.hint


def test_an_unknown_field_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(InputError) as error:
        parse_choices(["iccd=x"])
    assert 'did you mean "iccid"?' in error.value.hint
    assert "sms_quota" in error.value.hint


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("8.98823E+18", "rounded_by_spreadsheet"),
        ('"8,98823E+18"', "rounded_by_spreadsheet"),
        (f"{S1}.0", "rounded_by_spreadsheet"),
        ("", "empty_iccid"),
        ("8988", "not_an_iccid"),
        ("hello", "not_an_iccid"),
    ],
)
def test_an_iccid_that_is_none_is_told_with_its_line(file: Path, cell: str, code: str) -> None:
    sims, problems = read(file, f"ICCID;Label\n{S1};a\n{cell};b\n")
    assert len(sims) == 1
    assert [(problem.code, problem.message.partition(" ")[0]) for problem in problems] == [(code, f"{file}:3")]
    if code == "rounded_by_spreadsheet":
        assert "as text" in problems[0].hint


def test_a_file_whose_iccids_are_all_rounded_is_refused_for_that_and_not_for_its_columns(file: Path) -> None:
    _, problems = read(file, "A;Label\n8.98823E+18;a\n8.98823E+18;b\n")
    assert [problem.code for problem in problems] == ["rounded_by_spreadsheet"] * 2


@pytest.mark.parametrize("cell", [f"'{S1}", f"'{S1}'", f'"=""{S1}"""', f"={S1}", f" {S1}\u00a0", f"{S1}F"])
def test_what_people_put_around_an_iccid_is_taken_off(file: Path, cell: str) -> None:
    (one,), problems = read(file, f"ICCID;Label\n{cell};a\n")
    assert (str(one.iccid), problems) == (S1, [])


@pytest.mark.parametrize(
    ("title", "cell", "expected"),
    [
        ("Data quota (MB)", "500", Decimal(500)),
        ("Data quota", "500 MB", Decimal(500)),
        ("current_quota", "435.787", Decimal("435.787")),
        ("Data quota (MB)", "-", None),
        ("Data quota (MB)", "", None),
    ],
)
def test_a_volume_is_read_with_its_unit(file: Path, title: str, cell: str, expected: Decimal | None) -> None:
    (one,), problems = read(file, f"ICCID;{title}\n{S1};{cell}\n")
    assert (one.data_quota_mb, problems) == (expected, [])


@pytest.mark.parametrize(
    ("title", "cell"),
    [("Data quota", "500"), ("Data quota (MB)", "500,000"), ("Data quota (MB)", "1 GB"), ("current_quota", "435,787")],
)
def test_a_volume_that_is_not_sure_is_refused_and_not_guessed(file: Path, title: str, cell: str) -> None:
    sims, (problem,) = read(file, f"ICCID;{title}\n{S1};{cell}\n")
    assert (sims, problem.code) == ([], "unclear_volume")
    assert problem.hint


def test_a_volume_in_a_column_chosen_by_hand_is_in_the_fields_unit_unless_its_title_has_another(file: Path) -> None:
    (one,), _ = read(file, f"ICCID;Volumen\n{S1};500\n", "data_quota_mb=Volumen")
    assert one.data_quota_mb == 500
    _, (problem,) = read(file, f"ICCID;Volumen (GB)\n{S1};500\n", "data_quota_mb=Volumen (GB)")
    assert "is in GB, not in MB" in problem.message


def test_a_status_that_nobody_knows_is_kept_and_counted(file: Path) -> None:
    file.write_text(f"ICCID;Status\n{S1};Gesperrt\n{S2};Expired\n")
    with opened_inventory(file, {}) as opened:
        sims, _ = rows_of(opened)
        assert dict(opened.statuses.times) == {"'Gesperrt'": 1}
    assert [(one.status.value, one.status_word) for one in sims] == [("unknown", "Gesperrt"), ("expired", "Expired")]


def test_a_label_stays_as_it_came_but_for_the_guard_against_formulas(file: Path) -> None:
    labels = [" a  b ", "'=1+1", "'tis", "two\nlines", "-"]
    rows = "".join(f'{source_iccid(number)};"{label}"\n' for number, label in enumerate(labels))
    sims, _ = read(file, f"ICCID;Label\n{rows}")
    assert [one.label for one in sims] == [" a  b ", "=1+1", "'tis", "two\nlines", "-"]


def test_what_remains_counts_as_read_where_it_is_told(file: Path) -> None:
    sims, _ = read(file, f"iccid,data_remaining_mb\n{S1},12.5\n{S2},\n")
    assert [(one.data_reading, one.data_remaining_mb) for one in sims] == [
        (QuotaReading.READ, Decimal("12.5")),
        (QuotaReading.NOT_READ, None),
    ]


# --- our own export -----------------------------------------------------------------------------------------------

LINE = (
    '{"iccid": "%s", "status": "enabled", "status_word": "Activated", "data_reading": "not_read", '
    '"sms_reading": "failed", "pin": "%s", "note": 1}\n'
)


def test_json_lines_lose_their_pins_and_tell_what_was_passed_over(file: Path) -> None:
    file.write_text("\n" + LINE % (S1, PIN))
    with opened_inventory(file, {}) as opened:
        (row,) = opened.rows
        assert (opened.kind, opened.secret_titles, opened.unused_titles) == ("jsonl", ("'pin'",), ("'note'",))
    assert row.sim is not None
    assert (row.line, row.sim.status_word, row.sim.sms_reading) == (2, "Activated", QuotaReading.FAILED)
    assert PIN not in repr(row)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "no JSON object"),
        ("{}", "iccid is not as our export writes it"),
        ("{" * 500, "no JSON object"),
        ('{"a":' * 5000, "no JSON object"),
        ('{"iccid": 8988228000000000001}', "iccid is a number, expected text"),
        ('{"iccid": 8.98E+18}', "iccid is a number, expected text"),
        (LINE.replace("enabled", "on") % (S1, PIN), "status is not as our export writes it"),
        (LINE.replace('"Activated"', "7") % (S1, PIN), "status_word is not as our export writes it"),
        (LINE.replace("{", '{"data_quota_mb": "x", ') % (S1, PIN), "data_quota_mb is not as our export writes it"),
        (LINE.replace("{", '{"imei_lock": "no", ') % (S1, PIN), "imei_lock is not as our export writes it"),
        (LINE.replace("{", '{"label": "pump \\ud83d", ') % (S1, PIN), "label holds half a character"),
    ],
)
def test_a_line_that_is_not_of_our_export_is_told(file: Path, line: str, words: str) -> None:
    _, (problem,) = read(file, f"{line.strip()}\n")
    assert words in problem.message
    assert problem.message.startswith(f"{file}:1")
    assert PIN not in problem.message


def test_a_whole_character_that_json_writes_in_two_halves_is_a_label_like_others(file: Path) -> None:
    (one,), _ = read(file, LINE.replace("{", '{"label": "pump \\ud83d\\udca7", ') % (S1, PIN))
    assert one.label == "pump \U0001f4a7"


def test_an_array_and_columns_by_hand_are_nothing_for_json(file: Path) -> None:
    _, (problem,) = read(file, "[]\n")
    assert "JSON, but no object" in problem.message
    assert refused(file, LINE % (S1, PIN), "iccid=x").code == "bad_column"


# --- hostile files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n \n;;\n", "empty_file"),
        (b"Label\n", "no_iccid_column"),
        (f"ICCID;Label\n{S1};a\0b\n".encode(), "bad_encoding"),
        (f"ICCID;Label\n{S1};{'x' * 600}\n{S2};a\0b\n".encode(), "bad_encoding"),
        (bytes(range(256)) * 20, "bad_encoding"),
        (b"PK\x03\x04" + b"x" * 50, "bad_encoding"),
        (f"ICCID;Label\n{S1};".encode("utf-16")[:-1], "bad_encoding"),
        (f"ICCID;Label\n{S1};\x81".encode("latin-1"), "bad_encoding"),
        (f"ICCID;Label\n{S1};M\xfcller".encode("utf-8-sig") + b"\xfc", "bad_encoding"),
        (f'ICCID;Label\n{S1};"open\n{S2};b\n'.encode(), "bad_csv"),
        (f'ICCID;Label\n{S1};"{"x" * 200_000}"\n'.encode(), "bad_csv"),
        (b"x" * 3_000_000, "bad_csv"),
        (";".join(f"t{number}" for number in range(1000)).encode() + b"\n1\n", "no_iccid_column"),
    ],
    ids=[
        "empty",
        "blank",
        "header only",
        "NUL",
        "NUL far down",
        "binary",
        "spreadsheet",
        "UTF-16 cut off",
        "neither UTF-8 nor Windows-1252",
        "promised UTF-8",
        "open quotes",
        "huge field",
        "huge line",
        "1,000 columns",
    ],
)
def test_a_hostile_file_is_refused_in_words(file: Path, content: bytes, code: str) -> None:
    error = refused(file, content)
    assert error.code == code
    assert str(file) in error.message
    assert len(error.message) < 2000


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match=r"directory|does not exist"), opened_inventory(path, {}):
            pass


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    try:
        read(path, content)
    except InputError as error:
        assert error.hint  # noqa: PT017 - most bytes are refused, a few are not


@given(st.text(max_size=200))
def test_any_text_below_a_header_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text.csv"
    try:
        read(path, f"ICCID;Label;Status;Data quota\n{S1};a;Enabled;5 MB\n{text}".encode("utf-8", "replace"))
    except InputError as error:
        assert error.hint  # noqa: PT017 - as above


def test_a_large_file_is_read_row_by_row(file: Path) -> None:
    with file.open("w") as out:
        out.write("ICCID;Status;Label\n")
        out.writelines(f"{source_iccid(number)};Enabled;unit {number}\n" for number in range(30_000))
    with opened_inventory(file, {}) as opened:
        tracemalloc.start()
        try:
            assert sum(1 for _ in opened.rows) == 30_000
            assert tracemalloc.get_traced_memory()[1] < 1_500_000
        finally:
            tracemalloc.stop()
