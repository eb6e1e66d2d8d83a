# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices by e-mail. TLS is verified; a password travels under TLS only. Standard library only."""

from __future__ import annotations

import ipaddress
import smtplib
import socket
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import (
    WAIT_SECONDS,
    ChannelError,
    Refused,
    Unavailable,
    context,
    deadline,
    why,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.wording import Message

TLS = ("starttls", "implicit", "none")
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


class Smtp:
    """One server, one sender, some recipients.

    tls: `starttls` (never without it), `implicit`, or `none`, which is for this very machine only.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int | None,
        tls: str,
        sender: str,
        recipients: Sequence[str],
        user: str | None,
        password: str | None,
        ca_file: str | None,
    ) -> None:
        where = f"channel '{name}'"
        if not recipients:
            raise ChannelError(f"{where}: field 'recipients' is missing or empty")
        for field, address in [("sender", sender), *(("recipients", address) for address in recipients)]:
            if not address.isascii() or address.count("@") != 1 or not all(char.isprintable() for char in address):
                raise ChannelError(f"{where}: field '{field}': {address!r} is no e-mail address")
            if any(char in address for char in " <>,;:\"'"):
                raise ChannelError(f"{where}: field '{field}': {address!r} must be a bare address")
        if tls == "none" and (user or password or not _is_loopback(host)):
            raise ChannelError(f"{where}: field 'tls': 'none' is for a server on this machine, without a password")
        if bool(user) != bool(password):
            raise ChannelError(f"{where}: fields 'user' and 'password' belong together")
        self._host, self._port, self._tls = host, port or _PORTS[tls], tls
        self._sender, self._recipients = sender, list(recipients)
        self._user, self._password = user, password
        self._context = None if tls == "none" else context(name, ca_file)

    def send(self, message: Message) -> str:
        """Sent is what the server took for at least one recipient; who else was refused is said."""
        server = (
            smtplib.SMTP_SSL(timeout=WAIT_SECONDS, context=self._context, local_hostname=_own_name())
            if self._tls == "implicit"
            else smtplib.SMTP(timeout=WAIT_SECONDS, local_hostname=_own_name())
        )
        # smtplib checks the certificate against this name, which it knows only when it connects by itself.
        server._host = self._host  # type: ignore[attr-defined]
        try:
            with deadline(lambda: server.sock):
                server.connect(self._host, self._port)
                if self._tls == "starttls":
                    server.starttls(context=self._context)
                if self._user and self._password:
                    server.login(self._user, self._password)
                left_out = server.send_message(self._mail(message), self._sender, self._recipients)
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _said in error.recipients.values()})
            kind = Refused if codes and min(codes) >= 500 else Unavailable
            raise kind(f"all recipients were refused ({', '.join(map(str, codes))})") from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            kind = Refused if error.smtp_code >= 500 else Unavailable
            raise kind(f"refused ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            raise Unavailable(f"{type(error).__name__} ({error.smtp_code})") from None
        except smtplib.SMTPNotSupportedError as error:
            # smtplib's own words: which extension is missing.
            raise Unavailable(str(error).rstrip(".")) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Unavailable(why(error)) from None
        finally:
            server.close()
        return f"refused for {', '.join(sorted(left_out))}" if left_out else ""

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Date"] = formatdate(localtime=False)
        mail["Message-ID"] = f"<{message.key}@{self._sender.split('@')[1]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail


def _own_name() -> str:
    # smtplib would ask the DNS, and might wait for it.
    name = socket.gethostname()
    return name if name.isascii() and name else "localhost"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
