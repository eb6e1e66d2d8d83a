# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input gives an error that names the entry and the field, before anything has changed."""

from __future__ import annotations

import base64

import pytest

GOOD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x alice@laptop"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----"
DSS = "ssh-dss " + base64.b64encode(b"\0\0\0\7ssh-dss" + b"\0" * 40).decode()

CASES = {
    "malformed key": ([{"name": "alice", "keys": ["ssh-ed25519 AAAA"]}], "alice", "keys[0]", "says type"),
    "cut key": ([{"name": "alice", "keys": [GOOD, GOOD[:70]]}], "alice", "keys[1]", ""),
    "empty key": ([{"name": "alice", "keys": [""]}], "alice", "keys[0]", "is empty"),
    "two keys in one string": ([{"name": "alice", "keys": [GOOD + "\n" + GOOD]}], "alice", "keys[0]", "line break"),
    "unknown key type": ([{"name": "alice", "keys": [DSS]}], "alice", "keys[0]", "has type 'ssh-dss'"),
    "private key": ([{"name": "alice", "keys": [PRIVATE]}], "alice", "keys[0]", "private key"),
    "unknown key option": ([{"name": "alice", "keys": ["no-such " + GOOD]}], "alice", "keys[0]", "unknown option"),
    "same key twice": ([{"name": "alice", "keys": [GOOD, GOOD]}], "alice", "keys[1]", "same key"),
    "duplicate name": ([{"name": "alice"}, {"name": "alice"}], "alice", "name", "declared twice"),
    "system account": ([{"name": "www-data", "keys": [GOOD]}], "www-data", "name", "is a system account"),
    "root": ([{"name": "root", "keys": [GOOD]}], "root", "name", "is a system account"),
    "system with a shell": ([{"name": "git", "system": True, "shell": "/bin/sh"}], "git", "shell", "only its keys"),
    "a group's name": ([{"name": "sudo"}], "sudo", "name", "is a group"),
    "option as a name": ([{"name": "-rf"}], "-rf", "name", "no account name"),
    "path as a name": ([{"name": "../x"}], "../x", "name", "no account name"),
    "colon in a comment": ([{"name": "alice", "comment": "a:b"}], "alice", "comment", "colon"),
    "line break in a comment": ([{"name": "alice", "comment": "a\nroot::0:0"}], "alice", "comment", "line break"),
    "uid of root": ([{"name": "alice", "uid": 0}], "alice", "uid", "out of range"),
    "same uid twice": ([{"name": "alice", "uid": 2001}, {"name": "bob", "uid": 2001}], "bob", "uid", "alice's, too"),
    "uid of the system": ([{"name": "alice", "uid": 1}], "alice", "uid", "numbers for people"),
    "date without dashes": ([{"name": "alice", "expires": "20271231"}], "alice", "expires", "not a date"),
    "uid in use": ([{"name": "alice", "uid": 1000}], "alice", "uid", "1000 is deploy's"),
    "bad date": ([{"name": "alice", "expires": "31/12/2027"}], "alice", "expires", "not a date"),
    "impossible date": ([{"name": "alice", "expires": "2027-02-30"}], "alice", "expires", "not a date"),
    "missing group": ([{"name": "alice", "groups": ["no-such"]}], "alice", "groups", "no group no-such"),
    "missing shell": ([{"name": "alice", "shell": "/bin/no-such"}], "alice", "shell", "can't be run"),
    "relative command": ([{"name": "alice", "sudo": {"commands": ["id"]}}], "alice", "sudo.commands", "absolute path"),
    "rule in a command": (
        [{"name": "alice", "sudo": {"commands": ["/bin/true\nalice ALL=(ALL) ALL"]}}],
        "alice", "sudo.commands", "neither",
    ),
    "no command": ([{"name": "alice", "sudo": {"commands": []}}], "alice", "sudo.commands", "is empty"),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(module_hosts):
    return module_hosts("input")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.sample(9)
def test_the_error_names_entry_and_field_and_nothing_changes(shared, reconcile, case):
    accounts, entry, field, told = CASES[case]
    before = shared.stamps(["/etc/passwd", "/etc/shadow", "/etc/group", "/home", "/var/lib", "/etc/sudoers.d"])
    refused = reconcile(shared, [{"name": "first-of-all"}, *accounts])
    assert refused.rc != 0
    assert (refused.result.get("entry"), refused.result.get("field")) == (entry, field), refused.output
    assert told in refused.result["msg"]
    assert entry in refused.result["msg"] and field in refused.result["msg"]
    assert shared.stamps(["/etc/passwd", "/etc/shadow", "/etc/group", "/home", "/var/lib", "/etc/sudoers.d"]) == before


def test_an_unknown_option_names_the_entry(shared, reconcile):
    refused = reconcile(shared, [{"name": "alice"}, {"name": "bob", "key": "x"}])
    assert refused.rc != 0
    assert refused.result["msg"].startswith("bob: key: unknown option")


@pytest.mark.parametrize(
    ("policy", "field"),
    [({"grace": -1}, "grace"), ({"max_obsolete": "many"}, "max_obsolete"), ({"manage": {"uids": ["9-1"]}}, "uids"),
     ({"departed": [{"person": "x", "since": "soon"}]}, "departed.since")],
)  # fmt: skip
def test_a_bad_policy_names_the_option(shared, reconcile, policy, field):
    refused = reconcile(shared, [{"name": "alice"}], **policy)
    assert refused.rc != 0 and refused.result["field"] == field
