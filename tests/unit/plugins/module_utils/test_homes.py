# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking into homes as root: real directories, real links, real owners."""

from __future__ import annotations

import os

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import homes
from ansible_collections.infogerance.perimeter.plugins.module_utils.key_files import (
    read_key_file,
    remove_key_file,
    write_key_file,
)

UID, OTHER = 61001, 61002

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


@pytest.fixture
def top(tmp_path):
    """A directory tree of root's that everybody may enter: <top>/home/user of UID."""
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(0o755)
    (tmp_path / "home" / "user" / ".ssh").mkdir(parents=True)
    for path in ("home/user", "home/user/.ssh"):
        os.chown(tmp_path / path, UID, UID)
    return tmp_path


def opened(path, uid=UID):
    handle = homes.open_directory(str(path), uid)
    try:
        return os.readlink(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def test_a_directory_of_the_user_below_directories_of_root_is_opened(top):
    assert opened(top / "home/user/.ssh") == str(top / "home/user/.ssh")


def test_no_descriptor_is_left_open_whatever_happens(top):
    (top / "home/user/loop").symlink_to("loop")
    before = set(os.listdir("/proc/self/fd"))
    for path in ("home/user/.ssh", "home/user/loop", "home/none", "home/user/.ssh/x/y"):
        try:
            opened(top / path)
        except OSError:
            pass
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_link_of_the_user_is_never_followed(top):
    link = top / "home/user/link"
    link.symlink_to(top / "home")
    os.chown(link, UID, UID, follow_symlinks=False)
    with pytest.raises(homes.UnsafePath, match="is a symbolic link to"):
        opened(link)
    with pytest.raises(homes.UnsafePath):
        opened(link / "user" / ".ssh")


def test_a_link_of_root_inside_the_users_directory_is_not_followed_either(top):
    (top / "home/user/link").symlink_to(top / "home")
    with pytest.raises(homes.UnsafePath):
        opened(top / "home/user/link")


@pytest.mark.parametrize("target", ["absolute", "relative"])
def test_a_link_of_root_in_a_directory_of_root_is_followed(top, target):
    (top / "h").symlink_to(top / "home" if target == "absolute" else "home")
    assert opened(top / "h/user/.ssh") == str(top / "home/user/.ssh")


def test_a_link_of_root_in_a_directory_that_others_may_write_to_is_not_followed(top):
    (top / "shared").mkdir()
    (top / "shared").chmod(0o1777)
    (top / "shared/h").symlink_to(top / "home")
    with pytest.raises(homes.UnsafePath):
        opened(top / "shared/h/user")


def test_a_chain_of_roots_links_is_followed_and_a_loop_ends(top):
    (top / "a").symlink_to("b")
    (top / "b").symlink_to(top / "home")
    assert opened(top / "a/user") == str(top / "home/user")
    (top / "x").symlink_to("y")
    (top / "y").symlink_to("x")
    with pytest.raises(homes.UnsafePath, match="too many"):
        opened(top / "x")


def test_a_link_that_climbs_is_refused(top):
    (top / "up").symlink_to("home/../home")
    with pytest.raises(homes.UnsafePath):
        opened(top / "up/user")


def test_a_directory_of_somebody_else_is_refused(top):
    (top / "home/user/.ssh/sub").mkdir()
    os.chown(top / "home/user/.ssh", OTHER, OTHER)
    with pytest.raises(homes.UnsafePath, match=f"belongs to uid {OTHER}"):
        opened(top / "home/user/.ssh/sub")


def test_a_file_in_the_way_is_refused_and_a_missing_one_is_told(top):
    (top / "home/user/file").write_text("x")
    with pytest.raises(homes.UnsafePath, match="is not a directory"):
        opened(top / "home/user/file/x")
    with pytest.raises(FileNotFoundError):
        opened(top / "home/user/none")


def test_a_directory_is_made_as_the_users_and_an_old_one_is_used(top):
    parent = homes.open_directory(str(top / "home/user"), UID)
    try:
        os.close(homes.make_directory(".new", parent, UID, UID))
        os.close(homes.make_directory(".new", parent, UID, UID))
        found = os.stat(top / "home/user/.new")
        assert (found.st_uid, found.st_mode & 0o777) == (UID, 0o700)
        (top / "home/user/trap").symlink_to("/etc")
        with pytest.raises(homes.UnsafePath):
            homes.make_directory("trap", parent, UID, UID)
        os.chown(top / "home/user/.new", OTHER, OTHER)
        with pytest.raises(homes.UnsafePath):
            homes.make_directory(".new", parent, UID, UID)
    finally:
        os.close(parent)


# -- the files in them -----------------------------------------------------------------------------------


def keys(top):
    return str(top / "home/user/.ssh/authorized_keys")


def test_a_key_file_is_written_read_and_removed(top):
    write_key_file(keys(top), b"x\n", UID, UID, str(top / "home/user"))
    found = read_key_file(keys(top), UID)
    assert (found.data, found.present, found.problem, found.mode, found.uid) == (b"x\n", True, None, 0o600, UID)
    remove_key_file(keys(top), UID)
    remove_key_file(keys(top), UID)
    assert read_key_file(keys(top), UID).present is False


def test_missing_directories_below_the_home_are_made(top):
    path = top / "home/user/a/b/keys"
    write_key_file(str(path), b"x\n", UID, UID, str(top / "home/user"))
    assert path.read_bytes() == b"x\n"
    assert os.stat(path.parent).st_uid == UID
    with pytest.raises(FileNotFoundError):
        write_key_file(str(top / "elsewhere/keys"), b"x\n", UID, UID, str(top / "home/user"))


@pytest.mark.parametrize(
    ("trap", "told", "uncertain"),
    [
        (lambda p: os.symlink("/etc/shadow", p), "symbolic link", True),
        (os.mkfifo, "not a regular file", False),
        (os.mkdir, "not a regular file", False),
        (lambda p: (open(p, "w").close(), os.chown(p, OTHER, OTHER)), f"belongs to uid {OTHER}", False),
        (lambda p: (open(p, "w").close(), os.link(p, p + "2")), "2 hard links", True),
    ],
    ids=["link", "fifo", "directory", "foreign", "hard link"],
)
def test_a_trap_is_told_and_neither_read_nor_written(top, trap, told, uncertain):
    trap(keys(top))
    before = os.lstat(keys(top))
    found = read_key_file(keys(top), UID)
    assert told in found.problem
    assert (found.data, found.uncertain) == (b"", uncertain)
    with pytest.raises(OSError, match=told):
        write_key_file(keys(top), b"x", UID, UID, str(top / "home/user"))
    after = os.lstat(keys(top))
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)


def test_removing_a_link_removes_the_link_and_not_its_target(top):
    (top / "victim").write_text("x")
    os.symlink(top / "victim", keys(top))
    remove_key_file(keys(top), UID)
    assert (top / "victim").read_text() == "x"
    assert not os.path.lexists(keys(top))
