# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen, as lines to read."""

from __future__ import annotations

from ansible_collections.infogerance.perimeter.plugins.filter.observed_summary import observed_summary
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.runtime import Runtime


def test_a_project_whose_owner_is_not_known_is_not_called_that_of_none() -> None:
    row = Runtime("composer_project", "/var/www/shop", None, "shop").as_result("composer", 0.0)
    result = {
        "observation_kind": "user_runtimes", "counts": {"runtimes": 1}, "by_account": {"": 1}, "runtimes": [row],
        "unread": [], "limits": ["max_files"],
    }  # fmt: skip
    assert observed_summary(result) == [
        "user_runtimes: 1 of 1 users, theirs to update",
        "of nobody known: composer_project shop, no lock: /var/www/shop",
        "limit: max_files",
    ]
