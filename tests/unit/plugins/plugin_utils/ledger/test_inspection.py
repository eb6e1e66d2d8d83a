# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which task names may be stored, and what playbooks are called."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.inspection import label, playbook_name


def task(name: Any, **more: Any) -> Any:
    """A task as the callback gets it at its start: `name` is rendered, the data has the written one."""
    values = {
        "name": "rendered with a secret",
        "action": "command",
        "resolved_action": "ansible.builtin.command",
        "no_log": False,
        "_role": None,
        "get_ds": lambda: {"name": name},
        "get_path": lambda: "/srv/play/site.yml:7",
    }
    return SimpleNamespace(**{**values, **more})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (task("Restart the web server"), "Restart the web server"),
        (task("Use {{ password }}"), None),
        (task("{% if x %}a{% endif %}"), None),
        (task("Plain", no_log=True), None),
        (task("Plain", no_log="{{ hide }}"), None),
        (task("Plain", no_log=None), None),
        (task(None), None),
        (task(object()), None),
        (task("x", get_ds=lambda: None), None),
    ],
)
def test_only_a_name_that_holds_no_value_is_kept(given: Any, name: str | None) -> None:
    found = label(given, Path("/srv/play"))
    assert found.name == name
    assert (found.location, found.action) == ("site.yml:7", "ansible.builtin.command")


def test_a_templated_action_is_not_kept() -> None:
    found = label(task("x", action="{{ module }}", resolved_action=None), Path("/elsewhere"))
    assert (found.action, found.location) == ("(templated)", "/srv/play/site.yml:7")


@pytest.mark.parametrize(
    ("action", "core"),
    [
        ("ansible.builtin.command", True),
        ("ansible.builtin.async_status", False),
        ("infogerance.perimeter.ssh_accounts", False),
        ("some_name", False),
    ],
)
def test_results_are_unpacked_unless_the_action_can_have_none(action: str, core: bool) -> None:
    assert label(task("x", resolved_action=action), Path("/")).core is core


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/srv/play/site.yml", "site.yml"),
        ("/x/ansible_collections/infogerance/perimeter/playbooks/report.yml", "infogerance.perimeter.report"),
        ("/x/ansible_collections/a/b/playbooks/deep/one.yaml", "a.b.deep.one"),
    ],
)
def test_a_collections_playbook_is_called_by_its_full_name(path: str, name: str) -> None:
    assert playbook_name(path) == name
