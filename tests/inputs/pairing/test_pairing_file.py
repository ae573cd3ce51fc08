"""A pairing file is held against the inventory, the pairs there are and itself, and taken whole or not at all."""

from collections.abc import Callable, Iterable, Sequence

import pytest

from migrator.core.fleet.identifiers import Eid, Iccid, luhn_digit
from migrator.core.fleet.sims import Pair
from migrator.inputs.pairing.file import ImportResult, PairRow, plan_import
from tests.builders import source_iccid, target_iccid

S1, S2, S3 = (source_iccid(number).digits for number in (1, 2, 3))
T1, T2, T3 = (target_iccid(number).digits for number in (1, 2, 3))


def known(*numbers: int) -> Callable[[Sequence[str]], dict[str, Iccid]]:
    """An inventory of the source SIMs of these numbers."""
    fleet = {source_iccid(number).key: source_iccid(number) for number in numbers}
    return lambda keys: {key: fleet[key] for key in keys if key in fleet}


def lookups(existing: Iterable[Pair]) -> tuple[Callable[[Sequence[str]], dict[str, Pair]], ...]:
    """By source and by target, as the store answers."""
    by_source = {pair.source.key: pair for pair in existing}
    by_target = {pair.target.key: pair for pair in existing}
    return (
        lambda keys: {key: by_source[key] for key in keys if key in by_source},
        lambda keys: {key: by_target[key] for key in keys if key in by_target},
    )


def imported(
    *texts: tuple[str, str], existing: Iterable[Pair] = (), replace: bool = False, fleet: Sequence[int] = (1, 2, 3)
) -> ImportResult:
    """The import of rows from line 2 on."""
    by_source, by_target = lookups(existing)
    return plan_import(
        [PairRow(line, *pair) for line, pair in enumerate(texts, start=2)],
        file="pairs.csv",
        known_sources=known(*fleet),
        existing_by_source=by_source,
        existing_by_target=by_target,
        replace=replace,
    )


def told(result: ImportResult) -> list[tuple[str, str]]:
    """Code and place of each problem."""
    return [(problem.code, problem.message.split(": ")[0]) for problem in result.problems]


def existing(source: int, target: int) -> Pair:
    return Pair(source_iccid(source), target_iccid(target), "earlier.csv:9")


def test_new_pairs_keep_their_order_and_say_where_they_stand() -> None:
    result = imported((S2, T2), (S1, T1))
    assert [(str(pair.source), str(pair.target), pair.origin) for pair in result.pairs] == [
        (S2, T2, "pairs.csv:2"),
        (S1, T1, "pairs.csv:3"),
    ]
    assert (result.unchanged, result.problems) == (0, [])


def test_source_with_check_digit_is_kept_as_1nce_lists_it_and_the_target_as_given() -> None:
    full_target = T1 + luhn_digit(T1)
    (pair,) = imported((S1 + luhn_digit(S1), full_target)).pairs
    assert (str(pair.source), str(pair.target)) == (S1, full_target)


def test_same_file_again_changes_nothing() -> None:
    first = imported((S1, T1), (S2, T2))
    again = imported((S1, T1), (S2, T2), existing=list(first.pairs))
    assert (list(again.pairs), again.unchanged, again.problems) == ([], 2, [])


def test_same_row_twice_changes_nothing_more() -> None:
    result = imported((S1, T1), (S1 + luhn_digit(S1), T1), (S1, T1 + luhn_digit(T1)))
    assert (len(list(result.pairs)), result.unchanged, result.problems) == (1, 2, [])


@pytest.mark.parametrize("target", [S1, S1 + luhn_digit(S1)])
@pytest.mark.parametrize("replace", [False, True])
def test_a_file_whose_columns_are_equal_is_refused_and_told_of_pair_identity(target: str, *, replace: bool) -> None:
    """Whoever copied one column twice would have 1NCE's own ICCIDs claimed."""
    result = imported((S1, target), (S2, S2), replace=replace)
    assert told(result) == [("target_is_source", "pairs.csv:2"), ("target_is_source", "pairs.csv:3")]
    assert list(result.pairs) == []
    assert "`migrator pair identity`" in result.problems[0].hint


