# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing a file: what of the old one must be on the new one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.atomic_files import write_atomic

CONTEXT = b"system_u:object_r:ssh_home_t:s0\0"


def test_a_files_selinux_context_is_on_its_successor(tmp_path: Path) -> None:
    """A real attribute on a real file system; the policy that would read it is another kernel's."""
    target = tmp_path / "authorized_keys"
    target.write_bytes(b"old\n")
    try:
        os.setxattr(target, "security.selinux", CONTEXT)
    except OSError as error:
        pytest.skip(f"this kernel or file system keeps no such attribute for us: {error.strerror}")
    before = target.stat().st_ino
    write_atomic(str(target), b"new\n")
    assert target.read_bytes() == b"new\n"
    assert target.stat().st_ino != before
    assert os.getxattr(target, "security.selinux") == CONTEXT
