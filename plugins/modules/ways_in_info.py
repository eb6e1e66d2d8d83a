#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ways_in_info
short_description: Every way into a server, whose it is, and what closes it
version_added: 0.1.0
description:
  - The declared lists say who should get in. This says who could, by any path, and to which person the path leads.
  - Reads only, with low priority, within a time. No link of a user's is followed and no secret is read out.
  - Each family of ways runs in a process of its own. What hangs or breaks costs the rest of its family only, and is
    told.
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
  accounts:
    description:
      - The declared SSH accounts, as in M(infogerance.perimeter.ssh_accounts). They attribute keys and names to people
        and tell which ways are declared.
      - Without O(accounts) the account's name stands for the person.
    type: list
    elements: dict
    default: []
  addresses:
    description: The declared addresses, as in M(infogerance.perimeter.privileged_ips); a bare text is an address.
    type: list
    elements: raw
    default: []
  certificates:
    description: The declared certificates and peers, as in M(infogerance.perimeter.vpn_certificates).
    type: list
    elements: dict
    default: []
  people:
    description:
      - People whom ways may lead to, but for whom nothing is declared here, such as people who have left.
    type: list
    elements: dict
    default: []
    suboptions:
      person:
        description: The person.
        type: str
        required: true
      accounts:
        description: Names of accounts.
        type: list
        elements: str
        default: []
      keys:
        description: SSH public keys.
        type: list
        elements: str
        default: []
      addresses:
        description: Addresses and networks.
        type: list
        elements: str
        default: []
      certificates:
        description: Names of certificates, or public keys of WireGuard peers.
        type: list
        elements: str
        default: []
  families:
    description: Which families of ways to look at.
    type: list
    elements: str
    choices: [ssh, accounts, privilege, persistence, network, services]
    default: [ssh, accounts, privilege, persistence, network, services]
  accept:
    description:
      - Ways that were looked at and may stand. They move to RV(declared), with the reason.
      - A field that is not set fits everything.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: The finding's kind.
        type: str
        required: true
      path:
        description: The finding's path.
        type: str
      account:
        description: The finding's account.
        type: str
      entry:
        description: The finding's entry.
        type: str
      reason:
        description: Why it may stand, and who said so.
        type: str
        required: true
  max_seconds:
    description: Seconds after which what was not looked at yet is left out, and told in RV(limits).
    type: int
    default: 60
  max_depth:
    description: How deep directories are searched for setuid files and file capabilities.
    type: int
    default: 24
  max_files:
    description: How many files are looked at for setuid bits and file capabilities, in all.
    type: int
    default: 3000000
  sshd_config:
    description: The configuration file of the SSH server.
    type: path
    default: /etc/ssh/sshd_config
  state_directory:
    description: Directory on the server where this collection keeps its state.
    type: path
    default: /var/lib/infogerance-perimeter
seealso:
  - module: infogerance.perimeter.ssh_accounts_info
  - module: infogerance.perimeter.privileged_ips_info
  - module: infogerance.perimeter.vpn_certificates_info
"""

EXAMPLES = r"""
- name: Look for every way in
  infogerance.perimeter.ways_in_info:
    accounts: "{{ access_ssh_accounts }}"
  register: ways

- name: After a departure, nothing may lead to the person any more
  infogerance.perimeter.ways_in_info:
    accounts: "{{ access_ssh_accounts }}"
    people:
      - person: carol.petit
        accounts: [carol]
        keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x"]
  register: ways
  failed_when: ways.findings | selectattr('person', 'equalto', 'carol.petit') | length > 0
