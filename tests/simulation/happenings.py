"""What happens around the runs of a schedule: at a request in their midst, or between two of them."""

import random
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from migrator.carriers.hologram.simulator.choices import Operation
from migrator.core.run.control import Selection
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item, Verdict
from migrator.errors import InputError
from tests.simulation.drawing import Fate, by_hand
from tests.worlds.meanwhile import suspend
from tests.worlds.moving import Pairs
from tests.worlds.world import World

__all__ = ["HAPPENINGS", "change_pair", "claim_by_hand", "decide", "fall_asleep", "meddle", "persist"]


def refuse_key(fate: Fate) -> None:
    fate.met["key refused (401)"] += 1
    fate.world.target.api_key = "another key"


def deny(fate: Fate) -> None:
    fate.met["permission refused (403)"] += 1
    denied = fate.chance.choice([Operation.CLAIM, Operation.STATE, Operation.LIMITS, Operation.RENAME])
    fate.world.target.behaviour = replace(fate.world.target.behaviour, denied=frozenset({denied}))


def refuse_changes(fate: Fate) -> None:
    """The carrier takes a smaller batch than we send, or none at all."""
    most = fate.chance.choice([0, 1])
    fate.met[f"changes refused of more than {most}"] += 1
    fate.world.target.behaviour = replace(fate.world.target.behaviour, max_devices=most)


def set_aside(fate: Fate) -> None:
    """An operator sets SIMs aside that a run at work has in its list: their rows must stop it."""
    with fate.world.store() as store:
        plan_id = store.plans.newest() or ""
        for item in list(store.journal.items(plan_id)):
            target = str(item.change.target_iccid)
            if item.awaits_claim and target not in fate.never and not _is_held(fate.world, target):
                skip = (StepKind.CLAIM, StepEvent.OPERATOR_SKIP)
                store.journal.move(plan_id, *skip, {item.key: ("", "")}, now=fate.world.now().timestamp())
                fate.never.add(target)
                fate.people.note(target, "set aside")
                fate.met["set aside in mid-run"] += 1
                return


def bankrupt(fate: Fate) -> None:
    fate.met["balance gone in mid-run"] += 1
    fate.world.target.balance = Decimal(0)


def claim_by_hand(fate: Fate, chance: random.Random) -> None:
    """Somebody claims a SIM that a run at work is about to claim, for us or for another organization of ours."""
    world, people = fate.world, fate.people
    free = [target for target in fate.targets if target not in fate.never and not _is_held(world, target)]
    if not free:
        return
    target = chance.choice(free)
    fate.met["claimed by hand in mid-run"] += 1
    if chance.random() < 0.25:
        fate.never.add(target)
        people.claim(target, org_id=world.target.other_org_id)
    else:
        people.claim(target, **by_hand(chance))


def change_pair(fate: Fate, pairs: Pairs) -> None:
    """Somebody mends a pair that a run at work still has to claim."""

    def note(target: str, deed: str) -> None:
        fate.never.add(target)
        fate.people.note(target, deed)
        fate.met["paired otherwise in mid-run"] += 1

    pairs.happen(note, lambda target: target not in fate.never and not _is_held(fate.world, target))


def fall_asleep(fate: Fate, chance: random.Random) -> None:
    """The machine sleeps for a while, and perhaps somebody claims a SIM by hand meanwhile."""
    fate.met["the machine slept in mid-run"] += 1
    suspend(fate.world, chance.choice([20.0, 700.0, 8 * 3600.0]))
    if chance.random() < 0.5:
        claim_by_hand(fate, chance)


def meddle(fate: Fate, *, is_first: bool) -> None:
    """Somebody claims SIMs by hand, takes one for another organization, or changes what was verified."""
    chance, people = fate.chance, fate.people
    for target in fate.targets:
        link = fate.world.target.sims.get(target)
        if link is None or target in fate.never or chance.random() > 0.3:
            continue
        if link.device_id is None:
            if chance.random() < 0.25:
                fate.never.add(target)
                people.claim(target, org_id=fate.world.target.other_org_id)
                fate.met["taken by another organization"] += 1
            else:
                people.claim(target, **by_hand(chance))
                fate.met["claimed by hand " + ("before" if is_first else "between") + " runs"] += 1
        elif _is_verified(fate.world, target):
            deeds: list[dict[str, Any]] = [{"state": "PAUSED-USER"}, {"name": "in repair"}, {"sms_limit": 0}]
            people.change(target, **chance.choice(deeds))
            fate.met["changed by hand after it was verified"] += 1


def decide(fate: Fate) -> None:
    """An operator has what failed tried again or set aside, and sets aside what was not begun: `retry` and `skip`."""
    world = fate.world
    with world.store() as store:
        plan_id, now = store.plans.newest() or "", world.now().timestamp()
        for item in list(store.journal.items(plan_id)):
            target = str(item.change.target_iccid)
            deed = _decision(item, is_free=target not in fate.never and not _is_held(world, target))
            if deed is None or fate.chance.random() >= 0.3:
                continue
            chosen = Selection(keys=frozenset({item.key}))
            if deed == "retry":
                store.interventions.retry(plan_id, chosen, now=now)
            else:
                with suppress(InputError):  # something about it is in doubt: first that must be settled
                    store.interventions.skip(plan_id, chosen, now=now)
                    fate.never.add(target)
                    fate.people.note(target, "set aside")
            fate.met[f"operator: {deed}"] += 1


def persist(fate: Fate) -> None:
    """An operator has every setting that was refused for good tried again, when what was wrong has been mended."""
    with fate.world.store() as store:
        plan_id = store.plans.newest() or ""
        failed = [item for item in store.journal.items(plan_id) if _decision(item, is_free=False) == "retry"]
        if failed:
            chosen = Selection(keys=frozenset(item.key for item in failed))
            store.interventions.retry(plan_id, chosen, now=fate.world.now().timestamp())
            fate.met["operator: retry when calm"] += 1


def _decision(item: Item, *, is_free: bool) -> str | None:
    """What an operator may decide about one SIM. A claim is only ever set aside: the carrier's no was a no."""
    failed = {kind for kind, step in item.steps.items() if step.state is StepState.FAILED}
    if failed:
        return "skip" if StepKind.CLAIM in failed else "retry"
    return "skip" if item.awaits_claim and is_free else None


def _is_held(world: World, target: str) -> bool:
    link = world.target.sims.get(target)
    return link is None or link.device_id is not None


def _is_verified(world: World, target: str) -> bool:
    with world.store() as store:
        items = store.journal.items(store.plans.newest() or "")
        return any(str(item.change.target_iccid) == target and item.verdict is Verdict.OK for item in items)


HAPPENINGS = (refuse_key, deny, bankrupt, refuse_changes, set_aside)
"""At some request of a run."""
