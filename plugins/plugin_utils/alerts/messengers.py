# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a message gets to its recipient. One way a class; the caller stores which way it was."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.wording import Message
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.writing import write_changed


class Messenger(Protocol):
    """Delivers, or hands over to what delivers."""

    def send(self, message: Message, now: datetime) -> tuple[str, str]:
        """The means and where it went, for the record. Raises OSError when it did not go."""


class DirectoryMessenger:
    """Writes each notice into a directory, from where people or a mailer take it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, message: Message, now: datetime) -> tuple[str, str]:
        """The file, for its owner alone. The head says whom it is for."""
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
        write_changed(path, text)
        return "file", path.name


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:60].strip(".") or "_"