"""

RETURN = r"""
findings:
  description: Ways in that no declared list covers. One row a way, ordered by family, kind and path.
  returned: success
  type: list
  elements: dict
  contains:
    family:
      description: The family that found it.
      type: str
    kind:
      description: What kind of way it is; docs/ways_in.md lists all.
      type: str
    path:
      description: The file or program. Bytes that can't be printed show as C(\xNN).
      type: str
    account:
      description: The account that it opens; null where it is not one account.
      type: str
    entry:
      description: Which of several in one file - a fingerprint, an address, a user.
      type: str
    person:
      description: The person that it leads to; null where nothing tells.
      type: str
    attributed_by:
      description: What led to the person - C(key), C(account), C(address) or C(certificate).
      type: str
    why:
      description: Why it opens a door.
      type: str
    since:
      description: When the file was last written or the process started (UTC), where that is known.
      type: str
    declared:
      description: Whether a declared list or O(accept) covers it.
      type: bool
    accepted:
      description: The reason given by O(accept).
      type: str
      returned: when accepted
    closes_with:
      description: What closes it.
      type: dict
      contains:
        command:
          description: The exact command, for root's shell.
          type: str
        module:
          description: The module of this collection that closes it, where there is one.
          type: str
        arguments:
          description: The module's arguments, beside the whole declared list.
          type: dict
  sample:
    - account: carol
      attributed_by: key
      closes_with:
        arguments: {manage: {names: [carol]}, obsolete: remove}
        command: runuser -u carol -- sed -i '\#AAAAC3NzaC1lZDI1NTE5AAAAIJ3q...#d' -- /home/carol/.ssh/authorized_keys2
        module: infogerance.perimeter.ssh_accounts
      declared: false
      entry: SHA256:vXYqlWCpZ0VmPzQn/QL8El0vVljUITpphFP7qmXfIp4
      family: ssh
      kind: ssh_key
      path: /home/carol/.ssh/authorized_keys2
      person: bob.leroy
      since: "2026-11-23T21:38:20Z"
      why: ssh-ed25519 opens it; the account is not declared
declared:
  description: Ways in that a declared list or O(accept) covers, in rows like those of RV(findings).
  returned: success
  type: list
  elements: dict
by_person:
  description: Person to the number of ways in RV(findings) and RV(declared) that lead to it.
  returned: success
  type: dict
  sample: {bob.leroy: {findings: 1, declared: 3}}
unread:
  description: What may be a way in and could not be looked at, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /home/carol/.ssh
      account: carol
      why: "uid 1003 serves it (fuse)"
limits:
  description: Bounds that were reached, parts that broke off, and what was therefore not looked at. Empty when all was.
  returned: success
  type: list
  elements: str
  sample: []
files_looked_at:
  description: How many files were looked at for setuid bits and file capabilities.
  returned: success
  type: int
  sample: 3122
counts:
  description: Numbers of findings by kind, and in all. The ledger keeps these.
  returned: success
  type: dict
  sample: {declared: 3, findings: 1, limits: 0, unread: 0, kind_ssh_key: 1}
entry_point_kind:
  description: Always V(ways_in).
  returned: success
  type: str
  sample: ways_in
ways_in:
  description:
    - The same for the ledger, and so for the access matrix of the report - one short row a way in RV(findings), and
      one for each that O(accept) lets stand. What a declared list covers is told by that list's own module.
    - At most 500; C(ways_in_left_out) counts the others.
  returned: success
  type: list
  elements: dict
  sample:
    - entry: "ssh_key /home/carol/.ssh/authorized_keys2 SHA256:vXYqlWCpZ0VmPzQn/QL8El0vVljUITpphFP7qmXfIp4"
      kind: way_in
      person: bob.leroy
      reason: ssh-ed25519 opens it; the account is not declared
      root: false
      since: "2026-11-23T21:38:20Z"
      standing: unmanaged
plan_id:
  description: A hash of the findings. The same findings give the same hash.
  returned: success
  type: str
  sample: 0c1b0e0e5b6c1a52f1f1a4b1f0cf3f3c8c1c8a0f6cf0e6c3a4b8a2b0ffb3b1aa
