"""`plan explain`: reasons for the values of one SIM."""

from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.iccids import parsed_iccid
from migrator.core.plan.explain import Explained, explained, rule_words
from migrator.core.plan.plan import Change
from migrator.core.policy.policy import Policy
from migrator.errors import InputError
from migrator.inputs.policy.file import stored_policy
from migrator.workflows.lookups.plans import plan_or_file

__all__ = ["explain"]


@click.command(
    "explain",
    epilog="Exit codes: 0 done, 2 no such plan, an edited file or a SIM that is not in it, 5 a file of another store.",
)
@click.argument("iccid")
@click.argument("plan", required=False)
@global_options
@click.pass_obj
def explain(shared: Globals, /, *, iccid: str, plan: str | None) -> int:
    """Explain the values that PLAN gives to one SIM.

    ICCID is the source ICCID of the SIM. PLAN is an id or a plan file; default the newest. Each value stands beside
    what the source has and what Hologram showed, with the keys of the policy that led to it.
    """
    return finish("plan explain", shared, lambda: _explain(shared, iccid, plan))


def _explain(shared: Globals, text: str, plan: str | None) -> Outcome:

    iccid = parsed_iccid(text)
    with wiring.store_of(shared.state, shared.config) as store:
        plan_id = plan_or_file(store, plan)
        change = store.plans.change(plan_id, iccid)
        policy_text = store.plans.policy_text(plan_id)
        source = store.inventory.source_name()
    if change is None:
        raise InputError(
            f"plan {plan_id} holds no SIM with the source ICCID {iccid}",
            code="not_in_plan",
            hint="give the ICCID as the source lists it; a SIM that is new there needs `inventory pull` and a plan",
        )
    policy = stored_policy(policy_text, name=f"policy of {plan_id}")
    values = explained(change, policy, source)
    return Outcome({"plan_id": plan_id, **_data(change, values)}, _words(change, policy, values, source))


def _data(change: Change, values: list[Explained]) -> dict[str, Any]:
    return {
        "source_iccid": change.source_iccid.digits,
        "target_iccid": None if change.target_iccid is None else change.target_iccid.digits,
        "action": change.action.value,
        "reason": change.reason.value,
        "detail": change.detail,
        "wave": change.wave,
        "rule": change.rule,
        "values": [
            {
                "what": value.what,
                "source": value.source,
                "before": value.before,
                "planned": value.planned,
                "given_by": [
                    {"section": given.section, "key": given.key, "value": given.value, "rule": given.rule}
                    for given in value.given_by
                ],
            }
            for value in values
        ],
    }


def _words(change: Change, policy: Policy, values: list[Explained], source: str) -> list[Any]:

    target = "no target" if change.target_iccid is None else f"target {change.target_iccid}"
    rule = policy.rule(change.rule)
    fits = "No rule of the policy fits it." if rule is None else f'Rule "{rule.name}" fits it: {rule_words(rule)}.'
    rows = [
        (value.what, value.source, value.before, value.planned, "\n".join(map(str, value.given_by))) for value in values
    ]
    columns = ("what", f"at {source}", "at Hologram", "planned", "by the policy's")
    return [
        f"{change.source_iccid}, {target}: {change.action}, {change.reason}.",
        *([f"{change.detail}."] if change.detail else []),
        fits,
        table("", columns, rows),
    ]