def test_a_pair_of_a_sim_with_itself_that_is_there_already_stays() -> None:
    own = Pair(source_iccid(1), source_iccid(1), "identity")
    result = imported((S1, S1), (S2, T2), existing=[own])
    assert (len(list(result.pairs)), result.unchanged, result.problems) == (1, 1, [])


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ([("", T1)], [("empty_source", "pairs.csv:2")]),
        ([(S1, "")], [("empty_target", "pairs.csv:2")]),
        ([("abc", "12")], [("not_an_iccid", "pairs.csv:2"), ("not_an_iccid", "pairs.csv:2")]),
        ([(source_iccid(9).digits, T1)], [("unknown_source", "pairs.csv:2")]),
        ([(S1, T1), (S1, T2)], [("source_twice", "pairs.csv:3")]),
        ([(S1, T1), (S2, T1)], [("target_twice", "pairs.csv:3")]),
        ([(S1, T1), (S2, T1 + luhn_digit(T1))], [("target_twice", "pairs.csv:3")]),
        ([(S1, S2)], [("target_is_source", "pairs.csv:2")]),
        ([("8.98823E+18", T1)], [("rounded_by_spreadsheet", "pairs.csv:2")]),
        ([("8,98823E+18", T1)], [("rounded_by_spreadsheet", "pairs.csv:2")]),
        ([(S1, f"{T1}.0")], [("rounded_by_spreadsheet", "pairs.csv:2")]),
        ([(f"{S1[:15]}0000", T1)], [("rounded_by_spreadsheet", "pairs.csv:2")]),
        (
            [("8988228123456000000", T1), ("8988228123456000000", T2)],
            [
                ("rounded_by_spreadsheet", "pairs.csv:2"),
                ("source_twice", "pairs.csv:3"),
                ("rounded_by_spreadsheet", "pairs.csv:3"),
            ],
        ),
    ],
    ids=[
        "empty source",
        "empty target",
        "no ICCIDs",
        "unknown source",
        "source twice",
        "target twice",
        "target twice, once with its check digit",
        "target is an old SIM",
        "scientific",
        "scientific with a comma",
        "decimals",
        "zeros",
        "zeros twice",
    ],
)
def test_violation_is_told_with_its_line(rows: list[tuple[str, str]], problems: list[tuple[str, str]]) -> None:
    result = imported(*rows)
    assert told(result) == problems
    assert list(result.pairs) == []


def test_import_is_all_or_nothing_and_tells_every_violation() -> None:
    unknown = source_iccid(9).digits
    result = imported((S1, T1), ("", T2), (unknown, T2), (S2, T1), (S3, "x"))
    assert told(result) == [
        ("empty_source", "pairs.csv:3"),
        ("unknown_source", "pairs.csv:4"),
        ("target_twice", "pairs.csv:5"),
        ("not_an_iccid", "pairs.csv:6"),
    ]
    assert list(result.pairs) == []


def test_both_lines_of_a_clash_are_named() -> None:
    source, target = imported((S1, T1), (S1, T2)), imported((S1, T1), (S2, T1))
    assert source.problems[0].message == f"pairs.csv:3: source {S1} has target {T1} on line 2, here {T2}"
    assert target.problems[0].message == f"pairs.csv:3: target {T1} is given to {S1} on line 2, here to {S2}"


def test_rounded_source_that_the_inventory_has_is_no_problem() -> None:
    """One SIM in ten thousand really ends in four zeros."""
    round_number = source_iccid(10_000).digits
    assert imported((round_number, T1), fleet=[10_000]).problems == []


def test_spreadsheet_trouble_says_how_to_export_as_text() -> None:
    result = imported(("8.98823E+18", T1), (f"{S1[:15]}0000", T2))
    assert all("as text" in problem.hint for problem in result.problems)
    assert len(result.problems) == 2


def test_column_of_targets_that_all_end_in_zeros_was_rounded() -> None:
    result = imported((S1, "8944500111111110000"), (S2, "8944500222222220000"))
    assert told(result) == [("rounded_by_spreadsheet", "pairs.csv:2"), ("rounded_by_spreadsheet", "pairs.csv:3")]


