#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_accounts
short_description: Reconcile SSH accounts, keys, groups and sudo with a declared list
version_added: 0.1.0
description:
  - Creates and updates the declared accounts, their keys, supplementary groups and sudo rule.
  - Finds what the server has and the list hasn't, wherever sshd really reads it (C(sshd -T)), and reports,
    disables or removes it, in stages and archived.
  - What may be taken away are entries that this collection created or adopted, and what O(manage) names.
    Everything else is only reported.
  - Reads C(/etc/passwd) itself. Accounts of a directory service (LDAP, SSSD) are never changed.
  - Disabling expires the account and locks its password, archives its keys, takes it out of its groups, its own
    sudoers fragments and AllowUsers, parks its crontab and at jobs, and ends its processes.
    A C(nologin) shell or a locked password alone closes nothing.
  - Removing moves the home to the archive and deletes the account. Its uid is never given again.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.reconcile
  - infogerance.perimeter.confirm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  accounts:
    description: The declared list. It is validated as a whole before anything is read or changed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Account name. Small letters, digits, C(_), C(-) and C(.), at most 32.
        type: str
        required: true
      keys:
        description:
          - Public keys, one an item, as in an C(authorized_keys) file, options included.
          - New ones go to the first file that sshd reads for the account.
        type: list
        elements: str
        default: []
      groups:
        description:
          - Supplementary groups. They must exist.
          - On a managed account groups outside this list are taken away, as O(obsolete) says.
        type: list
        elements: str
      sudo:
        description: What the account may run by sudo, in a fragment of its own. Left out, the fragment goes.
        type: dict
        suboptions:
          commands:
            description: V(ALL), or absolute paths with their arguments.
            type: list
            elements: str
            default: [ALL]
          nopasswd:
            description: Ask for no password.
            type: bool
            default: false
          runas:
            description: The user, and group after a colon, to run as.
            type: str
            default: ALL
      shell:
        description: Login shell. C(/bin/bash) for a new account where it exists.
        type: path
      comment:
        description: The comment (GECOS) field.
        type: str
      uid:
        description: Number of a new account. On an existing one it is only compared.
        type: int
      home:
        description: Home of a new account. On an existing one it is only compared.
        type: path
      expires:
        description:
          - First day without access, C(YYYY-MM-DD). The server's own expiry is set, too.
          - V(never) clears an expiry; left out, the server's stays as it is.
        type: str
      person:
        description: The person behind the account, for the result, the ledger and O(departed).
        type: str
      system:
        description: The entry names an existing system account (root, git, ...) and declares its keys only.
        type: bool
        default: false
  manage:
    description: Which accounts may be taken away, beside those that were created or adopted.
    type: dict
    suboptions:
      local_people:
        description: All accounts of C(/etc/passwd) between UID_MIN and UID_MAX.
        type: bool
        default: false
      groups:
        description: Members of these groups.
        type: list
        elements: str
        default: []
      uids:
        description: Accounts with these uids, each a number or a range C(low-high).
        type: list
        elements: str
        default: []
      names:
        description: Accounts by name. Only here a system account can be named; root never.
        type: list
        elements: str
        default: []
  keep_groups:
    description: Groups that are never taken from an account, since something else gives them.
    type: list
    elements: str
    default: []
  key_options:
    description:
      - V(keep) leaves the options of a key on the server (C(from=), C(command=)) where the list gives none.
      - V(exact) makes them what the list says, in every case.
    type: str
    choices: [keep, exact]
    default: keep
  terminate:
    description: End the processes of an account that is disabled or removed. Without it a live session stays open.
    type: bool
    default: true
  scan:
    description: Directories to search for files that removed accounts left, once, on their own file system.
    type: list
    elements: path
    default: []
  scan_timeout:
    description: Seconds for that search.
    type: int
    default: 60
  sshd_config:
    description: The configuration file of the SSH server.
    type: path
    default: /etc/ssh/sshd_config
notes:
  - Run it as root (C(become)).
  - Protected whatever the list says are root, system accounts, the account that carries this connection with its groups
    and sudo rules, and the key it came in with; where no log tells which key that is, all keys of that account.
  - The last account that can certainly log in and become root is never taken away. A key bound to a command, a
    C(nologin) shell, an account that sshd's own lists keep out don't count as such.
  - An account that resists being closed (a read-only key file, a damaged group file) makes the module fail and is
    named; the others are closed all the same.
seealso:
  - module: infogerance.perimeter.ssh_accounts_info
"""

EXAMPLES = r"""
- name: Report what is obsolete, change nothing but what is missing
  infogerance.perimeter.ssh_accounts:
    accounts:
      - name: alice
        person: alice.martin
        keys:
          - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x alice@laptop
        groups: [adm]
        sudo:
          commands: [ALL]

- name: Close everybody who is not declared, people's accounts only
  infogerance.perimeter.ssh_accounts:
    accounts: "{{ access_ssh_accounts }}"
    obsolete: disable
    manage:
      local_people: true

- name: Bring an account back, with its keys, groups and home
  infogerance.perimeter.ssh_accounts:
    accounts: "{{ access_ssh_accounts }}"
    restore: [bob]
"""

RETURN = r"""
entry_point_kind:
  description: The kind of entry point, for the ledger.
  returned: success
  type: str
  sample: ssh_accounts
