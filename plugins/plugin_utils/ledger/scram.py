# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's stored form of a password (SCRAM-SHA-256, RFC 5803), made here: the server never sees the password.

Format: SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>, all three in base64, as in pg_authid.rolpassword.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

_ITERATIONS = 4096
_STORED = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)\Z")


def verifier(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """What PostgreSQL would store. Raises ValueError, which never quotes the password.

    Only printable ASCII is taken: beyond it clients disagree on how a password is normalised.
    """
    if not password or not password.isascii() or not password.isprintable():
        raise ValueError("a password must be printable ASCII and not empty")
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    coded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{coded[0]}${coded[1]}:{coded[2]}"


def fits(password: str, stored: str | None) -> bool:
    """Whether this password is the one that is stored."""
    found = _STORED.match(stored or "")
    if found is None:
        return False
    try:
        salt = base64.b64decode(found[2], validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(verifier(password, salt, int(found[1])), found[0])
