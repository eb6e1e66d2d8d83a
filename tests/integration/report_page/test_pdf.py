# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as PDF, read back by another program."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from tests.integration.report_page.conftest import HOSTILE, looked, pages_of, write


def test_the_pdf_is_tagged_says_all_in_one_language_and_is_the_same_each_time(installed: None, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    for number in range(30):
        write(ledger, number % 28, {"web1": ["acme"]}, operator=f"op{number:02d}")
    write(ledger, 28, {"web1": ["acme"]}, result=looked(HOSTILE[:1]))
    (file,) = pages_of(ledger, tmp_path, ("pdf",))
    text = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True).stdout
    assert "Qui peut encore entrer" in text
    assert "Who can still get in" not in text
    assert all(f"op{number:02d}" in text for number in range(30))
    assert "window.ran=1" in text
    facts = subprocess.run(["pdfinfo", str(file)], capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in facts.splitlines() if line.startswith(("Tagged", "JavaScript"))] == [
        "yes",
        "no",
    ]
    before = file.read_bytes()
    pages_of(ledger, tmp_path, ("pdf",))
    assert file.read_bytes() == before
