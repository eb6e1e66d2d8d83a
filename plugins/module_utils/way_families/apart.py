# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that look at a server, each in a child process of its own, all at once, within one time.

A job that breaks, hangs in the kernel or is led into a swamp costs what it had not found yet, and nothing else:
each row is handed over as soon as it is told, and the parent goes on without those that don't end.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Iterator, Mapping
from typing import Any, Callable

__all__ = ["Job", "Tell", "run_apart"]

Tell = Callable[[dict[str, Any]], None]
Job = Callable[[Tell], None]
#: What is given beyond the time that the jobs know of, to hand over what they have.
PATIENCE = 2.0


def run_apart(jobs: Mapping[str, Job], ends: float) -> Iterator[dict[str, Any]]:
    """The rows that the jobs tell, as they come; a row ``limit`` for each that did not end or broke off.

    ``ends`` is a moment of time.monotonic().
    """
    children = {}
    with selectors.DefaultSelector() as selector:
        try:
            for name, job in jobs.items():
                reader, children[name] = _start(job, name)
                selector.register(reader, selectors.EVENT_READ, [name, b"", False])
            yield from _gather(selector, ends + PATIENCE)
        finally:
            late = [str(key.data[0]) for key in selector.get_map().values()]
            for key in list(selector.get_map().values()):
                os.close(int(key.fd))
            for pid in children.values():
                # One that hangs in the kernel can't be waited for.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
    for name in late:
        yield {"limit": "%s: did not end in time: told is what it had found so far" % name}


def _start(job: Job, name: str) -> tuple[int, int]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    try:
        os.close(reader)
        null = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            # A child that hangs for ever must not hold the connection open.
            os.dup2(null, handle)
        os.dup2(writer, 3)
        os.closerange(4, 256)
        with os.fdopen(3, "w", encoding="utf-8", errors="replace") as stream:

            def tell(row: dict[str, Any]) -> None:
                stream.write(json.dumps(row) + "\n")
                stream.flush()

            try:
                job(tell)
            except Exception as error:  # noqa: BLE001 - a job's fault must not hide what the others find
                tell({"limit": "%s broke off: %s: %s" % (name, type(error).__name__, error)})
            stream.write(json.dumps({"done": True}) + "\n")
    finally:
        os._exit(0)


def _gather(selector: selectors.BaseSelector, ends: float) -> Iterator[dict[str, Any]]:
    while selector.get_map():
        ready = selector.select(max(0.0, ends - time.monotonic()))
        if not ready and time.monotonic() >= ends:
            return
        for key, _events in ready:
            data = os.read(int(key.fd), 1 << 16)
            *lines, rest = (key.data[1] + data).split(b"\n")
            key.data[1] = rest
            for line in lines:
                row = json.loads(line)
                key.data[2] = key.data[2] or "done" in row
                if "done" not in row:
                    yield row
            if not data:
                if not key.data[2]:
                    yield {"limit": "%s: was killed: told is what it had found so far" % key.data[0]}
                selector.unregister(key.fd)
                os.close(int(key.fd))