"""

import datetime
import hashlib
import json
import os
import time
from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.connection import current
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry
from ansible_collections.infogerance.perimeter.plugins.module_utils.state_directory import StateDirectory, StateError
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.context import Bounds, Context
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.people import People
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.survey import FAMILIES, survey
from ansible_collections.infogerance.perimeter.plugins.module_utils.ways_in import LIMIT

#: Kinds that make root of whoever comes in.
AS_ROOT = frozenset(("strong_group", "uid0_account"))


def argument_spec():
    lists = {name: {"type": "list", "elements": "str", "default": []} for name in ("accounts", "addresses")}
    person = dict(
        lists,
        person={"type": "str", "required": True},
        keys={"type": "list", "elements": "str", "default": [], "no_log": False},
        certificates={"type": "list", "elements": "str", "default": []},
    )
    accepted = dict(
        {name: {"type": "str"} for name in ("path", "account", "entry")},
        kind={"type": "str", "required": True},
        reason={"type": "str", "required": True},
    )
    return {
        "accounts": {"type": "list", "elements": "dict", "default": []},
        "addresses": {"type": "list", "elements": "raw", "default": []},
        "certificates": {"type": "list", "elements": "dict", "default": []},
        "people": {"type": "list", "elements": "dict", "default": [], "options": person},
        "families": {"type": "list", "elements": "str", "choices": list(FAMILIES), "default": list(FAMILIES)},
        "accept": {"type": "list", "elements": "dict", "default": [], "options": accepted},
        "max_seconds": {"type": "int", "default": 60},
        "max_depth": {"type": "int", "default": 24},
        "max_files": {"type": "int", "default": 3000000},
        "sshd_config": {"type": "path", "default": "/etc/ssh/sshd_config"},
        "state_directory": {"type": "path", "default": "/var/lib/infogerance-perimeter"},
    }


def result_of(made):
    found = [row for row in made.findings if not row["declared"]]
    declared = [row for row in made.findings if row["declared"]]
    by_person: dict = {}
    for name, rows in (("findings", found), ("declared", declared)):
        for row in rows:
            if row["person"]:
                by_person.setdefault(row["person"], {"findings": 0, "declared": 0})[name] += 1
    counts = {"kind_" + kind: number for kind, number in sorted(Counter(row["kind"] for row in found).items())}
    counts.update(findings=len(found), declared=len(declared), unread=len(made.unread), limits=len(made.limits))
    names = [[row[field] for field in ("kind", "path", "account", "entry")] for row in found]
    told, left_out = told_to_the_ledger(made.findings)
    return {
        "ways_in": told,
        "ways_in_left_out": left_out,
        "findings": found,
        "declared": declared,
        "by_person": by_person,
        "unread": made.unread,
        "limits": made.limits,
        "files_looked_at": made.walked,
        "counts": counts,
        "entry_point_kind": "ways_in",
        "plan_id": hashlib.sha256(json.dumps(names).encode("utf-8")).hexdigest(),
    }


def told_to_the_ledger(rows):
    """Rows as the other modules tell them, so that the report needs to know no kind of its own."""
    told = [
        {
            "kind": "way_in",
            "entry": " ".join(row[field] for field in ("kind", "path", "account", "entry") if row[field]),
            "person": row["person"],
            "standing": "declared" if row["declared"] else "unmanaged",
            "reason": row.get("accepted") or row["why"],
            "since": row["since"],
            "root": row["account"] == "root" or row["kind"] in AS_ROOT,
        }
        for row in sorted(rows, key=lambda row: row["declared"])
        if not row["declared"] or row.get("accepted")
    ]
    return told[:LIMIT], max(0, len(told) - LIMIT)


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    for name in ("max_seconds", "max_depth", "max_files"):
        if params[name] < 1:
            module.fail_json(msg="%s: %d is less than 1" % (name, params[name]))
    ends = time.monotonic() + params["max_seconds"]
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    try:
        people = People(params["accounts"], params["addresses"], params["certificates"], params["people"], today)
        state = StateDirectory(params["state_directory"]).read("ssh_accounts")
    except (InvalidEntry, StateError) as error:
        module.fail_json(msg=str(error))
    # Others come first on this server.
    os.nice(10)
    bounds = Bounds(ends, params["max_depth"], params["max_files"])
    try:
        ctx = Context(people, bounds, current(), params["sshd_config"], state.get("tombstones", []), today)
    except OSError as error:
        module.fail_json(msg="the account files can't be read: %s" % error)
    module.exit_json(**result_of(survey(ctx, params["families"], params["accept"])))


if __name__ == "__main__":
    main()
