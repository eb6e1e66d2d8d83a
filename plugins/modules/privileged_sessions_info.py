#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: privileged_sessions_info
short_description: Who was root on a server, when, and which intervention was behind it
version_added: 0.1.0
description:
  - Reads on the server who got root's rights and when - the lines of sudo, su, sshd and login in the journal, or in
    C(/var/log/auth.log) where the journal has none; wtmp and lastlog, or wtmpdb and lastlog2.
  - Then, on the controller, looks for the intervention behind each session in the ledger - on the same host, at the
    same time within O(tolerance), and by the same operator.
  - What is left has no record of why. It is told in RV(unexplained).
  - Reads only. Of a command only the name of its program is taken; its arguments may hold passwords.
  - It sees what the server recorded. Who is root can stop or edit that; a line of C(auth.log) can be forged by any
    user. Send the journal elsewhere when that matters.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  days:
    description: How many days back to look.
    type: int
    default: 7
  tolerance:
    description:
      - How many minutes before and after an intervention a session may lie and still belong to it.
    type: int
    default: 15
  operators:
    description:
      - Account on the server to the operators who use it, as the ledger names them. Without an entry the account's name
        is the operator's.
    type: dict
    default: {}
  shared_accounts:
    description:
      - Accounts that do not tell who used them. For their sessions any intervention of the time will do.
    type: list
    elements: str
    default: [root]
  max_seconds:
    description: Seconds that reading the journal may take.
    type: int
    default: 60
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
  shared:
    description:
      - SQLAlchemy URL of a team's shared ledger to read instead, as in
        O(infogerance.perimeter.interventions_info#module:shared). Not together with O(ledger).
    type: str
notes:
  - Sessions without a terminal (C(scp), C(rsync), Ansible itself) belong to any intervention of their time, whoever the
    operator was.
seealso:
  - module: infogerance.perimeter.intervention
  - module: infogerance.perimeter.interventions_collect
"""

EXAMPLES = r"""
- name: Look for sessions that nobody recorded
  infogerance.perimeter.privileged_sessions_info:
    operators:
      jmartin: [jeanne.martin]
    shared_accounts: [root, deploy]
  register: sessions
"""

RETURN = r"""
sessions:
  description: The sessions with root's rights, in the order of their beginning.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: How root's rights were got - V(ssh), V(console), V(sudo), V(su), or V(become) for Ansible's own sudo.
      type: str
    account:
      description: Who did it - the account that called sudo or su, root itself for a login.
      type: str
    began:
      description: When it began (UTC).
      type: str
    ended:
      description: When it ended (UTC); null where that was not recorded or is still to come.
      type: str
    tty:
      description: The terminal, where there was one.
      type: str
    address:
      description: Where the login came from.
      type: str
    program:
      description: The program that sudo started.
      type: str
    interactive:
      description: Whether somebody could type - a shell.
      type: bool
    key:
      description: Fingerprint of the SSH key.
      type: str
    source:
      description: Where it was read.
      type: str
    intervention:
      description: The intervention behind it; null where there is none.
      type: str
    matched_by:
      description: V(operator), or V(time) where the account does not tell the operator.
      type: str
  sample: []
unexplained:
  description:
    - Sessions with no intervention behind them. Those without a terminal are told together, by account, address and
      program, with their C(count), the first C(began) and the last C(ended).
  returned: success
  type: list
  elements: dict
  sample: []
sources:
  description: What was read.
  returned: success
  type: list
  elements: str
  sample: [journal, /var/log/wtmp]
limits:
  description: What could not be read, or was cut short.
  returned: success
  type: list
  elements: str
  sample: []
counts:
  description: Numbers of sessions. The ledger keeps these.
  returned: success
  type: dict
  sample: {}
observation_kind:
  description: Always V(privileged_sessions). By it the callback knows what to keep.
  returned: success
  type: str
  sample: privileged_sessions
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.gathering import gather
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Bounds, Reader

#: More in the days looked back is no list for anybody to read.
MOST = 5000


def main():
    module = AnsibleModule(
        # What the server has no use for is the controller's half's.
        argument_spec={
            "days": {"type": "int", "default": 7},
            "tolerance": {"type": "int", "default": 15},
            "operators": {"type": "dict", "default": {}},
            "shared_accounts": {"type": "list", "elements": "str", "default": ["root"]},
            "max_seconds": {"type": "int", "default": 60},
            "ledger": {"type": "path"},
            "shared": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    for name in ("days", "max_seconds"):
        if module.params[name] < 1:
            module.fail_json(msg="%s: %d is less than 1" % (name, module.params[name]))
    # Others come first on this server.
    os.nice(10)
    now = time.time()
    reader = Reader(Bounds(time.monotonic() + module.params["max_seconds"]))
    made = gather(reader, now - module.params["days"] * 86400, now, module.params["max_seconds"])
    limits = made.limits
    if len(made.sessions) > MOST:
        limits = [*limits, "%d sessions: the last %d are told" % (len(made.sessions), MOST)]
    module.exit_json(
        sessions=[session.as_result() for session in made.sessions[-MOST:]],
        sources=made.sources,
        limits=limits,
    )


if __name__ == "__main__":
    main()
