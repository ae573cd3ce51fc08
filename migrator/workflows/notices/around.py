"""World around a run, made of its plan's policy."""

import json
from collections.abc import Mapping
from typing import Any

from migrator.core.fleet.spelling import escaped
from migrator.core.policy.policy import Policy
from migrator.engine.run.around import Around
from migrator.store import Store
from migrator.wiring.outside import ask_program

__all__ = ["around_claims", "around_cutover", "around_rollback"]

INPUT_VERSION = 1


def around_claims(store: Store, policy: Policy, plan_id: str, *, ref: str, who: str) -> Around:
    """Return the world around a run of `apply`."""
    return _outside(store, policy, plan_id, "before_claim", policy.hooks.before_claim, ref=ref, who=who)


def around_cutover(store: Store, policy: Policy, plan_id: str, *, ref: str, who: str) -> Around:
    """Return the world around a run of `cutover apply`."""
    return _outside(store, policy, plan_id, "before_cutover", policy.hooks.before_cutover, ref=ref, who=who)


def around_rollback(store: Store, policy: Policy, plan_id: str, *, ref: str, who: str) -> Around:
    """Return the world around a run of `rollback apply`.

    No hook is asked: a unit that fell silent gets its old SIM back at any hour.
    """
    return _outside(store, policy, plan_id, "", (), ref=ref, who=who)


def _outside(
    store: Store, policy: Policy, plan_id: str, hook: str, command: tuple[str, ...], *, ref: str, who: str
) -> Around:
    secrets = [name for receiver in policy.notify for name in receiver.secret_names]

    async def ask(told: Mapping[str, Any]) -> str | None:
        document = {"schema": INPUT_VERSION, "hook": hook, "plan_id": plan_id, "store": store.outbox.store_name, **told}
        given = escaped(json.dumps(document, sort_keys=True)).encode()
        ended = await ask_program(command, given, policy.hooks, secrets)
        if ended.code == 0:
            return None
        if ended.code is None:
            return f"[hooks] {hook} gave no answer, and nothing is sent without: {command[0]}: {ended.words}"
        words = f": {ended.words}" if ended.words else ""
        return f"[hooks] {hook} vetoes, and nothing is sent: {command[0]} ended with {ended.code}{words}"

    return Around(ask=ask if command else None, tell=store.outbox.tell, to=policy.notify, ref=ref, who=who)
