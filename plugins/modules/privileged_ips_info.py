#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: privileged_ips_info
short_description: Which addresses are let in, and by which place of the server
version_added: 0.1.0
description:
  - Reads every sink, its file and its live state, and what lets addresses in beside it.
  - Changes nothing and leaves no trace.
author:
  - infogerance.perimeter contributors (@infogerance)
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
  sinks:
    description: What to read, as in M(infogerance.perimeter.privileged_ips), with the same keys. Found by V(auto).
    type: list
    elements: dict
    default: [{backend: auto}]
  state_directory:
    description: Directory on the server for state, lock and archives.
    type: path
    default: /var/lib/infogerance-perimeter
seealso:
  - module: infogerance.perimeter.privileged_ips
"""

EXAMPLES = r"""
- name: Read which addresses are let in
  infogerance.perimeter.privileged_ips_info:
  register: ips

- name: Read one firewall set of our own table
  infogerance.perimeter.privileged_ips_info:
    sinks:
      - backend: nftables
"""

RETURN = r"""
sinks:
  description: Each sink and its entries; a slot is V(listed), or the list's name where the sink tells lists apart.
  returned: success
  type: list
  elements: dict
  sample:
    - name: nftables
      backend: nftables
      gates: true
      lists: [privileged, trusted]
      file_entries: 1
      live_entries: 1
      shape: {file: ready, live: ready}
      file: {privileged: [198.51.100.7], trusted: []}
      live: {privileged: [198.51.100.7], trusted: []}
drift:
  description: Where file and live state say different things.
  returned: success
  type: list
  elements: dict
elsewhere:
  description: Addresses that get in by something that is not ours, and by what.
  returned: success
  type: list
  elements: dict
controller_address:
  description: The source address of this connection as the server sees it; null without SSH.
  returned: success
  type: str
notes:
  description: What else a person should know.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.connection import current
from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import ServerProblem
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls import catalogue
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.protocol import SinkError
from ansible_collections.infogerance.perimeter.plugins.module_utils.sink_states import (
    describe,
    differences,
    observe_sinks,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.state_directory import (
    DEFAULT_ROOT,
    StateDirectory,
    StateError,
)


def main():
    module = AnsibleModule(
        argument_spec={
            "sinks": {"type": "list", "elements": "dict", "default": [{"backend": "auto"}]},
            "state_directory": {"type": "path", "default": DEFAULT_ROOT},
        },
        supports_check_mode=True,
    )
    try:
        memory = StateDirectory(module.params["state_directory"]).read("privileged_ips")
        sinks = catalogue.build(module.params["sinks"], memory.get("sinks", {}))
        states = observe_sinks(sinks)
    except (SinkError, ServerProblem, StateError) as error:
        module.fail_json(msg=str(error))
    rows = []
    for sink in sinks:
        state = states[sink.name]
        row = describe(sink, state)
        for side, slots in (("file", state.file), ("live", state.live)):
            row[side] = None if slots is None else {slot: sorted(texts) for slot, texts in slots.items()}
        rows.append(row)
    module.exit_json(
        changed=False,
        sinks=rows,
        drift=differences(sinks, states),
        elsewhere=[
            {"sink": name, "entry": o.address, "where": o.where}
            for name, state in states.items()
            for o in state.outside
        ],
        controller_address=current().address,
        notes=["%s: %s" % (name, text) for name, state in states.items() for text in state.notes],
    )


if __name__ == "__main__":
    main()
