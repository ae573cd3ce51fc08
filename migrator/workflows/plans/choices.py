"""Choices that a policy must make before it is planned with."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from migrator.core.fleet.sims import ONENCE, AccountLimits, Candidate, ToldVolumes
from migrator.core.fleet.units import money
from migrator.core.plan.mapping import undecided
from migrator.core.plan.plan import Prices
from migrator.core.policy.policy import DataBasis, OldTags, Policy, Rule, SmsBasis
from migrator.errors import InputError, Problem
from migrator.inputs.files.problems import refusal

if TYPE_CHECKING:
    from migrator.inputs.policy.file import LoadedPolicy
    from migrator.inputs.where.language import Where

__all__ = ["must_have_basis", "must_have_chosen", "needs_records"]


DATA_REMEDY = (
    'write basis = "data_limit" (the SIM\'s own limit at its source; `inventory pull --quotas` reads those that a list '
    'does not tell), {total}"fixed" with fixed_mb, or "unlimited"'
)
SMS_REMEDY = 'write basis = "fixed" with fixed = 10, or "keep", which leaves Hologram\'s own limit'


def must_have_chosen(
    candidates: Iterable[Candidate], loaded: "LoadedPolicy", prices: Prices, selection: "Where | None"
) -> None:
    """Refuse a policy that is silent about disabled SIMs of a plan.

    A disabled SIM that is claimed and paused is used by nobody, and billed every period until it is deactivated. Plans
    that are there keep what their policy meant when they were made.

    Raises: InputError, with the number of these SIMs and what a pause of them costs.
    """
    if loaded.says_disabled:
        return
    is_open = undecided(loaded.policy)
    sims = sum(is_open(one.sim) for one in candidates if selection is None or selection.selects(one))
    if not sims:
        return
    cost = "Hologram shows no price of that"
    if prices.per_period is not None:
        cost = f"{money(prices.per_period * sims)} a month at Hologram, {money(prices.per_period)} each"
    raise InputError(
        f"{loaded.name}: [status] disabled is missing, and the inventory has disabled SIMs for this plan: {sims}",
        code="disabled_undecided",
        hint=(
            'write one of these under [status]: disabled = "skip" (they stay behind, at no cost), "pause" (each gets '
            f'a new SIM that nobody uses, billed until it is deactivated: {cost}), "live" (the same, and switched on), '
            '"block" (you decide later)'
        ),
    )


def needs_records(policy: Policy, *, asks_each: bool) -> bool:
    """True if limits need what only a SIM's record tells.

    `asks_each`: the list of the source may leave out the limit of a SIM.
    """
    parts: tuple[Policy | Rule, ...] = (policy, *policy.rules)
    data = {part.data_limit.basis_for(has_limit=asks_each) for part in parts}
    sms = {part.sms_limit.basis for part in parts}
    return DataBasis.REMAINING in data or SmsBasis.REMAINING in sms or (asks_each and DataBasis.DATA_LIMIT in data)


def must_have_basis(loaded: "LoadedPolicy", source: str, told: ToldVolumes, account: AccountLimits) -> None:
    """Refuse a policy by what no SIM of the source has.

    Every SIM would be blocked for it, one by one. Of 1NCE, a volume that is missing is that SIM's matter. The defaults
    of tag and name speak of 1NCE: of another source the policy must say them, as both stay on the SIMs.

    Raises: InputError, with every such basis and default.
    """
    is_onence = source == ONENCE
    lacking = [
        *_data_bases(loaded.policy, told, account, is_onence=is_onence),
        *_sms_bases(loaded.policy, told, account, is_onence=is_onence),
    ]
    if loaded.policy.claim.tags is OldTags.COPY and not told.tags:
        tags = ("claim", "tags")
        lacking.append(_Lacking("[claim] tags", OldTags.COPY, "the tags of each SIM", 'write tags = "leave"', tags))
    problems = [one.problem(loaded, source) for one in lacking]
    problems += () if is_onence else _defaults_of_1nce(loaded, source)
    if problems:
        raise refusal(problems, what=loaded.name)


def _defaults_of_1nce(loaded: "LoadedPolicy", source: str) -> Iterator[Problem]:
    own = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-") or "elsewhere"
    ways = (
        ("claim", "tag", loaded.policy.claim.tag, f'tag = "from-{own}", or "" for none'),
        ("name", "when_missing", loaded.policy.name.when_missing, f'when_missing = "{own}-{{source_iccid}}"'),
    )
    for section, key, default, remedy in ways:
        if not loaded.says(section, key):
            words = f'[{section}] {key} is not set, which means "{default}", and these SIMs are {source}\'s'
            yield Problem("default_of_1nce", f"{loaded.place(section, key)}: {words}", f"write {remedy}")


class _Lacking(NamedTuple):
    """Basis that a policy means, and that the source lacks."""

    key: str
    basis: str
    needs: str
    remedy: str
    path: tuple[str | int, ...]

    def problem(self, loaded: "LoadedPolicy", source: str) -> Problem:
        """Return it as a problem of the policy, at its line."""
        said = "" if loaded.says(*self.path) else f' (no basis is set, which means "{self.basis}" here)'
        words = f'{self.key} = "{self.basis}" needs {self.needs}, and {source} tells none{said}'
        return Problem("basis_missing", f"{loaded.place(*self.path)}: {words}", self.remedy)


def _data_bases(policy: Policy, told: ToldVolumes, account: AccountLimits, *, is_onence: bool) -> Iterator[_Lacking]:
    own = [
        (rule.name, rule.data_limit, ("rule", number))
        for number, rule in enumerate(policy.rules)
        if "data_limit.basis" in rule.gives
    ]
    remedy = DATA_REMEDY.format(total='"total", ' if told.data else "")
    for name, part, table in [("", policy.data_limit, ()), *own]:
        is_capped = is_onence or account.data_mb is not None or part.monthly_cap_mb is not None
        needs = {
            DataBasis.DATA_LIMIT: (told.data_limit, "a data limit of each SIM"),
            DataBasis.TOTAL: (told.data or is_onence, "a booked data volume of each SIM"),
            DataBasis.REMAINING: (told.data_left or is_onence, "what is left of a data volume"),
            DataBasis.MONTHLY_LIMIT: (is_capped, "a monthly data cap of the account (or monthly_cap_mb)"),
        }
        basis = part.basis_for(has_limit=told.data_limit)
        is_told, words = needs.get(basis, (True, ""))
        if not is_told:
            path = (*table, "data_limit", "basis")
            yield _Lacking(_key("data_limit", name), basis, words, remedy, path)


def _sms_bases(policy: Policy, told: ToldVolumes, account: AccountLimits, *, is_onence: bool) -> Iterator[_Lacking]:
    needs = {
        SmsBasis.TOTAL: (told.sms or is_onence, "a booked SMS volume of each SIM"),
        SmsBasis.REMAINING: (told.sms_left or is_onence, "what is left of an SMS volume"),
        SmsBasis.MONTHLY_LIMIT: (is_onence or account.sms_mo is not None, "a monthly SMS cap of the account"),
    }
    own = [
        (rule.name, rule.sms_limit, ("rule", number))
        for number, rule in enumerate(policy.rules)
        if "sms_limit.basis" in rule.gives
    ]
    for name, part, table in [("", policy.sms_limit, ()), *own]:
        is_told, words = needs.get(part.basis, (True, ""))
        if not is_told:
            path = (*table, "sms_limit", "basis")
            yield _Lacking(_key("sms_limit", name), part.basis, words, SMS_REMEDY, path)


def _key(section: str, rule: str) -> str:
    return f"rule {rule!r}: [rule.{section}] basis" if rule else f"[{section}] basis"
