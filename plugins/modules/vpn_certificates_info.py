#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vpn_certificates_info
short_description: Which VPN certificates an authority has, who is connected, and how long the revocation list lives
version_added: 0.1.0
description:
  - Reads the authority's index and revocation list, what each OpenVPN server reads of it as its own user in its own
    chroot, and who is connected.
  - With the backend V(wireguard) it reads the peers of an interface, in its file and live.
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
  pki:
    description: The authority, or the WireGuard interface.
    type: dict
    required: true
    suboptions:
      backend:
        description: Which tool keeps it.
        type: str
        required: true
        choices: [easy_rsa, openssl_ca, shellpki, wireguard]
      directory:
        description: As for M(infogerance.perimeter.vpn_certificates).
        type: path
      config:
        description: The C(openssl.cnf) that names the other files, or the configuration of the WireGuard interface.
        type: path
      index:
        description: The index.
        type: path
      ca_certificate:
        description: The CA's certificate.
        type: path
      ca_key:
        description: The CA's key. Only its presence is looked at.
        type: path
      crl:
        description: The CA's revocation list.
        type: path
      issued:
        description: Directory of issued certificates, C(SERIAL.pem).
        type: path
      crl_days:
        description: Days that a new list lives.
        type: int
      ca_password:
        description: Not needed to read. Accepted, so that the same dictionary serves both modules.
        type: str
      interface:
        description: The WireGuard interface.
        type: str
  openvpn:
    description: The OpenVPN servers on this host that trust the authority.
    type: list
    elements: dict
    default: []
    suboptions:
      config:
        description: The server's configuration file.
        type: path
        required: true
      directory:
        description: Where relative paths in it start. Its own directory by default.
        type: path
  crl_renew_before:
    description: A list with fewer days than this to live is called V(expiring).
    type: int
    default: 14
  kill_sessions:
    description: Ask the management interfaces who is connected. Nothing is cut.
    type: bool
    default: true
  state_directory:
    description: Directory on the server for state, lock and archives.
    type: path
    default: /var/lib/infogerance-perimeter
seealso:
  - module: infogerance.perimeter.vpn_certificates
"""

EXAMPLES = r"""
- name: Read the authority and what its server makes of it
  infogerance.perimeter.vpn_certificates_info:
    pki:
      backend: easy_rsa
      directory: /etc/openvpn/easy-rsa/pki
    openvpn:
      - config: /etc/openvpn/server/server.conf
  register: vpn

- name: Fail while clients are locked out, or revoked ones are let in
  ansible.builtin.assert:
    that: vpn.alarms | length == 0
"""

RETURN = r"""
certificates:
  description:
    - One row a certificate of the index, or a peer of the interface.
    - C(state) is V(live), V(disabled), V(revoked) or V(expired), since C(since).
  returned: success
  type: list
  elements: dict
  sample:
    - cn: carol
      connected: false
      entry: carol:0D
      expires: "2027-11-23T20:39:07Z"
      managed: true
      person:
      reason:
      serial: 0D
      since: "2026-11-23"
      state: disabled
alarms:
  description: What locks clients out or lets revoked ones in, now or soon.
  returned: success
  type: list
  elements: str
ca:
  description: The authority.
  returned: with a certificate authority
  type: dict
  sample: {backend: openssl_ca, common_name: Example VPN CA, expires: "2036-11-20T20:39:07Z", key: usable}
crl:
  description: The revocation list and each copy that a server reads.
  returned: with a certificate authority
  type: dict
index:
  description: Numbers of certificates in the index.
  returned: with a certificate authority
  type: dict
  sample: {lines: 4, live: 3, revoked: 1, expired: 0}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import ServerProblem, today
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry
from ansible_collections.infogerance.perimeter.plugins.module_utils.state_directory import StateDirectory, StateError
from ansible_collections.infogerance.perimeter.plugins.module_utils.vpn_arguments import info_arguments
from ansible_collections.infogerance.perimeter.plugins.module_utils.vpn_certificates import VpnCertificates
from ansible_collections.infogerance.perimeter.plugins.module_utils.wireguard_peers import WireGuardPeers


def main():
    module = AnsibleModule(argument_spec=info_arguments(), supports_check_mode=True)
    state = StateDirectory(module.params["state_directory"])
    params = dict(
        module.params,
        certificates=[],
        departed=[],
        persons=[],
        server_names=[],
        manage=None,
        adopt=False,
        disable_by="auto",
    )
    if params["pki"]["backend"] == "wireguard":
        kind: VpnCertificates | WireGuardPeers = WireGuardPeers(params, state, today())
    else:
        kind = VpnCertificates(params, state)
    try:
        kind.declare()
        kind.observe()
        details = {name: value for name, value in kind.details().items() if name in ("alarms", "ca", "crl", "index")}
        module.exit_json(certificates=kind.report(), **details)
    except (InvalidEntry, ServerProblem, StateError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
