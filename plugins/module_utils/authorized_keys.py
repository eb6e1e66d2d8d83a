# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of an authorized_keys file (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). Pure: bytes in, bytes out.

Keys are compared by blob, never by line. Lines that are not changed keep every byte, good or bad.
"""

from __future__ import annotations

import base64
import binascii
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
        """True where the ``expiry-time`` option lies in the past. ``today`` is an ISO date."""
        for name, value in split_options(self.options):
            if name == "expiry-time" and value and value[:8].isdecimal() and value[:8] <= today.replace("-", ""):
                return True
        return False


def parse_file(data: bytes) -> list[KeyLine]:
    """Every line of a file, in order. Joining their ``raw`` gives the file back, byte for byte."""
    return [_parse_line(raw) for raw in data.splitlines(keepends=True)] if b"\r" not in data else _parse_with_cr(data)


def _parse_with_cr(data: bytes) -> list[KeyLine]:
    # splitlines would cut at a lone carriage return; sshd doesn't.
    pieces = data.split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
    return [_parse_line(raw) for raw in lines]


def _parse_line(raw: bytes) -> KeyLine:
    text = raw.decode("utf-8", "surrogateescape").strip(" \t\r\n\0")
    if not text or text.startswith("#"):
        return KeyLine(raw)
    try:
        options, kind, blob, comment = _split(text)
        return KeyLine(raw, options, kind, blob, comment, _fingerprint(kind, blob))
    except BadKey as error:
        return KeyLine(raw, problem=str(error))


def parse_declared(text: str) -> KeyLine:
    """A key from the client's list: one line, known type, whole blob. Raises BadKey."""
    if not isinstance(text, str) or not text.strip():
        raise BadKey("is empty")
    line = text.strip()
    if any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in line):
        raise BadKey("holds a line break or a control character: one key a line")
    if line.startswith("-----BEGIN"):
        raise BadKey("is a private key or a PEM file, not an OpenSSH public key")
    options, kind, blob, comment = _split(line)
    if kind not in KEY_TYPES:
        raise BadKey("has type %r, known are %s" % (kind, ", ".join(KEY_TYPES)))
    for name, value in split_options(options):
        if name not in (VALUED if value is not None else FLAGS):
            raise BadKey("has an unknown option %r: sshd would ignore the whole key" % name)
    fingerprint = _fingerprint(kind, blob)
    _check_numbers(kind, base64.b64decode(blob))
    return KeyLine(line.encode("utf-8"), options, kind, blob, comment, fingerprint)


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
    start, quoted, position = 0, False, 0
    while position <= len(options):
        char = options[position] if position < len(options) else ","
        if char == "\\" and quoted and options[position + 1 : position + 2] == '"':
            position += 1
        elif char == '"':
            quoted = not quoted
        elif (char == "," and not quoted) or position == len(options):
            word = options[start:position]
            if word:
                name, equals, value = word.partition("=")
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1].replace('\\"', '"')
                found.append((name.lower(), value if equals else None))
            start = position + 1
        position += 1
    return found


def _split(text: str) -> tuple[str, str, str, str]:
    """options, type, blob, comment. Like sshd: first try the line as a key, then as options and a key."""
    words = text.split(None, 2)
    if len(words) > 1 and _looks_like_key(words[0], words[1]):
        return "", words[0], words[1], words[2] if len(words) > 2 else ""
    end = _end_of_options(text)
    options, rest = text[:end], text[end:].split(None, 2)
    if len(rest) < 2:
        raise BadKey("has no key: expected [options] type base64 [comment]")
    if not TYPE_SHAPE.match(rest[0]):
        raise BadKey("has no key type: %r" % rest[0][:40])
    return options, rest[0], rest[1], rest[2] if len(rest) > 2 else ""


def _looks_like_key(kind: str, blob: str) -> bool:
    return kind in KEY_TYPES or (TYPE_SHAPE.match(kind) is not None and blob.startswith("AAAA"))


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
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        raise BadKey("has a key that is not base64") from None
    length = int.from_bytes(raw[:4], "big")
    inner = raw[4 : 4 + length]
    if len(raw) < 5 + length or inner != kind.encode("ascii", "replace"):
        raise BadKey("says type %s, its key holds %s" % (kind, inner[:40].decode("ascii", "replace") or "nothing"))
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode("ascii").rstrip("=")


def _check_numbers(kind: str, raw: bytes) -> None:
    """A cut key has a good type and a bad end: check that the parts fill the blob, and their sizes."""
    parts, position = [], 0
    while position < len(raw):
        length = int.from_bytes(raw[position : position + 4], "big")
        part = raw[position + 4 : position + 4 + length]
        if len(raw) < position + 4 or len(part) != length:
            raise BadKey("is cut short")
        parts.append(part)
        position += 4 + length
    wanted = {"ssh-ed25519": 2, "ssh-rsa": 3, "sk-ssh-ed25519@openssh.com": 3, "sk-ecdsa-sha2-nistp256@openssh.com": 4}
    if len(parts) != wanted.get(kind, 3):
        raise BadKey("has %d parts, a %s key has %d" % (len(parts), kind, wanted.get(kind, 3)))
    if "ed25519" in kind and len(parts[1]) != 32:
        raise BadKey("has a key of %d bytes, ed25519 has 32" % len(parts[1]))
    if kind == "ssh-rsa":
        bits = int.from_bytes(parts[2], "big").bit_length()
        if bits < 2048:
            raise BadKey("is an RSA key of %d bits, at least 2048 are wanted" % bits)
