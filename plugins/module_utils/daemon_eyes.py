# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See with a daemon's eyes: its user, its groups, its chroot. Root reads everything, and so proves nothing."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat
from dataclasses import dataclass

__all__ = ["UNREACHED", "Identity", "Running", "configured_identity", "find_running", "read_as"]

#: A folder on the way is closed, or the file is not there: no mode of the file itself would help.
UNREACHED = "can't reach it"
UNREAD = "can't read it"
_UNIT = re.compile(r":/system\.slice/(?:system-openvpn[^/]*\.slice/)?openvpn[^/]*\.service\s*\Z")


@dataclass(frozen=True)
class Identity:
    """Who a daemon is when it reads a file."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    root: str = "/"


@dataclass(frozen=True)
class Running:
    """A daemon that runs. ``started`` is in seconds since the epoch."""

    pid: int
    arguments: tuple[str, ...]
    directory: str
    identity: Identity
    started: float


def configured_identity(user: str | None, group: str | None, chroot: str | None) -> Identity:
    """What the configuration says. Raises KeyError for a user or group that the server doesn't have."""
    uid = pwd.getpwnam(user).pw_uid if user else 0
    gid = grp.getgrnam(group).gr_gid if group else 0
    return Identity(uid, gid, (), chroot or "/")


def find_running(config: str, user: str | None) -> Running | None:
    """The OpenVPN daemon that was started with this configuration file, if there is one.

    ``user`` is the account that the file itself names. Anybody may start a process of that name with any words, and
    its words would lead root's hand: only a daemon of root's, of that account's or of its own unit is believed.
    """
    wanted = os.path.realpath(config)
    believed = {0}
    with contextlib.suppress(KeyError):
        believed |= {pwd.getpwnam(user).pw_uid} if user else set()
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            with open("/proc/%s/comm" % name, encoding="utf-8", errors="replace") as stream:
                if stream.read().strip() != "openvpn":
                    continue
            with open("/proc/%s/cmdline" % name, "rb") as raw:
                words = raw.read().decode("utf-8", "replace").split("\0")[:-1]
            if not _is_believed("/proc/" + name, believed):
                continue
            found = _describe(int(name), words, wanted)
        except (OSError, ValueError, IndexError):
            continue
        if found is not None:
            return found
    return None


def _is_believed(proc: str, uids: set[int]) -> bool:
    """A program that only root can write, run by one of these, or in a unit of OpenVPN's: nobody can move in there."""
    program = os.stat(proc + "/exe")
    if program.st_uid != 0 or stat.S_IMODE(program.st_mode) & 0o022:
        return False
    if _real_uid(proc) in uids:
        return True
    with open(proc + "/cgroup", encoding="utf-8", errors="replace") as stream:
        return any(_UNIT.search(line) for line in stream)


def _real_uid(proc: str) -> int:
    with open(proc + "/status", encoding="utf-8", errors="replace") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("Uid:"))


def _describe(pid: int, words: list[str], wanted: str) -> Running | None:
    proc = "/proc/%d" % pid
    directory = os.readlink(proc + "/cwd")
    given = words[1] if len(words) == 2 else ""
    for position, word in enumerate(words[:-1]):
        if word == "--config":
            given = words[position + 1]
        elif word == "--cd":
            # systemd's unit starts in the same place; the working directory is "/" after a chroot.
            directory = os.path.join(directory, words[position + 1])
    if not given or os.path.realpath(os.path.join(directory, given)) != wanted:
        return None
    fields: dict[str, list[str]] = {}
    with open(proc + "/status", encoding="utf-8", errors="replace") as stream:
        for line in stream:
            key, _colon, value = line.partition(":")
            fields[key] = value.split()
    uid, gid = int(fields["Uid"][1]), int(fields["Gid"][1])
    # CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH: modes don't hold this process.
    if int(fields["CapEff"][0], 16) & 0b110:
        uid = 0
    groups = tuple(int(g) for g in fields.get("Groups", []))
    with open(proc + "/stat", encoding="utf-8", errors="replace") as stream:
        ticks = int(stream.read().rpartition(")")[2].split()[19])
    with open("/proc/stat", encoding="utf-8") as stream:
        boot = next(int(line.split()[1]) for line in stream if line.startswith("btime"))
    started = boot + ticks / os.sysconf("SC_CLK_TCK")
    return Running(pid, tuple(words[1:]), directory, Identity(uid, gid, groups, os.readlink(proc + "/root")), started)


def read_as(identity: Identity, path: str) -> bytes | str:
    """The file's bytes as this daemon would read them, or the reason why it can't (a text).

    A child process takes the identity on and opens the file; nothing of it comes back into ours.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        # One byte says which of the two it is. Nothing that a stranger could slip in is more than bytes to us.
        mark, answer = b"+", b""
        step = "can't take on uid %d" % identity.uid
        try:
            if identity.root != "/":
                os.chroot(identity.root)
                os.chdir("/")
            os.setgroups(list(identity.groups))
            os.setgid(identity.gid)
            os.setuid(identity.uid)
            step = UNREACHED
            os.stat(path)
            step = UNREAD
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            parts = []
            while True:
                part = os.read(handle, 1 << 20)
                if not part:
                    break
                parts.append(part)
            answer = b"".join(parts)
        except BaseException as error:  # noqa: BLE001 - the child must end here, whatever happens
            text = "%s: %s" % (step, getattr(error, "strerror", None) or error)
            mark, answer = b"-", text.encode("utf-8", "replace")
        try:
            with os.fdopen(sender, "wb") as stream:
                stream.write(mark + answer)
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as stream:
        raw = stream.read()
    os.waitpid(child, 0)
    if raw[:1] == b"+":
        return raw[1:]
    return raw[1:].decode("utf-8", "replace") or "the check itself failed"
