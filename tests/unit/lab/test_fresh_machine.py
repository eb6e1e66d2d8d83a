# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab on a machine that has no podman yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import Lab
from lab.errors import LabError
from lab.podman import podman


@pytest.fixture
def without_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr("lab.podman.PODMAN", (str(tmp_path / "no-such-podman"),))
    return Lab(tmp_path)


def test_a_machine_without_podman_has_no_host_to_take_down(without_podman: Lab) -> None:
    assert without_podman.down("demo") == []
    assert without_podman.sweep() == []
    assert without_podman.names() == []


def test_without_podman_a_call_of_it_says_what_is_missing(without_podman: Lab) -> None:
    with pytest.raises(LabError, match="no-such-podman"):
        podman("start", "anything")
