# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this: every trace is kept, because each alone can mislead."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NO_LOGIN = 2**32 - 1


def operator(extra_vars: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Name, where that name comes from, and all traces found.

    A web front end (AWX, Semaphore) runs everything as one account, so what it says goes first. Then the login uid:
    the kernel keeps it through su and sudo, and no variable can forge it.
    """
    environ = os.environ if environ is None else environ
    ssh = environ.get("SSH_CONNECTION", "").split()
    traces: dict[str, str | None] = {
        "awx": _text(extra_vars.get("awx_user_name")) or _text(extra_vars.get("tower_user_name")),
        "semaphore": _semaphore(extra_vars, "username"),
        "login": _login(),
        "sudo": environ.get("SUDO_USER") or None,
        "user": _name(os.geteuid()),
    }
    source = next((key for key, value in traces.items() if value), "user")
    return {
        "name": traces[source],
        "name_source": source,
        **{f"{key}_user" if key != "user" else key: value for key, value in traces.items()},
        "from_address": ssh[0] if ssh else None,
        "job": _text(extra_vars.get("awx_job_id"))
        or _text(extra_vars.get("tower_job_id"))
        or _semaphore(extra_vars, "id"),
        "controller": socket.gethostname(),
    }


def _login() -> str | None:
    try:
        uid = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if uid == _NO_LOGIN else _name(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _semaphore(extra_vars: Mapping[str, Any], field: str) -> str | None:
    place: Any = extra_vars
    for key in ("semaphore_vars", "task_details", field):
        place = place.get(key) if isinstance(place, Mapping) else None
    return _text(place)


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)[:200] or None
