"""What stands in the files, and what happens when they cannot be written."""

import csv
import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.core.plan.compare import FindingCode
from migrator.core.plan.plan import Reason
from migrator.core.run.verify import Bucket
from migrator.errors import InputError
from migrator.inputs.pairing.rows import read_pairs
from migrator.reports import remedies
from migrator.reports.formats.csv_file import as_text
from migrator.reports.formats.json_file import schema_text
from migrator.reports.formats.page_kit import TEMPLATES
from migrator.reports.model import COLUMNS, Reconciliation, moment
from migrator.reports.remedies import remedy
from tests.reports.samples import AWKWARD, NOW, awkward, cutover, iccid, reconciliation, row, written

NAMES = ["reconciliation.csv", "reconciliation.html", "reconciliation.json", "reconciliation.md"]


def document(folder: Path, report: Reconciliation | None = None) -> dict[str, Any]:
    """The JSON of a report."""
    written(folder, report, "json")
    told: dict[str, Any] = json.loads((folder / "reconciliation.json").read_text(encoding="utf-8"))
    return told


def text(folder: Path, ending: str) -> str:
    return (folder / f"reconciliation.{ending}").read_text(encoding="utf-8")


# --- one model, four formats --------------------------------------------------------------------------------------


def test_every_format_tells_the_same_buckets(tmp_path: Path) -> None:
    told = written(tmp_path)
    buckets = told.tally.by_bucket()
    assert list(buckets) == [name.value for name in Bucket]
    assert sum(buckets.values()) == 120
    assert json.loads(text(tmp_path, "json"))["buckets"] == buckets
    rows = list(csv.DictReader(text(tmp_path, "csv").splitlines()))
    assert {name: sum(one["bucket"] == name for one in rows) for name in buckets} == buckets
    for name, sims in buckets.items():
        assert f"| {name} | {sims} |" in text(tmp_path, "md")
        assert re.search(rf"</span>{name}</th><td class=\"num\">{sims}</td>", text(tmp_path, "html"))


def test_the_rows_are_read_once_so_that_all_formats_tell_of_one_moment(tmp_path: Path) -> None:
    walks = []

    def rows() -> Iterator[Any]:
        walks.append(1)
        yield row(1)

    written(tmp_path, reconciliation(1, rows=rows))
    assert len(walks) == 1


def test_a_report_that_does_not_add_up_says_so_in_every_format(tmp_path: Path) -> None:
    told = written(tmp_path, reconciliation(120, inventory_total=117))
    assert "the buckets hold 120 SIMs and the inventory 117" in told.shortfall
    assert json.loads(text(tmp_path, "json"))["adds_up"] is False
    for ending in ("json", "md", "html"):
        assert told.shortfall in text(tmp_path, ending)
    assert "This report does not add up" in text(tmp_path, "html")


def test_every_finding_comes_with_a_remedy_and_samples(tmp_path: Path) -> None:
    findings = document(tmp_path)["findings"]
    assert [finding["bucket"] for finding in findings][:4] == ["failed", "mismatch", "blocked", "unpaired"]
    assert all(finding["remedy"] and finding["samples"] for finding in findings)
    assert sum(finding["sims"] for finding in findings) == 120 - document(tmp_path)["buckets"]["verified"]


@pytest.mark.parametrize("code", [*Reason, *FindingCode])
def test_every_reason_and_every_finding_has_a_remedy_of_its_own(code: str) -> None:
    assert code in remedies._BY_CODE or code in {Reason.READY, Reason.ALREADY_OURS, Reason.IN_LINE}


def test_a_code_that_nobody_knows_has_the_remedy_of_its_bucket() -> None:
    assert remedy("failed", "never_heard_of", "p1") == remedy("failed", "", "p1")


# --- JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sims", [0, 1, 120])
def test_the_json_is_as_its_published_schema_says(tmp_path: Path, sims: int) -> None:
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document(tmp_path, reconciliation(sims)), schema, jsonschema.Draft202012Validator)


LATER = COLUMNS[COLUMNS.index("new_sim") :]
"""Columns that version 1 did not have at first: files of before them must stay as the schema says."""


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in LATER])
def test_the_schema_notices_a_column_that_is_missing(tmp_path: Path, name: str) -> None:
    told = document(tmp_path)
    del told["sims"][0][name]
    with pytest.raises(jsonschema.ValidationError, match=name):
        jsonschema.validate(told, json.loads(schema_text()), jsonschema.Draft202012Validator)


def test_files_of_before_proof_of_life_are_still_as_the_schema_says(tmp_path: Path) -> None:
    schema, told = json.loads(schema_text()), document(tmp_path)
    assert set(schema["properties"]["sims"]["items"]["properties"]) == set(COLUMNS)
    del told["proof_of_life"]
    for sim in told["sims"]:
        for name in LATER:
            del sim[name]
    jsonschema.validate(told, schema, jsonschema.Draft202012Validator)


