# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ssh-keygen -Y`: sign a text with an SSH key, and say whose signature it is. Never asks anybody for anything.

A key is a file without a passphrase, or a public key whose other half an agent holds (SSH_AUTH_SOCK).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError

# A signature for anything else, such as a git commit or a login, is none here.
NAMESPACE = "ledger-head@infogerance-perimeter"
# Seconds. An agent may ask its owner to confirm: nobody waits for that.
PATIENCE = 5.0
_HEAD, _FOOT = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
# Whatever could open a window or a terminal.
_ASKS = {"DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS"}
# What ssh-keygen says of a key that allowed_signers has, but not for that moment.
_NOT_THEN = ("key has expired", "key is not yet valid")


class SigningError(LedgerError):
    """Nothing can be signed, or no signature be looked at."""


@dataclass(frozen=True)
class Judged:
    """signer: the principal in allowed_signers. fault: why the signature is none; empty when it is good."""

    signer: str | None
    fault: str = ""


def sign(text: str, key: Path) -> list[str]:
    """The signature's lines, without the armour. Raises SigningError."""
    if not key.exists():
        raise SigningError(f"signing key {key}: there is no such file")
    done = _keygen(["sign", "-f", str(key)], text, PATIENCE)
    lines = done.stdout.split()
    if done.returncode != 0 or not done.stdout.startswith(_HEAD) or not done.stdout.rstrip().endswith(_FOOT):
        raise SigningError(f"signing key {key}: {_reason(done.stderr)}")
    return lines[3:-3]


def fingerprint(lines: list[str]) -> str:
    """Which key made a signature, as SSH shows keys. Raises ValueError when this is no signature."""
    try:
        blob = base64.b64decode("".join(lines), validate=True)
    except ValueError:
        raise ValueError("no signature") from None
    # PROTOCOL.sshsig: "SSHSIG", a version, and the public key as a string with its length before it.
    length = int.from_bytes(blob[10:14], "big")
    key = blob[14 : 14 + length]
    if blob[:6] != b"SSHSIG" or not 0 < length <= 16384 or len(key) != length:
        raise ValueError("no signature")
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


class Judge:
    """Looks at signatures. allowed: an allowed_signers file (ssh-keygen(1)); None: only whether the key fits the text.

    Raises SigningError when there is no such file.
    """

    def __init__(self, allowed: Path | None) -> None:
        self._allowed = allowed
        self._principals: dict[str, str] = {}
        if allowed is not None:
            try:
                allowed.read_bytes()
            except OSError as error:
                raise SigningError(f"allowed_signers {allowed}: {error.strerror}") from None

    def judge(self, text: str, lines: list[str], at: str) -> Judged:
        """at: the moment of the signature, as stored: the key must have been valid then. Raises SigningError."""
        try:
            key = fingerprint(lines)
        except ValueError as error:
            return Judged(None, str(error))
        with tempfile.NamedTemporaryFile("w", prefix="infogerance-signature-", encoding="ascii") as file:
            file.write("\n".join([_HEAD, *lines, _FOOT, ""]))
            file.flush()
            if self._allowed is None:
                fits = _keygen(["check-novalidate", "-s", file.name], text).returncode == 0
                return Judged(None, "" if fits else "it does not fit")
            return self._judged(text, file.name, key, f"verify-time={_moment(at)}")

    def _judged(self, text: str, file: str, key: str, moment: str) -> Judged:
        signers = ["-f", str(self._allowed), "-O", moment]
        known = self._principals.get(key)
        if known is not None and self._verified(text, file, known, signers).returncode == 0:
            return Judged(known)
        if _keygen(["check-novalidate", "-s", file], text).returncode != 0:
            return Judged(None, "it does not fit")
        found = _keygen(["find-principals", "-s", file, *signers], "", namespace=False)
        said = found.stderr
        for principal in found.stdout.splitlines():
            done = self._verified(text, file, principal, signers)
            if done.returncode == 0:
                self._principals[key] = principal
                return Judged(principal)
            said = done.stderr
        if any(words in said for words in _NOT_THEN):
            return Judged(None, f"the key {key} was not valid then")
        if "namespace" in said:
            return Judged(None, f"the key {key} is not allowed to sign for {NAMESPACE}")
        return Judged(None, f"the key {key} is not in allowed_signers")

    def _verified(self, text: str, file: str, principal: str, signers: list[str]) -> subprocess.CompletedProcess[str]:
        return _keygen(["verify", "-I", principal, "-s", file, *signers], text)


def _moment(at: str) -> str:
    """As ssh-keygen takes it; its environment says that this is UTC."""
    return "".join(character for character in at[:19] if character.isdigit())


def _keygen(
    words: list[str], text: str, patience: float = 30.0, *, namespace: bool = True
) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in _ASKS}
    environ |= {"SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C", "TZ": "UTC"}
    argv = ["ssh-keygen", "-Y", *words, *(["-n", NAMESPACE] if namespace else [])]
    try:
        # A session of its own: there is no terminal to ask on.
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise SigningError(f"ssh-keygen cannot be run: {error.strerror}") from None
    with process:
        try:
            out, err = process.communicate(text, timeout=patience)
        except subprocess.TimeoutExpired:
            # With what it started: helpers for hardware keys.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise SigningError(f"ssh-keygen gave no answer within {patience:g} s") from None
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _reason(stderr: str) -> str:
    """The line that tells, without the prompts and the frames around it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip(" @") and "WARNING" not in line]
    return lines[-1].removeprefix("Enter passphrase: ") if lines else "ssh-keygen failed"
