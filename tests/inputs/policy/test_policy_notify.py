"""`[[notify]]` and `[hooks]` of a policy file."""

import hashlib
import json

import pytest

from migrator.core.policy.outside import (
    HookPrograms,
    NoticeEvent,
    Receiver,
    ReceiverKind,
    receiver_from,
    receiver_values,
)
from migrator.errors import InputError
from migrator.inputs.policy.file import parse_policy
from tests.inputs.policy.policy_api import MINIMAL

SECRET = "https://hooks.slack.example/T0/B0/hunter2"
WHOLE = """
[hooks]
before_claim = ["./window.sh", "--team", "field ops"]
before_cutover = ["./ticket.sh"]
timeout = "5s"
[[notify]]
to = "webhook"
url_from = "OUR_URL"
secret_from = "OUR_KEY"
on = ["daily", "stopped"]
detail = true
[[notify]]
to = "mail"
server = "smtp.example.com"
port = 465
from = "migrator@example.com"
recipients = ["a@example.com", "b@example.com"]
user = "me"
password_from = "OUR_WORD"
[[notify]]
to = "command"
command = ["tell", "them"]
"""


def test_every_key_is_taken_over() -> None:
    policy = parse_policy(MINIMAL + WHOLE, name="policy").policy
    assert policy.hooks == HookPrograms(("./window.sh", "--team", "field ops"), ("./ticket.sh",), 5.0)
    usual = (NoticeEvent.NEEDS_ATTENTION, NoticeEvent.STOPPED)
    people = ("a@example.com", "b@example.com")
    assert policy.notify == (
        Receiver(
            ReceiverKind.WEBHOOK,
            on=(NoticeEvent.STOPPED, NoticeEvent.DAILY),
            detail=True,
            url_from="OUR_URL",
            secret_from="OUR_KEY",
        ),
        Receiver(
            ReceiverKind.MAIL,
            on=usual,
            server="smtp.example.com",
            port=465,
            sender="migrator@example.com",
            recipients=people,
            user="me",
            password_from="OUR_WORD",
        ),
        Receiver(ReceiverKind.COMMAND, on=usual, command=("tell", "them")),
    )
    assert tuple(receiver_from(receiver_values(one)) for one in policy.notify) == policy.notify


def test_a_policy_that_says_nothing_of_them_is_the_policy_that_it_was() -> None:
    """A plan of an earlier version knows neither key, and its policy file has not changed."""
    loaded = parse_policy(MINIMAL, name="policy")
    then = {name: value for name, value in loaded.canonical.items() if name not in {"hooks", "notify"}}
    with_more = parse_policy(MINIMAL + WHOLE, name="policy")
    was = hashlib.sha256(json.dumps(then, sort_keys=True).encode()).hexdigest()
    assert loaded.fingerprint_among(then) == was
    assert with_more.fingerprint_among(then) != was


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[notify]]\nurl_from = "A"', "notify[1].to: missing"),
        ('[[notify]]\nto = "webhook"', "notify[1].url_from: missing"),
        ('[[notify]]\nto = "pager"\nurl_from = "A"', 'notify[1].to: found "pager"'),
        ('[[notify]]\nto = "slack"\nurl_from = "A"\nsecret_from = "B"', "notify[1].secret_from: has no meaning"),
        ('[[notify]]\nto = "slack"\nurl_from = "A"\non = ["silence"]', 'notify[1].on: found "silence"'),
        ('[[notify]]\nto = "slack"\nurl_from = "A"\non = ["test"]', 'notify[1].on: found "test"'),
        ('[[notify]]\nto = "slack"\nurl_from = "HOLOGRAM_API_KEY"', "which is for the carrier alone"),
        (f'[[notify]]\nto = "slack"\nurl_from = "{SECRET}"', "notify[1].url_from: is no name of a secret"),
        (f'[[notify]]\nto = "slack"\nurl = "{SECRET}"\nurl_from = "A"', "notify[1].url: unknown key"),
        (
            '[[notify]]\nto = "mail"\nserver = "s"\nfrom = "a@b.c"\nrecipients = ["a@b.c"]\nuser = "me"',
            "user and password_from stand together",
        ),
        (
            '[[notify]]\nto = "mail"\nserver = "s"\nfrom = "a@b.c"\nrecipients = ["a@b.c\\nBcc: x@y.z"]',
            "expected a mail address",
        ),
        ('[[notify]]\nto = "command"\ncommand = "rm -rf"', "expected a list of texts"),
        ('[hooks]\nbefore_claim = "./window.sh"', "hooks.before_claim: found"),
        ('[hooks]\nbefore_claim = [""]', "hooks.before_claim: names no program"),
        ("[hooks]\ntimeout = 0", "hooks.timeout: found 0"),
        ('[notify]\nto = "slack"', "expected one or more [[notify]]"),
    ],
)
def test_what_cannot_be_is_told_with_its_line_and_without_a_secret(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_policy(MINIMAL + text, name="policy")
    told = "\n".join(f"{one.message} {one.hint}" for one in caught.value.problems)
    assert words in told
    assert "policy:" in told
    assert "hunter2" not in told