def proved(number: int, unit: str = "matched", **values: Any) -> Any:
    known = {"new_sim": "alive", "alive_at": moment(NOW - 60), "unit": unit, "proved_at": moment(NOW - 9)}
    return row(number, source_imei="8600000000000104", target_imei="352099001761481", **(known | values))


def test_proof_of_life_is_counted_in_every_summary_and_told_sim_by_sim(tmp_path: Path) -> None:
    rows = [proved(1), proved(2, "moved", old_sim="talks"), row(3), proved(4, "never_seen", new_sim="silent")]
    report = reconciliation(4, rows=lambda: iter(rows))
    told = document(tmp_path, report)
    jsonschema.validate(told, json.loads(schema_text()), jsonschema.Draft202012Validator)
    life = told["proof_of_life"]
    assert (life["sims_asked"], life["new_sim_alive"], life["unit_moved"], life["old_sim_talks"]) == (3, 2, 1, 1)
    assert life["last_asked_at"] == moment(NOW - 9)
    assert [sim["unit"] for sim in told["sims"]] == ["matched", "moved", None, "never_seen"]
    written(tmp_path, report)
    assert "- new sim alive: 2\n" in text(tmp_path, "md")
    assert "of 3 asked; 1 in another unit" in text(tmp_path, "html")
    (first, *_) = csv.DictReader(text(tmp_path, "csv").splitlines())
    assert (first["new_sim"], first["alive_at"], first["source_imei"]) == (
        "alive",
        moment(NOW - 60),
        "'8600000000000104",
    )


def test_a_report_says_that_nobody_asked_for_proof_of_life(tmp_path: Path) -> None:
    assert document(tmp_path)["proof_of_life"] == {}
    written(tmp_path)
    for ending in ("md", "html"):
        assert "migrator verify --traffic" in text(tmp_path, ending)


def test_jobs_tell_charges_expected_and_charged_and_runs_and_approvals_tell_who(tmp_path: Path) -> None:
    told = document(tmp_path)
    assert (told["jobs"][0]["charge_expected"], told["jobs"][0]["charged"]) == ("30.00", "30.00")
    assert told["runs"][0]["owner"] == "ann@desk, process 4711 on desk"
    assert told["approvals"][0]["approved_by"] == "ada"
    assert "ada" in (written(tmp_path).files and text(tmp_path, "html"))
    assert "approved by ada" in text(tmp_path, "md")


def test_what_two_sims_a_unit_cost_and_cutovers_are_told_in_every_format_but_the_csv(tmp_path: Path) -> None:
    told = document(tmp_path, reconciliation(120))
    assert told["double_billing"]["hologram_per_day"] == "2.00"
    assert told["double_billing"]["not_seen_in_a_unit_per_day"] == "0.50"
    assert told["switches"] == [cutover()]
    written(tmp_path, reconciliation(120))
    for words in (text(tmp_path, "html"), text(tmp_path, "md")):
        assert "What two SIMs a unit cost" in words
        assert "paid once for its lifetime" in words
        assert "double billing" not in words.lower()
        assert "c0a1b2c3d4e" in words
    assert "- left behind mb: unknown" in text(tmp_path, "md")
    assert all("migrator inventory pull --quotas" in text(tmp_path, name) for name in ("html", "md"))
    assert "| c0a1b2c3d4e | cutover | started | 40 | 20 | 2 | 1 | 0 |" in text(tmp_path, "md")


def test_a_migration_without_a_cutover_says_so_on_the_page(tmp_path: Path) -> None:
    written(tmp_path, reconciliation(2, cutovers=[], double_billing={}))
    table = text(tmp_path, "html").partition("Cutover and rollback plans</caption>")[2].partition("</table>")[0]
    assert "none" in table
    assert "Cutover" not in text(tmp_path, "md")


@pytest.mark.parametrize("awkward_text", AWKWARD)
def test_what_a_cutover_plan_says_is_escaped_on_the_page(tmp_path: Path, awkward_text: str) -> None:
    report = reconciliation(2, cutovers=[cutover(switch_id=awkward_text, state=awkward_text, ran_by=[awkward_text])])
    written(tmp_path, report, "html")
    page = text(tmp_path, "html")
    assert page.count("<script") == 2
    assert "<img" not in page


# --- CSV ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("8988228000000000001", "'8988228000000000001"),
        ("0012", "'0012"),
        ("12E5", "'12E5"),
        ("1e+300", "'1e+300"),
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("+49 30", "'+49 30"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\\tx"),
        ("\rx", "'\\rx"),
        ("a\x1b[31mb\x00", "a\\x1b[31mb\\x00"),
        ("two\nlines \x85 \u2028 \u202e", "two\\nlines \\x85 \\u2028 \\u202e"),
        ("M\u00fcller\u00a07 \U0001f4a7", "M\u00fcller\u00a07 \U0001f4a7"),
        ("meter 7", "meter 7"),
        ("123", "123"),
        ("r12 r13", "r12 r13"),
        ("", ""),
        (-1, -1),
        (524288000, 524288000),
        (None, None),
    ],
)
def test_a_double_click_on_the_csv_loses_nothing_and_runs_nothing(value: object, kept: object) -> None:
    assert as_text(value) == kept


