"""Orders to begin a plan, checked before a worker gets them."""

from migrator.core.accounts.records import Order
from migrator.core.plan.refs import ref_of
from migrator.errors import InputError
from migrator.store import Store
from migrator.workflows.apply import must_be_confirmed

__all__ = ["checked_order"]


def checked_order(url: str, account: str, order: Order) -> Order:
    """Check an order by the account's own store, which is only read.

    Raises: InputError, for a plan that is not there, used up or a campaign's, a wave that it has not, or wrong numbers;
        StoreError.
    """
    ref_of(order.ref or None)
    with Store.look(url, account=account) as store:
        header = store.plans.header(order.plan)
        if store.plans.state(order.plan) == "finished":
            raise InputError(
                f"plan {order.plan} is used up: there is nothing to begin",
                code="plan_used",
                hint=f"make a new one: `migrator --account {account} plan create`",
            )
        campaign = store.campaigns.of_plan(order.plan)
        if campaign is not None:
            raise InputError(
                f"plan {order.plan} is of campaign {campaign.name!r}, which begins its plans by itself",
                code="plan_of_campaign",
                hint=f"`migrator fleet go {account}` calls the campaign",
            )
        if order.wave is not None and order.wave not in header.waves:
            raise InputError(
                f"plan {order.plan} has no wave {order.wave!r}",
                code="no_wave",
                hint=f"its waves: {', '.join(header.waves) or 'none'}",
            )
        must_be_confirmed(store, header, order.confirm, order.confirm_pauses)
    return order
