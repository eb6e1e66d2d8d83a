# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a plan on SSH accounts may change: they are saved before the first write and put back on a roll-back."""

from __future__ import annotations

import os
from typing import Any

from .account_report import names_account
from .journal import Touched
from .parked import parkable
from .reconcile import Plan

__all__ = ["touched"]

DATABASE = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid")


def touched(view: Any, made: Plan) -> Touched:
    """``view`` is the kind's last observation (SshAccounts)."""
    found = Touched([(path, 0) for path in DATABASE if os.path.exists(path)])
    found.files.append((os.path.join(view.state.root, "ssh_accounts.json"), 0))
    names = sorted({action.entry.split(" ", 1)[0] for action in made.actions})
    takes_account = any(a.kind == "ssh_account" and a.action in ("disable", "remove", "restore") for a in made.actions)
    if takes_account:
        found.files += [(path, 0) for path in dict.fromkeys(view.sshd.files())]
    if made.of("restore") and view.sshd.program:
        # Only a restored account makes sshd read its configuration again; so must its way back.
        test = [view.sshd.program, "-t", "-f", view.sshd.config]
        found.commands.append({"hup": "sshd", "argv": [], "unit": "ssh", "test": test})
    for name in names:
        found.files.append((view.sudoers.fragment(name), 0))
        account = view.database.accounts.get(name)
        if account is None:
            continue
        found.files += [(g.path, 0) for g in view.grants if g.alone and names_account(g, account)]
        found.files += [(file.path, account.uid) for file in view.files.get(name, []) if not file.problem]
        if takes_account:
            found.files += [(path, 0) for path in parkable(account)]
    return found
