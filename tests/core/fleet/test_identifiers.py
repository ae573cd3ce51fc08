"""Two spellings of one SIM are the same SIM, and no two SIMs ever are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import Eid, Iccid, Imei, NotAnIdentifier, luhn_digit

BODY = "8988228066600000012"  # 19 digits, as 1NCE lists them


def digits(shortest: int, longest: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=shortest, max_size=longest)


@pytest.mark.parametrize(
    ("body", "digit"),
    [("7992739871", "3"), ("411111111111111", "1"), ("49015420323751", "8"), ("0", "0"), ("1", "8"), ("9", "1")],
    ids=["textbook", "card", "imei", "zero", "one", "nine"],
)
def test_check_digit_agrees_with_published_examples(body: str, digit: str) -> None:
    """The first three are the customary examples for account, card and IMEI numbers; the last worked out by hand."""
    assert luhn_digit(body) == digit


@given(digits(2, 21), st.data())
def test_check_digit_notices_any_single_wrong_digit(body: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != body[place]]))
    assert luhn_digit(body[:place] + other + body[place + 1 :]) != luhn_digit(body)


@given(digits(18, 22))
def test_parsing_what_was_formatted_gives_the_same_digits(text: str) -> None:
    assert str(Iccid.parse(text)) == text


@given(digits(19, 19), st.sampled_from("0123456789"))
def test_bare_body_equals_its_own_20_digit_form_and_no_other(body: str, last: str) -> None:
    """One body in ten ends, by chance, in the right check digit of its first 18; it must not lose its equality."""
    same = Iccid.parse(body) == Iccid.parse(body + last)
    assert same == (last == luhn_digit(body))


def test_body_that_ends_in_a_right_digit_by_chance_still_equals_its_20_digit_form() -> None:
    body = BODY[:18] + luhn_digit(BODY[:18])
    assert Iccid.parse(body) == Iccid.parse(body + luhn_digit(body))


@given(digits(18, 22), digits(18, 22))
def test_two_iccids_of_one_length_are_the_same_only_when_their_digits_are(one: str, other: str) -> None:
    """Nothing is cut but right check digits, so two SIMs of a fleet can never fall together."""
    other = other[: len(one)].ljust(len(one), "0")
    assert (Iccid.parse(one) == Iccid.parse(other)) == (one == other)


@given(digits(18, 22))
def test_canonical_key_of_a_key_is_itself(text: str) -> None:
    key = Iccid.parse(text).key
    assert Iccid.parse(key).key == key


@given(digits(18, 21))
def test_equal_iccids_have_equal_hashes(text: str) -> None:
    assert hash(Iccid.parse(text)) == hash(Iccid.parse(text + luhn_digit(text)))


def test_iccid_is_shown_as_it_was_given() -> None:
    full = BODY + luhn_digit(BODY)
    assert [str(Iccid.parse(text)) for text in (BODY, full)] == [BODY, full]


@pytest.mark.parametrize("text", [f" {BODY}\n", "8988 2280 6660 0000 012", f"{BODY}F", f"{BODY}f", f"\u00a0{BODY}"])
def test_white_space_and_the_filler_of_a_modem_are_let_through(text: str) -> None:
    assert Iccid.parse(text).digits == BODY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "only digits"),
        ("8.98822806660000E+18", "only digits"),
        (BODY + "FF", "only digits"),
        ("8988-2280-6660-0000-012", "only digits"),
        ("\u0668" * 19, "only digits"),
        (BODY[:17], "17 digits, expected 18 to 22"),
        ("8" * 23, "23 digits, expected 18 to 22"),
    ],
    ids=["empty", "float", "two fillers", "dashes", "arabic digits", "short", "long"],
)
def test_what_is_no_iccid_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NotAnIdentifier, match=reason):
        Iccid.parse(text)


def test_refusal_of_a_whole_file_pasted_in_stays_on_one_line() -> None:
    with pytest.raises(NotAnIdentifier) as refused:
        Iccid.parse("x\n" * 10_000)
    assert len(str(refused.value)) < 120
    assert "\n" not in str(refused.value)


@given(digits(18, 22))
def test_right_check_digit_is_the_one_that_completes_the_rest(text: str) -> None:
    assert Iccid.parse(text).has_right_check_digit == (text[-1] == luhn_digit(text[:-1]))


@given(digits(32, 32))
def test_eid_keeps_its_32_digits(text: str) -> None:
    assert Eid.parse(f" {text} ").digits == text


def test_an_eid_has_check_digits_of_its_own() -> None:
    """The example of GSMA SGP.29, and a digit of it mistyped."""
    assert Eid.parse("89001012012341234012345678901224").has_right_check_digits
    assert not Eid.parse("89001012012341234012345678901225").has_right_check_digits
    assert not Eid.parse("89001012012341234012345678910224").has_right_check_digits


@given(digits(14, 14), st.sampled_from("0123456789"), digits(2, 2))
def test_imei_imeisv_and_bare_body_are_one_modem(body: str, check: str, software: str) -> None:
    """1NCE gives the 16-digit IMEISV, sometimes with a trailing f; its last two digits change with the firmware."""
    forms = [body, body + check, body + software, body + software + "f"]
    assert len({Imei.parse(form) for form in forms}) == 1


def test_imei_shows_the_computed_check_digit() -> None:
    assert Imei.parse("4901542032375101").imei == "490154203237518"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Eid, "8" * 31, "not an EID: expected 32 digits"),
        (Imei, "4" * 13, "not an IMEI: expected 14 to 16 digits"),
    ],
    ids=["EID", "IMEI"],
)
def test_other_identifiers_are_refused_with_what_they_should_be(
    kind: type[Eid | Imei], text: str, expected: str
) -> None:
    with pytest.raises(NotAnIdentifier, match=expected):
        kind.parse(text)
