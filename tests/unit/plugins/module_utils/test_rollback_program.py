# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer and the confirmation: who wins, and what a clock can do. Files are put back in the integration tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import rollback_program as program


@pytest.fixture
def armed(tmp_path: Path) -> str:
    folder = tmp_path / "pending"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "0").write_text("root:$y$hash")
    change = {
        "nonce": "0f", "kind": "test", "deadline": program.now() + 100, "boot_id": program.boot_id(),
        "lock": str(tmp_path / "lock"), "files": [], "folders": [], "commands": [], "hooks": [], "actions": [],
    }  # fmt: skip
    (folder / "change.json").write_text(json.dumps(change))
    (folder / "armed").touch()
    return str(folder)


def change_of(folder: str, **more: Any) -> None:
    path = Path(folder) / "change.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


def test_a_confirmation_holds_and_takes_the_copies_away(armed: str) -> None:
    assert not program.confirm(armed, "0e")
    assert program.confirm(armed, "0f")
    assert not (Path(armed) / "files").exists()
    assert program.confirm(armed, "0f"), "asked again after the answer was lost"
    assert not program.roll_back(armed, "too late")


@pytest.mark.parametrize("leap", [-1e9, 1e9])
def test_a_set_date_neither_hurries_nor_delays(armed: str, monkeypatch: pytest.MonkeyPatch, leap: float) -> None:
    monkeypatch.setattr(program.time, "time", lambda: 1.7e9 + leap)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program.watch(armed, nap)
    assert program.state_of(armed) == program.ARMED
    assert all(seconds <= 1.0 for seconds in naps)


def test_it_is_too_late_after_the_deadline_and_after_a_reboot(armed: str) -> None:
    change_of(armed, boot_id="another")
    assert not program.confirm(armed, "0f")
    change_of(armed, boot_id=program.boot_id(), deadline=program.now() - 1)
    assert not program.confirm(armed, "0f")


def test_the_timer_outlives_whatever_goes_wrong(armed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([OSError("no descriptors"), ValueError("half a file")])
    real = program.load

    def load(folder: str) -> dict[str, Any]:
        for failure in failures:
            raise failure
        return real(folder)

    monkeypatch.setattr(program, "load", load)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 4:
            program.confirm(armed, "0f")

    assert program.watch(armed, nap) is False
    assert not Path(armed).exists(), "a confirmed change leaves nothing behind"


def test_a_folder_that_vanished_ends_the_timer(tmp_path: Path) -> None:
    assert program.watch(str(tmp_path / "gone")) is False
