"""`handover export --template`: a text of the operator's own for each row."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.cli.cutover.test_cutover import QUICK, alive
from tests.cli.handover.handover_desk import edited, exported, matched, rows_of

PAGE = Path(__file__).parents[3] / "docs" / "handover.md"
THINGSBOARD, AWS = re.findall(r"^```jinja\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    made: Desk = make_desk(sims=8, onence=QUICK, epoch=datetime.now(UTC))
    alive(made, but=2)
    assert made.run("verify", "--traffic").code in {0, 3}
    return made


@pytest.fixture
def plain(make_desk: Callable[..., Desk]) -> Desk:
    """A fleet that is only paired."""
    made: Desk = make_desk(sims=4)
    made.paired()
    return made


def rendered(desk: Desk, text: str) -> str:
    ended = desk.run("handover", "export", "--template", desk.write("own.j2", text))
    assert ended.code == 0, ended.err
    return ended.out


def refusal(desk: Desk, text: str) -> tuple[str, str]:
    """What is said of a template. Returns: message and hint."""
    desk.write("own.j2", text)
    ended = desk.json("handover", "export", "--template", "own.j2", "--out", "out.txt")
    assert ended.code == 2
    assert not Path("out.txt").exists()
    assert not list(desk.folder.glob(".out.txt*"))
    (problem,) = ended.document["errors"]
    assert problem["code"] == "bad_template"
    return problem["message"], problem["hint"]


def test_the_page_s_template_for_thingsboard_is_a_csv_with_the_iccid_in_use(desk: Desk) -> None:
    lines = list(csv.DictReader(io.StringIO(rendered(desk, THINGSBOARD))))
    rows = rows_of(desk)
    assert [line["name"] for line in lines] == [row["old"]["label"] or row["old"]["iccid"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert line["iccid"] == row["new" if row["in_service"] else "old"]["iccid"]
        assert (line["hologramDeviceId"], line["simStatus"]) == (str(row["new"]["device_id"]), row["status"])


def test_the_page_s_template_for_aws_is_json_for_units_in_service_alone(desk: Desk) -> None:
    told = [json.loads(line) for line in rendered(desk, AWS).splitlines()]
    assert told == [
        {
            "thingName": row["old"]["iccid"],
            "attributePayload": {
                "merge": True,
                "attributes": {
                    "iccid": row["new"]["iccid"],
                    "hologramDeviceId": str(row["new"]["device_id"]),
                },
            },
        }
        for row in matched(rows_of(desk))
    ]


def test_titles_come_once_though_the_first_rows_are_left_out(plain: Desk) -> None:
    last = rows_of(plain)[-1]["old"]["iccid"]
    text = f"{{% if old.iccid == '{last}' %}}{{% if first %}}titles\n{{% endif %}}{{{{ old.iccid }}}}{{% endif %}}\n"
    assert rendered(plain, text) == f"titles\n{last}\n"


def test_an_empty_value_prints_nothing_and_csv_quotes_what_needs_it(plain: Desk) -> None:
    for sim in plain.rehearsal.onence.fleet:
        sim.label = 'a,"b"'
    assert plain.run("inventory", "pull").code == 0
    assert set(rendered(plain, "<{{ unit }}|{{ unit | csv }}|{{ old.label | csv }}>\n").splitlines()) == {
        '<||"a,""b""">'
    }


@pytest.mark.parametrize(
    ("text", "words", "nearest"),
    [
        ("one\n\n{{ old.icid }}\n", "own.j2:3: there is no field 'old.icid'", "old.iccid"),
        ("{{ new.devic_id | csv }}", "own.j2:1: there is no field 'new.devic_id'", "new.device_id"),
        ("{{ new.devic_id | tojson }}", "own.j2:1: there is no field 'new.devic_id'", "new.device_id"),
        ("\n{% if stattus %}x{% endif %}", "own.j2:2: there is no field 'stattus'", "status"),
        ("{{ old.iccid }", "own.j2:1: unexpected '}'", ""),
        ("a\n{% if first %}", "own.j2:2: Unexpected end of template", ""),
        ("{{ old.iccid | nofilter }}", "own.j2:1: No filter named 'nofilter'", ""),
        ("{% include '/etc/passwd' %}", "own.j2:1: TemplateNotFound", ""),
        ("\n{{ ''.__class__.__mro__ }}", "own.j2:2: SecurityError", ""),
        ("{{ old.clear() }}{{ old.pop('iccid') }}", "own.j2:1: SecurityError", ""),
        ("\n{{ 1 / 0 }}", "own.j2:2: ZeroDivisionError", ""),
        ("{% for i in range(10 ** 9) %}x{% endfor %}", "own.j2:1: OverflowError", ""),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_its_line(
    plain: Desk, text: str, words: str, nearest: str
) -> None:
    message, hint = refusal(plain, text)
    assert message.startswith(words)
    assert f'did you mean "{nearest}"?' == hint if nearest else hint


def test_an_error_in_the_last_row_leaves_the_file_that_was_there(plain: Desk) -> None:
    last = rows_of(plain)[-1]["old"]["iccid"]
    plain.write("own.j2", f"{{{{ old.iccid }}}}{{% if old.iccid == '{last}' %}}{{{{ nothing }}}}{{% endif %}}\n")
    plain.write("out.txt", "before")
    ended = plain.run("handover", "export", "--template", "own.j2", "--out", "out.txt")
    assert ended.code == 2
    assert Path("out.txt").read_text(encoding="utf-8") == "before"
    assert not Path("out.txt.cursor").exists()


def test_a_template_changes_no_row(plain: Desk) -> None:
    plain.write("own.j2", "{{ old.update({'iccid': '1'}) }}\n")
    before = rows_of(plain)
    assert plain.run("handover", "export", "--template", "own.j2").code == 2
    assert rows_of(plain) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--template", "own.j2", "--format", "csv"), "give one of them"),
        (("--template", "nowhere.j2"), "nowhere.j2 does not exist"),
        (("--template", "long.j2"), "more than 1,000,000 characters"),
        (("--format", "xml"), "xml"),
    ],
)
def test_options_that_cannot_be_used_are_refused(plain: Desk, words: tuple[str, ...], told: str) -> None:
    plain.write("own.j2", "{{ old.iccid }}\n")
    plain.write("long.j2", "x" * 1_000_001)
    ended = plain.run("handover", "export", "--out", "out.txt", *words)
    assert ended.code == 2
    assert told in ended.err
    assert not Path("out.txt").exists()


def test_a_delta_of_removed_pairs_goes_through_a_template_too(plain: Desk) -> None:
    exported(plain, "all.csv")
    gone = rows_of(plain)[1]["old"]["iccid"]
    edited(("DELETE FROM pairs WHERE source_iccid = ?", [gone]))
    plain.write("own.j2", "{{ status }} {{ old.iccid }} {{ new.device_id }}\n")
    ended = plain.run("handover", "export", "--template", "own.j2", "--since", "all.csv.cursor")
    assert ended.out == f"removed {gone} \n"
