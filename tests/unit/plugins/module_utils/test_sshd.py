# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sshd's configuration says, read from files like those that people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import sshd as s


@pytest.fixture
def config(tmp_path):
    def write(text, **more):
        for name, other in more.items():
            (tmp_path / name).write_text(other)
        path = tmp_path / "sshd_config"
        path.write_text(text.replace("@", f"{tmp_path}/"))
        return str(path)

    return write


class Asked(s.Sshd):
    """Answers in the place of sshd, and remembers what it was asked."""

    def __init__(self, path, groups=None, answer=None):
        super().__init__(path, groups_of=(lambda name: groups.get(name, ())) if groups is not None else None)
        self.asked = []
        self.answer = {name: tuple(values) for name, values in (answer or {}).items()}

    def _ask(self, more):
        self.asked.append(more)
        return s.Effective(self.answer)


def test_directives_are_read_in_every_way_to_write_them(config):
    path = config(
        'Port 22\nPermitRootLogin=no\n  ALLOWUSERS = a b\n"PubkeyAuthentication"\tyes\n# Port 1\n\nUsePAM yes # why\n'
    )
    assert [line for _path, _number, line in s.config_lines(path)] == [
        "port 22", "permitrootlogin no", "allowusers a b", "pubkeyauthentication yes", "usepam yes",
    ]  # fmt: skip


def test_includes_are_read_where_they_stand_and_a_loop_ends(config):
    path = config("Port 1\nInclude @a.conf @none*.conf\nPort 3\n", **{"a.conf": "Port 2\n"})
    assert [line for _path, _number, line in s.config_lines(path)] == ["port 1", "port 2", "port 3"]
    loop = config("Port 1\nInclude @sshd_config\n")
    assert 1 < len(list(s.config_lines(loop))) < 100


def test_a_match_block_ends_with_its_file(config):
    path = config("Include @a.conf\nPasswordAuthentication yes\n", **{"a.conf": "Match User bob\nX11Forwarding no\n"})
    assert s.Sshd(path).blocks() == []
    inside = config("Match User bob\nInclude @b.conf\nAllowUsers x\n", **{"b.conf": "Match User eve\nPort 1\n"})
    assert [(b.criteria, b.settings) for b in s.Sshd(inside).blocks()] == [("User bob", [("allowusers", "x")])]


@pytest.mark.parametrize(
    ("text", "per_user"),
    [
        ("Port 22\n", False),
        ("Match User bob\n  X11Forwarding no\n", False),
        ("Match User bob\n  AuthorizedKeysFile /etc/k/%u\n", True),
        ("match=user bob\nauthorizedkeysfile=/etc/k/%u\n", True),
        ('"Match" User bob\nAuthorizedKeysFile x\n', True),
        ("Match all\n  AuthorizedKeysFile x\n", False),
        ("Match User bob\nMatch all\n  AuthorizedKeysFile x\n", False),
        ("Match User a\n  X11Forwarding no\nMatch Address 192.0.2.0/24\n  AllowUsers a\n", True),
    ],
)
def test_only_blocks_that_decide_who_gets_in_count(config, text, per_user):
    assert s.Sshd(config(text)).per_user is per_user


def test_sshd_is_asked_once_for_all_whom_the_same_blocks_fit(config):
    path = config("Match User a,b\nPasswordAuthentication no\nMatch Group ops\nAuthorizedKeysFile none\n")
    sshd = Asked(path, groups={"c": ["ops"], "d": ["ops", "adm"], "e": ["adm"]})
    for name in "abcdefgh":
        sshd.effective(name)
    assert [more[1].split(",")[0] for more in sshd.asked if more] == ["user=a", "user=c"]
    assert sshd.asked.count([]) == 1


def test_sshd_is_asked_for_each_where_a_block_looks_at_more_than_names(config):
    for criteria in ("Address 192.0.2.1", "User *", "User !a,b", "User a Address 192.0.2.1", "LocalPort 22"):
        sshd = Asked(config(f"Match {criteria}\nPasswordAuthentication no\n"), groups={})
        for name in "abc":
            sshd.effective(name)
        assert len(sshd.asked) == 3, criteria


def test_files_that_only_some_addresses_see_are_read_for_everybody(config):
    path = config("Match Address 192.0.2.0/24\nAuthorizedKeysFile /etc/k/%u .ssh/authorized_keys none\n")
    sshd = Asked(path, answer={"authorizedkeysfile": [".ssh/authorized_keys"]})
    assert sshd.key_file_patterns("bob") == [".ssh/authorized_keys", "/etc/k/%u"]
    assert sshd.key_files("bob", 1001, "/home/bob") == ["/home/bob/.ssh/authorized_keys", "/etc/k/bob"]


