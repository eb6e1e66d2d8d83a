# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: notices_send
short_description: Tell people by e-mail or webhook of what the ledger has recorded
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Sends a notice for each blocked run, failed reconciliation, closed way in and emergency that the ledger holds and
    that was not sent yet, once through each channel.
  - The ledger is the queue, so a run waits for nothing and no notice is lost while a server is down. What was sent is
    kept in the ledger.
  - A channel that does not answer is tried again by a later call, after 1, 2, 4 and more minutes, at most 6 hours. Call
    this by a timer.
  - One sender works at a time; another one ends at once and says so.
  - Runs on the controller as an action plugin.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  channels:
    description: Where to.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Names the channel. What was sent is kept under this name - a new name gets the notices again.
        type: str
        required: true
      kind:
        description: By what means.
        type: str
        choices: [smtp, webhook]
        required: true
      events:
        description:
          - Of what to tell. V(blocked) is a run that the gate refused, V(failed_reconcile) one of access reconciliation
            that did not end well, V(removed) one that disabled or removed ways in, V(emergency) one that started
            without an agreement because of an emergency.
        type: list
        elements: str
        choices: [blocked, failed_reconcile, removed, emergency]
        default: [blocked, failed_reconcile, removed, emergency]
      clients:
        description: Only what touches hosts of these clients, and nothing of others. All when it is left out.
        type: list
        elements: str
      language:
        description: Language of the text.
        type: str
        choices: [fr, en]
        default: fr
      host:
        description: V(smtp) - the server, as its certificate names it.
        type: str
      port:
        description: V(smtp) - its port. The default is 587, 465 with O(channels[].tls=implicit), 25 without TLS.
        type: int
      tls:
        description:
          - V(smtp) - how the connection is protected. V(none) is for a server on this machine only, without a password.
        type: str
        choices: [starttls, implicit, none]
        default: starttls
      sender:
        description: V(smtp) - the sender's bare address.
        type: str
      recipients:
        description: V(smtp) - bare addresses.
        type: list
        elements: str
        default: []
      user:
        description: V(smtp) - the name to log in with.
        type: str
      password:
        description: V(smtp) - its password. It is sent under TLS only.
        type: str
      url:
        description: V(webhook) - an C(https) URL. Redirections are not followed. It is never shown nor recorded.
        type: str
      token:
        description: V(webhook) - sent as C(Authorization) with C(Bearer).
        type: str
      ca_file:
        description: File of the authority that vouches for the server; the system's authorities without it.
        type: path
  max_age_days:
    description:
      - What ended longer ago is not sent any more, 1 to 59 days. A notice that never got through is named then.
    type: int
    default: 7
  quiet_hours:
    description:
      - For so long the same is not sent again through the same channel, such as a run that fails each hour. The next
        notice says how many were held back. 0 sends all.
    type: int
    default: 24
  retry_now:
    description: Whether to try at once what would have to wait after a failure.
    type: bool
    default: false
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
notes:
  - If this program dies between the server's answer and the ledger's commit, that one notice is sent again, with the
    same C(Message-ID) or C(Idempotency-Key).
"""

EXAMPLES = r"""
- name: Send what is due
  infogerance.perimeter.notices_send:
    channels:
      - name: operations
        kind: smtp
        host: mail.example.org
        sender: perimeter@example.org
        recipients: [operations@example.org]
        user: perimeter
        password: "{{ vault_smtp_password }}"
      - name: chat
        kind: webhook
        url: "{{ vault_chat_url }}"
        events: [blocked, emergency]
        language: en
"""

RETURN = r"""
sent:
  description: Channel, event and intervention of each notice that was sent now.
  returned: always
  type: list
  elements: str
  sample: ["operations: blocked 5d0a6f1f0d8b4c2d8a3c9c1f7e5b2a10"]
held_back:
  description: Those that say the same as one of a short while ago.
  returned: always
  type: list
  elements: str
  sample: []
waiting:
  description: Those that did not get through yet. The task fails when there are any.
  returned: always
  type: list
  elements: str
  sample: []
given_up:
  description: Those that never got through and are too old now. Each is named once.
  returned: always
  type: list
  elements: str
  sample: []
problems:
  description: Why, by channel.
  returned: always
  type: dict
  sample: {}
busy:
  description: Whether another sender was at work, so that nothing was done.
  returned: always
  type: bool
  sample: false
"""
