# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's list as entries, and the guard that keeps the last way to root."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import account_entries as ae
from ansible_collections.infogerance.perimeter.plugins.module_utils import reconcile as r

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x"
SUDO = {"commands": ["ALL"], "nopasswd": False, "runas": "ALL"}
TODAY = "2026-11-23"

BAD = [
    ({}, "accounts[0]", "name"),
    ({"name": 5}, "accounts[0]", "name"),
    ({"name": "Alice"}, "Alice", "name"),
    ({"name": "alicé"}, "alicé", "name"),
    ({"name": "alice\n"}, "alice\n", "name"),
    ({"name": "a" * 33}, "a" * 33, "name"),
    ({"name": "a b"}, "a b", "name"),
    ({"name": "a:b"}, "a:b", "name"),
    ({"name": "1000"}, "1000", "name"),
    ({"name": "a", "uid": 0}, "a", "uid"),
    ({"name": "a", "uid": -1}, "a", "uid"),
    ({"name": "a", "uid": 2**32 - 1}, "a", "uid"),
    ({"name": "a", "home": "home/a"}, "a", "home"),
    ({"name": "a", "home": "/"}, "a", "home"),
    ({"name": "a", "home": "/home/../etc"}, "a", "home"),
    ({"name": "a", "shell": "/bin/sh\n"}, "a", "shell"),
    ({"name": "a", "comment": "x:y"}, "a", "comment"),
    ({"name": "a", "comment": "x\x7f"}, "a", "comment"),
    ({"name": "a", "groups": ["x,y"]}, "a", "groups"),
    ({"name": "a", "groups": ["x", "x"]}, "a", "groups"),
    ({"name": "a", "groups": [7]}, "a", "groups"),
    ({"name": "a", "expires": "20271231"}, "a", "expires"),
    ({"name": "a", "expires": "2027-W01-1"}, "a", "expires"),
    ({"name": "a", "expires": "2027-02-30"}, "a", "expires"),
    ({"name": "a", "expires": "tomorrow"}, "a", "expires"),
    ({"name": "a", "keys": ["x"]}, "a", "keys[0]"),
    ({"name": "a", "keys": [KEY, KEY + " again"]}, "a", "keys[1]"),
    ({"name": "a", "keys": [None]}, "a", "keys[0]"),
    ({"name": "a", "system": True, "sudo": SUDO}, "a", "sudo"),
    ({"name": "a", "sudo": {**SUDO, "runas": "root ALL"}}, "a", "sudo.runas"),
    ({"name": "a", "sudo": {**SUDO, "runas": ""}}, "a", "sudo.runas"),
    ({"name": "a", "sudo": {**SUDO, "commands": ["ALL, !x"]}}, "a", "sudo.commands"),
    ({"name": "a", "sudo": {**SUDO, "commands": ["/bin/a\nb ALL=ALL"]}}, "a", "sudo.commands"),
    ({"name": "a", "sudo": {**SUDO, "commands": ['/bin/a "x"']}}, "a", "sudo.commands"),
    ({"name": "a", "sudo": {**SUDO, "commands": ["/bin/a #x"]}}, "a", "sudo.commands"),
    ({"name": "a", "sudo": {**SUDO, "commands": [""]}}, "a", "sudo.commands"),
]


@pytest.mark.parametrize(("row", "entry", "field"), BAD, ids=lambda value: str(value)[:40])
def test_a_fault_names_the_entry_and_the_field(row, entry, field):
    with pytest.raises(r.InvalidEntry) as told:
        ae.declare([row])
    assert (told.value.entry, told.value.field) == (entry, field)


def test_the_whole_list_is_validated_before_anything_is_given_back():
    with pytest.raises(r.InvalidEntry):
        ae.declare([{"name": "good"}, {"name": "good"}])
    with pytest.raises(r.InvalidEntry, match="7 is good's, too"):
        ae.declare([{"name": "good", "uid": 7}, {"name": "bad", "uid": 7}])


