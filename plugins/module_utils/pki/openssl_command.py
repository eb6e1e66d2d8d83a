# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of the openssl command that this collection makes. Secrets go through a pipe: never argv, never a file.

OpenSSL's exit codes can't be trusted everywhere, so what matters is read from its output or proved afterwards.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence

__all__ = ["OpensslFailed", "WrongPassword", "key_is_encrypted", "request_is_signed", "run", "signed_by"]

TIMEOUT = 120


class OpensslFailed(Exception):
    """openssl said no. The message is its own, without secrets: none was on its command line."""


class WrongPassword(OpensslFailed):
    """The key could not be opened with the password given."""


def run(words: Sequence[str], folder: str | None = None, password: str | None = None, data: bytes | None = None) -> str:
    """Run ``openssl`` and return its output (both streams). With a password, ``-passin`` is added and fed by a pipe.
    ``data`` is what it reads from its standard input.

    Raises OpensslFailed on a bad exit code, WrongPassword where that is the cause.
    """
    argv = ["openssl", *words]
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    receiver = None
    try:
        if password is not None:
            receiver, sender = os.pipe()
            with os.fdopen(sender, "wb") as stream:
                stream.write(password.encode("utf-8") + b"\n")
            argv += ["-passin", "fd:%d" % receiver]
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[receiver] if receiver is not None else [],
            timeout=TIMEOUT,
            # Without a terminal openssl can't wait for a password that nobody types.
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError:
        raise OpensslFailed("the openssl command is not on this server") from None
    except subprocess.TimeoutExpired:
        raise OpensslFailed("openssl %s did not end within %d s" % (words[0], TIMEOUT)) from None
    finally:
        if receiver is not None:
            os.close(receiver)
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        # Once in 256 a wrong password gives good padding: then openssl finds rubbish instead of "bad decrypt".
        opened = re.search(
            r"bad decrypt|wrong password|(could not read|unable to load) (CA )?private key", output, re.I
        )
        if opened and password is not None:
            raise WrongPassword("the CA's key can't be opened with the password given")
        raise OpensslFailed("openssl %s: %s" % (" ".join(words[:2]), _last_words(output)))
    return output


def _last_words(output: str) -> str:
    lines = [
        line.strip() for line in output.splitlines() if line.strip() and not line.startswith("Using configuration")
    ]
    return "; ".join(lines[-4:])[:600] or "no message"


def signed_by(crl: bytes, ca_certificate: str) -> bool:
    """Was this revocation list signed with the key of this CA? (The exit code is 0 either way: the words count.)"""
    with tempfile.TemporaryDirectory(prefix="perimeter-") as folder:
        path = os.path.join(folder, "crl")
        with open(path, "wb") as stream:
            stream.write(crl)
        form = "DER" if crl[:1] == b"\x30" else "PEM"
        try:
            output = run(["crl", "-in", path, "-inform", form, "-noout", "-CAfile", ca_certificate])
        except OpensslFailed:
            return False
    return "verify OK" in output and "verify failure" not in output


def request_is_signed(request: bytes) -> bool:
    """Does the request prove that its sender holds the key?"""
    with tempfile.TemporaryDirectory(prefix="perimeter-") as folder:
        path = os.path.join(folder, "csr")
        with open(path, "wb") as stream:
            stream.write(request)
        try:
            output = run(["req", "-in", path, "-noout", "-verify"])
        except OpensslFailed:
            return False
    return "verify OK" in output or "verify ok" in output


def key_is_encrypted(key: bytes) -> bool:
    """True for both PEM forms of an encrypted private key."""
    return b"ENCRYPTED" in key
