#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_accounts_info
short_description: Who can get in by SSH, and by which path
version_added: 0.1.0
description:
  - Reads accounts, keys (wherever sshd reads them), groups, sudo rules, passwords and live processes.
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
  sshd_config:
    description: The configuration file of the SSH server.
    type: path
    default: /etc/ssh/sshd_config
  state_directory:
    description: Directory on the server for state, lock and archives.
    type: path
    default: /var/lib/infogerance-perimeter
seealso:
  - module: infogerance.perimeter.ssh_accounts
"""

EXAMPLES = r"""
- name: Read who can get in
  infogerance.perimeter.ssh_accounts_info:
  register: access
"""

RETURN = r"""
access:
  description: One row an account of a person, and of each other account that has a key or a password.
  returned: success
  type: list
  elements: dict
  sample:
    - account: deploy
      uid: 1000
      person:
      open: true
      expires:
      password: false
      keys:
        - fingerprint: SHA256:vXYqlWCpZ0VmPzQn/QL8El0vVljUITpphFP7qmXfIp4
          file: /home/deploy/.ssh/authorized_keys
          comment: lab
          certificate_authority: false
          expired: false
          options: ""
      unread: []
      root: ["/etc/sudoers.d/deploy:1"]
      processes: 3
      shell: /bin/bash
      managed: false
      disabled_since:
access_not_controlled:
  description: Ways in that no account list controls (certificate authorities, key commands, directory services).
  returned: success
  type: list
  elements: str
  sample: [sshd trustedusercakeys /etc/ssh/ca.pub]
problems:
  description: Key files that can't be trusted or read, bad lines, and what else is odd in the account files.
  returned: success
  type: list
  elements: str
  sample: ["bob: has more than one line in /etc/passwd"]
as_declared:
  description:
    - One row an account, as C(accounts) of M(infogerance.perimeter.ssh_accounts) would hold it. C(entry) is null where
      it should not be declared as it is; C(review) tells what a person has to look at.
    - The playbook C(adopt) writes a list of them.
  returned: success
  type: list
  elements: dict
  sample:
    - account: deploy
      entry:
        name: deploy
        person: deploy
        uid: 1000
        shell: /bin/bash
        home: /home/deploy
        groups: []
        keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x lab]
      review: ["no name in its comment: who is it?"]
archives:
  description: Accounts that were disabled or removed here and can be brought back.
  returned: success
  type: list
  elements: dict
  sample:
    - name: bob
      uid: 1001
      since: "2026-11-23"
      why: not declared
      archive: /var/lib/infogerance-perimeter/archive/ssh_accounts/bob.20261123T213820Z.0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_adoption import as_declared
from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import ServerProblem, today
from ansible_collections.infogerance.perimeter.plugins.module_utils.ssh_accounts import SshAccounts
from ansible_collections.infogerance.perimeter.plugins.module_utils.state_directory import StateDirectory, StateError


def main():
    module = AnsibleModule(
        argument_spec={
            "sshd_config": {"type": "path", "default": "/etc/ssh/sshd_config"},
            "state_directory": {"type": "path", "default": "/var/lib/infogerance-perimeter"},
        },
        supports_check_mode=True,
    )
    state = StateDirectory(module.params["state_directory"])
    params = dict(module.params, protect=[], keep_groups=[], restore=[])
    kind = SshAccounts(params, state, today())
    try:
        entries = kind.observe()
        names = [entry.entry for entry in entries if entry.kind == "ssh_account"]
        disabled = [dict(row, name=name) for name, row in kind.registry["disabled"].items()]
        removed = [{k: t[k] for k in ("name", "uid", "at", "archive")} for t in kind.registry["tombstones"]]
        module.exit_json(
            access=kind.access(names),
            access_not_controlled=kind.not_controlled(),
            problems=kind.problems(),
            archives=disabled + removed,
            as_declared=as_declared(kind),
        )
    except (ServerProblem, StateError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
