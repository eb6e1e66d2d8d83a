# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a shared ledger is: an SQLAlchemy URL, checked and completed. No I/O, standard library only.

A password never leaves this object but for the connection itself: neither `shown` nor an error has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError

DRIVER = "postgresql+psycopg"
_SCHEMES = {"postgresql", "postgres", DRIVER}
# These of libpq's parameters hold secrets.
_SECRET = {"password", "sslpassword"}
_LOCAL = {"", "localhost", "127.0.0.1", "::1"}


class SharedError(LedgerError):
    """The shared ledger cannot be reached, read or written, or its URL is wrong. Never holds a password."""


def is_url(text: str) -> bool:
    """Whether this names a shared ledger and not a file, also after somebody has made a path of it."""
    return bool(re.search(r"(^|/)postgres[a-z0-9+]*:/", text))


@dataclass(frozen=True, repr=False)
class SharedUrl:
    """target: host, port and database: what tells this shared ledger from others. shown: the URL without secrets.

    full: what SQLAlchemy gets.
    """

    target: str
    shown: str
    full: str
    password: str

    def __repr__(self) -> str:
        return f"SharedUrl({self.shown!r})"

    def without_secrets(self, text: str) -> str:
        """A message with the password taken out, in each spelling that a URL may give it."""
        for spelt in {self.password, quote(self.password, safe=""), quote(self.password)} - {""}:
            text = text.replace(spelt, "***")
        return text


def parse(text: str, connect_timeout: int = 2) -> SharedUrl:
    """Read `postgresql+psycopg://user@host:port/database?sslmode=...`.

    Over a network `sslmode` is `verify-full` unless the URL says otherwise. `passfile`, `sslrootcert` and all other
    parameters of libpq may stand in the query. connect_timeout: seconds, unless the URL says otherwise.
    Raises SharedError, which quotes nothing of the URL but its scheme.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = unquote(parts.hostname or "")
    except ValueError:
        raise SharedError("shared: this is no URL; expected postgresql+psycopg://user@host:5432/database") from None
    if parts.scheme not in _SCHEMES:
        raise SharedError(f"shared: a URL must begin with {DRIVER}://, not with {parts.scheme or 'nothing'}://")
    database = unquote(parts.path.lstrip("/"))
    if not database or "/" in database:
        raise SharedError("shared: the URL must name one database, as in postgresql+psycopg://user@host:5432/database")
    if parts.fragment:
        raise SharedError("shared: the URL has a '#': write it as %23 where it is part of a name or password")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = unquote(parts.password or "") or query.pop("password", "")
    hosts = query.get("host", host)
    network = any(name not in _LOCAL and not name.startswith("/") for name in hosts.split(","))
    if network:
        query.setdefault("sslmode", "verify-full")
    query.setdefault("connect_timeout", str(connect_timeout))
    query.setdefault("application_name", "infogerance-perimeter")
    user = unquote(parts.username or "")
    where = (f"[{host}]" if ":" in host else quote(host)) + (f":{port}" if port else "")
    shown_query = {key: value for key, value in query.items() if key not in _SECRET}

    def spelt(secret: str, parameters: dict[str, str]) -> str:
        login = (
            quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "") + ("@" if user or secret else "")
        )
        return f"{DRIVER}://{login}{where}/{quote(database, safe='')}?{urlencode(parameters)}"

    return SharedUrl(
        target=f"{hosts or 'local'}:{port or query.get('port', 5432)}/{database}",
        shown=spelt("", shown_query),
        full=spelt(password, query),
        password=password,
    )
