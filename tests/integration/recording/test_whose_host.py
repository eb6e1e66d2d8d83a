# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's client is found wherever Ansible would find a variable: in files, groups, the play, roles, the command."""

from __future__ import annotations

from typing import Any

PLAY = "- hosts: {host}\n  gather_facts: false\n  tasks: [{{ansible.builtin.debug: {{msg: hello}}}}]\n"


def owners(ground: Any) -> dict[str, str]:
    """Each host's clients, as recorded."""
    return {row["host"]: row["clients"] for row in ground.query("SELECT host, clients FROM intervention_hosts")}


def test_every_place_of_a_variable_can_name_the_client(ground: Any) -> None:
    places = ("group_file", "host_file", "play_vars", "vars_files", "role_defaults", "role_vars", "templated", "nobody")
    hosts = "".join(f"    {name}:\n" for name in places)
    ground.write(
        "hosts.yml",
        f"all:\n  vars: {{ansible_connection: local, word: rendered}}\n  hosts:\n{hosts}"
        "  children: {filed: {hosts: {group_file: }}}\n",
    )
    for path, value in {
        "group_vars/filed.yml": "group_file",
        "host_vars/host_file.yml": "host_file",
        "more.yml": "vars_files",
        "roles/by_defaults/defaults/main.yml": "role_defaults",
        "roles/by_vars/vars/main.yml": "role_vars",
    }.items():
        ground.write(path, f"infogerance_client: of_{value}\n")
    more = {
        "play_vars": "  vars: {infogerance_client: of_play_vars}\n",
        "vars_files": "  vars_files: [more.yml]\n",
        "role_defaults": "  roles: [by_defaults]\n",
        "role_vars": "  roles: [by_vars]\n",
        "templated": "  vars: {infogerance_client: 'of_{{ word }}'}\n",
    }
    ground.play("".join(PLAY.format(host=name) + more.get(name, "") for name in places))
    expected = {name: f'["of_{name}"]' for name in places} | {"templated": '["of_rendered"]', "nobody": "[]"}
    assert owners(ground) == expected
    ground.ledger.unlink()
    ground.play(PLAY.format(host="host_file"), "-e", "infogerance_client=of_the_command")
    assert owners(ground) == {"host_file": '["of_the_command"]'}
