"""Files of other carriers: their words, booleans and units are read, and what has two meanings is refused."""

from decimal import Decimal
from pathlib import Path

import pytest

from migrator.core.fleet.sims import SourceSim, SourceStatus
from migrator.core.fleet.units import megabytes
from migrator.errors import InputError, Problem
from migrator.inputs.inventory.columns import parse_choices
from migrator.inputs.inventory.dialects import PRESETS, Dialect, dialect_of
from migrator.inputs.inventory.file import opened_inventory

A, B, C = "8945730000000000018", "8945730000000000026", "8945730000000000034"
SOME = dialect_of(name="Elsewhere")


def read(path: Path, content: str, *choices: str, dialect: Dialect = SOME) -> tuple[list[SourceSim], list[Problem]]:
    path.write_text(content, encoding="utf-8")
    with opened_inventory(path, parse_choices(choices), dialect) as file:
        rows = list(file.rows)
    return [row.sim for row in rows if row.sim], [problem for row in rows for problem in row.problems]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("sims.csv")


@pytest.mark.parametrize(
    ("yes", "no"), [("true", "FALSE"), ("yes", "no"), ("1", "0"), ("ja", "nein"), ("sí", "no"), ("oui", "non")]
)
def test_a_yes_under_activated_is_a_sim_that_may_connect(file: Path, yes: str, no: str) -> None:
    sims, problems = read(file, f"iccid,activated\n{A},{yes}\n{B},{no}\n")
    assert [sim.status for sim in sims] == [SourceStatus.ENABLED, SourceStatus.DISABLED]
    assert problems == []


def test_a_yes_under_another_title_has_no_meaning_of_its_own(file: Path) -> None:
    content = f"iccid,Suspended\n{A},yes\n{B},no\n"
    sims, problems = read(file, content, "status=Suspended")
    assert sims == []
    assert [problem.code for problem in problems] == ["unknown_status"] * 2
    assert "sims.csv:2 (status): 'yes' is no status that is known of Elsewhere" in problems[0].message
    assert '--value "status:yes=disabled"' in problems[0].hint
    told = dialect_of(name="Elsewhere", values=["status:yes=disabled", "status:no=enabled"])
    sims, problems = read(file, content, "status=Suspended", dialect=told)
    assert [sim.status for sim in sims] == [SourceStatus.DISABLED, SourceStatus.ENABLED]


def test_an_unknown_word_for_a_status_is_an_error_of_its_line_and_an_option_maps_it(file: Path) -> None:
    content = f"ICCID;SIM Status\n{A};Active\n{B};Parked: winter=1\n{C};\n"
    _, problems = read(file, content)
    assert [problem.message.partition(" ")[0] for problem in problems] == ["sims.csv:3", "sims.csv:4"]
    assert "no status" in problems[1].message
    values = ["status:Parked: winter=1=disabled", "status:=unknown"]
    sims, problems = read(file, content, dialect=dialect_of(name="Elsewhere", values=values))
    assert problems == []
    assert [sim.status for sim in sims] == [SourceStatus.ENABLED, SourceStatus.DISABLED, SourceStatus.UNKNOWN]


@pytest.mark.parametrize(
    ("title", "cell", "megabyte", "expected"),
    [
        ("Data limit (MB)", "500", "1000000", 500_000_000),
        ("Data limit (MB)", "500", "1048576", 524_288_000),
        ("Datenvolumen GB", "1,5", "1000000", 1_500_000_000),
        ("Data limit", "10 GB", "1048576", 10 * 1024**3),
        ("Data limit", "10 GiB", None, 10 * 1024**3),
        ("Data allowance [KiB]", "3", None, 3072),
        ("data_limit_bytes", "10000000001", None, 10_000_000_001),
        ("Data limit bytes", "2000000", None, 2_000_000),
    ],
)
def test_a_limit_is_read_to_the_byte_by_its_unit(
    file: Path, title: str, cell: str, megabyte: str | None, expected: int
) -> None:
    (sim,), problems = read(
        file, f'iccid,{title}\n{A},"{cell}"\n', dialect=dialect_of(name="Elsewhere", megabyte=megabyte)
    )
    assert problems == []
    assert sim.data_quota_mb is not None
    assert megabytes(sim.data_quota_mb) == expected


@pytest.mark.parametrize(
    ("title", "cell", "words", "remedy"),
    [
        ("Data limit (MB)", "500", "nobody told what a MB of this carrier is", "--megabyte 1000000"),
        ("Data limit", "2 GB", "nobody told what a MB", "--megabyte 1048576"),
        ("Data limit", "500", "has no unit, and neither has its title", "--column data_limit_bytes=TITLE"),
        ("Data limit (MB)", "lots", "is no volume", ""),
        ("Data limit (KiB)", "1.024", "can be read in two ways", ""),
        ("Data quota (MB)", "500", "nobody told what a MB", "--megabyte"),
    ],
)
def test_a_limit_with_two_meanings_or_none_is_refused(
    file: Path, title: str, cell: str, words: str, remedy: str
) -> None:
    _, (problem,) = read(file, f"iccid,{title}\n{A},{cell}\n")
    assert problem.code == "unclear_volume"
    assert problem.message.startswith("sims.csv:2 (data_limit_bytes): ")
    assert words in problem.message
    assert remedy in problem.hint


