"""Ways to receivers and hooks, with what the environment holds for them."""

import threading
from collections.abc import Callable
from functools import partial

import anyio
import anyio.to_thread

from migrator.core.policy.outside import HookPrograms, Receiver, ReceiverKind
from migrator.inputs.files.toml_checks import Unfit
from migrator.inputs.settings.secrets import Secret
from migrator.receivers.command import ProgramEnd, run_program
from migrator.receivers.message import Message, NotDelivered
from migrator.wiring.withheld import Withheld, secret_source

__all__ = ["ask_program", "hand_over", "secret_named"]

COMMAND_S = 10.0
TRY_S = 10.5
"""Most seconds of one try, whatever a receiver does."""

LOOK_S = 0.02


def secret_named(name: str) -> Secret:
    """Return the secret of this name: a variable, NAME_FILE, or the keyring.

    Raises: NotDelivered, if there is none, or it cannot be read.
    """
    try:
        secret = secret_source(name).resolve()
    except Unfit as error:
        raise NotDelivered(error.words) from None
    if secret is None:
        raise NotDelivered(f"{name} is not set: set {name}, or {name}_FILE, or run: keyring set migrator {name}")
    return secret


async def ask_program(command: tuple[str, ...], given: bytes, hooks: HookPrograms, kept: Withheld) -> ProgramEnd:
    """Run a hook in a thread, without the secrets.

    The lease's heartbeat goes on meanwhile.
    """
    return await anyio.to_thread.run_sync(_program(command, given, hooks.timeout_s, kept))


def _program(command: tuple[str, ...], given: bytes, timeout_s: float, kept: Withheld) -> Callable[[], ProgramEnd]:
    return partial(run_program, command, given, environ=kept.environment(), timeout_s=timeout_s, struck=kept.struck)


async def hand_over(message: Message, receiver: Receiver, *, now: float, kept: Withheld) -> None:
    """Give a message to a receiver, once.

    Args:
        message: the message, as this receiver may see it.
        receiver: to whom.
        now: UTC seconds, for the signature.
        kept: the secrets that a program must not see.

    Raises: NotDelivered.
    """
    try:
        with anyio.fail_after(TRY_S):
            await _hand_over(message, receiver, now, kept)
    except TimeoutError:
        raise NotDelivered(f"no answer within {TRY_S:g} s") from None


async def _hand_over(message: Message, receiver: Receiver, now: float, kept: Withheld) -> None:
    if receiver.to is ReceiverKind.COMMAND:
        work = _program(receiver.command, message.body, COMMAND_S, kept)
        ended = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        if ended.code != 0:
            raise NotDelivered(ended.words if ended.code is None else f"exit {ended.code}: {ended.words}")
    elif receiver.to is ReceiverKind.MAIL:
        await _by_mail(message, receiver)
    else:
        await _by_http(message, receiver, now)


async def _by_mail(message: Message, receiver: Receiver) -> None:
    from migrator.receivers.mail import send_mail

    password = None if receiver.password_from is None else secret_named(receiver.password_from).reveal()
    work = partial(
        send_mail,
        message,
        server=receiver.server or "localhost",
        port=receiver.port,
        sender=receiver.sender or "",
        recipients=receiver.recipients,
        user=receiver.user,
        password=password,
    )
    await _in_thread(work)


async def _in_thread(work: Callable[[], None]) -> None:
    """Run work in a thread that keeps no process from its end.

    A server that goes on talking holds the thread for as long as it likes.
    """
    raised: list[Exception] = []

    def body() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised below
            raised.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    while thread.is_alive():  # noqa: ASYNC110 - a thread sets no event of the loop
        await anyio.sleep(LOOK_S)
    if raised:
        raise raised[0]


async def _by_http(message: Message, receiver: Receiver, now: float) -> None:
    from migrator.errors import InputError
    from migrator.receivers.http import check_url, form, post
    from migrator.wiring.proxies import transport_for

    name = receiver.url_from or ""
    url = secret_named(name).reveal()
    check_url(url, name)
    secret = None if receiver.secret_from is None else secret_named(receiver.secret_from).reveal()
    body, headers = form(receiver.to, message, secret=secret, now=now)
    try:
        transport = transport_for(url)
    except InputError as error:
        raise NotDelivered(error.message) from None
    async with transport:
        await post(transport, url, body, headers)
