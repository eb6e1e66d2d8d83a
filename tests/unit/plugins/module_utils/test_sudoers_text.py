# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of sudoers: who is named, and who becomes root."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import sudoers as door
from ansible_collections.infogerance.perimeter.plugins.module_utils import sudoers_text as su


def who(text):
    made = su.read_sudoers(text)
    return [name for rule in made.rules for name in su.expand(rule.users, made.aliases, "User")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("bob ALL=(ALL) ALL\n", ["bob"]),
        ("bob, carl ALL=(ALL) ALL\n", ["bob", "carl"]),
        ("bob,carl,dora ALL = ALL\n", ["bob", "carl", "dora"]),
        ("bob ALL = (root) /bin/a, \\\n  /bin/b\n", ["bob"]),
        ("bob \\\nALL=(ALL) ALL\n", ["bob"]),
        ("#1001 ALL=(ALL) ALL\n", ["#1001"]),
        ("# 1001 ALL=(ALL) ALL\n", []),
        ("#bob ALL=(ALL) ALL\n", []),
        ("bob,#1002 ALL=ALL # a comment, eve ALL=ALL\n", ["bob", "#1002"]),
        ("%sudo ALL=(ALL:ALL) ALL\n", ["%sudo"]),
        ("%#27 ALL=ALL\n", ["%#27"]),
        ("+net ALL=ALL\n", ["+net"]),
        ("ALL, !bob ALL=ALL\n", ["ALL"]),
        ("!bob, eve ALL=ALL\n", ["eve"]),
        ("!!bob ALL=ALL\n", ["bob"]),
        ("!!!bob ALL=ALL\n", []),
        ('"dom user" ALL=ALL\n', ["dom user"]),
        ("a\\ b ALL=ALL\n", ["a b"]),
        ("bob\\x20x ALL=ALL\n", ["bob x"]),
        ("Defaults:bob !authenticate\n", []),
        ("Defaults env_reset\nDefaults@host x\n", []),
        ("Defaultsbob ALL=ALL\n", ["Defaultsbob"]),
        ("User_Alias ADM = bob, carl\nADM ALL=ALL\n", ["bob", "carl"]),
        ("ADM ALL=ALL\nUser_Alias A = bob : ADM = A, dora\n", ["bob", "dora"]),
        ("User_Alias A = B : B = A\nA ALL=ALL\n", ["A"]),
        ("bob web=(ALL) ALL : db = /bin/x\n", ["bob"]),
        ("bob web, db = ALL\n", ["bob"]),
        ("bob ALL=(ALL) ALL\r\ncarl ALL=ALL\r\n", ["bob", "carl"]),
        ("bob ALL=(ALL) ALL", ["bob"]),
        ("bob\n", []),
        ("= ALL\n", []),
    ],
)
def test_everybody_who_is_named_is_found(text, names):
    assert who(text) == names


@pytest.mark.parametrize(
    ("rule", "everything"),
    [
        ("bob ALL=(ALL) ALL", True),
        ("bob ALL=(ALL:ALL) NOPASSWD: ALL", True),
        ("bob ALL=(ALL) NOPASSWD:SETENV: ALL", True),
        ("bob ALL=ALL", True),
        ("bob ALL=(root) ALL", True),
        ("bob ALL=(#0) ALL", True),
        ("bob ALL=/bin/a, ALL", True),
        ("bob ALL=(ALL) ALL, !/bin/su", True),
        ("bob ALL = CWD=/tmp NOPASSWD: ALL", True),
        ("bob ALL=(www-data) ALL", False),
        ("bob ALL=(:adm) ALL", False),
        ("bob ALL=(ALL) /bin/a", False),
        ("bob ALL=(ALL) !ALL", False),
        ("bob ALL=(ALL) /bin/echo ALL", False),
        ("bob ALL=(ALL) /bin/ALL", False),
        ("bob ALL=(bob) /bin/a, (root) ALL", True),
        ("bob ALL=(bob) /bin/a, ALL", False),
    ],
)
def test_what_makes_root_for_certain(rule, everything):
    assert su.grants_all(rule) is everything


