# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of an authorized_keys file (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). Pure: bytes in, bytes out.

Keys are compared by what they are, never by line. Lines that are not changed keep every byte, good or bad.

Reading follows sshd's own parser (sshkey_read, sshkey_advance_past_options) in what it forgives: a line that opens
the door but looks like rubbish to us would be the perfect back door.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["BadKey", "KeyLine", "edit", "parse_declared", "parse_file", "render"]

#: Types that sshd accepts today. A declared key must be one of them.
KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
#: What a type's name looks like, for keys that we only observe: newer sshd may know more types than we do.
TYPE_SHAPE = re.compile(r"[a-z0-9][a-z0-9@.-]{2,63}\Z")
#: Names that sshd takes on a line for the same type of key: those of signatures.
SIGNATURE_NAMES = {
    "rsa-sha2-256": "ssh-rsa",
    "rsa-sha2-512": "ssh-rsa",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com": "sk-ecdsa-sha2-nistp256@openssh.com",
}
#: Short names, in any case, that sshd takes inside the blob.
SHORT_NAMES = {
    "rsa": "ssh-rsa",
    "dsa": "ssh-dss",
    "ed25519": "ssh-ed25519",
    "ecdsa-sk": "sk-ecdsa-sha2-nistp256@openssh.com",
    "ed25519-sk": "sk-ssh-ed25519@openssh.com",
}
#: How many parts a key of each type has, its type's name included.
PARTS = {"ssh-ed25519": 2, "ssh-rsa": 3, "ssh-dss": 5, "ecdsa-sha2-nistp256": 3, "ecdsa-sha2-nistp384": 3,
         "ecdsa-sha2-nistp521": 3, "sk-ssh-ed25519@openssh.com": 3,
         "sk-ecdsa-sha2-nistp256@openssh.com": 4}  # fmt: skip
#: Options without and with a value, from sshd(8). An unknown one makes sshd drop the whole line.
FLAGS = ("agent-forwarding", "cert-authority", "port-forwarding", "pty", "user-rc", "x11-forwarding",
         "no-agent-forwarding", "no-port-forwarding", "no-pty", "no-user-rc", "no-x11-forwarding",
         "restrict", "touch-required", "no-touch-required", "verify-required")  # fmt: skip
VALUED = ("command", "environment", "expiry-time", "from", "permitlisten", "permitopen", "principals", "tunnel")


class BadKey(ValueError):
    """A declared key that is not one. The text says what is wrong with it."""


@dataclass(frozen=True)
class KeyLine:
    """One line of a file. ``fingerprint`` is None for blank lines, comments and bad lines.

    ``problem`` says why a line that is neither blank nor a comment opens nothing.
    """

    raw: bytes
    options: str = ""
    type: str = ""
    blob: str = ""
    comment: str = ""
    fingerprint: str | None = None
    problem: str | None = None

    @property
    def is_ca(self) -> bool:
        """True for a certificate authority: it opens the door to every certificate that it signs."""
        return "cert-authority" in (name for name, _value in split_options(self.options))

    def expired(self, today: str) -> bool:
        """True where the ``expiry-time`` option surely lies in the past. ``today`` is an ISO date (UTC).

        sshd reads it in the server's own time zone, so up to 14 hours may be missing: such a key still counts.
        """
        for name, value in split_options(self.options):
            moment = _moment(value) if name == "expiry-time" and value else None
            if moment and moment + datetime.timedelta(hours=14) <= datetime.datetime.fromisoformat(today):
                return True
        return False


def parse_file(data: bytes) -> list[KeyLine]:
    """Every line of a file, in order. Joining their ``raw`` gives the file back, byte for byte."""
    # Only a line feed ends a line: bytes.splitlines would cut at a lone carriage return, sshd doesn't.
    pieces = data.split(b"\n")
    return [_parse_line(piece + b"\n") for piece in pieces[:-1]] + ([_parse_line(pieces[-1])] if pieces[-1] else [])


def _parse_line(raw: bytes) -> KeyLine:
    # To sshd the line is a C string: what comes after a NUL isn't there.
    text = raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape").rstrip("\r\n").strip(" \t")
    if not text or text.startswith("#"):
        return KeyLine(raw)
    try:
        return KeyLine(raw, *_split(text))
    except BadKey as error:
        return KeyLine(raw, problem=str(error))


