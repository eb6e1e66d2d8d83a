# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay a clean copy of the checkout where a tool wants it.

ansible-test and `ansible-galaxy collection build` look at a directory, not at
git: the one refuses links, the other packs whatever lies about. Both get a
copy of exactly the files that git knows, or would take.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


def files(*, untracked: bool) -> list[str]:
    """Paths of the checkout's files, relative to its root.

    With `untracked`, also new files that .gitignore does not name: work that
    is not committed yet is checked like the rest.
    """
    command = ["git", "ls-files", "-z", "--cached"]
    if untracked:
        command += ["--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    names = {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
    # A file deleted but not yet committed is still in the index.
    return sorted(name for name in names if os.path.lexists(ROOT / name))


def copy(target: Path, names: list[str]) -> None:
    """Make `target` hold exactly these files; what has not changed is left alone.

    Unchanged files keep their times, so that the caches of the tools that
    read the copy stay warm.
    """
    target.mkdir(parents=True, exist_ok=True)
    wanted = set(names)
    # What the tools themselves keep in the copy.
    kept = (".git/", "tests/output/")
    for folder, _dirs, present in os.walk(target):
        for name in present:
            relative = os.path.relpath(os.path.join(folder, name), target)
            if relative not in wanted and not relative.startswith(kept):
                os.unlink(target / relative)
    for name in names:
        source, copied = ROOT / name, target / name
        if source.is_symlink():
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.unlink(missing_ok=True)
            copied.symlink_to(os.readlink(source))
            continue
        before, after = source.stat(), copied.stat() if copied.exists() else None
        if after and (before.st_size, before.st_mtime_ns, before.st_mode) == (
            after.st_size,
            after.st_mtime_ns,
            after.st_mode,
        ):
            continue
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copied)
    for folder, _dirs, _present in os.walk(target, topdown=False):
        inside = os.path.relpath(folder, target) + "/"
        if not inside.startswith(kept) and Path(folder) != target and not os.listdir(folder):
            os.rmdir(folder)
