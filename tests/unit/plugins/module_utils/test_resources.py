# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mounts count as a file system of this server. The numbers are tried on real hosts, against df."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import resources
from ansible_collections.infogerance.perimeter.plugins.module_utils.resources import (
    Readings,
    file_systems,
    load,
    memory,
)


def test_each_local_file_system_counts_once_and_others_are_told_or_passed_over(tmp_path: Path) -> None:
    kinds = {
        "data": "ext4",
        "again": "ext4",
        "merged": "overlay",
        "share": "nfs4",
        "user": "fuse.sshfs",
        "sys": "sysfs",
    }
    for name in kinds:
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("x")
    rows = [f"30 1 0:1 / {tmp_path / name} rw - {kind} none rw" for name, kind in kinds.items()]
    rows += [f"30 1 0:1 / {tmp_path / 'file'} rw - ext4 none rw", "30 1 0:1 / /run/user/1000 rw - tmpfs tmpfs rw"]
    rows += [f"30 1 0:1 / {tmp_path / 'gone'} rw - ext4 none rw", "not a row", ""]
    (tmp_path / "mountinfo").write_text("\n".join(rows))
    into = Readings()
    file_systems(into, table=str(tmp_path / "mountinfo"))
    # All of these directories are one file system: its shortest mount point stands for it.
    assert [row["name"] for row in into.found if row["kind"] == "disk"] == [str(tmp_path / "data")]
    assert sorted(row["name"] for row in into.left_out) == [str(tmp_path / "share"), str(tmp_path / "user")]
    assert [(row["kind"], row["name"]) for row in into.unread] == [
        ("disk", str(tmp_path / "gone")),
        ("inodes", str(tmp_path / "gone")),
    ]


def test_who_asks_a_file_system_holds_nothing_of_ours_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One that hangs in the kernel would keep the connection to the server open for as long.
    (tmp_path / "mountinfo").write_text(f"30 1 0:1 / {tmp_path} rw - ext4 none rw\n")
    handles = "/proc/self/fd/"
    monkeypatch.setattr(resources, "_one", lambda _point: " ".join(os.readlink(handles + name) for name in "012"))
    into = Readings()
    file_systems(into, table=str(tmp_path / "mountinfo"))
    assert {row["why"] for row in into.unread} == {"/dev/null /dev/null /dev/null"}


def test_what_the_kernel_does_not_tell_is_unread(tmp_path: Path) -> None:
    into = Readings()
    (tmp_path / "odd").write_text("MemTotal: many kB\n")
    memory(into, str(tmp_path / "odd"))
    load(into, str(tmp_path / "missing"))
    assert into.found == []
    assert [row["kind"] for row in into.unread] == ["memory", "load"]
