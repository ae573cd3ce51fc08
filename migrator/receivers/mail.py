"""Mail by SMTP, over TLS that is verified."""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate

from migrator.receivers.message import Message, NotDelivered

__all__ = ["send_mail"]

TIMEOUT_S = 10.0
TLS_FROM_THE_START = 465
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def send_mail(
    message: Message,
    *,
    server: str,
    port: int,
    sender: str,
    recipients: Sequence[str],
    user: str | None,
    password: str | None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Hand a message to a mail server; blocks meanwhile.

    Without TLS only a server on this machine is spoken to, and no password is ever sent there. A certificate is
    verified, but for a mail without a password to this machine: there plain words would do as well.

    Raises: NotDelivered, without the server's words.
    """
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.subject, sender, ", ".join(recipients)
    mail["Date"], mail["Message-ID"] = formatdate(message.made_at), f"<{message.notice_id}@migrator.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n\nnotice {message.notice_id}\n")
    try:
        is_on_its_own = server in LOOPBACK and password is None
        smtp = _connected(server, port, timeout_s, _unverified() if is_on_its_own else ssl.create_default_context())
        try:
            if user is not None and password is not None:
                if not isinstance(smtp.sock, ssl.SSLSocket):
                    raise NotDelivered("the mail server has no TLS, and no password is sent without")
                smtp.login(user, password)
            smtp.send_message(mail)  # taken for some recipients is taken: the same mail again would double theirs
        finally:
            with suppress(smtplib.SMTPException, OSError):  # what was taken stays taken, however they part
                smtp.quit()
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"the mail server answered {error.smtp_code}") from None
    except ssl.SSLCertVerificationError:
        raise NotDelivered("the certificate of the mail server cannot be verified for this name") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"the mail server was not reached: {type(error).__name__}") from None


def _unverified() -> ssl.SSLContext:
    """Return TLS that takes any certificate."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def _connected(server: str, port: int, timeout_s: float, tls: ssl.SSLContext) -> smtplib.SMTP:
    if port == TLS_FROM_THE_START:
        return smtplib.SMTP_SSL(server, port, timeout=timeout_s, context=tls)
    smtp = smtplib.SMTP(server, port, timeout=timeout_s)
    try:
        smtp.ehlo()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=tls)
            smtp.ehlo()
    except BaseException:
        smtp.close()
        raise
    if not isinstance(smtp.sock, ssl.SSLSocket) and server not in LOOPBACK:
        smtp.close()
        raise NotDelivered("the mail server offers no TLS")
    return smtp
