# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run monitoring plugins on this server as NRPE would: as an unprivileged account, bounded in time and in output."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .nagios_output import LONGEST, parse
from .resources import Reading, Readings

__all__ = ["checks", "commands_of", "from_text"]

_COMMAND = re.compile(r"\s*command\[([^\]\s]+)\]\s*=\s*(\S.*?)\s*\Z")
_ARGUMENT = re.compile(r"\$(ARG\d+|[A-Z_]+)\$")
LARGEST = 256 * 1024


def checks(
    into: Readings, wanted: Sequence[Mapping[str, Any]], files: Sequence[str], user: str, timeout: float
) -> None:
    """Run what is wanted (``name``, ``argv``) and every command that an NRPE file declares."""
    listed = [(str(item["name"]), [str(word) for word in item["command"]]) for item in wanted]
    for path in files:
        try:
            listed += [(name, ["/bin/sh", "-c", line]) for name, line in _declared(into, path)]
        except OSError as error:
            into.failed("check", path, error.strerror or "cannot be read")
    known: set[str] = set()
    for name, argv in listed:
        if name in known:
            continue
        known.add(name)
        try:
            code, output = _run(argv, user, timeout)
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            into.failed("check", name, str(error)[:300])
            continue
        into.found.append(from_text(name, code, output))


def from_text(name: str, code: int | None, output: str) -> Reading:
    """What a plugin said, as a reading. Its value is its state; its own numbers are in ``perfdata``."""
    told = parse(output, code)
    return Reading(
        "check", name, None, "", state=told["state"], exit_code=code, text=told["text"][:1000],
        long_text=told["long_text"][:4000], perfdata=told["perfdata"], unparsed=told["unparsed"],
    )  # fmt: skip


def _declared(into: Readings, path: str) -> list[tuple[str, str]]:
    """The commands of an NRPE file. Who may write into it decides what runs: that must be root alone."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as stream:
        told = os.fstat(stream.fileno())
        if not stat.S_ISREG(told.st_mode) or told.st_uid != 0 or told.st_mode & 0o022 or told.st_size > LARGEST:
            into.failed(
                "check", path, "is not a file of root's that only root may write, of at most %d bytes" % LARGEST
            )
            return []
        text = stream.read(LARGEST).decode("utf-8", "replace")
    found = []
    for name, line in commands_of(text):
        if _ARGUMENT.search(line):
            into.failed("check", name, "%s: takes arguments of whoever asks (%s)" % (path, _ARGUMENT.findall(line)[0]))
        else:
            found.append((name, line))
    return found


def commands_of(text: str) -> list[tuple[str, str]]:
    """(name, command line) of every ``command[name]=line``; a later one of a name takes the place of an earlier one."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _COMMAND.match(line)
        if match:
            found[match.group(1)] = match.group(2)
    return list(found.items())


def _run(argv: Sequence[str], user: str, timeout: float) -> tuple[int, str]:
    """Exit code and the first part of the output. Raises OSError, LookupError, SubprocessError."""
    more: dict[str, Any] = {}
    if os.geteuid() == 0 and user != "root":
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            raise LookupError("there is no account %s to run it as" % user) from None
        more = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        start_new_session=True,
        **more,
    )
    try:
        return _collected(process, timeout)
    finally:
        # What it left running goes, too: a plugin has no business after its answer.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        if process.stdout:
            process.stdout.close()
        # One that hangs in the kernel can't be waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)


def _collected(process: subprocess.Popen[bytes], timeout: float) -> tuple[int, str]:
    ends = time.monotonic() + timeout
    data = b""
    with selectors.DefaultSelector() as waiting:
        stream = process.stdout
        if stream is None:
            raise OSError("no output to read")
        waiting.register(stream, selectors.EVENT_READ)
        while True:
            left = ends - time.monotonic()
            if left <= 0:
                raise subprocess.SubprocessError("did not end within %g s" % timeout)
            if process.poll() is not None and not waiting.select(0):
                break
            if not waiting.select(min(left, 0.05)):
                continue
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                break
            if len(data) < LONGEST:
                data += piece
    try:
        code = process.wait(max(0.1, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise subprocess.SubprocessError("did not end within %g s" % timeout) from None
    return code, data[:LONGEST].decode("utf-8", "replace")
