# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What acts for an account while nobody is logged in: crontab, at jobs, lingering services.

They are parked (moved to the archive) when the account is disabled, and put back when it is restored.
What else may be left of an account is only told.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterable
from typing import Any

from .account_database import Account
from .atomic_files import NotRegular, fault_point, read_bytes, remove_file, write_atomic

__all__ = ["leftovers", "owned_files", "park", "parkable", "put_back"]

CRONTABS = ("/var/spool/cron/crontabs", "/var/spool/cron")
AT_JOBS = ("/var/spool/cron/atjobs", "/var/spool/at")
LINGER = "/var/lib/systemd/linger"


def parkable(account: Account) -> list[str]:
    """The paths of an account's crontab, at jobs and linger mark."""
    found = [os.path.join(folder, account.name) for folder in CRONTABS]
    found.append(os.path.join(LINGER, account.name))
    for folder in AT_JOBS:
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    if os.lstat(path).st_uid == account.uid:
                        found.append(path)
    return [path for path in found if os.path.lexists(path) and stat.S_ISREG(os.lstat(path).st_mode)]


def park(account: Account, save: Any) -> list[dict[str, Any]]:
    """Copy each file by ``save(name, data)``, then unlink it; what was parked, for the manifest."""
    rows = []
    for number, path in enumerate(parkable(account)):
        found = os.lstat(path)
        try:
            data = read_bytes(path)
        except (FileNotFoundError, NotRegular):
            continue
        copy = save("parked.%d" % number, data)
        rows.append(
            {"path": path, "copy": copy, "mode": found.st_mode & 0o7777, "uid": found.st_uid, "gid": found.st_gid}
        )
    return rows


def unlink_parked(rows: Iterable[dict[str, Any]]) -> None:
    """Take the parked files away, after the manifest that names them is safe."""
    for row in rows:
        remove_file(row["path"])
        fault_point("park:unlinked")


def put_back(rows: Iterable[dict[str, Any]]) -> None:
    """Restore parked files where nothing has taken their place."""
    for row in rows:
        if not os.path.lexists(row["path"]) and os.path.isdir(os.path.dirname(row["path"])):
            write_atomic(row["path"], read_bytes(row["copy"]), row["mode"], row["uid"], row["gid"])


def leftovers(account: Account) -> list[str]:
    """What stays on the server when the account goes and is not parked: told, never removed here."""
    found = []
    for path in ("/var/mail/%s" % account.name, "/var/spool/mail/%s" % account.name):
        if os.path.isfile(path) and not os.path.islink(os.path.dirname(path)):
            found.append("mail: %s" % path)
    for path in ("/etc/aliases", "/etc/subuid", "/etc/subgid", "/etc/cron.allow", "/etc/at.allow"):
        for number, line in enumerate(_lines(path), 1):
            if line.split(":")[0].strip() == account.name:
                found.append("%s:%d: %s" % (path, number, line.strip()[:80]))
    return found


def owned_files(uids: Iterable[int], folders: Iterable[str], seconds: int) -> dict[str, Any]:
    """Files of these uids below ``folders``, by one bounded find(1) that enters no link and no other file system."""
    wanted = sorted(set(uids))
    starts = [folder for folder in folders if os.path.isdir(folder)]
    if not wanted or not starts:
        return {"files": [], "complete": True}
    test: list[str] = []
    for uid in wanted:
        test += (["-o"] if test else []) + ["-uid", str(uid)]
    argv = ["nice", "-n", "15", "find", "-P"] + starts + ["-xdev", "("] + test + [")", "-printf", "%U %p\\0"]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=seconds, check=False)
        text, complete = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as late:
        text, complete = late.stdout or b"", False
    files = [piece.decode("utf-8", "backslashreplace") for piece in text.split(b"\0") if piece]
    return {"files": files[:1000], "complete": complete and len(files) <= 1000}


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().splitlines()
    except OSError:
        return []
