# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices to a webhook: one JSON object by POST over verified HTTPS. Standard library only."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

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

# The server is busy, or wants to be asked later.
_LATER = {408, 425, 429}
_LONGEST_ANSWER = 4096


class Webhook:
    """An https URL. token: sent as `Authorization: Bearer`. Redirections are not followed: the token goes nowhere else.

    The URL itself may be a secret, so no message ever shows it.
    """

    def __init__(self, name: str, *, url: str, token: str | None, ca_file: str | None) -> None:
        where = f"channel '{name}': field 'url'"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ChannelError(f"{where} is no URL") from None
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise ChannelError(f"{where} must be https://host/path, without user or password in it")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ChannelError(f"{where} holds a character that a URL cannot have")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise ChannelError(f"channel '{name}': field 'token' holds a character that a header cannot have")
        self._host, self._port = parts.hostname, port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._token = token
        self._context = context(name, ca_file)

    def send(self, message: Message) -> str:
        """Taken is what is answered with a 2xx."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": message.key,
            "User-Agent": "infogerance.perimeter",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = json.dumps(message.data, ensure_ascii=False).encode("utf-8", "replace")
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=WAIT_SECONDS, context=self._context)
        try:
            with deadline(lambda: connection.sock):
                connection.request("POST", self._path, body, headers)
                answer = connection.getresponse()
                answer.read(_LONGEST_ANSWER)
                status = answer.status
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(why(error)) from None
        finally:
            connection.close()
        if 200 <= status < 300:
            return ""
        raise (Unavailable if status >= 500 or status in _LATER else Refused)(f"answered {status}")
