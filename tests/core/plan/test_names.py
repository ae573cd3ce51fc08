"""Names go out as they are; what is odd about them is told beforehand."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.plan.mapping import device_name
from migrator.core.plan.names import LONG, NameWatch, shown
from migrator.core.plan.plan import Action, Change, Reason
from migrator.core.policy.policy import NamePolicy
from tests.builders import sim, source_iccid, target_iccid

TARGET = target_iccid(1).digits


def watched(*names: str, action: Action = Action.CLAIM) -> NameWatch:
    watch = NameWatch()
    changes = [
        Change(source_iccid(n), target_iccid(n), action, Reason.READY, name=name) for n, name in enumerate(names)
    ]
    assert list(watch.watching(changes)) == changes
    return watch


def warnings(*names: str) -> list[str]:
    return watched(*names).warnings()


@given(st.text(min_size=1, max_size=300).filter(str.strip))
def test_a_label_is_the_name_letter_by_letter(label: str) -> None:
    assert device_name(sim(1, label=label), TARGET, NamePolicy()) == label


@pytest.mark.parametrize("label", [None, "", " ", "\t\n", "\u3000\xa0"])
def test_a_label_of_which_nothing_can_be_seen_is_a_missing_one(label: str | None) -> None:
    assert device_name(sim(1, label=label), TARGET, NamePolicy()) == f"1nce-{source_iccid(1)}"


def test_a_brace_in_a_label_is_a_character_like_any_other() -> None:
    assert device_name(sim(1, label="{imsi} {x"), TARGET, NamePolicy()) == "{imsi} {x"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\x1b[2Jb", "control or invisible"),
        ("a\nb", "control or invisible"),
        ("abc\u202edef", "control or invisible"),
        ("zero\u200bwidth", "control or invisible"),
        (" pump", "white space at an end"),
        ("pump\xa0", "white space at an end"),
        ("x" * (LONG + 1), f"more than {LONG}"),
        ("cafe\u0301", "other than NFC"),
    ],
)
def test_an_odd_name_is_told_with_its_sim(name: str, words: str) -> None:
    (told,) = warnings("plain", name)
    assert told.startswith("1 names have ")
    assert words in told
    assert source_iccid(1).digits in told
    assert told.isprintable()


@pytest.mark.parametrize("name", ["pump 7", "café", "泵 7", "x" * LONG, "a  b", "50 %"])
def test_a_plain_name_is_no_matter(name: str) -> None:
    assert warnings(name) == []


@pytest.mark.parametrize(
    "pair",
    [("Pump", "pump"), ("café", "cafe\u0301"), ("\ufb01lter", "filter"), ("\uff211", "a1"), ("straße", "STRASSE")],
)
def test_names_that_only_look_alike_count_as_different_and_are_told(pair: tuple[str, str]) -> None:
    assert any(told.startswith("2 SIMs have names that differ") for told in warnings(*pair, "other"))


def test_equal_names_that_go_out_are_told_whatever_the_policy_says() -> None:
    assert warnings("a", "a", "b") == ["2 SIMs share their name with another; on_duplicate = keep leaves it so"]


@given(st.lists(st.sampled_from(["a", "A", "á", "a\u0301", "b", "B", "c"]), max_size=30))
def test_equal_and_alike_names_are_counted_as_one_would_by_hand(names: list[str]) -> None:
    exact = Counter(names)
    folds = {"A": "a", "a\u0301": "á", "B": "b"}
    spellings: dict[str, set[str]] = {}
    for name in names:
        spellings.setdefault(folds.get(name, name), set()).add(name)
    equal = sum(times for times in exact.values() if times > 1)
    alike = sum(len(spellings[folds.get(name, name)]) > 1 for name in names)
    assert watched(*names)._equal_and_alike() == (equal, alike)


def test_names_of_sims_that_are_left_alone_are_not_looked_at() -> None:
    assert watched("a\x00", "a\x00", action=Action.SKIP).warnings() == []


def test_few_samples_are_held_however_many_names_are_odd() -> None:
    watch = watched(*(f" {number}" for number in range(100)))
    (told,) = watch.warnings()
    assert told.startswith("100 names")
    assert sum(map(len, watch.samples.values())) == 3


def test_what_cannot_be_seen_is_written_out() -> None:
    assert shown("a\x1b\u202e\U000e0001é") == "a\\x1b\\u202e\\U000e0001é"
