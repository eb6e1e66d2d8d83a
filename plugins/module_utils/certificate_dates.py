# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When certificates on this server end, by its own openssl. Only certificates are handed to it, never a key."""

from __future__ import annotations

import datetime
import glob
import os
import re
import stat

from .pki.der import DerDamaged, pem_blocks
from .pki.openssl_command import OpensslFailed, run
from .resources import Reading, Readings

__all__ = ["COMMON_PLACES", "certificates", "end_of"]

#: Where Debian's packages and their users keep what a service shows to others. Not /etc/ssl/certs: those are others'.
COMMON_PLACES = (
    "/etc/letsencrypt/live/*/fullchain.pem",
    "/etc/ssl/*.pem",
    "/etc/ssl/*.crt",
    "/etc/ssl/localcerts/*",
    "/etc/apache2/ssl/*",
    "/etc/nginx/ssl/*",
    "/etc/haproxy/*.pem",
    "/etc/haproxy/certs/*.pem",
    "/etc/dovecot/private/*.pem",
    "/etc/postfix/*.pem",
    "/etc/openvpn/*.crt",
    "/etc/openvpn/server/*.crt",
)
LARGEST = 256 * 1024
MOST_FILES = 500
MOST_IN_FILE = 20
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_END = re.compile(r"^notAfter=([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4}) GMT", re.MULTILINE)
_SUBJECT = re.compile(r"^subject=\s*(.*)$", re.MULTILINE)


class _Unusable(Exception):
    """Why a file tells nothing."""


def certificates(into: Readings, given: list[str], places: list[str], now: datetime.datetime) -> None:
    """Days that each file's certificates still hold: the earliest of a file counts.

    given: files that must be there. places: patterns of files that may be.
    """
    wanted = dict.fromkeys(given, True)
    for place in places:
        for path in sorted(glob.glob(place)):
            wanted.setdefault(path, False)
    real: set[str] = set()
    for number, (path, must) in enumerate(wanted.items()):
        if number >= MOST_FILES:
            into.failed("certificate", path, "more than %d files: it and what follows were not read" % MOST_FILES)
            return
        # One certificate behind several links is one.
        target = os.path.realpath(path)
        if target in real:
            continue
        real.add(target)
        try:
            reading = _read(path, now)
        except _Unusable as error:
            into.failed("certificate", path, str(error))
            continue
        if reading is not None:
            into.found.append(reading)
        elif must:
            into.failed("certificate", path, "holds no certificate")


def _read(path: str, now: datetime.datetime) -> Reading | None:
    """None where the file holds no certificate."""
    data = _bytes(path)
    try:
        blocks = pem_blocks(data, "CERTIFICATE") + pem_blocks(data, "TRUSTED CERTIFICATE")
    except DerDamaged as error:
        raise _Unusable(str(error)) from None
    if not blocks and data[:2] == b"\x30\x82" and not path.endswith((".key", ".p12", ".pfx", ".csr", ".crl")):
        blocks = [data]
    ends: list[tuple[datetime.datetime, str]] = [end_of(block) for block in blocks[:MOST_IN_FILE]]
    if not ends:
        return None
    end, subject = min(ends)
    days = (end - now).total_seconds() / 86400
    return Reading(
        "certificate",
        path,
        round(days, 2),
        "days",
        ends=end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        subject=subject[:300],
        certificates=len(blocks),
    )


def _bytes(path: str) -> bytes:
    try:
        # Without waiting: a FIFO would keep us here for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _Unusable(error.strerror or "cannot be opened") from None
    try:
        told = os.fstat(handle)
        if not stat.S_ISREG(told.st_mode):
            raise _Unusable("is no regular file")
        if told.st_size > LARGEST:
            raise _Unusable("is larger than %d bytes" % LARGEST)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise _Unusable(error.strerror or "cannot be read") from None
    finally:
        os.close(handle)


def end_of(der: bytes) -> tuple[datetime.datetime, str]:
    """The last moment of one certificate (DER) and its subject, in openssl's words."""
    words = ["x509", "-inform", "DER", "-noout", "-enddate", "-subject", "-nameopt", "RFC2253,utf8,-esc_msb"]
    try:
        text = run(words, data=der)
    except OpensslFailed as error:
        raise _Unusable(str(error)[:300]) from None
    found = _END.search(text)
    if found is None:
        raise _Unusable("openssl tells no end of it")
    month, day, hour, minute, second, year = found.groups()
    moment = datetime.datetime(
        int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=datetime.timezone.utc
    )
    subject = _SUBJECT.search(text)
    return moment, subject.group(1).strip() if subject else ""
