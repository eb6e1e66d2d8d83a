#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: privileged_ips
short_description: Reconcile privileged IP addresses in every place of a server that keeps them
version_added: 0.1.0
description:
  - Brings one declared list of addresses to all sinks of the server - the firewall's set, allow files of web servers,
    fail2ban, sshd, NRPE - and finds what they have and the list hasn't.
  - Of each sink the file and the live state are read. Where they differ, that is told as drift and mended.
  - Only our own table, set, block, file or commented rules are touched. In a value that is shared with other tools
    (minifirewall, NRPE) only entries that this module added or adopted may be taken away.
    Everything else is returned as RV(unmanaged) and RV(elsewhere).
  - A change that can't be completed is taken back in every sink; the old rules stay live and the old files in place.
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
  addresses:
    description:
      - The declared list. It is validated as a whole before the server is looked at.
      - An item is an address or network as a text, or a dictionary with the keys C(address) (required), C(list)
        (V(privileged), the default, or V(trusted)), C(family) (V(ipv4) or V(ipv6), only compared), C(owner), C(reason),
        C(ticket), and C(expires) (first day without access, C(YYYY-MM-DD)).
      - Notations are made canonical; duplicates and overlaps are resolved and returned as RV(normalised).
        Host bits, zones, ranges, netmasks and hostnames are errors.
      - Whoever is trusted is privileged, too.
    type: list
    elements: raw
    required: true
  sinks:
    description: Where the list goes. V(auto) finds the host's firewall and the services that keep an allow list.
    type: list
    elements: dict
    default: [{backend: auto}]
    suboptions:
      backend:
        description: The kind of sink.
        type: str
        required: true
        choices: [auto, apache, fail2ban, firewalld, ipset, line_file, minifirewall, nftables, nginx, nrpe, sshd, ufw]
      name:
        description: Name of the sink, needed where two have the same backend. The backend's name by default.
        type: str
      lists:
        description: Lists that go here. Both by default, for V(nrpe) only V(trusted).
        type: list
        elements: str
        choices: [privileged, trusted]
      manage:
        description: V(all) says that everything inside a shared set or value is ours to take away.
        type: str
        choices: [ours, all]
      file:
        description: The sink's file, where it isn't the usual one.
        type: path
      include_in:
        description:
          - For V(nftables), the file that loads ours at boot, C(/etc/nftables.conf); empty for none.
          - For V(sshd), the main configuration file.
        type: str
      family:
        description: Family of the nftables table.
        type: str
        choices: [inet, ip, ip6]
      table:
        description: Table of nftables. Another one than our own must exist, and only elements of its sets are touched.
        type: str
      set:
        description: Name pattern of the sets, with C({list}) and C({family}).
        type: str
      ports:
        description:
          - For V(nftables) with our own table, TCP ports that only listed addresses reach.
          - For V(ufw), TCP ports that are allowed; all by default.
          - For other sinks, the ports whose sessions end with an entry.
        type: list
        elements: int
      trusted_ports:
        description: For V(nftables) with our own table, TCP ports that only trusted addresses reach.
        type: list
        elements: int
      zone:
        description: For V(firewalld), the zone whose sources the sets become.
        type: str
      template:
        description: For V(line_file), a line with C({address}) in it.
        type: str
      comment:
        description: For V(line_file), what starts a comment. C(#) by default.
        type: str
      validate:
        description: For V(line_file), a command that tests the configuration. No shell.
        type: str
      reload:
        description: For V(line_file), a command that makes the service read the file. No shell.
        type: str
      directives:
        description: For V(sshd), lines below C(Match Address).
        type: list
        elements: str
  allow:
    description:
      - Entries that are refused otherwise, each by name - the whole internet, multicast, loopback, unspecified,
        link-local and reserved addresses, networks broader than O(min_prefix_ipv4) or O(min_prefix_ipv6), hostnames.
      - A hostname that is named here is resolved on the server in each run.
    type: list
    elements: str
    default: []
  min_prefix_ipv4:
    description: Shortest prefix length of an IPv4 network that is taken without O(allow).
    type: int
    default: 16
  min_prefix_ipv6:
    description: Shortest prefix length of an IPv6 network that is taken without O(allow).
    type: int
    default: 32
  max_addresses:
    description: Largest number of items in O(addresses).
    type: int
    default: 20000
  must_reach:
    description: Addresses (monitoring, bastions) that every changed firewall sink must cover afterwards.
    type: list
    elements: str
    default: []
  controller:
    description:
      - The source address of this SSH connection, as the server sees it.
      - V(require) refuses a change after which a firewall sink doesn't cover it.
      - V(keep) refuses only if it was covered before. V(ignore) doesn't look.
    type: str
    choices: [require, keep, ignore]
    default: require
  cut_flows:
    description: End established TCP sessions of an address that was taken away. RV(flows) tells whether they ended.
    type: bool
    default: true
notes:
  - Run it as root (C(become)).
  - An undeclared entry that carries this connection or O(must_reach) is protected unless a declared one covers it.
  - Addresses have no disabled stage. V(disable) and V(remove) both take them away at once; O(restore) brings them back.
seealso:
  - module: infogerance.perimeter.privileged_ips_info
"""

EXAMPLES = r"""
- name: Report what the server has and the list hasn't, add what is missing
  infogerance.perimeter.privileged_ips:
    addresses:
      - address: 198.51.100.7
        owner: alice.martin
        reason: office of the client
        ticket: "1042"
        expires: "2030-01-01"
      - address: 2001:db8:12::/48
        list: trusted
      - 203.0.113.10

- name: Guard SSH and the monitoring port with nftables, and feed nginx and fail2ban from the same list
  infogerance.perimeter.privileged_ips:
    addresses: "{{ access_privileged_ips }}"
    obsolete: remove
    must_reach: [203.0.113.10]
    sinks:
      - backend: nftables
        ports: [22]
        trusted_ports: [5666]
      - backend: nginx
      - backend: fail2ban

- name: Keep a list for another service
  infogerance.perimeter.privileged_ips:
    addresses: "{{ access_privileged_ips }}"
    sinks:
      - backend: line_file
        name: proftpd
        file: /etc/proftpd/allowed.conf
        template: "Allow from {address}"
        validate: proftpd -t
        reload: systemctl reload proftpd
"""

RETURN = r"""
entry_point_kind:
  description: The kind of entry point, for the ledger.
  returned: always
  type: str
  sample: privileged_ips
plan_id:
  description: Hash of the list and the server's state, for O(expect_plan).
  returned: success
  type: str
  sample: 68a07a7c2ce4bda5f11a891103cff70086b7eba40bd56afb0b11e445a8f26aa7
plan:
  description:
    - The ordered actions, each with a reason and its undo. The same in check mode.
    - The kind C(privileged_ip_sink) is what carries the addresses - table, block, include line, running configuration.
  returned: success
  type: list
  elements: dict
  sample:
    - action: create
      kind: privileged_ip
      entry: 198.51.100.7
      reason: declared, not on the server
      undo: take 198.51.100.7 off the list and run with obsolete=disable
      person: alice
obsolete:
  description: Managed entries that the list doesn't have, or that have expired.
  returned: success
  type: list
  elements: dict
missing:
  description: Declared entries that no sink has.
  returned: success
  type: list
  elements: dict
protected:
  description: Undeclared entries that stay, with the reason.
  returned: success
  type: list
  elements: dict
unmanaged:
  description: Undeclared addresses that are not ours to take.
  returned: success
  type: list
  elements: dict
applied:
  description: The actions that took effect. Empty in check mode.
  returned: success
  type: list
  elements: dict
refused:
  description: Why a guard refused the plan. The module fails and nothing was changed.
  returned: success
  type: list
  elements: str
counts:
  description: Numbers of the lists above.
  returned: success
  type: dict
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
      below it.
    - The ledger keeps these rows, for the report.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: privileged_ip
      entry: 198.51.100.7
      person: alice
      standing: declared
      expires: "2027-06-30"
sinks:
  description: Each sink after the run. An entry count is null where the sink has no such side, or nothing runs.
  returned: success
  type: list
  elements: dict
  sample:
    - name: nftables
      backend: nftables
      gates: true
      lists: [privileged, trusted]
      file_entries: 4
      live_entries: 4
      shape: {file: ready, live: ready}
drift:
  description: Where file and live state said different things, or a sink was not in shape, before this run changed it.
  returned: success
  type: list
  elements: dict
  sample:
    - {sink: nftables, entry: live, live: missing}
normalised:
  description: What was made of notations, duplicates and overlaps.
  returned: success
  type: list
  elements: str
  sample:
    - 2001:DB8::/32 is written 2001:db8::/32
    - 192.0.2.9 is covered by 192.0.2.0/24 in nftables
elsewhere:
  description: Addresses that get in by something that is not ours, and by what.
  returned: success
  type: list
  elements: dict
flows:
  description: Established sessions of addresses that were taken away, and whether they were cut.
  returned: success
  type: list
  elements: dict
controller_address:
  description: The source address of this connection as the server sees it; null without SSH.
  returned: success
  type: str
  sample: 10.88.0.1
confirmation:
  description:
    - How the change was proved. C(status) is C(confirmed), C(rolled back), C(unknown), C(nothing to confirm), or why
      nothing was armed.
  returned: always
  type: dict
  sample: {status: nothing to confirm}
rolled_back:
  description: Changes that the server took back by itself since the last run.
  returned: when there are any
  type: list
  elements: dict
notes:
  description: What else a person should know, for example that no rule refers to a set.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import run
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_ips import arguments, make, which_entry


class IpsModule(AnsibleModule):
    """Names the sink where Ansible's own check names only the option."""

    def fail_json(self, msg, **kwargs):
        super().fail_json(which_entry(self.params) + msg, **kwargs)


def main():
    run(IpsModule(argument_spec=arguments(), supports_check_mode=True), make)


if __name__ == "__main__":
    main()
