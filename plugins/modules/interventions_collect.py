#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: interventions_collect
short_description: Take what was noted on a server into the ledger
version_added: 0.1.0
description:
  - Takes over the notes that the role P(infogerance.perimeter.shell_hook#role) keeps of root's shells, and the end of
    evomaintenance's log where there is one. Each becomes an intervention in the ledger, exactly once.
  - A note is removed from the server only after the ledger has it. One of a shell that still runs stays. So does one
    that the ledger has with other facts, such as an answer that came after the note was taken over; RV(damaged) names
    it.
  - A shell that was killed outright, or whose question nobody answered, becomes an intervention that says so and counts
    as incomplete.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: full
    details:
      - Tells what would be taken over, and takes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  evomaintenance:
    description: Whether to read C(/var/log/evomaintenance.log), too.
    type: bool
    default: true
  clients:
    description: The clients of this host. The default is what the inventory says. Without any, nothing is taken over.
    type: list
    elements: str
    default: []
  category:
    description: The scope category of what is taken over. The default is the catalogue's.
    type: str
  timezone:
    description: The server's time zone, for the beginnings in evomaintenance's log that do not tell it.
    type: str
  catalogue:
    description: Path of the catalogue. The default is what the callback's settings say.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
  remove:
    description: Files of notes that the ledger has. Set by the controller's half of this module.
    type: list
    elements: str
    default: []
seealso:
  - module: infogerance.perimeter.ledger_import
  - module: infogerance.perimeter.privileged_sessions_info
"""

EXAMPLES = r"""
- name: Take over what was noted on the server
  infogerance.perimeter.interventions_collect:
"""

RETURN = r"""
notes:
  description: The notes of shells that are gone.
  returned: success
  type: list
  elements: dict
  sample: []
running:
  description: How many noted shells still run; their notes stay.
  returned: success
  type: int
  sample: 1
added:
  description: How many interventions are new in the ledger.
  returned: success
  type: int
  sample: 2
known:
  description: How many the ledger had already.
  returned: success
  type: int
  sample: 0
removed:
  description: How many notes were removed from the server.
  returned: success
  type: int
  sample: 2
damaged:
  description: A sentence for each note or record that can't be read or taken over. They stay where they are.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.log_tail import tail
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.spool import Spool, SpoolError

LARGEST = 4 * 1024 * 1024


def main():
    module = AnsibleModule(
        argument_spec={
            "evomaintenance": {"type": "bool", "default": True},
            "clients": {"type": "list", "elements": "str", "default": []},
            "category": {"type": "str"},
            "timezone": {"type": "str"},
            "catalogue": {"type": "path"},
            "ledger": {"type": "path"},
            "remove": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    spool = Spool()
    try:
        if module.params["remove"]:
            removed = 0 if module.check_mode else spool.remove(module.params["remove"])
            module.exit_json(changed=removed > 0, removed=removed)
        notes, running = spool.notes()
        read = tail("/var/log", "evomaintenance.log", LARGEST) if module.params["evomaintenance"] else None
    except (SpoolError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        notes=[note.as_result() for note in notes],
        running=running,
        damaged=spool.damaged,
        evomaintenance=read.data.decode("utf-8", "replace") if read else None,
        cut=read.cut if read else False,
    )


if __name__ == "__main__":
    main()