def parse_declared(text: str) -> KeyLine:
    """A key from the client's list: one line, known type, whole blob. Raises BadKey."""
    if not isinstance(text, str) or not text.strip():
        raise BadKey("is empty")
    line = text.strip()
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line):
        raise BadKey("holds a line break or a control character: one key a line")
    if line.startswith("-----BEGIN"):
        raise BadKey("is a private key or a PEM file, not an OpenSSH public key")
    first = line.split()[0]
    if first.startswith(("ssh-", "ecdsa-", "sk-")) and first not in KEY_TYPES:
        raise BadKey("has type %r, known are %s" % (first[:60], ", ".join(KEY_TYPES)))
    options, kind, blob, comment, fingerprint = _split(line)
    if kind not in KEY_TYPES:
        raise BadKey("has type %r, known are %s" % (kind, ", ".join(KEY_TYPES)))
    _check_options(options)
    _check_size(kind, base64.b64decode(blob))
    try:
        return KeyLine(line.encode("utf-8"), options, kind, blob, comment, fingerprint)
    except UnicodeEncodeError:
        raise BadKey("holds a character that UTF-8 can't write") from None


def _check_options(options: str) -> None:
    """sshd drops the whole line for one bad option: find it before the key is written."""
    if options.endswith(","):
        raise BadKey("has a comma behind its last option")
    seen = set()
    for word in _option_words(options):
        name, equals, value = word.partition("=")
        name = name.lower()
        if name not in (VALUED if equals else FLAGS):
            raise BadKey("has an unknown option %r: sshd would ignore the whole key" % name)
        if equals and not (len(value) > 2 and value[0] == value[-1] == '"'):
            raise BadKey("has an option %s without a value in double quotes" % name)
        if name in ("command", "from", "principals") and name in seen:
            raise BadKey("has the option %s twice" % name)
        if name == "expiry-time" and _moment(value.strip('"')) is None:
            raise BadKey("has an expiry-time that is none of YYYYMMDD, YYYYMMDDHHMM, YYYYMMDDHHMMSS")
        seen.add(name)


def _moment(text: str) -> datetime.datetime | None:
    """The time of an expiry-time option, its zone left aside; None where it is not one."""
    digits = text[:-1] if text.endswith("Z") else text
    form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None or not (digits.isascii() and digits.isdecimal()):
        return None
    try:
        return datetime.datetime.strptime(digits, form)  # noqa: DTZ007 - compared with a margin wider than any zone
    except ValueError:
        return None


def render(line: KeyLine, options: str | None = None) -> bytes:
    """The line of a declared key, with other options if given."""
    used = line.options if options is None else options
    words = ([used] if used else []) + [line.type, line.blob] + ([line.comment] if line.comment else [])
    return " ".join(words).encode("utf-8", "surrogateescape") + b"\n"


def edit(data: bytes, drop: Iterable[str] = (), add: Sequence[bytes] = ()) -> bytes:
    """Drop all lines with these fingerprints, then append lines. Every other byte stays."""
    gone = set(drop)
    kept = b"".join(line.raw for line in parse_file(data) if line.fingerprint not in gone or line.fingerprint is None)
    if add and kept and not kept.endswith(b"\n"):
        kept += b"\n"
    return kept + b"".join(add)


def split_options(options: str) -> list[tuple[str, str | None]]:
    """Split the options field: names in lower case, values without their quotes."""
    found: list[tuple[str, str | None]] = []
    for word in _option_words(options):
        name, equals, value = word.partition("=")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('\\"', '"')
        found.append((name.lower(), value if equals else None))
    return found


def _option_words(options: str) -> list[str]:
    found = []
    start, quoted, position = 0, False, 0
    while position <= len(options):
        char = options[position] if position < len(options) else ","
        if char == "\\" and quoted and options[position + 1 : position + 2] == '"':
            position += 1
        elif char == '"':
            quoted = not quoted
        elif (char == "," and not quoted) or position == len(options):
            if options[start:position]:
                found.append(options[start:position])
            start = position + 1
        position += 1
    return found


