# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops ssh_accounts before it has looked at a single account, and what stands in a restore's way."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import account_archive as aa
from ansible_collections.infogerance.perimeter.plugins.module_utils import ssh_accounts as sa
from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.connection import Connection
from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import ServerProblem
from ansible_collections.infogerance.perimeter.plugins.module_utils.state_directory import StateDirectory


@pytest.fixture
def kind(tmp_path):
    made = sa.SshAccounts({"sshd_config": "/etc/ssh/sshd_config"}, StateDirectory(str(tmp_path)), "2026-11-23")
    made.registry = {"accounts": {}, "disabled": {}, "tombstones": []}
    return made


def test_without_proc_nothing_is_even_read(kind):
    kind.connection = Connection(known=False)
    with pytest.raises(ServerProblem, match="/proc can't be read"):
        kind.observe()


@pytest.mark.parametrize("today", ["1970-01-01", "2025-12-31"])
def test_a_clock_that_was_never_set_is_refused(kind, today):
    kind.today = today
    with pytest.raises(ServerProblem, match="clock"):
        kind._check_clock()


@pytest.mark.parametrize(
    ("part", "row"),
    [
        ("disabled", {"since": "2026-11-24"}),
        ("accounts", {"since": "2026-11-24T00:00:00Z"}),
        ("tombstones", {"at": "2027-01-01T00:00:00Z"}),
    ],
)
def test_a_clock_behind_what_was_already_written_down_is_refused(kind, part, row):
    kind._check_clock()
    if part == "tombstones":
        kind.registry[part].append(row)
    else:
        kind.registry[part]["bob"] = row
    with pytest.raises(ServerProblem, match="clock"):
        kind._check_clock()
    kind.today = "2027-01-01"
    kind._check_clock()


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "0.keys.0").write_text("x\n")
    rows = [{"path": "/home/bob/.ssh/authorized_keys", "copy": str(folder / "0.keys.0")}]
    manifest = {"what": "disable", "uid": 1001, "key_files": rows, "sudo": [], "parked": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def view(accounts=(), groups=()):
    database = SimpleNamespace(
        accounts={name: Account(name, uid, uid, "", "/", "/bin/sh") for name, uid in accounts},
        groups={name: (gid, ()) for name, gid in groups},
    )
    return SimpleNamespace(database=database)


@pytest.fixture
def tombstone(archive, tmp_path):
    home = tmp_path / "kept-home"
    home.mkdir()
    account = {"uid": 1001, "gid": 1001, "group": "bob", "home": str(tmp_path / "homes" / "bob")}
    (tmp_path / "homes").mkdir()
    return {"disabled_archive": str(archive), "home_archive": str(home), "account": account}


def test_a_whole_archive_can_be_restored(archive, tombstone):
    assert aa.why_not_restored(view(), "bob", {"archive": str(archive)}, None) is None
    assert aa.why_not_restored(view(), "bob", None, tombstone) is None
    assert aa.why_not_restored(view([("bob", 1001)], [("bob", 1001)]), "bob", None, tombstone) is None


def test_what_is_missing_from_the_archive_is_named(archive):
    (archive / "0.keys.0").unlink()
    assert "lacks" in aa.why_not_restored(view(), "bob", {"archive": str(archive)}, None)
    (archive / "manifest.json").write_text("{")
    assert "gone or damaged" in aa.why_not_restored(view(), "bob", {"archive": str(archive)}, None)
    (archive / "manifest.json").write_text('{"what": "keys"}')
    assert "gone or damaged" in aa.why_not_restored(view(), "bob", {"archive": str(archive)}, None)
    assert "gone or damaged" in aa.why_not_restored(view(), "bob", {}, None)


@pytest.mark.parametrize(
    ("accounts", "groups", "told"),
    [
        ([("eve", 1001)], [], "its uid 1001 is eve's now"),
        ([], [("devs", 1001)], "the number is devs's"),
        ([], [("bob", 7)], "has the number 7 now"),
    ],
)
def test_what_has_taken_its_place_is_named(tombstone, accounts, groups, told):
    assert told in aa.why_not_restored(view(accounts, groups), "bob", None, tombstone)


def test_a_group_that_is_not_its_own_must_still_be_there(tombstone):
    tombstone["account"].update(group="staff", gid=50)
    assert "its group staff (50) is gone" in aa.why_not_restored(view(), "bob", None, tombstone)
    assert aa.why_not_restored(view(groups=[("staff", 50)]), "bob", None, tombstone) is None


def test_a_taken_home_and_a_missing_parent_are_named(tombstone, tmp_path):
    (tmp_path / "homes" / "bob").mkdir()
    assert "is taken" in aa.why_not_restored(view(), "bob", None, tombstone)
    (tmp_path / "homes" / "bob").rmdir()
    (tmp_path / "homes").rmdir()
    assert "is gone" in aa.why_not_restored(view(), "bob", None, tombstone)
