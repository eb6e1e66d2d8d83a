# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a family of ways in is given to look with: bounded reads, the accounts, the declared people."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.connection import Connection
from ansible_collections.infogerance.perimeter.plugins.module_utils.sshd import Sshd
from ansible_collections.infogerance.perimeter.plugins.module_utils.sudoers import Grant, Sudoers

from .people import People
from .reading import Bounds, Reader, Seen, iso

__all__ = ["Bounds", "Context", "Seen", "iso"]


class Context(Reader):
    """One server as the families see it. Made once, then used by a child process a family."""

    def __init__(
        self,
        people: People,
        bounds: Bounds,
        connection: Connection,
        sshd_config: str = "/etc/ssh/sshd_config",
        tombstones: list[dict[str, Any]] | None = None,
        today: str = "",
    ) -> None:
        super().__init__(bounds)
        self.people = people
        self.connection = connection
        self.tombstones = tombstones or []
        self.today = today
        self.sshd = Sshd(sshd_config, connection.address or "127.0.0.1", self.groups_of)
        self._grants: list[Grant] | None = None
        self.sudoers = Sudoers()

    def groups_of(self, name: str) -> frozenset[str]:
        """The groups of an account, its own one included."""
        account = self.database.accounts[name]
        primary = self.database.primary_group(account)
        return frozenset(account.groups) | ({primary} if primary else set())

    def closed(self, account: Account) -> bool:
        """True where the account has expired."""
        return account.expires is not None and account.expires <= self.today

    @property
    def grants(self) -> list[Grant]:
        """sudo's rules, read once."""
        if self._grants is None:
            self._grants = self.sudoers.grants()
        return self._grants
