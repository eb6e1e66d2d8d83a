# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account files as the C library reads them, odd lines included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import account_database as ad


@pytest.fixture
def etc(tmp_path):
    def write(passwd="root:x:0:0:root:/root:/bin/bash\n", group="root:x:0:\n", shadow=None, **more):
        (tmp_path / "passwd").write_bytes(passwd if isinstance(passwd, bytes) else passwd.encode())
        (tmp_path / "group").write_text(group)
        if shadow is not None:
            (tmp_path / "shadow").write_text(shadow)
        for name, text in more.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return ad.AccountDatabase(str(tmp_path))

    return write


@pytest.mark.parametrize(
    ("line", "uid"),
    [
        ("bob:x:1001:1001::/home/bob:/bin/sh", 1001),
        ("  bob:x:1001:1001::/home/bob:/bin/sh", 1001),
        ("\tbob:x:1001:1001:::", 1001),
        ("bob:x:1001:1001", 1001),
        ("bob:x:+1001:+1001:::", 1001),
        ("bob:x: 1001: 1001:::", 1001),
        ("bob:x:-0:0:::", 0),
        ("bob:x:0001001:1:::", 1001),
    ],
)
def test_what_the_c_library_takes_for_an_account_is_one(etc, line, uid):
    assert etc(line + "\n").accounts["bob"].uid == uid


@pytest.mark.parametrize(
    "line",
    [
        "bob:x:1001",
        "bob:x:-1:1:::",
        "bob:x:0x10:1:::",
        "bob:x:1001 :1:::",
        "bob:x::1:::",
        "bob:x:4294967296:1:::",
        ":x:1:1:::",
    ],
)
def test_what_it_takes_for_none_is_none_and_told(etc, line):
    database = etc(line + "\n")
    assert database.accounts == {}
    assert len(database.oddities) == 1
    assert "passwd:1" in database.oddities[0]


def test_of_two_lines_with_one_name_the_first_counts_and_the_second_is_told(etc):
    database = etc("bob:x:0:0::/root:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n")
    assert database.accounts["bob"].uid == 0
    assert database.twice == {"bob"}
    assert "more than one line" in database.oddities[0]


def test_lines_that_let_nis_in_are_told_and_comments_are_not(etc):
    assert etc("# x\n\n+::::::\n").compat
    assert not etc("-bob::::::\n# +\n").compat
    assert etc("+::::::\n", nsswitch_conf="passwd: compat\n")._has_remote_source()
    assert not etc(nsswitch_conf="passwd:\tfiles systemd # ldap\n")._has_remote_source()
    assert etc(nsswitch_conf="passwd: files [NOTFOUND=return] sss\n").nsswitch("passwd") == {"files", "sss"}


@pytest.mark.parametrize(
    ("field", "shadow", "state", "expires"),
    [
        ("x", "bob:$y$hash:1:0:9:7:::\n", "usable", None),
        ("x", "bob:!$y$hash:1:0:9:7:::\n", "locked", None),
        ("x", "bob:*:1:0:9:7:::\n", "locked", None),
        ("x", "bob::1:0:9:7:::\n", "empty", None),
        ("x", "bob:!:1:0:9:7::1:\n", "locked", "1970-01-02"),
        ("x", "bob:!:1:0:9:7::0:\n", "locked", "1970-01-01"),
        ("x", "bob:!:1:0:9:7::99999999:\n", "locked", "9999-12-31"),
        ("x", "bob:!:1:0:9:7::2932896:\n", "locked", "9999-12-31"),
        ("x", "bob:!:1:0:9:7::-1:\n", "locked", None),
        ("x", "bob:$y$short\n", "usable", None),
        ("x", "bob:!:1\nbob:$y$second:1::::::\n", "locked", None),
        ("x", "", "locked", None),
        ("x", None, "locked", None),
        ("", "bob:!:1:0:9:7:::\n", "empty", None),
        ("$y$hash", None, "usable", None),
    ],
)
def test_passwords_and_expiry_are_read_as_the_server_reads_them(etc, field, shadow, state, expires):
    account = etc(f"bob:{field}:1001:1001::/h:/bin/sh\n", shadow=shadow).accounts["bob"]
    assert (account.password, account.expires) == (state, expires)


@given(st.integers(0, 2932896))
def test_days_and_dates_are_the_same_thing(day):
    assert ad.day_of(ad.iso_of_day(day)) == day


def test_groups_that_share_a_name_or_a_number_are_one(etc):
    group = "sudo:x:27:\naudio2:x:27:bob\nadm:x:4:\nadm:x:99:bob\nshort:x:5\nbad:x:y:bob\n"
    database = etc("bob:x:1001:27::/h:/bin/sh\n", group)
    account = database.accounts["bob"]
    assert account.groups == ("adm", "audio2")
    assert database.groups["adm"] == (4, ("bob",))
    assert database.with_twins(["sudo"]) == {"sudo", "audio2"}
    assert database.primary_group(account) == "sudo"
    assert any("group:6" in text for text in database.oddities)


def test_bytes_that_are_no_text_survive(etc):
    account = etc(b"bob:x:1001:1001:Andr\xe9:/h:/bin/sh\n").accounts["bob"]
    assert account.comment.encode("utf-8", "surrogateescape") == b"Andr\xe9"


def test_a_new_uid_is_past_all_others_and_never_a_former_one(etc):
    passwd = "".join(f"u{n}:x:{n}:{n}:::\n" for n in (1000, 1003, 65534, 50))
    database = etc(passwd, "g:x:1004:\n", login_defs="UID_MIN 1000\nUID_MAX 1008\n")
    assert database.free_uid(set()) == 1005
    assert database.free_uid({1005, 1006}) == 1007
    assert database.free_uid({1005, 1006, 1007, 1008}) == 1001
    with pytest.raises(ad.ToolFailed, match="no free uid"):
        database.free_uid(set(range(1000, 1009)))


def test_subordinate_uids_count_where_they_are_nobody_elses(etc, tmp_path):
    (tmp_path / "subuid").write_text(
        "bob:100000:65536\n1001:300000:10\nbob:0:5\ncarl:165530:100\nbad:x:1\nbob:2000:10\n"
    )
    passwd = "bob:x:1001:1001:::\ncarl:x:1002:1002:::\ndora:x:2005:2005:::\n"
    database = etc(passwd)
    assert database.subordinate(database.accounts["bob"]) == [(300000, 10)]
    assert database.subordinate(database.accounts["carl"]) == []
    assert database.subordinate(database.accounts["dora"]) == []


def test_the_servers_own_limits_and_home_base_are_read(etc, tmp_path):
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "useradd").write_text("# HOME=/x\nHOME=/srv/home\n")
    database = etc(login_defs="#UID_MIN 5\nUID_MIN\t500\nUID_MAX x\n")
    assert (database.uid_min, database.uid_max, database.home_base()) == (500, 60000, "/srv/home")


def test_a_tool_that_is_missing_or_hangs_is_an_error_with_its_name():
    with pytest.raises(ad.ToolFailed, match="not found"):
        ad.command(["no-such-tool-here"])
    with pytest.raises(ad.ToolFailed, match="did not end"):
        ad.command(["sleep", "5"], seconds=0.1)
    with pytest.raises(ad.ToolFailed, match="exit 3: why"):
        ad.command(["sh", "-c", "echo why >&2; exit 3"])
