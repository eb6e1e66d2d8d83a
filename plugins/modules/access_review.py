# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: access_review
short_description: Sign off a review of the declared lists, and see what has changed since
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - An access review says that a person has looked at the lists of those who may get in, and when. It is kept in the
    ledger, by further rows only, with a digest of each server's lists.
  - The lists are the variables C(access_ssh_accounts), C(access_privileged_ips) and C(access_vpn_certificates) of the
    play's hosts. Names of entries are kept, so that later changes can be told; keys are not.
  - A review is of the hosts of its play. The client's other hosts, such as those that C(--limit) leaves out, stand as
    their own last review says, until when that is due.
  - It says nothing of the servers. Whether they agree with the lists is what C(audit) finds.
  - Runs once for all hosts of the play, on the controller, and connects to none.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: partial
    details:
      - In check mode O(action=sign_off) stores nothing. O(action=note) does, like the callback, because it is a record.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - O(action=sign_off) stores a review each time.
options:
  action:
    description:
      - V(show) lists what is to be reviewed, with the digest to sign.
      - V(sign_off) stores a review.
      - V(note) stores what the lists say now, where that differs from what is known. The playbooks C(audit) and
        C(reconcile) do so in each run; without a ledger it does nothing.
    type: str
    choices: [show, note, sign_off]
    default: show
  client:
    description: Only this client's hosts. Needed to sign off.
    type: str
  reviewer:
    description: Who has reviewed the lists, by name. Needed to sign off. It is kept as stated.
    type: str
  digest:
    description: The digest that V(show) gave, so that nobody signs other lists than those seen. Needed to sign off.
    type: str
  decision:
    description: Whether the reviewer agrees with the lists, or wants changes.
    type: str
    choices: [confirmed, objected]
    default: confirmed
  note:
    description: A remark. Needed with O(decision=objected).
    type: str
  every_days:
    description: After how many days the next review is due, 1 to 1096.
    type: int
    default: 90
  language:
    description: Language of RV(lines).
    type: str
    choices: [fr, en]
    default: fr
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
seealso:
  - module: infogerance.perimeter.report
"""

EXAMPLES = r"""
- name: What is to be reviewed?
  infogerance.perimeter.access_review:
    client: acme
  run_once: true
  register: review

- name: Sign it off
  infogerance.perimeter.access_review:
    action: sign_off
    client: acme
    reviewer: Jeanne Martin
    digest: "{{ review.clients.acme.digest }}"
  run_once: true
"""

RETURN = r"""
clients:
  description: For each client the digest of all its lists, and the number of entries by host and kind.
  returned: success
  type: dict
  sample:
    acme:
      digest: b994882587ef63cf22c1e757421d7e77f3b7533f41126e9dabc1b2ca544e928a
      hosts: {web1: {ssh_accounts: 2}}
lines:
  description: The lists as lines to read.
  returned: when O(action=show)
  type: list
  elements: str
  sample:
    - "acme : empreinte à signer b994882587ef63cf22c1e757421d7e77f3b7533f41126e9dabc1b2ca544e928a"
    - "  web1 : comptes SSH (2) : alice, bob"
review_id:
  description: Names the stored review; none in check mode.
  returned: when O(action=sign_off)
  type: str
  sample: 963a99438a194b86a8b19cf3f9b33797
differing:
  description: On how many hosts the lists differed from what was known.
  returned: when O(action=note)
  type: int
  sample: 1
"""
