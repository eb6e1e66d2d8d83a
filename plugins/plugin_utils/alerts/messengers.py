# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a message gets to its recipient. One way a class; the caller stores which way it was."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.wording import Message
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import smtp, wording
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import (
    ChannelError,
    Refused,
    Unavailable,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.writing import write_changed


class NotTold(Exception):
    """Nobody got the message; says why."""


class Messenger(Protocol):
    """Delivers by one means."""

    def send(self, message: Message, now: datetime) -> str:
        """Where it went, for the record. Raises NotTold when it did not go."""


class DirectoryMessenger:
    """Writes each notice into a directory, from where people or a mailer take it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, message: Message, now: datetime) -> str:
        """The file's name. It is for its owner alone, and its head says whom it is for."""
        recipient = message.recipient
        name = f"alerts-{now.strftime('%Y%m%dT%H%M%S%fZ')}-{_safe(recipient.name)}-{recipient.language}.txt"
        to = recipient.name + (f" <{recipient.address}>" if recipient.address else "")
        head = {"fr": ("À", "Objet"), "en": ("To", "Subject")}[recipient.language]
        space = "\u00a0" if recipient.language == "fr" else ""
        text = f"{head[0]}{space}: {to}\n{head[1]}{space}: {message.subject}\n\n{message.text}"
        path = self._directory / name
        number = 1
        while path.exists():
            # Two recipients may look alike once their names are made safe.
            number += 1
            path = self._directory / f"{name.removesuffix('.txt')}-{number}.txt"
        try:
            write_changed(path, text)
        except OSError as error:
            raise NotTold(f"{path}: {error.strerror or error}") from None
        return path.name


class MailMessenger:
    """Sends each notice by e-mail, through one server.

    settings: host, port, tls, sender, user, password, ca_file, as notices.smtp has them. Raises ChannelError.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = dict(settings)
        self._server([self._settings["sender"]])

    def send(self, message: Message, now: datetime) -> str:
        """The message's id, as the mail server knows it."""
        recipient = message.recipient
        spelt = f"{record.stamp(now)}\n{recipient.name}\n{recipient.address}\n{message.text}"
        key = hashlib.sha256(spelt.encode("utf-8", "replace")).hexdigest()[:32]
        try:
            self._server([recipient.address]).send(wording.Message(key, message.subject, message.text, {}))
        except (Unavailable, Refused, ChannelError) as error:
            raise NotTold(str(error)) from None
        return key

    def _server(self, recipients: Sequence[str]) -> smtp.Smtp:
        return smtp.Smtp("resource_alerts", recipients=recipients, **self._settings)


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:60].strip(".") or "_"
