# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger of any size, read in short transactions: while one is open, no run can commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import verification

if TYPE_CHECKING:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

_PAGE = 20_000


class PagedConnection:
    """What `verification.verify` needs, over a live ledger. Rows that come while it reads may or may not be seen."""

    def __init__(self, ledger: Ledger, page: int = _PAGE) -> None:
        self._ledger = ledger
        self._page = page

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterable[Any]:
        """The walk over all rows page by page; any other statement at once."""
        if sql == verification.WALK:
            return self._walk()
        with self._ledger.reading() as connection:
            return connection.execute(sql, tuple(parameters)).fetchall()

    def _walk(self) -> Iterator[Any]:
        # By the columns of the index that the walk is ordered by.
        sql = verification.WALK.replace(
            " ORDER BY writer, seq", " WHERE (writer, seq) > (?, ?) ORDER BY writer, seq LIMIT ?"
        )
        with self._ledger.reading() as connection:
            page = connection.execute(f"{verification.WALK} LIMIT ?", (self._page,)).fetchall()
        while page:
            yield from page
            last = page[-1]
            with self._ledger.reading() as connection:
                page = connection.execute(sql, (last["writer"], last["seq"], self._page)).fetchall()
