"""Test of a policy's receivers, each at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from migrator import wiring
from migrator.core.policy.outside import NoticeEvent, Receiver
from migrator.engine.run.context import Stopper
from migrator.errors import InputError
from migrator.receivers.message import Message, NotDelivered
from migrator.wiring.outside import hand_over
from migrator.wiring.withheld import withheld

__all__ = ["Tried", "send_test"]


@dataclass(frozen=True, slots=True)
class Tried:
    """Answer of one receiver to a test.

    `trouble` is "" where it took the notice.
    """

    number: int
    receiver: Receiver
    trouble: str


def send_test(receivers: Sequence[Receiver], *, named: str, only: int | None = None) -> list[Tried]:
    """Send a test to each receiver of a policy, or to one.

    Nothing is kept: a test that fails is not tried again.

    Args:
        receivers: as the policy lists them.
        named: the policy, for errors.
        only: the number of a receiver, from 1; None for all.

    Raises: InputError, if there is no such receiver.
    """
    numbered = [(number, one) for number, one in enumerate(receivers, 1) if only in {None, number}]
    if not numbered:
        words = f"{named} has {len(receivers)} [[notify]]" + ("" if only is None else f", and none with number {only}")
        raise InputError(words, code="no_receiver", hint="docs/notifications.md shows how to write one")
    now = wiring.SystemClock().now().timestamp()
    kept = withheld(None, [name for one in receivers for name in one.secret_names])
    told = {"reason": "somebody ran `migrator notify test`", "next": "nothing is to be done"}

    async def body(_stopper: Stopper) -> list[Tried]:
        return [Tried(number, one, await _trouble(one, number)) for number, one in numbered]

    async def _trouble(one: Receiver, number: int) -> str:
        message = Message.of(f"test-{int(now)}-{number}", NoticeEvent.TEST, now, told, detail=one.detail)
        try:
            await hand_over(message, one, now=now, kept=kept)
        except NotDelivered as error:
            return error.words
        except Exception as error:  # noqa: BLE001 - the other receivers are tried, too; the words may hold an address
            return f"unexpected: {type(error).__name__}"
        return ""

    return wiring.run_async(body)
