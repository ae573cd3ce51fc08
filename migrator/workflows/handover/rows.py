"""Rows of a handover, made of all that the store knows."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from migrator.carriers.hologram.wire import sim_numbers
from migrator.core.cutover.handover import UnitLife, was_live
from migrator.core.cutover.life import Life
from migrator.core.cutover.plan import CutoverItem
from migrator.core.cutover.rules import alive_at_s, claimed_at_s, is_before_swap
from migrator.core.fleet.identifiers import Iccid, Imei, NotAnIdentifier
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.imei import unit as compared
from migrator.core.fleet.sims import TargetLink
from migrator.core.fleet.switched_off import SwitchedOff
from migrator.core.run.states import StepKind, StepState
from migrator.reports.handover.row import HandoverRow
from migrator.reports.model import moment
from migrator.store import Store
from migrator.store.cutovers.handover import HandoverUnit, ProvedSight
from migrator.workflows.check_pairs import last_organization

__all__ = ["HandoverRows"]


@dataclass(frozen=True, slots=True)
class _Switched:
    """Cutover and rollback of one unit, as far as they came.

    Args:
        off: the cutover that switched the old SIM off; None if there is none, or a rollback undid it.
        cutover: the SIM in that cutover.
        rollback: the SIM in the rollback that took it back.
    """

    off: SwitchedOff | None = None
    cutover: CutoverItem | None = None
    rollback: CutoverItem | None = None


class HandoverRows:
    """Rows of the units of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._org_id = last_organization(store)
        self._back = store.cutovers.rolled_back()

    def all(self) -> Iterator[HandoverRow]:
        """Yield the row of every pair, sorted by key."""
        for page in self._store.handover.pages():
            yield from self._page(page)

    def among(self, keys: Iterable[str]) -> dict[str, HandoverRow]:
        """Return the rows of some old SIMs, by key."""
        pages = self._store.handover.among(keys)
        return {row.key: row for page in pages for row in self._page(page)}

    def _page(self, page: list[HandoverUnit]) -> Iterator[HandoverRow]:
        switched = self._switched([unit.pair.source.key for unit in page])
        yield from (_row(unit, switched.get(unit.pair.source.key, _Switched()), self._org_id) for unit in page)

    def _switched(self, keys: list[str]) -> dict[str, _Switched]:
        off = self._store.cutovers.switched_off(keys)
        cutovers = self._items({key: one.cutover_id for key, one in off.items()})
        rollbacks = self._items({key: self._back[key] for key in keys if key in self._back})
        return {
            key: _Switched(off.get(key), cutovers.get(key), rollbacks.get(key)) for key in off.keys() | rollbacks.keys()
        }

    def _items(self, cutover_of: Mapping[str, str]) -> dict[str, CutoverItem]:
        found: dict[str, CutoverItem] = {}
        for cutover_id in sorted(set(cutover_of.values())):
            mine = [key for key, other in cutover_of.items() if other == cutover_id]
            found |= {item.key: item for item in self._store.cutovers.items_by_key(cutover_id, mine)}
        return found


def _row(unit: HandoverUnit, switched: _Switched, org_id: int | None) -> HandoverRow:
    unit = replace(unit, sights=tuple(sight for sight in unit.sights if not _is_of_before(unit, sight)))
    pair, link = unit.pair, unit.link
    is_ours = link is not None and (link.is_claimed if org_id is None else link.is_held_by(org_id))
    life, alive_s = _life(unit)
    where = _where(unit, switched.cutover)
    state = None if link is None else link.state
    facts = UnitLife(
        is_ours=is_ours,
        state=state,
        life=life,
        unit=where,
        is_old_off=_off_at_s(switched) is not None,
        is_taken_back=_is_taken_back(unit, switched),
    )
    claimed_s = None if link is None else claimed_at_s(link, unit.claim_noted_s)
    notes = unit.facts
    return HandoverRow(
        key=pair.source.key,
        target=pair.target.digits,
        status=facts.stage(),
        old=_old(unit),
        new=_new(unit),
        unit=None if notes is None else notes.unit,
        site=None if notes is None else notes.site,
        ticket=None if notes is None else notes.ticket,
        live_at=moment(claimed_s) if is_ours and was_live(state, life) else None,
        in_unit_at=moment(_first_seen_s(unit, alive_s)) if is_ours and where is Unit.MATCHED else None,
        old_off_at=moment(_off_at_s(switched)),
    )


def _old(unit: HandoverUnit) -> dict[str, Any]:
    """Return the values of the old SIM, in the order of `row.OLD`."""
    iccid, sim = unit.pair.source, unit.sim
    stays = unit.pair.target == iccid  # then the chip of the pair is that of both
    return {
        **_iccids(iccid),
        "imsi": None if sim is None else sim.imsi,
        "msisdn": None if sim is None else sim.msisdn,
        "ip": None if sim is None else sim.ip_address,
        "imei": None if sim is None else _imei(sim.imei),
        "label": None if sim is None else sim.label,
        "eid": unit.pair.eid.digits if stays and unit.pair.eid is not None else None,
    }


