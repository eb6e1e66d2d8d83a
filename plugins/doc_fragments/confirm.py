# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of confirm-or-roll-back."""

from __future__ import annotations


class ModuleDocFragment:
    """Shared by the modules whose changes can lock the controller out."""

    DOCUMENTATION = r"""
options:
  confirm:
    description:
      - V(auto) arms a timer on the server before the first write. Unless the controller gets in again over a new
        connection, become included, the server puts the old state back by itself.
      - V(never) changes without that net.
      - Without an SSH connection (V(local), C(chroot)) and in check mode nothing is armed; the result's
        RV(ignore:confirmation) says so.
    type: str
    choices: [auto, never]
    default: auto
  confirm_timeout:
    description: Seconds that the server waits for the confirmation after the change. At least 10.
    type: int
    default: 60
  _confirm_nonce:
    description:
      - Names the change that waits for its confirmation.
      - The action plugin sets it; a task's own is thrown away.
    type: str
"""
