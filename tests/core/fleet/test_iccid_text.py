"""ICCIDs are read as people write them, and lost, moved or glued digits never pass for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.iccid_text import RefusedIccid, lost_digits, may_be_rounded, read_iccid
from migrator.core.fleet.identifiers import Iccid, luhn_digit

BODY = "8944500000000000014"


def refusal(text: str) -> RefusedIccid:
    with pytest.raises(RefusedIccid) as refused:
        read_iccid(text)
    return refused.value


@given(st.from_regex(r"89[0-9]{16,18}", fullmatch=True), st.integers(2, 10))
def test_any_even_groups_are_one_iccid(digits: str, size: int) -> None:
    text = " ".join(digits[at : at + size] for at in range(0, len(digits), size))
    assert read_iccid(text).digits == digits


@given(st.from_regex(r"89[0-9]{17}", fullmatch=True), st.integers(1, 999), st.sampled_from([" ", "\t", "  ", "\n"]))
def test_a_running_number_never_becomes_part_of_an_iccid(digits: str, number: int, between: str) -> None:
    assert refusal(f"{number}{between}{digits}").code == "two_numbers"
    assert refusal(f"{digits}{between}{number}").code == "two_numbers"


@pytest.mark.parametrize("text", ["98440500000000000091", "9844 0500 0000 0000 0091", "984405000000000000F1"])
def test_swapped_digits_are_told_as_such(text: str) -> None:
    assert refusal(text).code == "swapped_digits"


@pytest.mark.parametrize("text", [f"{BODY},", f"{BODY};", "8.944500000000000014E+18", f"{BODY}|"])
def test_nothing_is_called_rounded_where_all_digits_are_there(text: str) -> None:
    assert refusal(text).code == "not_an_iccid"


def zeros(number: int) -> str:
    return f"89445385{number:07d}0000"


def judged(*texts: str, total: int | None = None) -> list[str]:
    """Which of some ICCIDs are refused."""
    read = [(text, read_iccid(text)) for text in texts]
    suspects = [(iccid, text) for text, iccid in read if may_be_rounded(text, iccid)]
    keys = {iccid.key for _, iccid in read}
    return lost_digits(suspects, total=total or len(texts), among=lambda asked: keys & set(asked))


def test_zeros_alone_are_lost_digits() -> None:
    assert judged(zeros(1), BODY) == [zeros(1)]


@pytest.mark.parametrize("number", range(1, 30))
@pytest.mark.parametrize("step", [-1, 1])
def test_zeros_beside_their_neighbour_are_all_there(number: int, step: int) -> None:
    """With check digits and without; one bare body in ten ends, by chance, in what would be a right one."""
    beside = str(int(zeros(number)) + step)
    assert judged(zeros(number), beside) == []
    with_check_digit = next(
        text
        for text in (f"{body}{luhn_digit(body)}" for body in (f"8944538500{number:03d}{n}0000" for n in range(50, 99)))
        if text.endswith("0")
    )
    other = str(int(with_check_digit[:-1]) + step)
    assert judged(with_check_digit, f"{other}{luhn_digit(other)}") == []


def test_a_column_that_was_rounded_vouches_for_nothing_in_it() -> None:
    many = [zeros(number) for number in range(2500)]
    assert judged(*many) == many


def test_of_a_thousand_one_may_end_in_zeros_by_chance() -> None:
    assert judged(zeros(1), total=1000) == []
    assert judged(zeros(1), zeros(3), total=1999) == [zeros(1), zeros(3)]


def test_groups_never_were_a_number() -> None:
    text = "8944 5385 0000 1430 000"
    assert not may_be_rounded(text, Iccid.parse(text))
