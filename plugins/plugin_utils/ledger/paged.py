# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger of any size, read in short transactions: while one is open, no run can commit."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import verification

if TYPE_CHECKING:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

# Rows of a page lie in the processor's cache; a bigger one is slower.
_PAGE = 4_000
# The walk's columns and order.
_ROWS, _ORDER = verification.WALK.split(" ORDER BY ")

Place = tuple[str, int]


def pages(
    ledger: Ledger, after: Place | None = None, up_to: Place | None = None, page: int = _PAGE
) -> Iterator[list[Any]]:
    """The walk's rows as plain tuples, each page in a transaction of its own. A place is a row's (writer, number).

    after, up_to: the places between which the rows are, the latter included; None: from the first one, to the last.
    """
    while True:
        bounds = [("(writer, seq) > (?, ?)", after), ("(writer, seq) <= (?, ?)", up_to)]
        where = " AND ".join(text for text, place in bounds if place)
        values = [value for _text, place in bounds if place for value in place]
        with ledger.reading() as connection:
            connection.row_factory = None
            rows = connection.execute(
                f"{_ROWS} WHERE {where or 'true'} ORDER BY {_ORDER} LIMIT {page}", values
            ).fetchall()
        if rows:
            yield rows
        if len(rows) < page:
            return
        after = rows[-1][:2]


class PagedConnection:
    """What `verification.verify` needs, over a live ledger. Rows that come while it reads may or may not be seen."""

    def __init__(self, ledger: Ledger, page: int = _PAGE) -> None:
        self._ledger = ledger
        self._page = page

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterable[Any]:
        """The walk over all rows page by page; any other statement at once."""
        if sql == verification.WALK:
            return itertools.chain.from_iterable(pages(self._ledger, page=self._page))
        with self._ledger.reading() as connection:
            return connection.execute(sql, tuple(parameters)).fetchall()