def test_one_account_is_several_entries_with_the_account_above_them():
    made = ae.declare(
        [{"name": "a", "keys": [KEY], "groups": ["g"], "sudo": SUDO, "person": "p", "expires": "2030-01-01"}]
    )
    kinds = [(d.kind, d.entry.split(" ")[0], d.parent) for d in made.entries]
    assert kinds[0] == ("ssh_account", "a", None)
    assert {k for k, _n, _p in kinds[1:]} == {"ssh_key", "ssh_group", "ssh_sudo"}
    assert {p for _k, _n, p in kinds[1:]} == {("ssh_account", "a")}
    assert made.entries[0].expires == "2030-01-01"
    assert made.entries[0].person == "p"


@given(st.text(max_size=40))
def test_no_name_that_a_shell_a_path_or_passwd_could_misread_is_taken(name):
    try:
        ae.declare([{"name": name}])
    except r.InvalidEntry:
        return
    assert name.isascii()
    assert 0 < len(name) <= 32
    assert not set(name) & set("/:,\n\t \0*?'\"\\$(){}[]<>|&;~#%!@+=") or name.endswith("$")
    assert name[0] not in "-.0123456789"


@pytest.mark.parametrize("text", ["0", "5-1", "a", "-5", "1-2-3", " 5", "١", "1-", "4294967296000"])
def test_a_bad_range_of_uids_is_refused(text):
    with pytest.raises(r.InvalidEntry):
        ae.parse_manage({"uids": [text]})


def test_a_group_or_a_uid_never_reaches_a_system_account():
    manage = ae.parse_manage({"local_people": True, "groups": ["g"], "uids": ["1-99999"], "names": ["svc"]})
    assert not manage.covers("www-data", 33, ["g"], person=False)
    assert manage.covers("bob", 1001, [], person=True)
    assert manage.covers("svc", 33, [], person=False)


# -- the guard ------------------------------------------------------------------------------------------


def account(name, **attributes):
    return r.Observed("ssh_account", name, {"shell": "/bin/bash", **attributes}, managed=True, staged=True)


def child(kind, name, rest, managed=True, **attributes):
    return r.Observed(kind, f"{name} {rest}".strip(), attributes, managed, parent=("ssh_account", name))


def admin(name, **attributes):
    return [account(name, **attributes), child("ssh_key", name, "K"), child("ssh_group", name, "sudo")]


def refusal(observed, declared=(), ways=None, **policy):
    ways = ways or ae.Ways(frozenset({"sudo"}))
    before = {o.key: o for o in observed}
    guard = ae.last_admin(ways)
    rules = {"obsolete": "disable", "max_obsolete": r.Limit(100, True), "allow_empty": True, **policy}
    made = r.plan(declared, observed, r.Policy(TODAY, **rules), [lambda p, after: guard(before, p, after)])
    return "; ".join(made.refused)


def test_the_last_admin_stays():
    assert "no account would be left" in refusal(admin("a"))


def test_one_admin_of_two_may_go():
    assert refusal([*admin("a"), *admin("b")], [r.Declared("ssh_account", "b", staged=True)] + [
        r.Declared(o.kind, o.entry, parent=o.parent) for o in admin("b")[1:]
    ]) == ""  # fmt: skip


def test_where_nobody_could_become_root_before_nothing_is_kept_from_anybody():
    assert refusal([account("a"), child("ssh_key", "a", "K")]) == ""


def stays(name, *kinds):
    rows = [r.Declared("ssh_account", name, staged=True)]
    return rows + [r.Declared(k, e, parent=("ssh_account", name)) for k, e in kinds]


def test_taking_the_last_admins_group_is_refused_too():
    assert "a would no longer" in refusal(admin("a"), stays("a", ("ssh_key", "a K")))


def test_taking_the_last_admins_key_is_refused_too():
    assert "a would no longer" in refusal(admin("a"), stays("a", ("ssh_group", "a sudo")))


def keeps(name):
    return stays(name, ("ssh_key", f"{name} K"), ("ssh_group", f"{name} sudo"))


