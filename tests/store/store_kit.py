"""What the tests of the store share: a store in a folder, with an inventory or a plan in it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from migrator.core.fleet.sims import Pair, SourceSim
from migrator.core.plan.plan import Action, Change, Fingerprints, PlanHeader, Reason
from migrator.core.run.states import StepKind, StepState
from migrator.ports import Request, SourcePage, SourceRow
from migrator.store import Store
from migrator.store.database.one_file import StoreFile
from migrator.store.database.sqlite import SqliteDatabase
from tests.builders import ORG, source_iccid, target_iccid
from tests.server import Kept

__all__ = [
    "NOW",
    "SENT",
    "change",
    "file_of",
    "header_for",
    "key",
    "open_store",
    "ordered",
    "page_of",
    "place_of",
    "planned",
    "pulled",
    "sqlite_of",
    "states",
    "url_of",
]

NOW = 1_764_000_000.0
Before = Mapping[str, Mapping[str, Any]]
SENT = Request("POST", "/links/cellular/bulkclaim", {"sims": ["8944500000000000001"]})


def url_of(folder: Path) -> str:
    """The address of the store in a folder."""
    return f"sqlite:///{folder / 'state.db'}"


def place_of(folder: Path) -> dict[str, Any]:
    """Where the store of a folder is, for `Store.open` and `Store.look`."""
    if Kept.accounts is None:
        return {"url": url_of(folder)}
    return {"url": Kept.accounts.url, "account": Kept.accounts.of(folder)}


def open_store(folder: Path, **options: Any) -> Store:
    """The store of a folder, made where there is none."""
    return Store.open(**place_of(folder), now=NOW, **options)


def file_of(store: Store) -> StoreFile:
    """The file of a store that is one."""
    assert store.file is not None
    return store.file


def sqlite_of(store: Store) -> SqliteDatabase:
    """The database of a store in a file."""
    assert isinstance(store._db, SqliteDatabase)
    return store._db


def key(number: int) -> str:
    """The key of the number-th SIM of the old fleet."""
    return source_iccid(number).key


def page_of(sims: Iterable[SourceSim], number: int = 1, *, total: int | None = None, **raw: Any) -> SourcePage:
    """A page of the list; each raw reply has the ICCID and what is given."""
    rows = [SourceRow({"iccid": sim.iccid.digits, **raw}, sim) for sim in sims]
    return SourcePage(number, rows, total_sims=total, total_pages=None if total is None else -(-total // 100))


def pulled(store: Store, sims: Iterable[SourceSim], *, now: float = NOW) -> int:
    """Make these SIMs the inventory in force. Returns: the snapshot's id."""
    snapshot = store.inventory.open_snapshot("v2", now)
    store.inventory.save_pages(snapshot.snapshot_id, 1, [page_of(sims)], now)
    store.inventory.end_pass(snapshot.snapshot_id, 1)
    store.inventory.complete_snapshot(snapshot.snapshot_id, 1, now)
    return snapshot.snapshot_id


def change(number: int = 1, action: Action = Action.CLAIM, **values: Any) -> Change:
    """What is planned for the number-th SIM: its claim in wave `all`, made from what `builders.sim` has."""
    acts: dict[str, Any] = {"wave": "all"} if action.acts else {}
    defaults: dict[str, Any] = {
        "target_iccid": target_iccid(number),
        "reason": Reason.READY,
        "source": {"status": "Enabled", "label": f"unit {number}", "data_quota_mb": "500", "sms_quota": "250"},
    }
    return Change(source_iccid=source_iccid(number), action=action, **(defaults | acts | values))


def planned(store: Store, changes: Sequence[Change], *, plan_id: str = "p1", **values: Any) -> PlanHeader:
    """Store a plan of these changes. What it claims is paired so, unless it has a pair: nothing else may be claimed."""
    wanted = [
        Pair(one.source_iccid, one.target_iccid, "test")
        for one in changes
        if one.action is Action.CLAIM and one.target_iccid is not None
    ]
    paired = store.pairs.by_source_keys(pair.source.key for pair in wanted)
    new = [pair for pair in wanted if pair.source.key not in paired]
    if new:
        store.pairs.add(new, replace=False, now=NOW)
    with store.plans.draft(NOW) as draft:
        draft.add(changes)
        return draft.finish(lambda sha256: header_for(store, changes, sha256, plan_id=plan_id, **values))


def header_for(store: Store, changes: Sequence[Change], sha256: str, *, plan_id: str, **values: Any) -> PlanHeader:
    """A header for some changes; its fingerprints are those of now."""
    prints = Fingerprints(store.inventory.fingerprint(), store.pairs.fingerprint(), "policy", sha256)
    counts = {action.value: sum(one.action is action for one in changes) for action in Action}
    defaults: dict[str, Any] = {
        "lineage": store.lineage,
        "org_id": ORG,
        "fingerprints": prints,
        "claims": counts["CLAIM"],
        "counts": counts,
        "waves": tuple(dict.fromkeys(one.wave for one in changes if one.wave is not None)),
    }
    return PlanHeader(plan_id=plan_id, **(defaults | values))


def ordered(
    store: Store, run_id: int, kind: StepKind, before: Before, *, sent: Request = SENT, now: float = NOW
) -> int:
    """Begin a request of a cutover or rollback: `before` has what was read of each SIM. Returns: the request's id."""
    return store.journal.begin(run_id, kind, list(before), sent, wave="all", now=now, before=before)


def states(store: Store, kind: StepKind = StepKind.CLAIM, plan_id: str = "p1") -> dict[str, StepState]:
    """Where the steps of a kind stand, by key."""
    return {item.key: item.state_of(kind) for item in store.journal.items(plan_id)}
