# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared list is read in every shape that its module takes."""

from __future__ import annotations

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.lists import ListError, of_host


def test_an_address_may_be_a_text_and_means_the_same() -> None:
    short = of_host("web1", {"privileged_ips": ["192.0.2.7"]})
    assert short == of_host("web1", {"privileged_ips": [{"address": "192.0.2.7"}]})
    assert list(short["privileged_ips"]["entries"]) == ["192.0.2.7"]


def test_an_account_that_is_a_text_is_refused() -> None:
    with pytest.raises(ListError, match="access_ssh_accounts: entry 1 must be a mapping"):
        of_host("web1", {"ssh_accounts": ["carol"]})