def test_one_target_that_ends_in_zeros_needs_its_neighbour_or_groups() -> None:
    """Whoever takes a rounded one claims a stranger's card."""
    zeros = "8944500111111110000"
    assert told(imported((S1, zeros), (S2, T2), (S3, T3))) == [("rounded_by_spreadsheet", "pairs.csv:2")]
    assert imported((S1, zeros), (S2, "8944500111111110001")).problems == []
    assert imported((S1, "8944 5001 1111 1110 000"), (S2, T2)).problems == []


def test_target_that_ends_in_zeros_and_is_paired_already_stays() -> None:
    """The pairs of a store come back as they were exported."""
    old = Pair(source_iccid(1), Iccid.parse("8944500111111110000"), "earlier.csv:9")
    result = imported((S1, "8944500111111110000"), existing=[old])
    assert (result.unchanged, result.problems) == (1, [])


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("8944500000000000014 01", "two_numbers"),
        ("1\t8944500000000000014", "two_numbers"),
        ("98440500000000000091", "swapped_digits"),
    ],
)
def test_target_of_two_numbers_or_swapped_digits_is_refused(target: str, code: str) -> None:
    assert told(imported((S1, target))) == [(code, "pairs.csv:2")]


@pytest.mark.parametrize("target", ["55500001", "4111", f"{T1} 55500001", "4,111", "5.55E+07", "55500001.0"])
def test_puk_in_the_place_of_an_iccid_or_eid_is_not_told(target: str) -> None:
    problems = [
        *imported((S1, target)).problems,
        *imported((target, T1)).problems,
        *with_eids((S1, T1, target)).problems,
    ]
    held = repr([problem.as_dict() for problem in problems])
    assert len(problems) == 3
    assert not any(secret in held for secret in ("4111", "4,111", "55500001", "5.55"))


@pytest.mark.parametrize("row", [(S1, T2), (S2, T1)], ids=["source has another target", "target has another source"])
def test_contradiction_of_a_pair_is_refused_and_names_its_origin(row: tuple[str, str]) -> None:
    result = imported(row, existing=[existing(1, 1)])
    assert told(result) == [("contradicts_pair", "pairs.csv:2")]
    assert "earlier.csv:9" in result.problems[0].message
    assert "--replace" in result.problems[0].hint


def test_replace_gives_a_source_its_new_target() -> None:
    result = imported((S1, T2), existing=[existing(1, 1)], replace=True)
    assert [(str(pair.source), str(pair.target)) for pair in result.pairs] == [(S1, T2)]


def test_replace_may_swap_targets() -> None:
    result = imported((S1, T2), (S2, T1), existing=[existing(1, 1), existing(2, 2)], replace=True)
    assert (len(list(result.pairs)), result.problems) == (2, [])


def test_replace_never_leaves_a_source_silently_without_target() -> None:
    """Its unit would drop out of the migration, and nobody would be told."""
    result = imported((S2, T1), existing=[existing(1, 1)], replace=True)
    assert told(result) == [("target_twice", "pairs.csv:2")]
    assert f"would be taken from {S1} (earlier.csv:9)" in result.problems[0].message


def test_lookups_are_asked_in_bounded_portions_and_every_row_is_placed() -> None:
    count, asked = 2_345, []

    def known_sources(keys: Sequence[str]) -> dict[str, Iccid]:
        asked.append(len(keys))
        return known(*range(count))(keys)

    by_source, by_target = lookups([])
    result = plan_import(
        (PairRow(number + 2, source_iccid(number).digits, target_iccid(number).digits) for number in range(count)),
        file="pairs.csv",
        known_sources=known_sources,
        existing_by_source=by_source,
        existing_by_target=by_target,
        replace=False,
    )
    assert len(list(result.pairs)) == count
    assert max(asked) <= 1000


# --- EIDs, check digits, and what an import changes ---------------------------------------------------------------

E1, E2 = "89049032000000000000000000000163", "89049032000000000000000000000260"


