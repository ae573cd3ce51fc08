"""A pool of new SIMs is read without guessing, and dealt out so that the same input gives the same pairs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import Iccid, luhn_digit
from migrator.errors import InputError, Problem
from migrator.inputs.pairing.pool import PoolEntry, RangeMode, deal, read_pool
from tests.builders import source_iccid, target_iccid

BODY = "894450011112222{:04d}"  # 19 digits without a check digit


def body(number: int) -> str:
    return BODY.format(number)


def full(number: int) -> str:
    """20 digits, the last of them right."""
    return body(number) + luhn_digit(body(number))


def wrong(number: int) -> str:
    """20 digits, the last of them wrong."""
    return body(number) + str((int(luhn_digit(body(number))) + 1) % 10)


def bare(start: int) -> int:
    """The next number whose body does not end, by chance, in a right check digit."""
    return next(n for n in range(start, start + 9) if not Iccid.parse(body(n)).has_right_check_digit)


LOW, HIGH = bare(10), bare(30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.txt"


def pool(path: Path, content: str | bytes, range_mode: RangeMode | None = None) -> list[PoolEntry]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_pool(path, range_mode=range_mode)


def shown(entries: list[PoolEntry]) -> list[str]:
    return [str(entry.iccid) for entry in entries]


def problems(path: Path, content: str | bytes, range_mode: RangeMode | None = None) -> list[Problem]:
    with pytest.raises(InputError) as refused:
        pool(path, content, range_mode)
    assert refused.value.exit_code == 2
    return list(refused.value.problems)


# --- lists --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "{0}\n{1}\n",
        "# new SIMs\n\n{0}   # the first\n\t{1}\n",
        "iccid\r\n{0}\r\n{1}",
        "\"{0}\"\n'{1}'\n",
        '="{0}"\n\'{1}\n',
        "\ufeff{0}\n{1}\n",
        "{0}-{0}\n{1} - {1}\n",
    ],
    ids=["plain", "comments", "header and CRLF", "quotes", "spreadsheet text", "byte order mark", "ranges of one"],
)
def test_list_is_read_in_its_order(file: Path, content: str) -> None:
    assert shown(pool(file, content.format(full(7), full(3)))) == [full(7), full(3)]


def test_utf16_is_read_too(file: Path) -> None:
    assert shown(pool(file, f"{full(7)}\n".encode("utf-16"))) == [full(7)]


def test_entry_says_where_it_stands(file: Path) -> None:
    entries = pool(file, f"# one\n{full(1)}\n{body(LOW)}-{body(LOW + 1)}")
    assert [entry.origin for entry in entries] == [f"{file}:2", f"{file}:3", f"{file}:3"]


@pytest.mark.parametrize("content", ["", "# nothing\n\n", "ICCID\n"], ids=["empty", "comments", "header"])
def test_pool_without_a_sim_is_refused(file: Path, content: str) -> None:
    (problem,) = problems(file, content)
    assert problem.code == "empty_file"
    assert str(file) in problem.message


# --- ranges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dash", ["-", " - ", "\t-", "\u2013"], ids=["tight", "spaced", "tab", "en dash"])
def test_range_includes_both_ends(file: Path, dash: str) -> None:
    entries = pool(file, f"{body(LOW)}{dash}{body(HIGH)}")
    assert shown(entries) == [body(number) for number in range(LOW, HIGH + 1)]


def test_range_keeps_leading_zeros(file: Path) -> None:
    first, last = "0000000000000000095", "0000000000000000102"
    assert shown(pool(file, f"{first}-{last}", "plain")) == [f"{number:019d}" for number in range(95, 103)]


def test_range_with_check_digits_at_both_ends_is_unclear_and_asked_about(file: Path) -> None:
    """Counted plainly it would be ten times as many SIMs, nine in ten of them never made."""
    (problem,) = problems(file, f"{full(1)}-{full(3)}")
    assert (problem.code, problem.message.startswith(f"{file}:1: ")) == ("unclear_range", True)
    assert "--range body" in problem.hint
    assert "--range plain" in problem.hint


@pytest.mark.parametrize("ends", [(full(1), wrong(4)), (wrong(1), full(4))], ids=["last", "first"])
def test_range_with_one_mistyped_end_is_asked_about(file: Path, ends: tuple[str, str]) -> None:
    """One slip must not turn the question off: counted plainly, nine in ten of these SIMs were never made."""
    (problem,) = problems(file, "-".join(ends))
    assert problem.code == "unclear_range"
    odd = next(end for end in ends if end.startswith((wrong(1), wrong(4))))
    assert f"{odd} does not, its own would be {luhn_digit(odd[:-1])}" in problem.message
    assert "--range plain" in problem.hint
    assert len(pool(file, "-".join(ends), "plain")) > 20


def test_body_range_counts_without_the_check_digit_and_appends_it(file: Path) -> None:
    assert shown(pool(file, f"{full(1)}-{full(12)}", "body")) == [full(number) for number in range(1, 13)]


def test_plain_range_counts_all_digits(file: Path) -> None:
    entries = pool(file, f"{full(1)}-{full(2)}", "plain")
    assert shown(entries) == [str(number) for number in range(int(full(1)), int(full(2)) + 1)]


@given(st.integers(0, 9_000), st.integers(0, 50))
def test_body_range_holds_only_right_check_digits(
    tmp_path_factory: pytest.TempPathFactory, start: int, more: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "pool.txt"
    entries = pool(path, f"{full(start)}-{full(start + more)}", "body")
    assert len(entries) == more + 1
    assert all(entry.iccid.has_right_check_digit for entry in entries)


@pytest.mark.parametrize(
    ("content", "range_mode", "code", "words"),
    [
        (f"{body(1)}-{full(2)}", None, "bad_range", "has 19 digits and"),
        (f"{body(HIGH)}-{body(LOW)}", None, "bad_range", "runs backwards"),
        (f"{body(LOW)}-{body(HIGH)}", "body", "bad_range", "do not both end in a right check digit"),
        (f"{body(LOW)}-9{body(LOW)[1:]}", None, "bad_range", "expected at most 2,000,000"),
        (f"{body(1)}-", None, "not_an_iccid", "only digits"),
        (f"{body(1)}-{body(2)}-{body(3)}", None, "not_an_iccid", "only digits"),
        ("not an iccid", None, "not_an_iccid", "only digits"),
        ("8.9445E+18", None, "rounded_by_spreadsheet", "a spreadsheet rounded"),
    ],
    ids=["two lengths", "backwards", "body without", "huge", "open end", "three ends", "words", "scientific"],
)
def test_line_that_makes_no_sense_is_refused(
    file: Path, content: str, range_mode: RangeMode | None, code: str, words: str
) -> None:
    (problem,) = problems(file, content, range_mode)
    assert problem.code == code
    assert problem.message.startswith(f"{file}:1: ")
    assert words in problem.message
    assert problem.hint


@pytest.mark.parametrize("rest", [f",{full(2)}", f";{full(2)}", f"\t{full(2)}", ",123", '","x'])
def test_line_of_two_columns_is_no_rounded_number(file: Path, rest: str) -> None:
    (problem,) = problems(file, full(1) + rest)
    assert problem.code == "not_an_iccid"
    assert "`migrator pair import`" in problem.hint


@pytest.mark.parametrize("text", ["8,98823E+18", f"{full(1)}.0", f"{full(1)},00"])
def test_line_with_a_number_that_was_rounded_is_told_as_such(file: Path, text: str) -> None:
    (problem,) = problems(file, text)
    assert problem.code == "rounded_by_spreadsheet"


def test_range_of_two_million_is_the_most(file: Path) -> None:
    """A mistyped digit must not fill the memory before anyone is told; nothing is built for a refused range."""
    first, last = "8944500000000000001", "8944500000002000001"
    (problem,) = problems(file, f"{first}-{last}", "plain")
    assert "holds 2,000,001 SIMs" in problem.message


def test_pool_of_too_many_sims_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small ranges must not do what one huge range may not."""
    monkeypatch.setattr("migrator.inputs.pairing.pool.MOST_SIMS", 20)
    (problem,) = problems(file, f"{body(100)}-{body(114)}\n{body(200)}-{body(214)}", "plain")
    assert problem.message == f"{file}:2: more than 20 SIMs in the pool"


