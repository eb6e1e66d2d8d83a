# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the process that opened a run still there? Decided from boot id, pid and the pid's start time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import machine

# A run that cannot be judged from here (other machine, other pid namespace) is given up after this long.
FORGOTTEN_AFTER = timedelta(days=7)


@dataclass(frozen=True)
class Identity:
    """What names one process for ever: a pid alone is reused, a start time alone is not unique."""

    machine: str
    boot_id: str
    pid: int
    pid_started: str
    pid_namespace: str

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Identity:
        """Back from a stored body. A missing or odd field becomes empty, which later reads as `cannot tell`."""
        pid = value.get("pid")
        return cls(
            machine=str(value.get("machine") or ""),
            boot_id=str(value.get("boot_id") or ""),
            pid=pid if isinstance(pid, int) else 0,
            pid_started=str(value.get("pid_started") or ""),
            pid_namespace=str(value.get("pid_namespace") or ""),
        )


def own() -> Identity:
    """This process."""
    pid = os.getpid()
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot_id = ""
    return Identity(machine(), boot_id, pid, start_time(pid), namespace)


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat: clock ticks since boot. Empty when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The command's name stands in parentheses and may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended: its parent has only not looked yet.
    return fields[19] if len(fields) > 19 and fields[0] not in {"Z", "X"} else ""


def gone(
    run: Identity, here: Identity, started: datetime, now: datetime, probe: Callable[[int], str] = start_time
) -> str:
    """Why that run's process is known to have ended; empty while it lives or cannot be judged."""
    if run.machine == here.machine and run.boot_id and here.boot_id:
        if run.boot_id != here.boot_id:
            return "the controller was restarted since"
        if run.pid_namespace == here.pid_namespace and run.pid and run.pid_started:
            return "" if probe(run.pid) == run.pid_started else "its process is gone"
    if now - started > FORGOTTEN_AFTER:
        return f"no end for {FORGOTTEN_AFTER.days} days, and its process cannot be seen from here"
    return ""
