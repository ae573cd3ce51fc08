"""No refused value shows a PIN, PUK or key; what can be none of them is shown, so that it is found in the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.secrets import forms_of, shown, shown_title, struck

ICCID = "8944500000000000014"


@given(
    st.from_regex(r"[0-9]{4,8}", fullmatch=True),
    st.sampled_from(["{}", " {}\t", "PIN {}", "{}.0", "0{}", "{},", "'{}'"]),
)
def test_digits_of_a_pin_are_never_shown(pin: str, form: str) -> None:
    told = shown(form.format(pin))
    assert pin not in told
    assert not any(pin[:at] in told for at in range(3, len(pin)))


@given(
    st.from_regex(r"[0-9]{4,8}", fullmatch=True),
    st.sampled_from(["{i}{p}", "{i} {p}", "{p}\t{i}", "{i},{p}", "{i};{p};x"]),
)
def test_pin_beside_an_iccid_is_never_shown(pin: str, form: str) -> None:
    told = shown(form.format(i=ICCID, p=f"7{pin}"))
    assert f"7{pin}" not in told


@given(st.binary(min_size=16, max_size=16))
def test_keys_are_never_shown(key: bytes) -> None:
    assert key.hex() not in shown(key.hex())
    assert key.hex() not in shown_title(key.hex())


@pytest.mark.parametrize(
    "text", [ICCID, ICCID[:-1], ICCID[:-2], f"{ICCID}F", "8.98823E+18", f"{ICCID}.0", "hello", "no iccid"]
)
def test_what_can_be_no_secret_is_shown(text: str) -> None:
    assert text in shown(text)


def test_iccid_is_shown_without_what_stands_beside_it() -> None:
    assert shown(f"{ICCID};4111") == f"'{ICCID}' with 5 more characters"


@pytest.mark.parametrize(
    "title", ["PIN1", "ICCID (19 digits)", "IMEI(SV)", "Datenkontingent (MB)", "current_quota_SMS", ICCID]
)
def test_titles_are_shown(title: str) -> None:
    assert shown_title(title) == repr(title)


@pytest.mark.parametrize("value", ["4111", "42", "55500001", "PUK 55500001", "3f00a1b2c3d4e5f6"])
def test_values_where_a_title_should_be_are_not(value: str) -> None:
    assert not any(word in shown_title(value) for word in value.split() if word != "PUK")


def test_a_secret_that_is_no_utf8_is_struck_all_the_same() -> None:
    assert struck("it is \udce9-key-12345", forms_of("\udce9-key-12345")).count("12345") == 0