def test_duplicates_are_told_with_both_lines(file: Path) -> None:
    content = f"{full(1)}\n{full(2)}\n{full(1)}\n{body(2)}\n"
    assert [problem.message for problem in problems(file, content)] == [
        f"{file}:3: this SIM stands on line 1 already",
        f"{file}:4: this SIM stands on line 2 already",
    ]


def test_overlapping_ranges_are_told_once_with_how_many(file: Path) -> None:
    content = f"{body(LOW)}-{body(HIGH)}\n{body(LOW)}-{body(HIGH)}"
    (problem,) = problems(file, content)
    assert problem.message == f"{file}:2: {HIGH - LOW + 1} SIMs of this range stand on line 1 already"


def test_every_problem_is_told_at_once(file: Path) -> None:
    content = f"{full(1)}\nx\n{full(1)}\n{full(3)}-{full(2)}\n"
    assert [problem.code for problem in problems(file, content)] == ["not_an_iccid", "pool_twice", "bad_range"]


# --- check digits that look wrong ---------------------------------------------------------------------------------


def test_wrong_check_digit_is_a_warning_and_the_digits_are_kept(file: Path) -> None:
    (entry,) = pool(file, wrong(1))
    assert str(entry.iccid) == wrong(1)
    assert f"its check digit would be {full(1)[-1]}" in entry.warning


