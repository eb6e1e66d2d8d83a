# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each module promises, in words that all of them share."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment C(infogerance.perimeter.attributes): the module itself says only `support`."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the same plan without changing the server.
  diff_mode:
    description: Returns what would change, or has changed, when run with C(--diff).
  idempotent:
    description: A second run with the same declared list and an unchanged server changes nothing.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads.
  diff_mode:
    support: N/A
    details:
      - This module only reads.
  idempotent:
    support: full
    details:
      - This module only reads.
"""

    PLATFORM = r"""
options: {}
attributes:
  platform:
    description: Systems that the module works on.
    platforms: posix
"""
