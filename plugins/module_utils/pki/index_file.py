# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index that ``openssl ca`` keeps (``index.txt``): read it strictly, change it without touching a foreign byte.

Pure. One line a certificate, six fields with a TAB between them::

    status  expiry  [revocation[,reason[,detail]]]  serial  file  subject

Expired certificates stay ``V`` until somebody runs ``openssl ca -updatedb``: whoever reads must compare the dates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

__all__ = [
    "HOLD",
    "IndexDamaged",
    "Line",
    "append",
    "common_name",
    "format_index",
    "instant",
    "parse_index",
    "release",
    "revoke",
    "serial_text",
    "stamp",
]

HOLD = "certificateHold"
#: Reasons that stand alone, as OpenSSL writes them.
REASONS = frozenset(
    (
        "unspecified",
        "keyCompromise",
        "CACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        HOLD,
        "removeFromCRL",
    )
)
#: Reasons followed by one more value.
DETAILED = frozenset(("holdInstruction", "keyTime", "CAkeyTime"))

_SERIAL = re.compile(r"(?:[0-9A-Fa-f]{2}){1,64}\Z")
_DATE = re.compile(r"(?:\d{2}|\d{4})\d{10}Z\Z", re.ASCII)
_PART = re.compile(r"(?<!\\)[/+](?=[A-Za-z0-9.]+=)")
_ESCAPED = re.compile(rb"\\(?:x([01][0-9A-F]|7F|[89A-F][0-9A-F])|([/+]))")


class IndexDamaged(ValueError):
    """The index can't be trusted. Says which line and why; nothing may be written from it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__("index line %d: %s" % (line, message))
        self.line = line
        self.message = message


class Line(NamedTuple):
    """One certificate of the index. Times are ISO (``2026-11-23T09:35:51Z``), so that they compare as text."""

    status: str
    expires: str
    revoked: str | None
    reason: str | None
    serial: str
    file: str
    subject: str
    raw: str

    @property
    def held(self) -> bool:
        """Revoked for now: the one reason that may be taken back."""
        return self.status == "R" and self.reason == HOLD


def parse_index(data: bytes) -> list[Line]:
    """Every line, in order. Raises IndexDamaged for the first that is not exactly what OpenSSL writes."""
    if b"\x00" in data or b"\r" in data:
        raise IndexDamaged(1, "holds NUL or carriage return: not written by openssl")
    if data and not data.endswith(b"\n"):
        raise IndexDamaged(data.count(b"\n") + 1, "has no end: the file was cut short")
    # Subjects are ASCII as OpenSSL prints them; latin-1 gives any byte back unchanged.
    lines: list[Line] = []
    seen: dict[str, int] = {}
    for number, raw in enumerate(data.decode("latin-1").split("\n")[:-1], 1):
        if raw.startswith("#"):
            continue
        line = _parse_line(raw, number)
        first = seen.setdefault(line.serial, number)
        if first != number:
            raise IndexDamaged(number, "serial %s is on line %d already" % (line.serial, first))
        lines.append(line)
    return lines


def _parse_line(raw: str, number: int) -> Line:
    fields = raw.split("\t")
    if len(fields) != 6:
        raise IndexDamaged(number, "has %d fields instead of 6" % len(fields))
    status, expires, revocation, serial, file, subject = fields
    if status not in ("V", "R", "E"):
        raise IndexDamaged(number, "status %r is none of V, R, E" % status)
    if not _SERIAL.match(serial):
        raise IndexDamaged(number, "serial %r is not pairs of hexadecimal digits" % serial)
    revoked, reason = None, None
    if status == "R":
        revoked, reason = _revocation(revocation, number)
    elif revocation:
        raise IndexDamaged(number, "status %s with a revocation date" % status)
    if not subject.startswith("/"):
        raise IndexDamaged(number, "subject %r does not start with '/'" % subject[:40])
    return Line(status, _when(expires, number), revoked, reason, serial_text(serial), file, subject, raw)


def _revocation(text: str, number: int) -> tuple[str, str | None]:
    parts = text.split(",")
    revoked = _when(parts[0], number)
    if len(parts) == 1:
        return revoked, None
    if parts[1] in REASONS and len(parts) == 2:
        return revoked, parts[1]
    if parts[1] in DETAILED and len(parts) == 3 and parts[2]:
        # A hold instruction is OpenSSL's other way to say hold.
        return revoked, HOLD if parts[1] == "holdInstruction" else parts[1]
    raise IndexDamaged(number, "revocation %r has no reason that openssl knows" % text)


def _when(text: str, number: int) -> str:
    try:
        return instant(text)
    except ValueError as error:
        raise IndexDamaged(number, str(error)) from None


def instant(text: str) -> str:
    """ISO form of ``YYMMDDHHMMSSZ`` (1950 - 2049) or ``YYYYMMDDHHMMSSZ``. Raises ValueError."""
    if not _DATE.match(text):
        raise ValueError("%r is not a date of the form [YY]YYMMDDHHMMSSZ" % text[:40])
    if len(text) == 13:
        text = ("19" if text >= "50" else "20") + text
    try:
        month, day, hour, minute, second = (int(text[at : at + 2]) for at in (4, 6, 8, 10, 12))
        datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        raise ValueError("%r is no date of the calendar" % text) from None
    return "%s-%s-%sT%s:%s:%sZ" % (text[:4], text[4:6], text[6:8], text[8:10], text[10:12], text[12:14])


def stamp(iso: str) -> str:
    """An ISO time as the index writes it: two digits for the year until 2049."""
    digits = "".join(c for c in iso if c.isdigit()) + "Z"
    return digits[2:] if "1950" <= iso[:4] <= "2049" else digits


def serial_text(serial: str) -> str:
    """One spelling of a serial: capitals, an even number of digits, no needless zero pairs.

    Colons and ``0x`` are taken as well. Raises ValueError.
    """
    digits = serial.strip().replace(":", "")
    if digits[:2] in ("0x", "0X"):
        digits = digits[2:]
    if not re.match(r"[0-9A-Fa-f]{1,128}\Z", digits):
        raise ValueError("%r is not a hexadecimal serial" % serial)
    digits = digits.upper().lstrip("0") or "0"
    return digits if len(digits) % 2 == 0 else "0" + digits


def common_name(subject: str) -> str | None:
    """The CN that OpenVPN takes (the last one), or None where the subject has none or can't be read surely."""
    found = None
    for part in _PART.split(subject):
        name, _equals, value = part.partition("=")
        if name == "CN":
            found = value
    if found is None:
        return None
    plain = _ESCAPED.sub(_unescape, found.encode("latin-1"))
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found.group(1).decode("ascii")) if found.group(1) else found.group(2)


