# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PostgreSQL for all tests of a file, a new database for each test."""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

sys.path.insert(0, str(Path(__file__).parent))

import postgres as server
from rows import add

_names = itertools.count(1)


@pytest.fixture(scope="module")
def postgres() -> Iterator[server.Postgres]:
    """A server that ends with the file's tests."""
    # Not below pytest's own directory: that is closed to the unprivileged user that PostgreSQL runs as.
    path = Path(tempfile.mkdtemp(prefix="infogerance-pg-"))
    made = None
    try:
        made = server.Postgres(path)
        yield made
    finally:
        if made is not None:
            made.remove()
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def database(postgres: server.Postgres) -> server.Database:
    """An empty shared ledger."""
    return postgres.database(f"ledger{next(_names)}")


@pytest.fixture
def ledger_with(tmp_path: Path) -> Callable[..., Ledger]:
    """Make a local ledger with so many rows."""

    def make(count: int, name: str = "ledger", run_id: str = "run") -> Ledger:
        ledger = Ledger(tmp_path / f"{name}.sqlite3", timeout=5)
        add(ledger, count, run_id)
        return ledger

    return make
