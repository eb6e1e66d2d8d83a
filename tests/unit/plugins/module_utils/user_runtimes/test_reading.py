# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken from users' files gives no argument and no secret away, and nothing raises."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes import version_managers
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.containers import moment
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.cron_jobs import programs
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.json_files import (
    field,
    loaded,
    text_of,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.php_fpm import _sections
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.runtime import Runtime


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("5 4 * * * /usr/bin/mysqldump -pSECRET shop", ["mysqldump"]),
        ("@daily PASSWORD=SECRET ./run.sh SECRET", ["run.sh"]),
        ("* * * * * cd /home/x && SECRET", []),
        ("* * * * * $(SECRET)", []),
        ("* * * *", []),
        ("* * * * * PASSWORD='a SECRET b' ./run.sh", []),
        ("* * * * * PASSWORD=$(echo SECRET x) ./run.sh", []),
        ("* * * * * PASSWORD=a\\ SECRET ./run.sh", []),
        ('5 4 * * * PASSWORD="SECRET" ./run.sh', ["run.sh"]),
        ('"PASSWORD" = a b c SECRET x', []),
        ("my-password = a b c SECRET x", []),
        ("*/5 0-7,9 1 jan mon ./run.sh", ["run.sh"]),
    ],
)
def test_of_a_job_only_the_programs_name_is_taken(line: str, named: list[str]) -> None:
    assert programs([line]) == named


@given(st.lists(st.text()))
def test_no_line_breaks_it(lines: list[str]) -> None:
    programs(lines)


def test_json_of_any_kind_gives_what_was_asked_for_or_nothing() -> None:
    assert loaded("[" * 100000) is None
    assert loaded("{") is None
    assert field([1], "a") is None
    assert field({"a": {"b": "c"}}, "a", "b") == "c"
    assert text_of(7) is None


@pytest.mark.parametrize("value", [None, 7, "", "yesterday", "9999-99-99T99:99:99Z", "2026-11-25T20:14:05+99:99"])
def test_what_is_no_time_is_none(value: object) -> None:
    assert moment(value) is None


def test_an_age_is_in_whole_days_and_never_negative() -> None:
    written = moment("2026-11-25T00:00:00.123456789Z")
    assert written is not None
    row = Runtime("node_project", "/home/a", "a", locked_by="x", locked_at=written)
    assert row.as_result("node", written + 86400 * 2.9)["lock_age_days"] == 2
    assert row.as_result("node", written - 5)["lock_age_days"] == 0


@pytest.mark.parametrize("said", ["user = $pool", 'user = "alice"', "user=alice;the shop's", "user = alice"])
def test_a_pools_user_is_read_as_php_fpm_reads_it(said: str) -> None:
    lines = [(1, "[alice]"), (2, said), (3, "listen = /run/php/$pool.sock"), (4, "env[DB] = SECRET")]
    assert list(_sections(lines)) == [("alice", {"user": "alice", "listen": "/run/php/alice.sock"})]


def test_a_version_that_goes_meanwhile_hides_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("v18.0.0", "v20.0.0"):
        (tmp_path / name).mkdir()
    space: Any = SimpleNamespace(names=lambda _place, _account: ["v16.0.0", "v18.0.0", "v20.0.0"])
    monkeypatch.setattr(
        version_managers, "open_directory", lambda place, _uid: os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    )
    found = version_managers.folders(space, str(tmp_path), SimpleNamespace(uid=0))  # type: ignore[arg-type]
    assert [name for name, _written in found] == ["v18.0.0", "v20.0.0"]
