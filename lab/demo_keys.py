# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ed25519 key pairs that are the same on each machine: the demo's fingerprints never change.

Anybody can compute these private keys. They open accounts of the demo hosts only, which listen on 127.0.0.1.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

_ALGORITHM = b"ssh-ed25519"
# A PKCS#8 envelope is this and the 32 bytes of the private key; a public one has 12 bytes before its key.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
_SPKI_HEADER = 12


@dataclass(frozen=True)
class KeyPair:
    """One key pair; ``comment`` is what stands at the end of its public line."""

    comment: str
    seed: bytes
    public: bytes

    @property
    def line(self) -> str:
        """The public key as in an authorized_keys file."""
        return f"ssh-ed25519 {base64.b64encode(self._public_blob).decode()} {self.comment}"

    @property
    def _public_blob(self) -> bytes:
        return _field(_ALGORITHM) + _field(self.public)

    def private_file(self) -> str:
        """The private key in OpenSSH's own format, without a passphrase."""
        check = hashlib.sha256(self.seed).digest()[:4]
        body = check * 2 + _field(_ALGORITHM) + _field(self.public) + _field(self.seed + self.public)
        body += _field(self.comment.encode())
        body += bytes(range(1, 1 + -len(body) % 8))
        envelope = b"openssh-key-v1\0" + _field(b"none") + _field(b"none") + _field(b"") + struct.pack(">I", 1)
        encoded = base64.b64encode(envelope + _field(self._public_blob) + _field(body)).decode()
        lines = [encoded[start : start + 70] for start in range(0, len(encoded), 70)]
        return "\n".join(["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""])

    def save(self, path: Path) -> Path:
        """Write the private key (0600) and return its path."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(self.private_file())
        return path


def _field(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def key_pair(comment: str) -> KeyPair:
    """The key pair that belongs to this comment, always the same one."""
    seed = hashlib.sha256(b"infogerance.perimeter demo key: " + comment.encode()).digest()
    command = ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"]
    done = subprocess.run(command, input=_PKCS8 + seed, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"openssl cannot compute an Ed25519 key: {done.stderr.decode(errors='replace')}")
    return KeyPair(comment, seed, done.stdout[_SPKI_HEADER:])
