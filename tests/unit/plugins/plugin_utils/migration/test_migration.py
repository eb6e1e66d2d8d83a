# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarations of other tools become our lists; what these can't hold is told, and a fault names entry and field."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.infogerance.perimeter.plugins.filter import (
    from_csv,
    from_debops,
    from_evolinux_users,
    from_ldif,
    from_minifirewall,
    from_project_users,
    from_system_roles_firewall,
    from_system_roles_sudo,
    from_user_keys,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_list import Rules, read_entries


def key(name: str, comment: bool = True) -> str:
    kind = b"ssh-ed25519"
    point = hashlib.sha256(name.encode()).digest()
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(point)) + point
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}" + (f" {name}" if comment else "")


def take(module: Any, source: Any, **options: Any) -> dict[str, Any]:
    """The filter as Ansible calls it. What comes out must be what our modules take."""
    ((_name, function),) = module.FilterModule().filters().items()
    result: dict[str, Any] = function(source, **options)
    read_entries(result["addresses"], Rules())
    return result


def left(result: dict[str, Any]) -> set[tuple[str, str]]:
    return {(row["entry"], row["field"]) for row in result["left_out"]}


# -- Evolix ---------------------------------------------------------------------------------------------------

STAFF = {
    "foo": {
        "name": "foo", "uid": 1001, "fullname": "Mr Foo", "groups": "baz", "password_hash": "secret",
        "ssh_key": key("foo"),
    },
    "bar": {"name": "bar", "uid": "1002", "fullname": "Mr Bar", "groups": ["baz", "qux"],
            "ssh_keys": [key("bar"), key("bar2")]},
    "later": {"name": "later", "uid": 1003, "create": "on_demand"},
}  # fmt: skip


def test_evolinux_users_keep_keys_groups_and_uid_and_no_password() -> None:
    result = take(from_evolinux_users, STAFF)
    first, second = result["accounts"]
    assert first == {
        "name": "foo", "person": "Mr Foo", "comment": "Mr Foo", "uid": 1001, "shell": "/bin/bash",
        "groups": ["evolinux-ssh", "evolinux-sudo", "adm", "baz"], "keys": [key("foo")],
    }  # fmt: skip
    assert (second["uid"], second["groups"][-2:], second["keys"]) == (1002, ["baz", "qux"], [key("bar"), key("bar2")])
    assert left(result) == {("evolinux_users.foo", "password_hash"), ("evolinux_users.later", "create")}
    assert "secret" not in str(result)


PEOPLE = {name: {"name": name, "uid": 2000 + number, "ssh_keys": [key(name)]} for number, name in enumerate("abcd")}


def test_project_users_are_those_present_and_not_absent() -> None:
    result = take(from_project_users, PEOPLE, present=["a", "b", "c"], absent=["b"], main_group="acme")
    assert [row["name"] for row in result["accounts"]] == ["a", "c"]
    assert result["accounts"][0]["groups"] == ["acme", "evolinux-ssh"]
    assert left(result) == {("project_users_db.b", "absent"), ("project_users_db.d", "present")}


def test_minifirewall_lists_keep_their_reach_and_names_and_wide_networks_are_told() -> None:
    result = take(
        from_minifirewall,
        {
            "minifirewall_trusted_ips": ["192.0.2.7", "192.0.2.7", "0.0.0.0/0"],
            "minifirewall_privilegied_ips": ["2001:db8::7", "office.example.org"],
            "minifirewall_intlan": "198.51.100.0/24",
            "minifirewall_public_ports_tcp": [22],
        },
    )
    assert result["addresses"] == [
        {"address": "192.0.2.7", "list": "trusted", "reason": "minifirewall_trusted_ips"},
        {"address": "2001:db8::7", "reason": "minifirewall_privilegied_ips"},
    ]
    assert left(result) == {
        ("minifirewall_trusted_ips", "address"), ("minifirewall_privilegied_ips", "address"),
        ("minifirewall_intlan", "address"), ("minifirewall_public_ports_tcp", "variable"),
    }  # fmt: skip


# -- DebOps ---------------------------------------------------------------------------------------------------