def format_index(data: bytes, changed: Mapping[str, str]) -> bytes:
    """The same file with some lines replaced: ``changed`` maps a serial to its new raw line."""
    if not changed:
        return data
    left = dict(changed)
    out: list[str] = []
    for raw in data.decode("latin-1").split("\n"):
        fields = raw.split("\t")
        if len(fields) == 6 and not raw.startswith("#"):
            out.append(left.pop(serial_text(fields[3]), raw))
        else:
            out.append(raw)
    if left:
        raise KeyError("not in the index: %s" % ", ".join(sorted(left)))
    return "\n".join(out).encode("latin-1")


def revoke(data: bytes, serials: Sequence[str], when: str, reason: str | None = None) -> bytes:
    """Mark valid (or held) certificates as revoked at ``when`` (ISO). Those revoked for good stay as they are."""
    if reason is not None and reason not in REASONS:
        raise ValueError("%r is no reason of a revocation" % reason)
    known = {line.serial: line for line in parse_index(data)}
    changed = {}
    for serial in serials:
        line = known.get(serial)
        if line is None:
            raise KeyError("not in the index: %s" % serial)
        if line.status == "R" and not (line.held and reason != HOLD):
            continue
        fields = line.raw.split("\t")
        fields[0], fields[2] = "R", stamp(when) + ("," + reason if reason else "")
        changed[serial] = "\t".join(fields)
    return format_index(data, changed)


def release(data: bytes, serials: Sequence[str]) -> bytes:
    """Take back a hold. Raises ValueError for a certificate that was revoked for good."""
    known = {line.serial: line for line in parse_index(data)}
    changed = {}
    for serial in serials:
        line = known.get(serial)
        if line is None:
            raise KeyError("not in the index: %s" % serial)
        if line.status == "R" and not line.held:
            raise ValueError("%s is revoked for good" % serial)
        fields = line.raw.split("\t")
        fields[0], fields[2] = "V", ""
        changed[serial] = "\t".join(fields)
    return format_index(data, changed)


def append(data: bytes, line: str) -> bytes:
    """One more line, checked together with what is there."""
    longer = data + line.encode("latin-1") + b"\n"
    parse_index(longer)
    return longer
