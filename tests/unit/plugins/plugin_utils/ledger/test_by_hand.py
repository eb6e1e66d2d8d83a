# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people say of an intervention reaches whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.by_hand import annotate, annotation
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_time_for_a_client_that_the_run_was_not_for_is_refused_and_not_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    recorder = Recorder(ledger, run_id="a")
    recorder.start({"playbook": "site.yml", "clients": ["initech"]})
    recorder.host("web1", ["acme", "globex"])
    recorder.boundary()

    def said(client: str | None) -> None:
        told = annotation(ticket=None, quote=None, note=None, added_seconds=600, client=client)
        annotate(ledger, "a", told, by="ada", now=NOW)

    for client in (None, "acme", "globex", "initech"):
        said(client)
    with pytest.raises(LedgerError, match="intervention a was not for client 'acmee' but for acme, globex, initech"):
        said("acmee")
    with ledger.reading() as connection:
        assert connection.execute("SELECT count(*) FROM records WHERE kind = 'annotated'").fetchone()[0] == 4