def _new(unit: HandoverUnit) -> dict[str, Any]:
    """Return the values of the new SIM, in the order of `row.NEW`."""
    link, chip = unit.link, unit.pair.eid
    told: Mapping[str, str | None] = {}
    if link is not None and unit.raw is not None:
        told = sim_numbers(json.loads(unit.raw), link.iccid)
    eid = told.get("eid") or (None if chip is None else chip.digits)
    return {
        "device_id": None if link is None else link.device_id,
        "link_id": None if link is None else link.link_id,
        "simcard_id": _number(told.get("simcard_id")),
        **_iccids(unit.pair.target),
        "imsi": told.get("imsi"),
        "msisdn": told.get("msisdn"),
        "ip": told.get("ip"),
        "imei": _imei(_seen_imei(link, unit.sights)),
        "eid": eid,
        "name": None if link is None else link.name,
        "data_plan_id": None if link is None else link.data_plan_id,
        "zone": None if link is None else link.zone,
        "state": None if link is None else link.state_word,
    }


def _iccids(iccid: Iccid) -> dict[str, str | None]:
    return {"iccid": iccid.body, "iccid_with_luhn": iccid.with_check_digit}


def _seen_imei(link: TargetLink | None, sights: tuple[ProvedSight, ...]) -> str | None:
    told = None if link is None else link.imei
    return told or next((sight.target_imei for sight in reversed(sights) if sight.target_imei), None)


def _imei(text: str | None) -> str | None:
    """Return the digits of an IMEI.

    Text that is no IMEI stays as the carrier told it.
    """
    try:
        return None if text is None else Imei.parse(text).digits
    except NotAnIdentifier:
        return text


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _life(unit: HandoverUnit) -> tuple[Life | None, float | None]:
    """Return the life of the new SIM, and its first known sign.

    Only signs since its claim count; they are UTC seconds.

    What was asked for last counts, and what its record shows.
    """
    sights, link = unit.sights, unit.link
    alive = [sight.alive_s for sight in sights if sight.alive_s is not None]
    claimed_s = None if link is None else claimed_at_s(link, unit.claim_noted_s)
    recorded_s = None if link is None or claimed_s is None else alive_at_s(link, claimed_s, None)
    where = compared(None if unit.sim is None else unit.sim.imei, None if link is None else link.imei)
    signs = [*alive, *([] if recorded_s is None or is_before_swap(recorded_s, unit.swapped_s, where) else [recorded_s])]
    if signs:
        return Life.ALIVE, min(signs)
    return (sights[-1].life if sights else None), None


def _is_of_before(unit: HandoverUnit, sight: ProvedSight) -> bool:
    """True if a proof saw the new SIM before its swap alone."""
    return sight.alive_s is not None and is_before_swap(sight.alive_s, unit.swapped_s, sight.unit)


def _where(unit: HandoverUnit, cutover: CutoverItem | None) -> Unit:
    """Return the place of the new SIM by the last clear proof.

    The cutover judged the same evidence, for this new SIM.
    """
    told = [sight.unit for sight in unit.sights if sight.unit is not Unit.NEVER_SEEN]
    if told:
        return told[-1]
    if cutover is not None and cutover.row.unit is not None and cutover.row.target_iccid == unit.pair.target:
        return cutover.row.unit
    return Unit.NEVER_SEEN


def _first_seen_s(unit: HandoverUnit, alive_s: float | None) -> float | None:
    """Return when the new SIM was first seen in the unit.

    That is as far back as the store tells.
    """
    seen = [sight.alive_s for sight in unit.sights if sight.unit is Unit.MATCHED and sight.alive_s is not None]
    return min(seen, default=alive_s)


def _off_at_s(switched: _Switched) -> float | None:
    """Return when a cutover proved the old SIM off (UTC seconds).

    None, if it is not proved, or if a rollback has switched the SIM on again.
    """
    if switched.off is None or switched.off.is_on_again or switched.cutover is None:
        return None
    step = switched.cutover.steps.get(StepKind.SOURCE)
    return step.since if step is not None and step.state is StepState.DONE else None


def _is_taken_back(unit: HandoverUnit, switched: _Switched) -> bool:
    """True if a rollback took the unit back, or begins to.

    A rollback to make room for another card says nothing of the card that is paired now.
    """
    if switched.off is not None and switched.off.is_on_again:
        return True
    back = switched.rollback
    return back is not None and back.row.target_iccid in {None, unit.pair.target}