def test_short_iccid_is_odd_only_among_others_with_check_digits(file: Path) -> None:
    """Hologram has 19-digit ICCIDs with a check digit, 1NCE has them without: the others of the list tell."""
    short = [text + luhn_digit(text) for text in (f"89445001111222{number:04d}" for number in (1, 2, 3))]
    odd = "894450011112220040"
    odd += str((int(luhn_digit(odd)) + 1) % 10)
    warned = [bool(entry.warning) for entry in pool(file, "\n".join([*short, odd]))]
    assert warned == [False, False, False, True]


def test_list_of_bare_bodies_is_not_warned_of(file: Path) -> None:
    assert not any(entry.warning for entry in pool(file, "\n".join(body(number) for number in range(100, 120))))


def test_range_of_right_check_digits_or_of_bare_bodies_is_not_warned_of(file: Path) -> None:
    assert not any(entry.warning for entry in pool(file, f"{full(1)}-{full(3)}", "body"))
    assert not any(entry.warning for entry in pool(file, f"{body(LOW)}-{body(HIGH)}"))


@pytest.mark.parametrize(("first", "last", "mode"), [(full(1), full(4), "plain"), (wrong(1), wrong(4), None)])
def test_range_with_wrong_check_digits_tells_how_many_once(
    file: Path, first: str, last: str, mode: RangeMode | None
) -> None:
    entries = pool(file, f"{first}-{last}\n{full(8)}", mode)
    odd = sum(not entry.iccid.has_right_check_digit for entry in entries)
    assert odd > 20
    (words,) = [entry.warning for entry in entries if entry.warning]
    assert words.startswith(f"of the {len(entries) - 1} SIMs of this range {odd} end in a wrong check digit; ")
    assert entries[0].warning == words


# --- digits that were lost, glued or swapped ------------------------------------------------------------------------

ROUNDED = "8944538500001430000"
NUMBERED = [f"{number}\t894450000000000{number:02d}14" for number in range(1, 11)]


def test_range_whose_ends_were_rounded_is_refused(file: Path) -> None:
    """It would hold 40,001 cards, nearly all of them somebody else's."""
    for mode in (None, "plain"):
        (problem,) = problems(file, "8944538500000000000-8944538500000040000", mode)
        assert problem.code == "rounded_by_spreadsheet"
        assert "as text" in problem.hint


