# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""evomaintenance's HTTP API, with the server's certificate verified. Standard library only."""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.database import (
    WAIT_SECONDS,
    SendError,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.rows import Row

_LONGEST_ANSWER = 4096


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes where it was meant to go, and nowhere else."""

    def redirect_request(self, *_given: object) -> None:
        """None is: do not go there. The answer is an error then."""
        return


class Api:
    """The API at an https URL.

    key: its `api_key`. ca_file: the authority that vouches for the server; the system's are used without one.
    Raises SendError.
    """

    def __init__(self, url: str, key: str, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise SendError("api_url: must be https://host/path, without user or password in it")
        self.target = f"evomaintenance's API at {parts.hostname}:{parts.port or 443}{parts.path}"
        self._url = url
        self._key = key
        try:
            context = ssl.create_default_context(cafile=str(Path(ca_file).expanduser()) if ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise SendError(f"ca_file: {ca_file} cannot be used: {error}") from None
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect)

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def send(self, row: Row) -> None:
        """Post it as the form that the API expects. It has taken it only if it answers {"status":"Ok"}."""
        content, kind = _form({"api_key": self._key, "action": "insertEvoMaintenance", **row.fields()})
        request = urllib.request.Request(self._url, data=content, headers={"Content-Type": kind}, method="POST")
        try:
            with self._opener.open(request, timeout=WAIT_SECONDS) as response:
                answer = response.read(_LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            raise SendError(f"{self.target}: answered {error.code}") from None
        except urllib.error.URLError as error:
            raise SendError(f"{self.target}: {error.reason}") from None
        except (OSError, HTTPException) as error:
            raise SendError(f"{self.target}: {error or type(error).__name__}") from None
        try:
            taken = json.loads(answer) == {"status": "Ok"}
        except ValueError:
            taken = False
        if not taken:
            raise SendError(f"{self.target}: did not say that it has taken the row")


def _form(fields: dict[str, str]) -> tuple[bytes, str]:
    """multipart/form-data. Values go in as they are: none is ever read as the name of a file."""
    while True:
        boundary = secrets.token_hex(16)
        if not any(boundary in value for value in fields.values()):
            break
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    content = "".join(lines) + f"--{boundary}--\r\n"
    return content.encode("utf-8", "replace"), f"multipart/form-data; boundary={boundary}"