def _split(text: str) -> tuple[str, str, str, str, str]:
    """options, type, blob, comment, fingerprint. Like sshd: first try the line as a key, then as options and a key."""
    # Blank and tab only: to sshd a form feed or a no-break space is a part of the word.
    words = re.split(r"[ \t]+", text, maxsplit=2)
    first = None
    if len(words) > 1 and (words[0] in KEY_TYPES or words[0] in SIGNATURE_NAMES or TYPE_SHAPE.match(words[0])):
        try:
            fingerprint = _fingerprint(words[0], words[1])
            return "", words[0], words[1], words[2] if len(words) > 2 else "", fingerprint
        except BadKey as error:
            first = error
    end = _end_of_options(text)
    options, words = text[:end], re.split(r"[ \t]+", text[end:].lstrip(" \t"), maxsplit=2)
    if first is not None and (len(words) < 2 or not TYPE_SHAPE.match(words[0])):
        raise first
    if len(words) < 2:
        raise BadKey("has no key: expected [options] type base64 [comment]")
    if not TYPE_SHAPE.match(words[0]):
        raise BadKey("has no key type: %r" % words[0][:40])
    return options, words[0], words[1], words[2] if len(words) > 2 else "", _fingerprint(words[0], words[1])


def _end_of_options(text: str) -> int:
    quoted, position = False, 0
    while position < len(text) and (quoted or text[position] not in " \t"):
        if text[position] == "\\" and text[position + 1 : position + 2] == '"':
            position += 1
        elif text[position] == '"':
            quoted = not quoted
        position += 1
    if quoted:
        raise BadKey("has an open quote in its options")
    return position


def _fingerprint(kind: str, blob: str) -> str:
    """The key's fingerprint as sshd tells it, whichever way the key is written."""
    # sshd's base64 reader passes over white space; the word itself ended at a blank or a tab.
    text = re.sub(r"[\r\n\v\f]", "", blob)
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadKey("has a key that is not base64") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise BadKey("has a key whose base64 ends in stray bits")
    length = int.from_bytes(raw[:4], "big")
    inner = raw[4 : 4 + length].decode("ascii", "replace")
    if len(raw) < 5 + length or kind in SHORT_NAMES or _plain_name(inner) != SIGNATURE_NAMES.get(kind, kind):
        raise BadKey("says type %s, its key holds %s" % (kind, inner[:40] or "nothing"))
    canonical = _canonical(_plain_name(inner), raw)
    return "SHA256:" + base64.b64encode(hashlib.sha256(canonical).digest()).decode("ascii").rstrip("=")


def _plain_name(name: str) -> str:
    return SIGNATURE_NAMES.get(name) or SHORT_NAMES.get(name.lower()) or name


def _canonical(kind: str, raw: bytes) -> bytes:
    """The blob as sshd itself would write it. Raises BadKey where the parts of a known type don't fit."""
    if kind not in PARTS:
        return raw
    parts = _parts(raw)
    if len(parts) != PARTS[kind]:
        raise BadKey("has %d parts, a %s key has %d" % (len(parts), kind, PARTS[kind]))
    if "ed25519" in kind and len(parts[1]) != 32:
        raise BadKey("has a key of %d bytes, ed25519 has 32" % len(parts[1]))
    parts[0] = kind.encode("ascii")
    if kind in ("ssh-rsa", "ssh-dss"):
        parts[1:] = [_number(part) for part in parts[1:]]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _number(part: bytes) -> bytes:
    short = part.lstrip(b"\0")
    return b"\0" + short if short and short[0] & 0x80 else short


def _parts(raw: bytes) -> list[bytes]:
    parts, position = [], 0
    while position < len(raw):
        length = int.from_bytes(raw[position : position + 4], "big")
        part = raw[position + 4 : position + 4 + length]
        if len(raw) < position + 4 or len(part) != length:
            raise BadKey("is cut short")
        parts.append(part)
        position += 4 + length
    return parts


def _check_size(kind: str, raw: bytes) -> None:
    """What a declared key must have beside its form."""
    parts = _parts(raw)
    if kind == "ssh-rsa":
        bits = int.from_bytes(parts[2], "big").bit_length()
        if bits < 2048:
            raise BadKey("is an RSA key of %d bits, at least 2048 are wanted" % bits)
    if kind.startswith("ecdsa-"):
        curve = kind.rpartition("-")[2].encode("ascii")
        size = {b"nistp256": 65, b"nistp384": 97, b"nistp521": 133}[curve]
        if parts[1] != curve or len(parts[2]) != size or parts[2][0] != 4:
            raise BadKey("has a point that doesn't fit its curve")
