# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, processes and packages are read as the kernel and dpkg write them."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families import mounts
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.context import iso
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import shown
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.mounts import Mounts
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.packages import Packages
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.process_table import ProcessTable

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw,nosuid - ext4 /dev/sdb1 rw
31 30 0:31 / /home/al\\040ice/.ssh rw - fuse.sshfs host:/ rw,user_id=1001,group_id=1001
32 22 0:32 / /srv/share rw - nfs4 192.0.2.1:/x rw
"""


@pytest.fixture
def table(tmp_path: Path) -> Mounts:
    path = tmp_path / "mountinfo"
    path.write_text(TABLE)
    return Mounts(str(path))


def test_the_longest_mount_point_decides(table: Mounts) -> None:
    assert "nosuid" in table.options("/home/bob/x")
    assert "nosuid" not in table.options("/homes")


def test_a_mount_of_a_user_is_never_touched(table: Mounts) -> None:
    assert table.trouble("/home/al ice/.ssh/authorized_keys") == "uid 1001 serves it (fuse.sshfs)"
    assert table.trouble("/home/al ice/.bashrc") is None


def test_a_remote_mount_is_asked_once_by_a_child(table: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answers(point: str) -> bool:
        asked.append(point)
        return False

    monkeypatch.setattr(mounts, "_answers", answers)
    assert "did not answer" in str(table.trouble("/srv/share/home/bob"))
    assert "did not answer" in str(table.trouble("/srv/share"))
    assert asked == ["/srv/share"]


def test_a_mount_that_answers_is_read(tmp_path: Path) -> None:
    assert mounts._answers(str(tmp_path))
    assert not mounts._answers(str(tmp_path / "missing"))


def test_a_listening_socket_is_found_with_its_process() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = ProcessTable().sockets_of(os.getpid(), [listener.fileno()])
    assert [(c.protocol, c.local, c.local_port, c.listening) for _n, c in found] == [("tcp", "127.0.0.1", port, True)]


def test_our_own_process_is_in_the_table_with_its_ancestors() -> None:
    table = ProcessTable()
    me = table.processes[os.getpid()]
    assert me.uid == os.getuid()
    assert {me.pid, me.parent} <= table.ancestors(me.pid)


def test_a_changed_file_of_a_package_is_not_pristine(tmp_path: Path) -> None:
    (tmp_path / "info").mkdir()
    kept = hashlib.md5(b"as it came").hexdigest()
    (tmp_path / "status").write_text(f"Package: cron\nConffiles:\n /etc/cron.d/x {kept}\nStatus: x\n")
    (tmp_path / "info" / "cron.list").write_text("/.\n/etc/cron.d/x\n/lib/systemd/system/cron.service\n")
    (tmp_path / "info" / "cron.md5sums").write_text(f"{kept}  lib/systemd/system/cron.service\n")
    packages = Packages(str(tmp_path))
    assert packages.known
    assert packages.pristine("/etc/cron.d/x", b"as it came")
    assert not packages.pristine("/etc/cron.d/x", b"changed")
    # Debian's /usr merge: the same file by its other name.
    assert packages.pristine("/usr/lib/systemd/system/cron.service", b"as it came")
    assert packages.owner("/etc/cron.d/other") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [("\u00e9t\u00e9", "\u00e9t\u00e9"), ("a\x1b\udcffb", "a\\x1b\\xffb"), ("a\ud800b", "a\\xed\\xa0\\x80b")],
)
def test_whatever_a_text_holds_it_can_be_shown(text: str, told: str) -> None:
    # The last one is what a user's JSON may hold as \\ud800.
    assert shown(text) == told


def test_a_time_that_no_calendar_holds_is_none() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1e18) is None
