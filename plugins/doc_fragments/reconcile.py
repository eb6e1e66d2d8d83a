# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and return values that all entry-point modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Shared by C(ssh_accounts), C(privileged_ips) and C(vpn_certificates)."""

    DOCUMENTATION = r"""
options:
  obsolete:
    description:
      - What to do with an entry that the server has and the list hasn't, or that has expired.
      - V(report) only tells. V(disable) closes it at once, reversibly.
      - V(remove) disables first and removes what has been disabled for O(grace) days; entries without a
        disabled stage (a key, an address) go at once and are archived.
      - Only managed entries are touched. Everything else is returned as RV(ignore:unmanaged).
    type: str
    choices: [report, disable, remove]
    default: report
  grace:
    description: Days between disabling and removing.
    type: int
    default: 30
  adopt:
    description:
      - Take declared entries that existed before as managed from now on.
      - Without it they get what the list adds, but nothing is taken from them.
    type: bool
    default: false
  protect:
    description: Names of entries that must never be disabled or removed, whatever the list says.
    type: list
    elements: str
    default: []
  max_obsolete:
    description:
      - The largest number of managed entries of one kind that may lose access in one run, as a count (V(5))
        or a percentage (V(20%)) of the managed entries.
      - A percentage lets at least three go. V(100%) is no limit.
      - Beyond it the run is refused as a whole and nothing changes.
    type: str
    default: 20%
  allow_empty:
    description: Accept an empty list. It is refused by default, since it is nearly always an inventory mistake.
    type: bool
    default: false
  expect_plan:
    description:
      - Act only if the plan has this id, as returned by an earlier run.
      - Refused if the list or the server changed since.
    type: str
  restore:
    description: Names of disabled or removed entries to bring back from the archive.
    type: list
    elements: str
    default: []
  departed:
    description: People who have left or will. From the day given on, what is declared for them counts as obsolete.
    type: list
    elements: dict
    default: []
    suboptions:
      person:
        description: The person, as in the declared entries.
        type: str
        required: true
      since:
        description: First day without access, C(YYYY-MM-DD).
        type: str
        required: true
  persons:
    description:
      - Change only what belongs to these people. What belongs to others, or to nobody, is told and left as it is.
      - Empty means everybody.
    type: list
    elements: str
    default: []
  lock_wait:
    description: Seconds to wait for another run on the same server before giving up.
    type: int
    default: 30
  state_directory:
    description: Directory on the server for state, lock and archives (root, 0700).
    type: path
    default: /var/lib/infogerance-perimeter
"""
