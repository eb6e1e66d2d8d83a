# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `metrics` on a ledger that a real run has filled: what it refuses, and what stays then."""

from __future__ import annotations

import json
from typing import Any

WORK = """
- hosts: web1
  gather_facts: false
  tasks:
    - ansible.builtin.command: "true"
"""
TELL = """
- hosts: localhost
  gather_facts: false
  tasks:
    - infogerance.perimeter.metrics: {"textfile": "{{ playbook_dir }}/perimeter.prom", %s}
"""


def test_a_mode_without_quotes_a_client_of_nobody_and_days_before_time_are_refused(ground: Any) -> None:
    ground.play(WORK)
    ground.play(TELL % '"client": "acme"')
    file = ground.path / "perimeter.prom"
    before = file.read_text()
    assert 'client="acme"' in before
    assert file.stat().st_mode & 0o777 == 0o644
    for options, said in (
        # A slip of the pen would take every series away, and each alarm with them.
        ('"client": "acmee"', "client: 'acmee' is not in the ledger"),
        # What YAML makes of 0644 and 0640 is octal, too, and another mode.
        ('"mode": 0644', "mode: '420' is no octal number in quotes"),
        ('"mode": 0640', "mode: '416' is no octal number in quotes"),
        ('"days": 9999999', "days: must be from 1 to 36500"),
    ):
        assert said in " ".join(ground.play(TELL % options, expect=2).split())
        assert file.read_text() == before
    ground.play(TELL % json.dumps({"mode": "0640"})[1:-1])
    assert file.stat().st_mode & 0o777 == 0o640