def with_eids(*texts: tuple[str, str, str], existing: Iterable[Pair] = (), replace: bool = False) -> ImportResult:
    """The import of rows with an EID."""
    by_source, by_target = lookups(existing)
    return plan_import(
        [PairRow(line, *row) for line, row in enumerate(texts, start=2)],
        file="pairs.csv",
        known_sources=known(1, 2, 3),
        existing_by_source=by_source,
        existing_by_target=by_target,
        replace=replace,
    )


def test_an_eid_is_kept_with_its_pair_and_may_be_missing() -> None:
    result = with_eids((S1, T1, E1), (S2, T2, ""))
    assert [str(pair.eid) for pair in result.pairs] == [E1, "None"]
    assert (result.problems, result.odd_digits) == ([], 0)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([(S1, T1, E1), (S2, T2, E1)], "eid_twice"),
        ([(S1, T1, E1), (S1, T1, E2)], "eid_twice"),
        ([(S1, T1, ""), (S1, T1, E2)], "eid_twice"),
        ([(S1, T1, "123")], "not_an_eid"),
        ([(S1, T1, "8.9049E+31")], "rounded_by_spreadsheet"),
    ],
    ids=["of two targets", "two of one target", "none and one of one target", "too short", "rounded"],
)
def test_an_eid_that_cannot_be_is_a_violation(rows: list[tuple[str, str, str]], code: str) -> None:
    result = with_eids(*rows)
    assert [problem.code for problem in result.problems] == [code]
    assert list(result.pairs) == []


def test_an_eid_twice_far_apart_in_the_file_is_found_with_both_lines() -> None:
    """The rows between are on disk by then."""
    many = [(source_iccid(number).digits, target_iccid(number).digits, "") for number in range(10, 1300)]
    result = plan_import(
        [PairRow(line, *row) for line, row in enumerate([(S1, T1, E1), *many, (S2, T2, E1), (S3, T1, "")], start=2)],
        file="pairs.csv",
        known_sources=known(1, 2, 3, *range(10, 1300)),
        existing_by_source=lookups([])[0],
        existing_by_target=lookups([])[1],
        replace=False,
    )
    assert [(problem.code, problem.message) for problem in result.problems] == [
        ("eid_twice", f"pairs.csv:1293: EID {E1} is that of target {T1} on line 2, here of {T2}"),
        ("target_twice", f"pairs.csv:1294: target {T1} is given to {S1} on line 2, here to {S3}"),
    ]


def test_wrong_check_digits_are_warned_of_and_taken() -> None:
    wrong = T1 + str((int(luhn_digit(T1)) + 1) % 10)
    result = with_eids((S1, wrong, E1), (S2, T2, E2[:-1] + "1"))
    assert [str(pair.target) for pair in result.pairs] == [wrong, T2]
    assert (result.problems, result.odd_digits) == ([], 2)
    assert f"its check digit would be {luhn_digit(T1)}" in result.warnings[0]
    assert "check digits of EID" in result.warnings[1]


def test_a_known_pair_gains_an_eid_and_keeps_it() -> None:
    gained = with_eids((S1, T1, E1), existing=[existing(1, 1)])
    assert [str(pair.eid) for pair in gained.pairs] == [E1]
    assert (gained.unchanged, len(gained.chips)) == (0, 1)
    had = [Pair(source_iccid(1), target_iccid(1), "earlier.csv:9", Eid(E1))]
    kept = with_eids((S1, T1, ""), existing=had)
    assert (list(kept.pairs), kept.unchanged) == ([], 1)


def test_another_eid_for_a_known_pair_is_a_contradiction_unless_replaced() -> None:
    had = [Pair(source_iccid(1), target_iccid(1), "earlier.csv:9", Eid(E1))]
    assert told(with_eids((S1, T1, E2), existing=had)) == [("contradicts_pair", "pairs.csv:2")]
    replaced = with_eids((S1, T1, E2), existing=had, replace=True)
    assert [str(pair.eid) for pair in replaced.pairs] == [E2]


def test_what_is_replaced_is_told_as_it_was_and_as_it_will_be() -> None:
    result = imported((S1, T2), (S3, T3), existing=[existing(1, 1)], replace=True)
    assert [(str(old.target), str(new.target)) for old, new in result.replaced] == [(T1, T2)]
    assert len(list(result.pairs)) == 2
