# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PHP-FPM pools that run as users. The interpreter is the distribution's, what the pool runs is the user's.

Sources: php-fpm's pool files as Debian lays them out, the title of a pool's processes. Only ``user`` and ``listen`` are
taken: settings of a pool may hold passwords.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .runtime import Recognise, Runtime
from .user_space import UserSpace

__all__ = ["MARKERS", "look"]

MARKERS: dict[str, Recognise] = {}


def look(space: UserSpace) -> Iterator[Runtime]:
    """The pools of all versions of PHP."""
    titles = {(p.uid, p.line.strip()) for p in space.processes.processes.values() if p.line.startswith("php-fpm: pool")}
    for version in space.names("/etc/php"):
        if not re.fullmatch(r"\d+\.\d+", version, re.ASCII):
            continue
        program = space.look("/usr/sbin/php-fpm" + version, content=False)
        for found in space.files("/etc/php/%s/fpm/pool.d" % version, ending=".conf"):
            for pool, settings in _sections(found.lines):
                account = space.user_named(settings.get("user", ""))
                if account is not None:
                    running = (account.uid, "php-fpm: pool %s" % pool) in titles
                    base = "system" if program is not None else None
                    listen = settings.get("listen", "")
                    yield Runtime(
                        "php_fpm_pool", found.path, account.name, pool, version, base, None, None, found.mtime,
                        running, os.path.basename(listen),
                    )  # fmt: skip


def _sections(lines: list[tuple[int, str]]) -> Iterator[tuple[str, dict[str, str]]]:
    name = ""
    settings: dict[str, str] = {}
    for _number, line in lines:
        head = re.fullmatch(r"\[(.{1,100})\]", line)
        if head:
            if name and name != "global":
                yield name, settings
            name, settings = head.group(1), {}
        else:
            row = re.match(r"(user|listen)\s*=\s*([\"']?)([^\s\"';]{1,200})\2", line)
            if row:
                # The pool's own name may stand for itself.
                settings[row.group(1)] = row.group(3).replace("$pool", name)
    if name and name != "global":
        yield name, settings
