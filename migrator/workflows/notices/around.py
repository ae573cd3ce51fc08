"""World around a run, made of its plan's policy."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from migrator.core.fleet.spelling import escaped
from migrator.core.policy.policy import Policy
from migrator.engine.run.around import Around, Veto
from migrator.wiring.outside import ask_program
from migrator.wiring.withheld import withheld
from migrator.workflows.site import Site

__all__ = ["around_claims", "around_cutover", "around_rollback"]

INPUT_VERSION = 1


def around_claims(site: Site, policy: Policy, plan_id: str, *, ref: str, who: str) -> Around:
    """Return the world around a run of `apply`."""
    return _outside(site, policy, plan_id, "before_claim", policy.hooks.before_claim, ref=ref, who=who)


def around_cutover(site: Site, policy: Policy, plan_id: str, *, ref: str, who: str) -> Around:
    """Return the world around a run of `cutover apply`."""
    return _outside(site, policy, plan_id, "before_cutover", policy.hooks.before_cutover, ref=ref, who=who)


def around_rollback(site: Site, policy: Policy, plan_id: str, *, ref: str, who: str) -> Around:
    """Return the world around a run of `rollback apply`.

    No hook is asked: a unit that fell silent gets its old SIM back at any hour.
    """
    return _outside(site, policy, plan_id, "", (), ref=ref, who=who)


def _outside(
    site: Site, policy: Policy, plan_id: str, hook: str, command: tuple[str, ...], *, ref: str, who: str
) -> Around:
    store = site.store
    around = Around(
        tell=store.outbox.tell,
        to=policy.notify,
        ref=ref,
        who=who,
        campaign=site.campaign,
        standstill=site.standstill,
    )
    if not command:
        return around
    kept = withheld(site.settings, store.outbox.secret_names())

    async def ask(told: Mapping[str, Any]) -> Veto | None:
        document = {"schema": INPUT_VERSION, "hook": hook, "plan_id": plan_id, "store": store.outbox.store_name, **told}
        given = escaped(json.dumps(document, sort_keys=True)).encode()
        ended = await ask_program(command, given, policy.hooks, kept)
        if ended.code == 0:
            return None
        if ended.code is None:
            cause = f"[hooks] {hook} gave no answer, and nothing is sent without: {command[0]}"
            return Veto(f"{cause}: {ended.words}", cause)
        cause = f"[hooks] {hook} vetoes, and nothing is sent: {command[0]} ended with {ended.code}"
        return Veto(f"{cause}: {ended.words}" if ended.words else cause, cause)

    return replace(around, ask=ask)