def test_a_column_chosen_by_hand_is_in_bytes_unless_its_title_has_a_unit(file: Path) -> None:
    (sim,), _ = read(file, f"iccid,cap\n{A},1048576\n", "data_limit_bytes=cap")
    assert sim.data_quota_mb == 1
    (sim,), _ = read(file, f"iccid,cap MiB\n{A},2\n", "data_limit_bytes=cap MiB")
    assert sim.data_quota_mb == 2
    _, (problem,) = read(file, f"iccid,cap\n{A},500\n", "data_quota_mb=cap")
    assert "nobody told what a MB" in problem.message


def test_usage_is_no_limit_and_an_empty_column_is_no_zero(file: Path) -> None:
    (sim,), problems = read(file, f"iccid,Data used (MB),Data limit,IMEI\n{A},73,,\n")
    assert problems == []
    assert (sim.data_quota_mb, sim.imei) == (None, None)


def test_two_columns_for_one_fact_are_a_question(file: Path) -> None:
    for titles in ("Data limit (MB),Monthly limit MB", "Status,Activated", "data_quota_mb,Data limit bytes"):
        with pytest.raises(InputError, match="columns") as refused:
            read(file, f"iccid,{titles}\n{A},1,1\n")
        assert refused.value.code == "ambiguous_column"
        assert "--column" in refused.value.hint


def test_an_imei_lock_is_yes_no_or_an_imei_and_nothing_else(file: Path) -> None:
    sims, problems = read(file, f"iccid,imei_lock\n{A},\n{B},356938035640016\n{C},perhaps\n")
    assert [sim.imei_lock for sim in sims] == [None, True]
    assert [(problem.code, problem.message.partition(" ")[0]) for problem in problems] == [
        ("not_yes_or_no", "sims.csv:4")
    ]
    told = dialect_of(name="Elsewhere", values=["imei_lock:perhaps=yes"])
    assert [sim.imei_lock for sim in read(file, f"iccid,imei_lock\n{C},perhaps\n", dialect=told)[0]] == [True]


def test_an_imei_that_a_spreadsheet_rounded_is_refused(file: Path) -> None:
    _, (problem,) = read(file, f"iccid,imei\n{A},3.56938E+14\n")
    assert problem.code == "rounded_by_spreadsheet"
    assert problem.message.startswith("sims.csv:2 (imei)")
    assert "as text" in problem.hint


@pytest.mark.parametrize(
    ("preset", "words", "expected"),
    [
        ("emnify", "Activated Issued Suspended", ["enabled", "disabled", "disabled"]),
        ("soracom", "active inactive terminated", ["enabled", "disabled", "expired"]),
        ("kore", "ready new inactive", ["enabled", "disabled", "disabled"]),
    ],
)
def test_presets_know_the_words_of_their_carriers(file: Path, preset: str, words: str, expected: list[str]) -> None:
    rows = (f"{iccid},{word}\n" for iccid, word in zip((A, B, C), words.split(), strict=True))
    content = "iccid,status\n" + "".join(rows)
    sims, problems = read(file, content, dialect=dialect_of(preset=preset))
    assert problems == []
    assert [sim.status for sim in sims] == expected


@pytest.mark.parametrize(("preset", "word"), [("soracom", "standby"), ("kore", "scheduled"), ("onomondo", "sleeping")])
def test_a_preset_leaves_out_what_no_document_tells(file: Path, preset: str, word: str) -> None:
    _, (problem,) = read(file, f"iccid,status\n{A},{word}\n", dialect=dialect_of(preset=preset))
    assert PRESETS[preset].name in problem.message
    assert f"status:{word}=" in problem.hint


def test_the_names_of_onomondos_api_are_known(file: Path) -> None:
    titles = "id,iccid,label,activated,ipv4,imei_lock,data_limit.total"
    content = f"{titles}\n000001934,{A},pump 1,true,100.64.0.1,,10000000000\n"
    (sim,), _ = read(file, content, dialect=dialect_of(preset="onomondo"))
    assert (sim.status, sim.label, sim.ip_address) == ("enabled", "pump 1", "100.64.0.1")
    assert megabytes(sim.data_quota_mb or Decimal(0)) == 10_000_000_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": ["status=disabled"]}, "expected status:WORD=MEANING"),
        ({"values": ["label:x=yes"]}, "expected status:WORD=MEANING"),
        ({"values": ["status:Suspended=off"]}, "expected enabled, disabled, expired, unknown"),
        ({"name": " "}, "1 to 40 visible characters"),
        ({"megabyte": "1000000"}, "--source-name NAME"),
        ({"name": "1nce", "preset": "kore"}, "--source-name NAME"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as refused:
        dialect_of(**options)  # type: ignore[arg-type]
    assert words in f"{refused.value.message}; {refused.value.hint}"


def test_a_file_of_1nce_is_read_as_ever(file: Path) -> None:
    sims, problems = read(file, f"iccid,status,Data quota (MB)\n{A},Parked,500\n", dialect=dialect_of(name="1NCE"))
    assert problems == []
    assert [(sim.status, sim.data_quota_mb) for sim in sims] == [(SourceStatus.UNKNOWN, Decimal(500))]