def test_range_that_begins_in_zeros_is_taken_and_warned_of(file: Path) -> None:
    """Blocks of cards begin so; the digits of its other end are all there."""
    entries = pool(file, "8944538500000000000-8944538500000000999")
    assert len(entries) == 1000
    assert [entry.warning for entry in entries if entry.warning] == [entries[0].warning]
    assert "the end 8944538500000000000 of this range is in zeros" in entries[0].warning


def test_range_with_an_end_in_zeros_and_wrong_check_digits_has_both_warnings(file: Path) -> None:
    entries = pool(file, "89445385000000000000-89445385000000000011", "plain")
    assert "of this range is in zeros" in entries[0].warning
    assert "check digit" in entries[0].warning


@pytest.mark.parametrize("others", [0, 1, 300], ids=["alone", "beside one", "beside many"])
def test_single_that_ends_in_zeros_is_refused_with_the_remedy(file: Path, others: int) -> None:
    (problem,) = problems(file, "\n".join([ROUNDED, *map(full, range(others))]))
    assert (problem.code, problem.message.startswith(f"{file}:1: ")) == ("rounded_by_spreadsheet", True)
    assert "as text" in problem.hint


def test_list_that_was_rounded_is_refused_by_line(file: Path) -> None:
    content = "\n".join(f"89445385000{number:02d}430000" + "00" for number in range(1, 11))
    assert [problem.code for problem in problems(file, content)] == ["rounded_by_spreadsheet"] * 10


@pytest.mark.parametrize(
    "content",
    [
        "8944 5385 0000 1430 000",
        f"{ROUNDED}\n8944538500001430001",
        f"8944538500001429990-8944538500001429999\n{ROUNDED}",
    ],
    ids=["written in groups", "beside its neighbour", "behind a range"],
)
def test_zeros_that_are_vouched_for_are_taken(file: Path, content: str) -> None:
    assert ROUNDED in shown(pool(file, content))


def test_zeros_that_chance_explains_are_taken_and_warned_of(file: Path) -> None:
    (warned,) = (e for e in pool(file, "\n".join([ROUNDED, *map(full, range(1000))])) if e.warning)
    assert "zeros as a spreadsheet leaves them" in warned.warning


@pytest.mark.parametrize("between", ["\t", " ", "  ", "\u00a0"])
@pytest.mark.parametrize(
    "line", ["{n}{b}8944500000000000014", "8944500000000000014{b}0{n}", "{n}{b}8944 5000 0000 0000 014"]
)
def test_running_number_beside_an_iccid_is_no_part_of_it(file: Path, line: str, between: str) -> None:
    (problem,) = problems(file, line.format(n=1, b=between))
    assert (problem.code, problem.message.startswith(f"{file}:1: ")) == ("two_numbers", True)


def test_iccid_in_groups_is_read(file: Path) -> None:
    groups = [
        "8944 5000 0000 0000 014",
        "89445 00000 00000 00022",
        "89 4450 0000 0000 0000 30",
        "8944 5000 0000 0000 0048",
    ]
    assert [text.replace(" ", "") for text in groups] == shown(pool(file, "\n".join(groups)))


def test_digits_swapped_in_pairs_are_asked_about(file: Path) -> None:
    (problem,) = problems(file, "98440500000000000091")
    assert problem.code == "swapped_digits"
    assert "does not begin with 89; are the digits swapped in pairs?" in problem.message


def test_comma_behind_an_iccid_is_never_called_rounded(file: Path) -> None:
    try:
        assert shown(pool(file, f"{full(1)},\n{full(2)},\n")) == [full(1), full(2)]
    except InputError as error:
        assert "rounded" not in f"{error.problems[0].code} {error.message}"  # noqa: PT017 - either is right


def test_invisible_marks_around_an_iccid_are_taken_off(file: Path) -> None:
    assert shown(pool(file, f"\u202d{full(1)}\u202c\n\u200b{full(2)}\n")) == [full(1), full(2)]