def test_debops_entries_are_merged_by_name_and_each_field_is_carried_or_told() -> None:
    result = take(
        from_debops,
        {
            "users__groups": [{"name": "shared", "user": False}],
            "users__accounts": [
                {"name": "user1", "sshkeys": key("one") + "\n" + key("two"), "password": "hash", "linger": True},
                {"name": "user_removed", "state": "absent"},
                {"name": "app", "chroot": True, "home": "/home/app", "expires": 1798761600},
                {"name": "backup", "system": True, "sshkeys": [key("backup")], "groups": ["adm"]},
            ],
            "users__host_accounts": [{"name": "user1", "groups": ["sshusers"], "shell": "/bin/zsh"}],
            "sshd__whitelist": ["192.0.2.0/24"],
            "users__default_shell": "/bin/bash",
        },
    )
    user1, app, backup = result["accounts"]
    assert user1 == {
        "name": "user1", "person": "user1", "shell": "/bin/zsh", "groups": ["sshusers"],
        "keys": [key("one"), key("two")],
    }  # fmt: skip
    assert (app["shell"], app["expires"]) == ("/usr/sbin/nologin", "2027-01-01")
    assert backup == {"name": "backup", "system": True, "keys": [key("backup")]}
    assert [row["address"] for row in result["addresses"]] == ["192.0.2.0/24"]
    assert left(result) == {
        ("shared", "user"), ("user1", "password"), ("user1", "linger"), ("user_removed", "state"), ("app", "chroot"),
        ("backup", "groups"), ("users__default_shell", "variable"),
    }  # fmt: skip


# -- linux-system-roles ---------------------------------------------------------------------------------------


