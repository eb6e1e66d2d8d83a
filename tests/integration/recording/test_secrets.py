# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing secret reaches the ledger's bytes, wherever it was planted."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
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


def test_no_secret_of_diffs_errors_and_urls_is_anywhere_on_the_disk_nor_in_what_leaves_it(ground: Any) -> None:
    """Nor in what lay beside the ledger while the run went on, journals of commits among it, nor in an export."""
    kept = ground.path / "kept"
    kept.mkdir()
    places = ("diff", "old", "error", "url", "nameurl", "note", "itemlabel", "registered", "fact", "async")
    old = ground.write("file.txt", f"password={secret('old')}\n")
    # Whatever the ledger's directory holds while the run goes on: every file of it, ten times a second.
    watching = threading.Event()

    def watch() -> None:
        number = 0
        while not watching.wait(0.02):
            for path in list(ground.ledger.parent.glob("*")):
                with contextlib.suppress(OSError):
                    (kept / f"{number}-{path.name}").write_bytes(path.read_bytes())
                    number += 1

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        ground.play(
            f"""
- hosts: web1
  gather_facts: false
  tasks:
    - name: Write a file
      ansible.builtin.copy: {{dest: "{old}", content: "password={secret("diff")}", mode: "0600"}}
    - name: Fail with a message
      ansible.builtin.fail: {{msg: "cannot log in with {secret("error")}"}}
      ignore_errors: true
    - name: Fetch
      ansible.builtin.uri: {{url: "http://user:{secret("url")}@127.0.0.1:1/"}}
      ignore_errors: true
    - name: "Fetch http://user:{secret("nameurl")}@example.org/x"
      ansible.builtin.command: "true"
    - name: Say
      infogerance.perimeter.intervention:
        {{action: annotate, note: "see https://user:{secret("note")}@example.org/ticket", ticket: T-1}}
    - name: Loop
      ansible.builtin.command: "true"
      loop: [{{name: "{secret("itemlabel")}"}}]
      loop_control: {{label: "{{{{ item.name }}}}"}}
    - name: Register
      ansible.builtin.command: "echo {secret("registered")}"
      register: answer
    - name: Keep
      ansible.builtin.set_fact: {{kept: "{secret("fact")}"}}
      changed_when: true
    - name: Wait
      ansible.builtin.command: "echo {secret("async")}"
      async: 20
      poll: 1
""",
            "--diff",
            "-vvv",
        )
    finally:
        watching.set()
        thread.join()
    assert ground.only()["complete"] == 1
    ground.run(
        *("infogerance.perimeter.ledger", "-e", "ledger_action=export", "-e", f"ledger_dest={kept}/export"),
        **ground.unrecorded,
    )
    found = {path.name: path.read_bytes() for path in [*kept.iterdir(), ground.ledger]}
    # The run was looked at while it went on, and what should be there is.
    assert any(name.endswith("ledger.sqlite3") and name[0].isdigit() for name in found)
    assert b"example.org/ticket" in found["export"]
    everything = [(name, place, content) for name, content in found.items() for place in places]
    assert [(name, place) for name, place, content in everything if secret(place).encode() in content] == []


def test_the_line_of_a_run_that_cannot_be_recorded_has_no_secret(ground: Any) -> None:
    ground.ledger.parent.write_text("in the way")
    output = ground.play(
        f"""
- hosts: web1
  gather_facts: false
  vars: {{block: "{secret("block")}"}}
  tasks:
    - name: "Fetch http://user:{secret("nolognamed")}@example.org/x"
      ansible.builtin.command: "echo {{{{ token }}}}"
""",
        "-e",
        f"token={secret('extra')}",
        "--limit",
        "web1",
    )
    lines = [line for line in output.splitlines() if line.startswith('{"infogerance_perimeter"')]
    assert [json.loads(line)["phase"] for line in lines] == ["start", "end"]
    assert MARK.split("{}", maxsplit=1)[0] not in "".join(lines)