@pytest.mark.parametrize("line", ["{iccid},4111,55500001", "4111", "55500001", "{iccid} 55500001", "4,111", "5.55E+07"])
def test_no_pin_or_puk_is_told(file: Path, line: str) -> None:
    told = repr([problem.as_dict() for problem in problems(file, line.format(iccid=full(1)))])
    assert not any(secret in told for secret in ("4111", "4,111", "55500001", "5.55"))


# --- dealing ------------------------------------------------------------------------------------------------------


def entries(*numbers: int) -> list[PoolEntry]:
    return [PoolEntry(target_iccid(number), f"pool.txt:{number}") for number in numbers]


def sources(*numbers: int) -> list[Iccid]:
    return [source_iccid(number) for number in numbers]


def test_sources_by_iccid_get_the_pool_in_its_order() -> None:
    dealt = deal(sources(3, 1, 2), entries(9, 7, 8), taken=())
    assert [(pair.source, pair.target, pair.origin) for pair in dealt.pairs] == [
        (source_iccid(1), target_iccid(9), "pool.txt:9"),
        (source_iccid(2), target_iccid(7), "pool.txt:7"),
        (source_iccid(3), target_iccid(8), "pool.txt:8"),
    ]
    assert (dealt.missing, dealt.unused) == ([], [])


@given(st.permutations(range(1, 20)))
def test_order_in_which_sources_come_changes_nothing(order: list[int]) -> None:
    assert deal(sources(*order), entries(*range(30, 50)), taken=()) == deal(
        sources(*range(1, 20)), entries(*range(30, 50)), taken=()
    )


def test_paired_sources_and_used_targets_are_left_out() -> None:
    taken = {source_iccid(1).key, target_iccid(7).key}
    dealt = deal(sources(1, 2), entries(7, 8), taken=taken)
    assert [(pair.source, pair.target) for pair in dealt.pairs] == [(source_iccid(2), target_iccid(8))]


def test_dealing_again_after_pairs_were_kept_gives_nothing_new() -> None:
    first = deal(sources(1, 2), entries(7, 8), taken=())
    taken = {key for pair in first.pairs for key in (pair.source.key, pair.target.key)}
    again = deal(sources(1, 2), entries(7, 8), taken=taken)
    assert (again.pairs, again.missing, again.unused) == ([], [], [])


def test_sources_that_go_without_and_sims_left_over_are_told() -> None:
    assert deal(sources(1, 2, 3), entries(9), taken=()).missing == sources(2, 3)
    assert deal(sources(1), entries(9, 7, 8), taken=()).unused == entries(7, 8)


def test_pool_that_holds_sims_of_the_source_fleet_is_refused() -> None:
    """A 1NCE SIM cannot be claimed at Hologram, so dealing it out would only fail later, at the claim."""
    own = [PoolEntry(source_iccid(2), "pool.txt:4")]
    with pytest.raises(InputError, match=r"pool\.txt:4: .* is an old SIM of the inventory"):
        deal(sources(1, 2), [*entries(9), *own], taken=())


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)), st.sets(st.integers(1, 80)))
def test_every_free_sim_is_paired_missing_or_unused_exactly_once(old: set[int], new: set[int], used: set[int]) -> None:
    taken = {source_iccid(number).key for number in used} | {
        target_iccid(number - 40).key for number in used if number > 40
    }
    dealt = deal(sources(*old), entries(*sorted(new)), taken=taken)
    given_out = [pair.source for pair in dealt.pairs] + dealt.missing
    dealt_out = [pair.target for pair in dealt.pairs] + [entry.iccid for entry in dealt.unused]
    assert sorted(map(str, given_out)) == sorted(str(s) for s in sources(*old) if s.key not in taken)
    assert sorted(map(str, dealt_out)) == sorted(str(e.iccid) for e in entries(*new) if e.iccid.key not in taken)
    assert not (dealt.missing and dealt.unused)
