"""The same fleet gives the same plan, in whatever order it came into the store."""

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.core.plan.document import change_line
from migrator.core.plan.names import repeated_names
from migrator.core.plan.planner import Planner
from migrator.core.policy.policy import DataLimitPolicy, NamePolicy, OnDuplicate, Rule, Wave, When
from tests.builders import ORG, pair, policy, sim, source_iccid
from tests.store.store_kit import NOW, open_store, pulled

RULES = policy(
    rules=(
        Rule("pumps", When(label="pump*"), data_limit=DataLimitPolicy(maximum_mb=Decimal(3))),
        Rule("twins", When(label="twin"), device_name=NamePolicy(on_duplicate=OnDuplicate.SUFFIX)),
    ),
    waves=(
        Wave("listed", iccids=frozenset({source_iccid(3).key})),
        Wave("pumps", share=Decimal("0.2"), label="pump*"),
        Wave("few", 2),
        Wave("rest"),
    ),
)


def lines(numbers: Sequence[int], labels: Sequence[str]) -> list[str]:
    """The plan of a fleet that came in this order."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        pulled(store, [sim(number, label=labels[number - 1]) for number in numbers])
        store.pairs.add([pair(number) for number in numbers if number % 5], replace=False, now=NOW)
        planner = Planner(RULES, ORG, repeated=repeated_names(store.plans.candidates(), RULES))
        planner.count(store.plans.candidates())
        return [change_line(change) for change in planner.changes(store.plans.candidates())]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(["pump 1", "twin", "valve"]), min_size=1, max_size=15), st.randoms(use_true_random=False)
)
def test_the_order_of_the_input_does_not_matter(labels: list[str], chance: random.Random) -> None:
    numbers = list(range(1, len(labels) + 1))
    shuffled = list(numbers)
    chance.shuffle(shuffled)
    plan = lines(numbers, labels)
    assert lines(shuffled, labels) == plan
    assert len(plan) == len(labels)
