# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts and the Ansible of the integration tests serve the long runs, too."""

from __future__ import annotations

from tests.integration.conftest import (  # noqa: F401 - fixtures
    ansible,
    ansible_playbook,
    host,
    lab,
    make_host,
    module_hosts,
    runner,
)
from tests.integration.ssh_accounts.conftest import keys  # noqa: F401 - fixture
