# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small, strict DER reader: certificates, requests and revocation lists. Pure, standard library only.

It reads what the planner needs to know and no more. It checks no signature: that is openssl's work.
Whatever bytes it is given, it answers or raises DerDamaged.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from .index_file import HOLD, instant, serial_text

__all__ = [
    "Certificate",
    "DerDamaged",
    "Request",
    "Revocations",
    "pem_blocks",
    "read_certificate",
    "read_crl",
    "read_request",
]

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME, BOOLEAN, ENUMERATED = 0x17, 0x18, 0x01, 0x0A
#: String types that a common name comes in, with their encodings.
TEXT = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}

COMMON_NAME = b"\x55\x04\x03"
CRL_NUMBER, CRL_REASON = b"\x55\x1d\x14", b"\x55\x1d\x15"
BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, NETSCAPE_TYPE = (
    b"\x55\x1d\x13",
    b"\x55\x1d\x25",
    b"\x60\x86\x48\x01\x86\xf8\x42\x01\x01",
)
PURPOSES = {
    b"\x2b\x06\x01\x05\x05\x07\x03\x01": "serverAuth",
    b"\x2b\x06\x01\x05\x05\x07\x03\x02": "clientAuth",
    b"\x2b\x06\x01\x05\x05\x07\x03\x09": "OCSPSigning",
}
REASON_NUMBERS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "CACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: HOLD,
    8: "removeFromCRL",
}

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)


class DerDamaged(ValueError):
    """The bytes are not what they claim to be."""


class Certificate(NamedTuple):
    """What matters of a certificate. ``issuer`` and ``subject`` are DER: they are compared, not shown."""

    serial: str
    issuer: bytes
    subject: bytes
    common_name: str | None
    not_before: str
    not_after: str
    public_key: bytes
    is_ca: bool
    purposes: frozenset[str]


class Request(NamedTuple):
    """What matters of a certificate request."""

    common_names: tuple[str, ...]
    public_key: bytes


class Revocations(NamedTuple):
    """What matters of a revocation list. ``revoked`` maps a serial to its (time, reason)."""

    issuer: bytes
    updated: str
    expires: str | None
    number: int | None
    revoked: dict[str, tuple[str, str | None]]


def pem_blocks(data: bytes, label: str) -> list[bytes]:
    """The DER of every block with this label (``CERTIFICATE``, ``X509 CRL``, ...). Raises DerDamaged."""
    found = []
    for name, body in _PEM.findall(data):
        if name.decode("ascii") == label:
            try:
                found.append(base64.b64decode(b"".join(body.split()), validate=True))
            except (binascii.Error, ValueError) as error:
                raise DerDamaged("PEM block %s: %s" % (label, error)) from None
    return found


def _only_block(data: bytes, labels: tuple[str, ...]) -> bytes:
    if data[:1] == b"\x30":
        return data
    for label in labels:
        blocks = pem_blocks(data, label)
        if blocks:
            return blocks[0]
    raise DerDamaged("holds no whole PEM block %s" % labels[0])