def test_aliases_of_commands_and_users_to_run_as_are_followed():
    made = su.read_sudoers(
        "Cmnd_Alias ANY = /bin/a, ALL\nRunas_Alias R = root, bin\nbob ALL = (R) ANY\ncarl ALL = (X) ANY\n"
    )
    assert [su.gives_everything(rule.commands, made.aliases) for rule in made.rules] == [True, False]


def test_includes_and_what_else_a_file_holds_are_told():
    made = su.read_sudoers('@includedir /etc/sudoers.d\n#include a\\ b\n@include "/c d"\n')
    assert made.includes == [("includedir", "/etc/sudoers.d"), ("include", "a b"), ("include", "/c d")]
    assert made.more
    assert not su.read_sudoers("# only a comment\nbob ALL=ALL\n").more


@given(st.text(alphabet='ab ALL=(),:!#\\"\n%_@', max_size=60))
def test_any_text_is_read_without_an_error(text):
    made = su.read_sudoers(text)
    for rule in made.rules:
        su.expand(rule.users, made.aliases, "User")
        su.gives_everything(rule.commands, made.aliases)


COMMANDS = st.sampled_from(["ALL", "/bin/a", "/bin/b --x=1,2 y:z", "/usr/bin/c *", "/bin/d \\"])


@given(
    st.from_regex(r"[a-z_][a-z0-9_.-]{0,10}\$?", fullmatch=True),
    st.lists(COMMANDS, min_size=1, max_size=3, unique=True),
    st.booleans(),
    st.sampled_from(["ALL", "root", "www-data", "ALL:ALL", "a:b"]),
)
def test_our_own_rule_reads_back_as_what_it_grants(name, commands, nopasswd, runas):
    rule = door.render_rule(name, {"commands": commands, "nopasswd": nopasswd, "runas": runas})
    assert who(rule + "\n") == [name]
    assert su.grants_all(rule) is ("ALL" in commands and runas.split(":")[0] in ("ALL", "root"))


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "d").mkdir()

    def write(main="@includedir d\n", **files):
        (tmp_path / "main").write_text(main)
        for name, text in files.items():
            (tmp_path / "d" / name).write_text(text)
        return door.Sudoers(str(tmp_path / "main"), str(tmp_path / "d"))

    return write


def test_a_file_about_one_account_alone_is_told_from_a_shared_one(tree):
    found = tree(
        bob="bob ALL=ALL\nbob ALL=(ALL) ALL\n", two="carl ALL=ALL\ndora ALL=ALL\n", def_="Defaults x\neve ALL=ALL\n"
    ).grants()
    assert {(g.who, g.alone) for g in found} == {("bob", True), ("carl", False), ("dora", False), ("eve", False)}


def test_files_that_sudo_passes_over_are_passed_over(tree):
    sudoers = tree(**{"a.b": "x ALL=ALL\n", "c~": "y ALL=ALL\n", "ok": "z ALL=ALL\n"})
    assert [g.who for g in sudoers.grants()] == ["z"]


def test_includes_are_followed_wherever_they_lead(tree, tmp_path):
    (tmp_path / "hidden").write_text("thief ALL=(ALL) NOPASSWD: ALL\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x").write_text("other ALL=ALL\n")
    sudoers = tree(f"@include hidden\n#includedir {tmp_path}/more\n")
    assert [g.who for g in sudoers.grants()] == ["thief", "other"]
    assert sudoers.reads_folder is False


def test_a_link_is_read_as_sudo_does_and_never_called_an_accounts_own(tree, tmp_path):
    (tmp_path / "elsewhere").write_text("thief ALL=ALL\n")
    sudoers = tree()
    (tmp_path / "d" / "link").symlink_to(tmp_path / "elsewhere")
    assert [(g.who, g.alone) for g in sudoers.grants()] == [("thief", False)]


def test_a_file_that_cannot_be_read_is_told(tree, tmp_path):
    sudoers = tree()
    os.mkfifo(tmp_path / "d" / "trap")
    assert sudoers.grants() == []
    assert sudoers.unread == [f"{tmp_path}/d/trap: is not a regular file"]


def test_a_loop_of_includes_ends(tree):
    assert [g.who for g in tree("@include main\nbob ALL=ALL\n").grants()] == ["bob"]
