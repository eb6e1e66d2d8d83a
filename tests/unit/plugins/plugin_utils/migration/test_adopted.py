# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adopted file is what was read and nothing more, whatever a server's users wrote into names and comments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.filter.adopted_lists import adopted_lists
from ansible_collections.infogerance.perimeter.plugins.module_utils.account_adoption import _keys, sudo_of_rule
from ansible_collections.infogerance.perimeter.plugins.module_utils.authorized_keys import parse_file
from ansible_collections.infogerance.perimeter.plugins.module_utils.sudoers import render_rule


class Loader(yaml.SafeLoader):
    """What Ansible reads, with its mark for texts that are no templates."""


Loader.add_constructor("!unsafe", lambda _loader, node: ("unsafe", node.value))


def read(text: str) -> Any:
    return yaml.load(text, Loader=Loader)


def account(person: str, review: list[str]) -> dict[str, Any]:
    entry = {"name": "bob", "person": person, "groups": [], "keys": ["ssh-ed25519 AAAA x"]}
    return {"as_declared": [{"account": "bob", "entry": entry, "review": review}]}


@given(person=st.text(min_size=1), doubt=st.text())
def test_a_users_text_stays_one_text(person: str, doubt: str) -> None:
    made = adopted_lists("web1\nx: y", "2026-11-25", accounts=account(person, [doubt]))
    found = read(made["text"])
    assert set(found) == {"access_ssh_accounts"}
    (row,) = found["access_ssh_accounts"]
    assert set(row) == {"name", "person", "keys"}
    value = row["person"]
    assert value in (person, ("unsafe", person))
    if "{{" in person or "{%" in person or "{#" in person:
        assert value == ("unsafe", person)
    assert (made["entries"], made["reviews"]) == (1, 1)


class Tagged(str):
    """As Ansible hands texts to a filter."""


class Lazy(list[Any]):
    """As Ansible hands lists to a filter."""


def test_texts_and_lists_of_ansibles_own_kinds_are_written_as_any_other() -> None:
    entry = {Tagged("name"): Tagged("bob"), "keys": Lazy([Tagged("ssh-ed25519 AAAA {{ x }}")])}
    rows = {"as_declared": Lazy([{"account": Tagged("bob"), "entry": entry, "review": Lazy([])}])}
    made = adopted_lists(Tagged("web1"), Tagged("2026-11-25"), accounts=rows)
    assert read(made["text"]) == {
        "access_ssh_accounts": [{"name": "bob", "keys": [("unsafe", "ssh-ed25519 AAAA {{ x }}")]}]
    }


def test_a_list_of_doubts_only_is_an_empty_list() -> None:
    rows = {"as_declared": [{"account": "dave", "entry": None, "review": ["has expired"]}]}
    made = adopted_lists("web1", "2026-11-25", accounts=rows, addresses={"sinks": []})
    assert read(made["text"]) == {"access_ssh_accounts": [], "access_privileged_ips": []}
    assert "# review: dave: has expired" in made["text"]


def test_an_address_is_marked_where_one_sink_has_it_and_another_has_not() -> None:
    sinks = [
        {"name": "nftables", "lists": ["privileged", "trusted"], "file": {"privileged": ["192.0.2.7"]}, "live": None},
        {"name": "nginx", "lists": ["privileged"], "file": {"listed": []}, "live": None},
    ]
    addresses = {"sinks": sinks, "elsewhere": [{"sink": "x", "entry": "203.0.113.9", "where": "nft input"}]}
    made = adopted_lists("web1", "2026-11-25", addresses=addresses)
    assert read(made["text"]) == {"access_privileged_ips": [{"address": "192.0.2.7"}]}
    assert "review: 192.0.2.7: is not in nginx" in made["text"]
    assert "203.0.113.9 by nft input" in made["text"]


def test_of_certificates_the_live_ones_that_need_it_are_declared() -> None:
    row = {"entry": "x", "expires": "2027-01-01", "connected": False, "managed": False, "person": None, "since": None}
    rows = [
        {**row, "cn": "carol", "serial": "01", "state": "live", "reason": None},
        {**row, "cn": "dup", "serial": "02", "state": "live", "reason": None},
        {**row, "cn": "dup", "serial": "03", "state": "live", "reason": None},
        {**row, "cn": "vpn", "serial": "04", "state": "live", "reason": "a server's certificate"},
        {**row, "cn": "gone", "serial": "05", "state": "revoked", "reason": None},
    ]
    made = adopted_lists("vpn", "2026-11-25", certificates={"certificates": rows})
    assert read(made["text"]) == {
        "access_vpn_certificates": [{"cn": "carol"}, {"cn": "dup", "serial": "02"}, {"cn": "dup", "serial": "03"}]
    }
    assert "review: vpn: is kept without being declared" in made["text"]


def test_a_key_that_is_there_again_with_other_options_is_told() -> None:
    blob = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 42 + "B"
    data = f'from="192.0.2.7" {blob} a\n{blob} b\nfrom="192.0.2.7" {blob} c\n'.encode()
    file = SimpleNamespace(path="/home/bob/.ssh/authorized_keys", problem=None, lines=parse_file(data))
    view = SimpleNamespace(files={"bob": [file]}, shared_files=set(), today="2026-11-25")
    review: list[str] = []
    fingerprint = str(file.lines[0].fingerprint)
    keys = _keys(view, cast("Any", SimpleNamespace(name="bob")), review, {fingerprint: {"bob"}})
    assert keys == [f'from="192.0.2.7" {blob} a']
    assert review == [f"{fingerprint} is there once more, in {file.path}, with other options (none): not in the list"]


@pytest.mark.parametrize(
    "sudo",
    [
        {"commands": ["ALL"], "nopasswd": True, "runas": "ALL"},
        {"commands": ["/usr/bin/systemctl restart a:b", "/usr/bin/less"], "nopasswd": False, "runas": "root:adm"},
    ],
)
def test_a_rule_of_ours_leads_back_to_what_was_declared(sudo: dict[str, Any]) -> None:
    assert sudo_of_rule("carol", render_rule("carol", sudo)) == sudo


@pytest.mark.parametrize("rule", ["", "carol ALL=(ALL) SETENV: ALL, !/bin/sh", "carol ALL=(ALL) ALL\ncarol ALL=(x) y"])
def test_a_rule_that_no_list_gives_is_none(rule: str) -> None:
    found = sudo_of_rule("carol", rule)
    assert found is None or render_rule("carol", found) == rule
