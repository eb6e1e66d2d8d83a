# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of ``privileged_ips``: run the module, then prove that we can still get in."""

from __future__ import annotations

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.confirmation import ConfirmedAction


class ActionModule(ConfirmedAction):
    """Confirm or roll back a change of privileged IPs."""

    module_name = "infogerance.perimeter.privileged_ips"
