# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who carries this connection: the account, the address and, where it can be known, the key.

sudo strips the environment, so the answer is read from our ancestors in /proc: the sshd that serves us runs
as the account that logged in, and the processes between hold SSH_CONNECTION.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from .account_database import ToolFailed, command
from .atomic_files import read_bytes

__all__ = ["Connection", "connecting_key", "current"]

_SSHD = ("sshd", "sshd-session", "sshd-auth", "dropbear")


@dataclass(frozen=True)
class Connection:
    """What is known of the connection. ``address`` is the client as this server sees it, or None without SSH.

    ``uids`` are the accounts to keep: the one that logged in, and those that it became on the way here.
    ``known`` is false where our own ancestors can't be read: then nobody can say whom to keep.
    """

    uids: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    address: str | None = None
    port: str | None = None
    auth_info: str | None = None
    notes: list[str] = field(default_factory=list)
    known: bool = True


def current() -> Connection:
    """Look at our own ancestors. Without an sshd among them, only the environment's names are known."""
    uids: set[int] = set()
    names: set[str] = set()
    details: dict[str, str] = {}
    pid = os.getpid()
    if not _status(pid)[1]:
        return Connection(known=False)
    ssh = False
    for _step in range(64):
        details = {**_environment(pid), **details}
        parent, comm, uid = _status(pid)
        if comm in _SSHD:
            ssh = True
            uids.add(uid)
            # Above the unprivileged sshd only its root parent and the listener follow.
            if uid != 0:
                break
        elif uid != 0:
            uids.add(uid)
        if parent <= 1:
            break
        pid = parent
    if details.get("SUDO_UID", "").isdecimal():
        uids.add(int(details["SUDO_UID"]))
    for variable in ("SUDO_USER", "DOAS_USER"):
        if details.get(variable):
            names.add(details[variable])
    login = _login_uid()
    if login is not None:
        uids.add(login)
    words = details.get("SSH_CONNECTION", "").split()
    if ssh and not words:
        return Connection(
            frozenset(uids), frozenset(names), notes=["an sshd serves us, its client's address is unknown"]
        )
    return Connection(
        frozenset(uids),
        frozenset(names),
        address=words[0] if len(words) == 4 else None,
        port=words[1] if len(words) == 4 else None,
        auth_info=details.get("SSH_USER_AUTH"),
    )


def connecting_key(connection: Connection) -> str | None:
    """The fingerprint (``SHA256:...``) of the key that opened this connection; None where nothing tells.

    Sources: sshd's ExposeAuthInfo file, then its log line "Accepted publickey" with our address and port.
    Where the logs name two keys for them, one line is forged or older: neither is believed.
    """
    if connection.auth_info:
        found = _key_of_auth_info(connection.auth_info)
        if found:
            return found
    if not connection.address or not connection.port:
        return None
    pattern = re.compile(
        r"Accepted publickey for \S+ from %s port %s ssh2: \S+ (SHA256:[A-Za-z0-9+/]{43})"
        % (re.escape(connection.address), re.escape(connection.port))
    )
    found_lines = {line for text in _logs() for line in pattern.findall(text)}
    # Everybody may write to the log: two answers are as good as none.
    return str(found_lines.pop()) if len(found_lines) == 1 else None


def _key_of_auth_info(path: str) -> str | None:
    from .authorized_keys import BadKey, parse_declared

    try:
        # The path comes from a process of the user's: it may be a link or a FIFO by now.
        for line in read_bytes(path).decode("utf-8").splitlines():
            method, _blank, key = line.strip().partition(" ")
            if method == "publickey":
                return parse_declared(key).fingerprint
    except (OSError, BadKey, UnicodeDecodeError):
        pass
    return None


def _logs() -> list[str]:
    texts = []
    for path in ("/var/log/auth.log", "/var/log/secure"):
        try:
            with open(path, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - 4 * 1024 * 1024))
                texts.append(stream.read().decode("utf-8", "replace"))
        except OSError:
            continue
    if os.path.isdir("/run/systemd/journal"):
        try:
            argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=20000", "--facility=4,10", "_UID=0"]
            texts.append(command(argv, seconds=10))
        except ToolFailed:
            pass
    return texts


def _environment(pid: int) -> dict[str, str]:
    try:
        with open("/proc/%d/environ" % pid, "rb") as stream:
            pairs = stream.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return {}
    wanted = ("SUDO_UID", "SUDO_USER", "DOAS_USER", "SSH_CONNECTION", "SSH_USER_AUTH")
    found = (pair.partition("=") for pair in pairs)
    return {name: value for name, _equals, value in found if name in wanted}


def _status(pid: int) -> tuple[int, str, int]:
    """Parent pid, command name and real uid of a process."""
    parent, comm, uid = 0, "", 0
    try:
        with open("/proc/%d/status" % pid, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                name, _colon, value = line.partition(":")
                if name == "Name":
                    comm = value.strip()
                elif name == "PPid":
                    parent = int(value)
                elif name == "Uid":
                    uid = int(value.split()[0])
                    break
    except OSError:
        pass
    return parent, comm, uid


def _login_uid() -> int | None:
    try:
        with open("/proc/self/loginuid", encoding="ascii") as stream:
            uid = int(stream.read())
    except (OSError, ValueError):
        return None
    return None if uid in (-1, 4294967295) else uid
