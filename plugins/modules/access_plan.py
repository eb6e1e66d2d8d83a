#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_plan
short_description: Plan SSH accounts, privileged IPs and VPN certificates in one turn
version_added: 0.1.0
description:
  - Makes the plans that the modules of each kind would make, all in one turn on the server, and changes nothing.
  - A turn costs a login, a Python and the code of the modules, more than looking does. So the role
    C(infogerance.perimeter.access) plans by this module, and calls the modules of those kinds only where there is
    something to do.
  - A kind that can't be planned does not hide the others. The module fails, and RV(results) has them all.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: full
    details: It changes nothing in any mode.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  ssh_accounts:
    description: The options of M(infogerance.perimeter.ssh_accounts). Left out, SSH accounts are not looked at.
    type: dict
  privileged_ips:
    description: The options of M(infogerance.perimeter.privileged_ips). Left out, privileged IPs are not looked at.
    type: dict
  vpn_certificates:
    description: The options of M(infogerance.perimeter.vpn_certificates). Left out, VPN certificates are not looked at.
    type: dict
  audit:
    description:
      - The plans are only told, and nobody is about to carry them out.
      - Then RV(ignore:changed) says whether there is something to do, and a plan that a guard refuses is no failure.
    type: bool
    default: false
  _ca_password:
    description:
      - The password in O(vpn_certificates), where Ansible keeps it out of results and logs.
      - The action plugin sets it; a task's own is thrown away.
    type: str
notes:
  - Run it as root (C(become)).
seealso:
  - module: infogerance.perimeter.ssh_accounts
  - module: infogerance.perimeter.privileged_ips
  - module: infogerance.perimeter.vpn_certificates
"""

EXAMPLES = r"""
- name: See what is to do
  infogerance.perimeter.access_plan:
    ssh_accounts:
      accounts: "{{ access_ssh_accounts }}"
      manage:
        local_people: true
    privileged_ips:
      addresses: "{{ access_privileged_ips }}"
    audit: true
  register: access

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item | infogerance.perimeter.access_summary }}"
  loop: "{{ access.results }}"
  loop_control:
    label: "{{ item.entry_point_kind }}"
"""

RETURN = r"""
results:
  description:
    - One result a kind that was looked at, as its module returns it in check mode. It may have C(failed) and C(msg).
  returned: always
  type: list
  elements: dict
plans:
  description:
    - What is to do, by kind. A kind is missing where it was not looked at or could not be planned.
    - C(applies) says whether it is about to be carried out. There is something to do, O(audit) is off, and no kind
      failed.
  returned: always
  type: dict
  sample:
    ssh_accounts:
      plan_id: a741a5b13ee6aac3498ce9f16fb5e5fcb8fffa766b585e13bbaf288c30e87cdb
      actions: 2
      takes: 1
      applies: true
as_declared:
  description: Whether nothing is to do, and nothing is to be told that a person should look at.
  returned: always
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.infogerance.perimeter.plugins.module_utils.access_plan import KINDS, arguments_of, plan_all


def main():
    options = dict(
        {name: {"type": "dict"} for name in KINDS},
        # The one secret of the kinds has an option of its own: Ansible keeps it out of results and the system's log.
        _ca_password={"type": "str", "no_log": True},
        audit={"type": "bool", "default": False},
    )
    module = AnsibleModule(argument_spec=options, required_one_of=[KINDS], supports_check_mode=True)
    asked = {name: dict(module.params[name]) for name in KINDS if module.params[name] is not None}
    if module.params["_ca_password"] is not None:
        asked["vpn_certificates"]["pki"]["ca_password"] = module.params["_ca_password"]

    def checked(name, params):
        found = ArgumentSpecValidator(arguments_of(name)).validate(params)
        return found.validated_parameters, found.error_messages

    outcome = plan_all(asked, checked, module.params["audit"], module._diff)
    if outcome["failed"]:
        module.fail_json(**outcome)
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