class _Reader:
    """Walks over one level of DER values."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = start
        self.end = len(data) if end is None else end

    def header(self) -> tuple[int, int, int]:
        """(tag, start, end) of the next value; moves behind it."""
        data, position = self.data, self.position
        if position + 2 > self.end:
            raise DerDamaged("ends too early")
        tag, length = data[position], data[position + 1]
        start = position + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or start + count > self.end:
                raise DerDamaged("has a length that DER does not know")
            length = int.from_bytes(data[start : start + count], "big")
            start += count
        end = start + length
        if end > self.end:
            raise DerDamaged("ends too early")
        self.position = end
        return tag, start, end

    def peek(self) -> int:
        return self.data[self.position] if self.position < self.end else -1

    def take(self, tag: int) -> bytes:
        found, start, end = self.header()
        if found != tag:
            raise DerDamaged("has tag 0x%02x where 0x%02x belongs" % (found, tag))
        return self.data[start:end]

    def whole(self, tag: int) -> bytes:
        """Like take, with the header."""
        begin = self.position
        self.take(tag)
        return self.data[begin : self.position]

    def inside(self, tag: int) -> _Reader:
        found, start, end = self.header()
        if found != tag:
            raise DerDamaged("has tag 0x%02x where 0x%02x belongs" % (found, tag))
        return _Reader(self.data, start, end)

    def more(self) -> bool:
        return self.position < self.end


def _time(reader: _Reader) -> str:
    tag, start, end = reader.header()
    text = reader.data[start:end].decode("latin-1")
    if (tag, len(text)) not in ((UTC_TIME, 13), (GENERALIZED_TIME, 15)):
        raise DerDamaged("has a time in a form that certificates don't use")
    try:
        return instant(text)
    except ValueError as error:
        raise DerDamaged(str(error)) from None


def _serial(raw: bytes) -> str:
    if not raw or raw[0] & 0x80 or len(raw) > 64:
        raise DerDamaged("has a serial that is empty, negative or too long")
    return serial_text(raw.hex())


def _names(name: bytes) -> list[str]:
    """The common names of a DER name, in order."""
    found = []
    parts = _Reader(name).inside(SEQUENCE)
    while parts.more():
        group = parts.inside(SET)
        while group.more():
            pair = group.inside(SEQUENCE)
            kind = pair.take(OID)
            tag, start, end = pair.header()
            if kind == COMMON_NAME and tag in TEXT:
                try:
                    found.append(pair.data[start:end].decode(TEXT[tag]))
                except UnicodeDecodeError:
                    raise DerDamaged("has a common name that can't be decoded") from None
    return found


def read_certificate(data: bytes) -> Certificate:
    """Read one certificate, PEM (the first block) or DER. Raises DerDamaged."""
    outer = _Reader(_only_block(data, ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")))
    body = outer.inside(SEQUENCE).inside(SEQUENCE)
    if body.peek() == 0xA0:
        body.header()
    serial = _serial(body.take(INTEGER))
    body.take(SEQUENCE)
    issuer = body.whole(SEQUENCE)
    validity = body.inside(SEQUENCE)
    not_before, not_after = _time(validity), _time(validity)
    subject = body.whole(SEQUENCE)
    public_key = body.whole(SEQUENCE)
    is_ca, purposes = False, set()
    while body.more():
        tag, start, end = body.header()
        if tag == 0xA3:
            for kind, value in _extensions(_Reader(body.data, start, end)):
                if kind == BASIC_CONSTRAINTS:
                    constraints = _Reader(value).inside(SEQUENCE)
                    is_ca = constraints.peek() == BOOLEAN and constraints.take(BOOLEAN) != b"\x00"
                elif kind == EXTENDED_KEY_USAGE:
                    usages = _Reader(value).inside(SEQUENCE)
                    while usages.more():
                        usage = usages.take(OID)
                        purposes.add(PURPOSES.get(usage, usage.hex()))
                elif kind == NETSCAPE_TYPE:
                    bits = _Reader(value).take(BIT_STRING)
                    if len(bits) > 1 and bits[1] & 0x40:
                        purposes.add("serverAuth")
    names = _names(subject)
    return Certificate(
        serial,
        issuer,
        subject,
        names[-1] if names else None,
        not_before,
        not_after,
        public_key,
        is_ca,
        frozenset(purposes),
    )


def read_request(data: bytes) -> Request:
    """Read one certificate request. Raises DerDamaged."""
    outer = _Reader(_only_block(data, ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")))
    body = outer.inside(SEQUENCE).inside(SEQUENCE)
    body.take(INTEGER)
    names = _names(body.whole(SEQUENCE))
    return Request(tuple(names), body.whole(SEQUENCE))


def read_crl(data: bytes) -> Revocations:
    """Read one revocation list, PEM or DER. Raises DerDamaged."""
    if data[:1] != b"\x30" and len(pem_blocks(data, "X509 CRL")) > 1:
        raise DerDamaged("holds more than one revocation list")
    outer = _Reader(_only_block(data, ("X509 CRL",)))
    envelope = outer.inside(SEQUENCE)
    if outer.more():
        raise DerDamaged("has bytes behind its end")
    body = envelope.inside(SEQUENCE)
    if body.peek() == INTEGER:
        body.take(INTEGER)
    body.take(SEQUENCE)
    issuer = body.whole(SEQUENCE)
    updated = _time(body)
    expires = _time(body) if body.peek() in (UTC_TIME, GENERALIZED_TIME) else None
    revoked = _revoked(body.inside(SEQUENCE)) if body.peek() == SEQUENCE else {}
    number = None
    if body.peek() == 0xA0:
        _tag, start, end = body.header()
        for kind, value in _extensions(_Reader(body.data, start, end)):
            if kind == CRL_NUMBER:
                number = int.from_bytes(_Reader(value).take(INTEGER), "big")
    # The signature's algorithm and bits must at least be there.
    envelope.take(SEQUENCE)
    envelope.take(BIT_STRING)
    return Revocations(issuer, updated, expires, number, revoked)


def _revoked(rows: _Reader) -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}
    while rows.more():
        row = rows.inside(SEQUENCE)
        serial = _serial(row.take(INTEGER))
        when = _time(row)
        reason = None
        if row.more():
            for kind, value in _extensions(row):
                if kind == CRL_REASON:
                    code = _Reader(value).take(ENUMERATED)
                    reason = REASON_NUMBERS.get(int.from_bytes(code, "big"))
        found[serial] = (when, reason)
    return found


def _extensions(reader: _Reader) -> list[tuple[bytes, bytes]]:
    found = []
    rows = reader.inside(SEQUENCE)
    while rows.more():
        row = rows.inside(SEQUENCE)
        kind = row.take(OID)
        if row.peek() == BOOLEAN:
            row.take(BOOLEAN)
        found.append((kind, row.take(OCTET_STRING)))
    return found
