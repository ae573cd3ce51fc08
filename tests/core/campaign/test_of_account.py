"""Notices of an account of a team: its name, and commands that are for it alone."""

from migrator.core.campaign.notices import of_account
from migrator.core.policy.outside import NoticeEvent
from migrator.receivers.message import Message

TOLD = {
    "plan_id": "p7",
    "next": "migrator apply p7",
    "also": ["held (`migrator campaign approve` approves it)"],
    "then": "`migrator fleet go acme` lets a worker go on",
    "hint": "`migrator work` runs there; the migrator said so",
    "counts": {"claimed": 5},
}


def test_a_notice_of_an_account_names_it_and_its_commands_are_for_it() -> None:
    told = of_account(TOLD, "acme")
    assert told == {
        **TOLD,
        "account": "acme",
        "next": "migrator --account acme apply p7",
        "also": ["held (`migrator --account acme campaign approve` approves it)"],
    }
    assert of_account(told, "acme") == told, "told once"


def test_a_single_user_sees_none_of_it() -> None:
    assert of_account(TOLD, None) == TOLD


def test_the_headline_names_the_account() -> None:
    for account, named in (("acme", "acme, p7"), (None, "p7")):
        message = Message.of("n1", NoticeEvent.STOPPED, 0.0, of_account(TOLD, account), detail=False)
        assert message.subject == f"migrator: Stopped ({named})"