def test_the_csv_has_the_columns_in_order_and_a_row_for_every_sim(tmp_path: Path) -> None:
    written(tmp_path, None, "csv")
    rows = list(csv.reader(text(tmp_path, "csv").splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [one[0] for one in rows[1:]] == [f"'{iccid(number)}" for number in range(1, 121)]


def test_no_control_character_is_in_the_csv_and_the_json_has_each_exactly(tmp_path: Path) -> None:
    """A name is a stranger's text, and `cat` would carry it out."""
    name = "".join(map(chr, (*range(32), 0x7F, *range(0x80, 0xA0)))) + "=1"
    rows = [row(1, name_planned=name, name_observed=f"x{name}")]
    written(tmp_path, reconciliation(1, rows=lambda: iter(rows)), "csv", "json")
    held = (tmp_path / "reconciliation.csv").read_bytes().decode().replace("\r\n", "")
    assert held.isprintable()
    assert "\\x1b" in held
    told = json.loads((tmp_path / "reconciliation.json").read_text(encoding="utf-8"))
    assert (told["sims"][0]["name_planned"], told["sims"][0]["name_observed"]) == (name, f"x{name}")


def test_pair_import_takes_the_csv_as_it_is(tmp_path: Path) -> None:
    """The apostrophe is ours, so we take it."""
    written(tmp_path, None, "csv")
    pairs = list(read_pairs(tmp_path / "reconciliation.csv"))
    assert [pair.source_text for pair in pairs] == [iccid(number) for number in range(1, 121)]
    assert pairs[0].target_text == "8944500000000000001"


# --- HTML and Markdown --------------------------------------------------------------------------------------------


def test_the_page_asks_for_nothing_and_lets_only_its_own_script_run(tmp_path: Path) -> None:
    written(tmp_path, None, "html")
    page = text(tmp_path, "html")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]
    links = re.findall(r'(?:src|href|action)="([^"]*)"', page)
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert "http" not in page.replace("http-equiv", "")


def test_the_block_of_rows_cannot_be_left_from_within(tmp_path: Path) -> None:
    written(tmp_path, reconciliation(len(AWKWARD), rows=lambda: iter(awkward())), "html")
    page = text(tmp_path, "html")
    block = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert not set("<>&\u2028\u2029") & set(block)
    told = json.loads(block)
    place = told["columns"].index("name_planned")
    assert [one[place] for one in told["rows"]] == list(AWKWARD)
    assert page.count("<script") == 2
    assert "<img" not in page


def test_markdown_cells_cannot_break_their_table(tmp_path: Path) -> None:
    fleet = [row(1, bucket="failed", code="a|b\n<script>", detail="x")]
    written(tmp_path, reconciliation(1, rows=lambda: iter(fleet)), "md")
    assert "a\\|b &lt;script>" in text(tmp_path, "md")


_WHITE, _DARK = ("#ffffff", "#f4f5f7"), ("#171b20", "#0f1215")


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_have_the_contrast_of_wcag_aa(scheme: int) -> None:
    """Text 4.5 to 1 (success criterion 1.4.3), marks and focus 3 to 1 (1.4.11), on every ground that they stand on."""
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    grounds = [colours[name] for name in ("page", "card", "hover", "good-bg", "open-bg", "bad-bg")]
    texts, marks = (
        ("ink", "muted", "link"),
        [name.value for name in Bucket] + ["limit", "claimed", "strong", "focus", "name"],
    )
    assert [name for name in texts if min(_contrast(colours[name], on) for on in grounds) < 4.5] == []
    assert [name for name in marks if _contrast(colours[name], colours["card"]) < 3] == []


# --- trouble ------------------------------------------------------------------------------------------------------


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """No file may grow past this: the nearest to a full disk that needs no disk of its own."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_leaves_the_report_of_before(tmp_path: Path) -> None:
    written(tmp_path, reconciliation(2))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(60_000), pytest.raises(InputError, match="cannot be written"):
        written(tmp_path, reconciliation(400))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_report_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def jobs() -> Iterator[dict[str, Any]]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        written(tmp_path, reconciliation(jobs=jobs), "csv", "json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["out", "out/below"])
def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "out").write_text("here first")
    with pytest.raises(InputError, match="is a file, expected a folder") as told:
        written(tmp_path / below)
    assert "--out" in told.value.hint


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    written(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