def test_firewall_sources_ipsets_and_rich_rules_become_addresses() -> None:
    result = take(
        from_system_roles_firewall,
        [
            {
                "ipset": "office",
                "ipset_type": "hash:ip",
                "ipset_entries": ["192.0.2.1", "192.0.2.2"],
                "state": "present",
            },
            {"ipset": "unused", "ipset_type": "hash:ip", "ipset_entries": ["192.0.2.9"], "state": "present"},
            {"zone": "trusted", "source": ["ipset:office", "198.51.100.0/24"], "state": "enabled", "permanent": True},
            {"zone": "drop", "source": "203.0.113.0/24", "state": "enabled"},
            {"zone": "public", "source": "203.0.113.5", "state": "disabled"},
            {"rich_rule": 'rule family="ipv4" source address="203.0.113.7" service name="ssh" accept'},
            {"rich_rule": 'rule family="ipv4" source address="203.0.113.8" reject'},
            {"service": ["ssh"], "state": "enabled"},
        ],
    )
    found = {(row["address"], row.get("list", "privileged")) for row in result["addresses"]}
    assert found == {
        ("192.0.2.1", "trusted"), ("192.0.2.2", "trusted"), ("198.51.100.0/24", "trusted"),
        ("203.0.113.7", "privileged"),
    }  # fmt: skip
    assert left(result) == {
        ("firewall[3]", "source"), ("firewall[4]", "state"), ("firewall[6]", "rich_rule"), ("firewall[7]", "service"),
        ("ipset unused", "ipset_entries"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    [
        'rule family="ipv4" source address="203.0.113.66" invert="True" accept',
        'rule family="ipv4" source not address="203.0.113.66" accept',
        'rule family="ipv4" source address="203.0.113.66" log prefix="no accept " level="info" drop',
        'rule family="ipv4" source address=203.0.113.66 log prefix="accept" reject',
    ],
)
def test_a_rich_rule_that_shuts_an_address_out_never_lets_it_in(rule: str) -> None:
    result = take(from_system_roles_firewall, [{"rich_rule": rule}])
    assert result["addresses"] == []
    assert left(result) == {("firewall[0]", "rich_rule")}


def test_a_zone_may_have_its_target_in_one_row_and_its_sources_in_another() -> None:
    entries = [
        {"zone": "bad", "source": ["203.0.113.66"], "state": "enabled"},
        {"zone": "bad", "target": "DROP", "state": "enabled"},
        {"zone": "good", "target": "ACCEPT", "state": "enabled"},
        {"zone": "good", "source": ["203.0.113.7"], "state": "enabled"},
    ]
    result = take(from_system_roles_firewall, entries)
    assert [(row["address"], row["list"]) for row in result["addresses"]] == [("203.0.113.7", "trusted")]
    assert left(result) == {("firewall[0]", "source")}


def test_sudo_rules_go_to_declared_accounts_and_the_others_are_told() -> None:
    result = take(
        from_system_roles_sudo,
        [
            {
                "path": "/etc/sudoers.d/web",
                "aliases": {"cmnd_alias": [{"name": "WEB", "commands": ["/usr/bin/systemctl restart nginx"]}]},
                "user_specifications": [
                    {"users": ["carol", "bob"], "hosts": ["ALL"], "tags": ["NOPASSWD"], "commands": ["WEB"]},
                    {"users": ["%wheel", "root"], "hosts": ["ALL"], "operators": ["ALL"], "commands": ["ALL"]},
                ],
                "defaults": ["!visiblepw"],
            }
        ],
        accounts=[{"name": "carol", "keys": [key("carol")]}],
    )
    assert result["accounts"] == [
        {
            "name": "carol",
            "keys": [key("carol")],
            "sudo": {"commands": ["/usr/bin/systemctl restart nginx"], "nopasswd": True, "runas": "root"},
        }
    ]
    assert [(row["value"], row["why"].split(":")[0]) for row in result["left_out"][:2]] == [
        ("bob", "bob is no declared account"),
        ("%wheel", "is for a group or for all"),
    ]
    assert ("/etc/sudoers.d/web", "defaults") in left(result)


# -- published keys, tables, directories ----------------------------------------------------------------------


def test_published_keys_become_an_account() -> None:
    text = f"{key('one', comment=False)}\n{key('two')}\n"
    result = take(from_user_keys, text, name="carol", groups=["adm"])
    assert result["accounts"] == [
        {"name": "carol", "person": "carol", "groups": ["adm"], "keys": [key("one", comment=False), key("two")]}
    ]


def test_a_table_has_accounts_and_addresses_and_unknown_columns_are_told() -> None:
    text = (
        "\ufefflogin;full name;keys;groups;ip;phone\r\n"
        f'carol;Carol Petit;"{key("a")}|{key("b")}";adm,docker;;1\r\n'
        ";Carol Petit;;;192.0.2.7;\r\n;;;;;\r\n"
    )
    columns = {"name": "login", "person": "full name", "address": "ip"}
    result = take(from_csv, text, columns=columns, delimiter=";", separators="|")
    assert result["accounts"] == [
        {"name": "carol", "person": "Carol Petit", "groups": ["adm", "docker"], "keys": [key("a"), key("b")]}
    ]
    assert result["addresses"] == [{"address": "192.0.2.7", "owner": "Carol Petit"}]
    assert left(result) == {("column", "phone")}


def test_an_address_of_two_people_stays_with_both() -> None:
    text = "address,owner,expires\n192.0.2.7,alice,2026-12-01\n192.0.2.7,bob,\n192.0.2.7,bob,\n"
    assert take(from_csv, text)["addresses"] == [
        {"address": "192.0.2.7", "owner": "alice", "expires": "2026-12-01"},
        {"address": "192.0.2.7", "owner": "bob"},
    ]


def test_a_further_login_name_of_a_directory_is_told() -> None:
    text = "dn: uid=carol,dc=example\nobjectClass: posixAccount\nuid: carol\nuid: cpetit\n"
    result = take(from_ldif, text)
    assert [row["name"] for row in result["accounts"]] == ["carol"]
    assert left(result) == {("uid=carol,dc=example", "uid")}


LDIF = f"""version: 1
# people
dn: uid=carol,ou=people,dc=example,dc=org
objectClass: posixAccount
objectClass: shadowAccount
uid: carol
cn:: {base64.b64encode("Carol Pétit".encode()).decode()}
uidNumber: 3001
homeDirectory: /home/carol
loginShell: /bin/bash
shadowExpire: 20819
sshPublicKey: {key("carol")[:40]}
 {key("carol")[40:]}
memberOf: cn=adm,ou=groups,dc=example,dc=org
userPassword:: e1NTSEF9c2VjcmV0
mail: carol@example.org

dn: uid=bob,ou=people,dc=example,dc=org
objectClass: posixAccount
uid: bob
nsAccountLock: TRUE

dn: cn=docker,ou=groups,dc=example,dc=org
objectClass: posixGroup
cn: docker
memberUid: carol

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_directory_gives_accounts_with_keys_groups_and_expiry(end: str) -> None:
    result = take(from_ldif, LDIF.replace("\n", end))
    assert result["accounts"] == [
        {
            "name": "carol", "person": "Carol Pétit", "uid": 3001, "shell": "/bin/bash", "home": "/home/carol",
            "groups": ["adm", "docker"], "keys": [key("carol")], "expires": "2027-01-01",
        }
    ]  # fmt: skip
    assert ("uid=bob,ou=people,dc=example,dc=org", "nsaccountlock") in left(result)
    assert {field for _entry, field in left(result)} >= {"mail", "userpassword", "objectClass"}
    assert "e1NTSEF9" not in str(result)


@pytest.mark.parametrize(
    ("line", "declared"),
    [
        ("userAccountControl: 514", False), ("userAccountControl: 66050", False), ("userAccountControl: odd", False),
        ("userAccountControl: 512", True), ("sambaAcctFlags: [DU         ]", False), ("sambaAcctFlags: [U]", True),
        ("pwdAccountLockedTime: 000001010000Z", False), ("nsAccountLock: FALSE", True),
    ],
)  # fmt: skip
def test_whom_a_directory_keeps_out_is_not_declared(line: str, declared: bool) -> None:
    result = take(from_ldif, f"dn: uid=eve,dc=example\nobjectClass: posixAccount\nuid: eve\n{line}\n")
    assert [row["name"] for row in result["accounts"]] == ["eve"] * declared
    attribute = line.partition(":")[0].lower()
    assert (("uid=eve,dc=example", attribute) in left(result)) is not declared


def test_of_a_directorys_groups_only_those_asked_for_are_carried_over() -> None:
    result = take(from_ldif, LDIF, groups=["adm"])
    assert result["accounts"][0]["groups"] == ["adm"]
    assert ("uid=carol,ou=people,dc=example,dc=org", "group") in left(result)


# -- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source", "options", "said"),
    [
        (from_evolinux_users, {"foo": {"uid": 1}}, {}, "evolinux_users.foo: name: is missing"),
        (from_evolinux_users, ["foo"], {}, "evolinux_users: entry"),
        (from_evolinux_users, {"foo": {"name": "foo", "uid": "x"}}, {}, "evolinux_users.foo: uid: 'x'"),
        (from_evolinux_users, {"foo": {"name": "foo", "ssh_key": "ssh-rsa AZERTY"}}, {}, "foo: keys[0]"),
        (from_evolinux_users, {"foo": {"name": "../foo"}}, {}, "name: '../foo' is no account name"),
        (from_project_users, PEOPLE, {"present": ["z"]}, "project_users_present: z: is not in project_users_db"),
        (from_minifirewall, {"minifirewall_trusted_ips": ["198.51.100.999"]}, {}, "minifirewall_trusted_ips: address"),
        (from_minifirewall, {"minifirewall_trusted_ips": [{"ip": 1}]}, {}, "minifirewall_trusted_ips: address"),
        (from_debops, {"users__accounts": [{"shell": "/bin/sh"}]}, {}, "users__accounts[0]: name: is missing"),
        (from_debops, {"users__accounts": "carol"}, {}, "users__accounts: list"),
        (from_system_roles_firewall, [{"source": "192.0.2.1/40"}], {}, "firewall[0]: address"),
        (from_system_roles_sudo, [{"user_specifications": [{"users": ["a"]}]}], {}, "commands: is empty"),
        (from_user_keys, "", {"name": "carol"}, "carol: keys: the text has no key"),
        (from_user_keys, "<html>", {"name": "carol"}, "carol: line 1"),
        (from_user_keys, 'command="x" ' + key("a"), {"name": "carol"}, "carol: line 1: has options"),
        (from_user_keys, key("a"), {}, "name"),
        (from_csv, "a,b\n", {}, "csv: header"),
        (from_csv, "name,uid\ncarol,x\n", {}, "row 2: uid"),
        (from_csv, "name,uid\ncarol,1,2\n", {}, "row 2: csv: has more cells"),
        (from_csv, "name\ncarol\ncarol\n", {}, "carol: name: is there twice"),
        (from_csv, "name,expires\ncarol,soon\n", {}, "carol: expires"),
        (from_csv, "name,keys,keys\ncarol,a,b\n", {}, "csv: header: names a column twice: keys"),
        (from_csv, "login\n", {"columns": {"nom": "login"}}, "columns: nom"),
        (from_ldif, "dn: uid=a\nobjectClass: posixAccount\n", {}, "uid=a: uid: is missing"),
        (from_ldif, "uid: a\n\n", {}, "dn: an entry without dn"),
        (from_ldif, "dn: uid=a\njpegPhoto:< file:///x\n", {}, "line 2: jpegphoto"),
        (from_ldif, "dn: uid=a\nchangetype: delete\n", {}, "line 2: changetype"),
    ],
)
def test_a_fault_names_the_entry_and_the_field(module: Any, source: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        take(module, source, **options)
    assert said in str(caught.value)
