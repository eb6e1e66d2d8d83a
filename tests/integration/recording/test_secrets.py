# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing secret reaches the ledger's bytes, wherever it was planted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = "sesame-open-{}-9f3c"
PLACES = ("vaulted", "vaultname", "nolog", "extra", "templated", "loop", "output", "block", "hostvar", "nolognamed")


def secret(place: str) -> str:
    """A value that is easy to find."""
    return MARK.format(place)


def test_no_planted_secret_is_in_the_ledger(ground: Any) -> None:
    ground.write("password", "vaultpass")
    encrypted = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-vault")),
            "encrypt_string",
            "--vault-password-file=password",
            "--name=vaulted",
            secret("vaulted"),
        ],
        cwd=ground.path,
        env=ground.environ,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    ground.write("secrets.yml", encrypted + f"in_name: {secret('vaultname')}\n")
    ground.play(
        f"""
- hosts: web1
  gather_facts: false
  vars_files: [secrets.yml]
  vars: {{block_secret: {secret("block")}}}
  tasks:
    - name: "Use {{{{ vaulted }}}}"
      ansible.builtin.command: "echo {{{{ vaulted }}}}"
    - name: "Connect with {{{{ in_name }}}}"
      ansible.builtin.command: "false"
      ignore_errors: true
    - name: Set password {secret("nolognamed")}
      ansible.builtin.command: "echo {secret("nolog")}"
      no_log: true
    - name: "With {{{{ token }}}}"
      ansible.builtin.command: "echo {{{{ token }}}}"
    - name: Loop
      ansible.builtin.command: "echo {{{{ item }}}}"
      loop: ["{secret("loop")}"]
    - name: Output
      ansible.builtin.command: "echo {secret("output")}"
    - name: Host
      ansible.builtin.command: "echo {{{{ password }}}}"
    - no_log: "{{{{ true }}}}"
      block:
        - name: "{secret("templated")}"
          ansible.builtin.command: "echo {{{{ block_secret }}}}"
""",
        "--vault-password-file=password",
        "-e",
        f"token={secret('extra')}",
        "-e",
        f"infogerance_scope=migration password={secret('hostvar')}",
    )
    content = ground.ledger.read_bytes()
    assert [place for place in PLACES if secret(place).encode() in content] == []
    stored = ground.query("SELECT name, location, action FROM intervention_tasks ORDER BY location")
    assert len(stored) == 8
    assert sorted(row["name"] for row in stored if row["name"]) == ["Host", "Loop", "Output"]
    assert all(row["location"].startswith("site.yml:") and row["action"].endswith("command") for row in stored)
    assert ground.only()["complete"] == 1


def test_a_secret_in_a_task_that_fails_as_a_whole_is_not_stored(ground: Any) -> None:
    ground.play(
        f"""
- hosts: web1
  gather_facts: false
  tasks:
    - name: "Talk to {{{{ '{secret("templated")}' }}}}"
      ansible.builtin.fail: {{msg: "{secret("output")}"}}
""",
        expect=2,
    )
    content = ground.ledger.read_bytes()
    assert secret("templated").encode() not in content
    assert secret("output").encode() not in content
