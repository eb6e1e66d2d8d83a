# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a channel is, and how it says that a message did not get through."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.wording import Message

# For one answer, and for one message from beginning to end: a server that drips bytes must not hold the others up.
WAIT_SECONDS = 10.0
LONGEST_SECONDS = 30.0


class ChannelError(ValueError):
    """A channel that is declared wrongly; the message names it and the field."""


class Unavailable(Exception):
    """Nothing gets through now; the next message would not, either."""


class Refused(Exception):
    """This message was refused; another may be taken."""


class Channel(Protocol):
    """Sends one message, whole or not at all as far as can be known."""

    def send(self, message: Message) -> str:
        """What is to be said all the same, mostly nothing. Raises Unavailable or Refused."""


def context(name: str, ca_file: str | None) -> ssl.SSLContext:
    """Certificate and name are verified, always. Raises ChannelError."""
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ChannelError(f"channel '{name}': field 'ca_file': {ca_file} cannot be used: {error}") from None


@contextlib.contextmanager
def deadline(current: Callable[[], socket.socket | None], seconds: float = LONGEST_SECONDS) -> Iterator[None]:
    """Cut the connection when time is over: a timeout is for one read only, and starts anew with each byte."""

    def cut() -> None:
        found = current()
        if found is not None:
            with contextlib.suppress(OSError):
                # Not the one of a TLS socket, which would pull its state from under a read in progress.
                socket.socket.shutdown(found, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def why(error: BaseException) -> str:
    """In a few words, without what a server said: it may quote what it was given."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