@pytest.mark.parametrize(
    ("answer", "more", "possible"),
    [
        ({"passwordauthentication": ["yes"]}, "", True),
        ({"passwordauthentication": ["no"]}, "", False),
        ({"passwordauthentication": ["no"], "kbdinteractiveauthentication": ["yes"], "usepam": ["yes"]}, "", True),
        ({"passwordauthentication": ["no"], "challengeresponseauthentication": ["yes"], "usepam": ["yes"]}, "", True),
        ({"passwordauthentication": ["no"], "kbdinteractiveauthentication": ["yes"], "usepam": ["no"]}, "", False),
        ({"passwordauthentication": ["no"]}, "Match Address 192.0.2.1\nPasswordAuthentication yes\n", True),
    ],
)
def test_a_password_opens_by_more_than_one_directive(config, answer, more, possible):
    assert Asked(config(more), answer=answer).password_login("bob") is possible


@pytest.mark.parametrize(
    ("user", "groups", "answer", "opens"),
    [
        ("bob", [], {}, True),
        ("bob", [], {"allowusers": ["alice", "carl"]}, False),
        ("bob", [], {"allowusers": ["alice b?b@192.0.2.*"]}, True),
        ("bob", ["ops"], {"allowgroups": ["o*"]}, True),
        ("bob", ["dev"], {"allowgroups": ["ops"]}, False),
        ("bob", ["ops"], {"allowgroups": ["ops"], "denygroups": ["ops"]}, False),
        ("bob", [], {"denyusers": ["bob"]}, False),
        ("bob", [], {"pubkeyauthentication": ["no"]}, False),
        ("root", [], {"permitrootlogin": ["no"]}, False),
        ("root", [], {"permitrootlogin": ["forced-commands-only"]}, False),
        ("root", [], {"permitrootlogin": ["without-password"]}, True),
        ("a.b", [], {"allowusers": ["axb"]}, False),
    ],
)
def test_who_is_let_in_follows_every_list(config, user, groups, answer, opens):
    assert Asked(config(""), answer=answer).lets_in(user, groups) is opens


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (".ssh/authorized_keys", "/home/bob/.ssh/authorized_keys"),
        ("%h/.ssh/k", "/home/bob/.ssh/k"),
        ("/etc/k/%u/%U", "/etc/k/bob/1001"),
        ("/etc/%%/%u", "/etc/%/bob"),
        ("keys.%u", "/home/bob/keys.bob"),
        ("%h/../x", "/home/x"),
    ],
)
def test_tokens_are_expanded_as_sshd_does(pattern, path):
    assert s.expand(pattern, "bob", 1001, "/home/bob") == path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("AllowUsers a bob c\n", "AllowUsers a c\n"),
        ("  allowusers=a bob\n", "  allowusers=a\n"),
        ("AllowUsers = bob a\r\n", "AllowUsers = a\r\n"),
        ('AllowUsers "bob" a\n', "AllowUsers a\n"),
        ("AllowUsers bob@192.0.2.* a # bob too\n", "AllowUsers a # bob too\n"),
        ("AllowUsers bob\n", None),
        ("AllowUsers bob # and nobody else\n", None),
        ("AllowUsers bobby\n", None),
        ("#AllowUsers a bob\n", None),
        ("DenyUsers bob a\n", None),
        ("AllowUsers a bob", "AllowUsers a"),
        ("Port 1\nAllowUsers bob x\nAllowUsers bob\n", "Port 1\nAllowUsers x\nAllowUsers bob\n"),
    ],
)
def test_a_name_goes_from_allow_users_but_never_the_last_one(before, after):
    assert s.drop_from_allow_users(before, "bob") == after


NAMES = st.lists(st.sampled_from(["a", "bob", "bob@h", '"bob"', "carl", "b"]), min_size=1, max_size=5)


@given(st.lists(st.one_of(st.text(max_size=15), NAMES.map(lambda n: "AllowUsers " + " ".join(n)))))
def test_no_allow_users_line_is_ever_emptied_and_all_else_keeps_every_byte(lines):
    text = "\n".join(lines)
    left = s.drop_from_allow_users(text, "bob")
    if left is None:
        return
    old, new = text.splitlines(keepends=True), left.splitlines(keepends=True)
    assert len(old) == len(new)
    for before, after in zip(old, new, strict=True):
        if before != after:
            assert s.allowed_words(after)
            assert "bob" not in [w.split("@")[0] for w in s.allowed_words(after)]
    assert s.drop_from_allow_users(left, "bob") is None
