"""Signs of a run: lease, order and ceilings, read at once."""

from pathlib import Path

import pytest

from migrator.core.run.control import Ceiling, Order, OrderKind, Signs
from migrator.errors import LeaseLost
from migrator.store import Owner
from tests.store.store_kit import NOW, change, open_store, planned

ME, OTHER = Owner("rome", 1, NOW), Owner("oslo", 2, NOW)
PAUSE, ABORT = Order(OrderKind.PAUSE, "ann", NOW), Order(OrderKind.ABORT, "ben", NOW)


def test_nobody_steers_a_run_at_first(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.signs("", None) == store.signs("p1", None) == Signs()


def test_a_run_sees_the_order_for_its_plan_and_every_ceiling(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1)])
        planned(store, [change(1)], plan_id="p2")
        store.lease.acquire(ME, NOW, is_gone=lambda _owner: False)
        store.steering.give("p1", PAUSE)
        store.steering.give("p2", ABORT)
        store.steering.set_ceiling("hologram", 3.0, by="ann", now=NOW)
        store.steering.set_ceiling("1nce", 2.0, by="ben", now=NOW)
        ceilings = {"hologram": Ceiling(3.0, "ann", NOW), "1nce": Ceiling(2.0, "ben", NOW)}
        assert store.signs("p1", ME) == Signs(PAUSE, ceilings)
        assert store.signs("p2", ME) == Signs(ABORT, ceilings)
        store.steering.withdraw("p1", by="ann", now=NOW)
        store.steering.set_ceiling("1nce", None, by="ben", now=NOW)
        assert store.signs("p1", ME) == Signs(None, {"hologram": Ceiling(3.0, "ann", NOW)})


@pytest.mark.parametrize("has_order", [False, True])
def test_who_has_not_the_lease_sees_that_alone(tmp_path: Path, *, has_order: bool) -> None:
    with open_store(tmp_path) as store:
        planned(store, [change(1)])
        if has_order:
            store.steering.give("p1", PAUSE)
        with pytest.raises(LeaseLost, match="another one, which is over"):
            store.signs("p1", ME)
        store.lease.acquire(OTHER, NOW, is_gone=lambda _owner: False)
        with pytest.raises(LeaseLost, match="process 2 on oslo"):
            store.signs("p1", ME)
        with pytest.raises(LeaseLost):
            store.signs("p1", Owner("oslo", 2, NOW + 1.0))
