# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reviewer reads before signing: no name can look like a line, nor like two names."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review import lists, sheet


def lines(*names: str, language: str = "en", client: str = "acme") -> list[str]:
    entries: list[dict[str, Any]] = [{"name": name} for name in names]
    return sheet.lines({client: {"web1": lists.of_host("web1", {"ssh_accounts": entries})}}, language)[1:]


def test_plain_names_are_shown_as_they_are() -> None:
    assert lines("zoé", "alice.martin") == ["  web1: SSH accounts (2): alice.martin, zoé"]
    assert lines("a", language="fr") == ["  web1\u00a0: comptes SSH (1)\u00a0: a"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\n  web2: SSH accounts (0): –", '"a\\n  web2: SSH accounts (0): –"'),
        ("a, bob", '"a, bob"'),
        ("a\x1b[2J", '"a\\u001b[2J"'),
        ("a\u202eb", '"a\\u202eb"'),
        (" a", '" a"'),
    ],
)
def test_a_name_that_could_be_read_as_something_else_is_quoted(name: str, shown: str) -> None:
    assert lines(name) == [f"  web1: SSH accounts (1): {shown}"]