plan_id:
  description: Hash of the list and the server's state, for O(expect_plan).
  returned: success
  type: str
  sample: a741a5b13ee6aac3498ce9f16fb5e5fcb8fffa766b585e13bbaf288c30e87cdb
plan:
  description: The ordered actions, each with a reason and its undo. The same in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - action: create
      kind: ssh_account
      entry: alice
      person: alice.martin
      reason: declared, not on the server
      undo: take alice off the list and run with obsolete=disable
    - action: disable
      kind: ssh_account
      entry: bob
      reason: not declared
      undo: "restore: [bob], or declare it again"
obsolete:
  description: Managed entries that the list doesn't have. C(since) is the day of stage one.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: ssh_account
      entry: bob
      reason: not declared
      managed: true
      since: "2026-11-23"
missing:
  description: Declared entries that the server doesn't have.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: ssh_key
      entry: alice SHA256:r+mZ7VHHKPr6br6eFI+k+vsUwELXdRxS2OMSjw+WTB0
      person: alice.martin
      reason: declared, not on the server
protected:
  description: Undeclared entries that stay, with the reason.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: ssh_sudo
      entry: deploy /etc/sudoers.d/deploy
      reason: deploy carries this connection
unmanaged:
  description: Undeclared entries that are not ours to take.
  returned: success
  type: list
  elements: dict
  sample: []
applied:
  description: The actions that took effect. Empty in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - action: disable
      kind: ssh_account
      entry: bob
      reason: not declared
      undo: "restore: [bob], or declare it again"
refused:
  description: Why a guard refused the plan. The module fails and nothing was changed.
  returned: success
  type: list
  elements: str
  sample: []
counts:
  description: Numbers of the lists above.
  returned: success
  type: dict
  sample:
    declared: 4
    observed: 8
    obsolete: 1
    missing: 0
    protected: 1
    unmanaged: 0
    planned: 1
    applied: 1
left:
  description:
    - What stands at the end of the run. RV(counts) tells what the plan was made of.
    - C(disabled) counts obsolete entries that are closed and wait for their removal; C(obsolete) has the others.
  returned: when the server was looked at to the end
  type: dict
  sample: {obsolete: 0, disabled: 1, missing: 0, protected: 1, unmanaged: 0}
ways_in:
  description:
    - Each way in that the server has now, the declared ones too; what is not declared comes first. At most 500 rows,
      C(ways_in_left_out) counts the rest.
    - C(standing) is C(declared), C(disabled), C(obsolete), C(protected) or C(unmanaged). C(has) counts what hangs
      below it. C(open) tells whether a key or a password lets somebody in, C(root) whether they can become root.
    - The ledger keeps these rows, for the report.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: ssh_account
      entry: bob
      person:
      standing: obsolete
      expires:
      reason: not declared
      has: {ssh_group: 1, ssh_key: 1}
      open: true
      root: true
access:
  description:
    - Who can get in that is not on the list, or is disabled, and by which path; read after applying.
    - C(open) is true where a key, a password or a live process lets somebody act. C(unread) are key files that
      can't be read safely here and that sshd may read all the same; they count as open.
  returned: success
  type: list
  elements: dict
  sample:
    - account: bob
      uid: 1001
      person:
      open: true
      expires:
      password: false
      keys:
        - fingerprint: SHA256:QWhkI095EEZY2v5PV8XN6fUtgk+3v5SGeaHZoI5Nqac
          file: /home/bob/.ssh/authorized_keys
          comment: bob@laptop
          certificate_authority: false
          expired: false
          options: ""
      unread: []
      root: [group sudo]
      processes: 0
      shell: /bin/bash
      managed: true
      disabled_since:
access_not_controlled:
  description:
    - Ways in that are read but not reconciled here, such as certificate authorities, key commands, directory services,
      other kinds of login that sshd accepts.
  returned: success
  type: list
  elements: str
  sample: [sshd trustedusercakeys /etc/ssh/ca.pub]
problems:
  description:
    - What is odd on the server or in the way of the list. Key files that can't be trusted or read, bad lines, names
      with two lines in C(/etc/passwd), sudo rules for names that are no account, declared accounts that sshd keeps out.
  returned: success
  type: list
  elements: str
  sample: ["alice: declared, but in no group of sshd's AllowGroups"]
notes:
  description: What was done beside the plan, and what was left.
  returned: success
  type: list
  elements: str
  sample: ["bob left behind mail: /var/mail/bob"]
confirmation:
  description:
    - How the change was proved. C(status) is C(confirmed), C(rolled back), C(unknown), C(nothing to confirm), or why
      nothing was armed.
  returned: always
  type: dict
  sample:
    status: confirmed
    timer: unit infogerance-perimeter-rollback-0f4c.service
rolled_back:
  description: Changes that the server took back by itself since the last run.
  returned: when there are any
  type: list
  elements: dict
files_left:
  description: Files of removed accounts below O(scan), and whether the search was complete.
  returned: when O(scan) is given
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import run
from ansible_collections.infogerance.perimeter.plugins.module_utils.ssh_accounts import arguments, make, which_entry


class AccountsModule(AnsibleModule):
    """Names the entry where Ansible's own check names only the option."""

    def fail_json(self, msg, **kwargs):
        super().fail_json(which_entry(self.params) + msg, **kwargs)


def main():
    run(AccountsModule(argument_spec=arguments(), supports_check_mode=True), make)


if __name__ == "__main__":
    main()