@pytest.mark.parametrize(
    ("other", "ways"),
    [
        ([account("b", shell="/usr/sbin/nologin"), *admin("b")[1:]], {}),
        ([account("b", closed=True), *admin("b")[1:]], {}),
        ([account("b"), child("ssh_key", "b", "K", options=['command="x"']), child("ssh_group", "b", "sudo")], {}),
        ([account("b"), child("ssh_key", "b", "K", options=["cert-authority"]), child("ssh_group", "b", "sudo")], {}),
        (
            [
                account("b"),
                child("ssh_key", "b", "K", options=['expiry-time="20200101"']),
                child("ssh_group", "b", "sudo"),
            ],
            {"today": TODAY},
        ),
        (admin("b"), {"lets_in": lambda name, _groups: name != "b"}),
    ],
    ids=["nologin", "expired", "bound to a command", "authority", "key has run out", "sshd keeps it out"],
)
def test_whoever_only_seems_to_be_an_admin_does_not_count_as_the_one_who_is_left(other, ways):
    assert "a would no longer" in refusal([*admin("a"), *other], keeps("b"), ae.Ways(frozenset({"sudo"}), **ways))


def test_an_admin_who_loses_the_group_that_sshd_asks_for_is_lost():
    rows = [*admin("a"), child("ssh_group", "a", "ssh-in")]
    ways = ae.Ways(frozenset({"sudo"}), lets_in=lambda _name, groups: "ssh-in" in groups)
    assert "no account would be left" in refusal([*rows, *admin("b")], [*keeps("a"), *keeps("b")][:3], ways)


def test_an_accounts_own_group_and_a_rule_for_everybody_make_admins():
    alone = [account("a", group="sudo"), child("ssh_key", "a", "K")]
    assert "a would no longer" in refusal(alone)
    assert "a would no longer" in refusal([account("a"), child("ssh_key", "a", "K")], ways=ae.Ways(everyone=True))


NAMES = ("root", "a", "b", "c", "d")


@st.composite
def servers(draw):
    rows = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)):
        rows.append(
            account(name, closed=draw(st.booleans()), shell=draw(st.sampled_from(["/bin/bash", "/sbin/nologin"])))
        )
        if draw(st.booleans()):
            options = draw(st.sampled_from([[""], ["no-pty"], ['command="x"']]))
            rows.append(child("ssh_key", name, "K", options=options))
        if draw(st.booleans()):
            rows.append(child("ssh_group", name, "sudo"))
        if draw(st.booleans()):
            rows.append(child("ssh_sudo", name, "", all=draw(st.booleans())))
    return rows


def certain_admins(state):
    """Told without the code under test: who has a free key, root, an open account and a shell."""
    found = set()
    for key, o in state.items():
        if key[0] != "ssh_account" or o.disabled_since or o.attributes["closed"] or "nologin" in o.attributes["shell"]:
            continue
        name = key[1]
        free = ("ssh_key", f"{name} K") in state and not any(
            "command" in text for text in state[("ssh_key", f"{name} K")].attributes.get("options", [])
        )
        sudo = state.get(("ssh_sudo", name))
        root = name == "root" or ("ssh_group", f"{name} sudo") in state or (sudo and sudo.attributes["all"])
        if free and root:
            found.add(name)
    return found


@given(servers(), st.sets(st.sampled_from(NAMES)))
def test_no_accepted_plan_takes_the_last_certain_admin(observed, kept):
    declared = []
    for o in observed:
        name = o.entry.split(" ")[0]
        if name in kept:
            declared.append(r.Declared(o.kind, o.entry, parent=o.parent, staged=o.staged))
    before = {o.key: o for o in observed}
    guard = ae.last_admin(ae.Ways(frozenset({"sudo"}), today=TODAY))
    policy = r.Policy(TODAY, "disable", max_obsolete=r.Limit(100, True), allow_empty=True)
    made = r.plan(declared, observed, policy, [lambda p, after: guard(before, p, after)])
    after = r.simulate(observed, made, declared, TODAY)
    if certain_admins(before):
        assert certain_admins(after)
