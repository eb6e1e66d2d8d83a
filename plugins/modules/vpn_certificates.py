#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vpn_certificates
short_description: Reconcile VPN certificates with a declared list, and keep the revocation list alive
version_added: 0.1.0
description:
  - Compares the live certificates of one authority with the declared list, disables and revokes what is obsolete,
    proves that the OpenVPN servers see it, and cuts the sessions that still run.
  - Disabling is immediate and reversible, and needs no CA key. It is a C(disable) line in the client's file of
    C(client-config-dir), a file named by the serial where C(crl-verify) names a directory, or a hold in the list.
  - Revoking is final. All revocations of one run go into one new list. It is made beside the old one and takes its
    place only when it is proved to be signed by this authority, in force, complete and no worse than the old one, and
    readable for each daemon as its own user in its own chroot.
  - The list is renewed when it nears its end even if nothing else changes, whatever O(obsolete) says.
  - The serial is the key, not the common name. A name may have several certificates.
  - With the backend V(wireguard) the entries are peers instead of certificates.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.reconcile
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  certificates:
    description: The declared list. It is validated as a whole before anything is changed.
    type: list
    elements: dict
    required: true
    suboptions:
      cn:
        description:
          - Common name. Letters, digits, C(.), C(_), C(@) and C(-), at most 64.
          - The peer's name with the backend V(wireguard).
        type: str
        required: true
      serial:
        description:
          - Serial in hexadecimal. Only this certificate of the name is kept.
          - Without it every live certificate of the name is kept.
        type: str
      person:
        description: The person behind it, for the result, the ledger and O(departed).
        type: str
      device:
        description: The device it is on. Kept for the reader of the list.
        type: str
      expires:
        description: First day without access, C(YYYY-MM-DD). A certificate that is issued here ends then, too.
        type: str
      state:
        description: V(absent) names a certificate that must go, as if it were in O(manage.names).
        type: str
        choices: [present, absent]
        default: present
      csr:
        description:
          - A certificate request in PEM. It is signed where no live certificate of the name exists.
          - Its only common name must be O(certificates[].cn).
        type: str
      public_key:
        description: Public key of the peer. Only with the backend V(wireguard), and required there.
        type: str
      allowed_ips:
        description: Addresses of the peer inside the tunnel. Only with the backend V(wireguard), and required there.
        type: list
        elements: str
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
        description:
          - The C(pki) directory with V(easy_rsa), C(/etc/shellpki) by default with V(shellpki), where relative paths
            start with V(openssl_ca), C(/etc/wireguard) by default with V(wireguard).
        type: path
      config:
        description: The C(openssl.cnf) that names the other files, or the configuration of the WireGuard interface.
        type: path
      index:
        description: The index, where the backend or O(pki.config) does not say it.
        type: path
      ca_certificate:
        description: The CA's certificate.
        type: path
      ca_key:
        description:
          - The CA's key. Where this file is not on the server, nothing is revoked and RV(commands) tells what to type.
        type: path
      crl:
        description: The CA's revocation list.
        type: path
      issued:
        description: Directory of issued certificates, C(SERIAL.pem).
        type: path
      crl_days:
        description: Days that a new list lives. The backend's own setting by default.
        type: int
      ca_password:
        description: Password of the CA's key. It goes to openssl through a pipe, never on a command line or in a log.
        type: str
      interface:
        description: The WireGuard interface.
        type: str
  openvpn:
    description:
      - The OpenVPN servers on this host that trust the authority.
      - Their configuration and, where they run, their command line, user, groups and root directory are read.
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
    description:
      - Renew the list when it has fewer days than this to live.
      - At most half of the days of a new list are used.
    type: int
    default: 14
  kill_sessions:
    description:
      - Ask the servers' management interfaces who is connected, and cut sessions of what is disabled or revoked.
    type: bool
    default: true
  disable_by:
    description:
      - V(server) disables at the OpenVPN servers, V(hold) by a hold in the revocation list.
      - V(auto) takes the servers where all of them can, else the hold.
    type: str
    choices: [auto, server, hold]
    default: auto
  key_material:
    description:
      - What happens to the private key, request, bundle and named certificate file of a revoked certificate.
      - Only files that hold this certificate's own key are touched.
    type: str
    choices: [keep, archive, purge]
    default: archive
  server_names:
    description:
      - Common names of servers, which are never disabled or revoked.
      - Certificates of the servers in O(openvpn), of authorities, for C(serverAuth) or C(OCSPSigning), and with this
        host's name are protected anyway.
    type: list
    elements: str
    default: []
  manage:
    description: Which certificates may be taken away, beside those that were issued or adopted.
    type: dict
    suboptions:
      ca:
        description: All client certificates of this authority (all peers of the interface).
        type: bool
        default: false
      names:
        description: Common names, serials or entries (C(cn:SERIAL)).
        type: list
        elements: str
        default: []
notes:
  - Run it as root (C(become)).
  - The server needs Python 3.9 or later and the C(openssl) command, or C(wg) with the backend V(wireguard).
  - The revocation lists count as entries of kind C(vpn_crl) in RV(counts).
  - The certificate whose tunnel carries this very connection is protected, where a management interface tells.
seealso:
  - module: infogerance.perimeter.vpn_certificates_info
"""

EXAMPLES = r"""
- name: Report what is obsolete; renew the revocation list if it nears its end
  infogerance.perimeter.vpn_certificates:
    certificates:
      - cn: alice
        person: alice.martin
        device: laptop
      - cn: bob
        serial: 0C
        person: bob.durand
        expires: 2027-03-31
    pki:
      backend: easy_rsa
      directory: /etc/openvpn/easy-rsa/pki
      ca_password: "{{ vault_vpn_ca_password }}"
    openvpn:
      - config: /etc/openvpn/server/server.conf

- name: Disable what is not declared, revoke it after 30 days
  infogerance.perimeter.vpn_certificates:
    certificates: "{{ access_vpn_certificates }}"
    pki:
      backend: shellpki
      ca_password: "{{ vault_vpn_ca_password }}"
    openvpn:
      - config: /etc/openvpn/server.conf
    manage:
      ca: true
    obsolete: remove
    grace: 30

- name: Keep the peers of a WireGuard interface
  infogerance.perimeter.vpn_certificates:
    certificates:
      - cn: alice-laptop
        person: alice.martin
        public_key: dGhpcyBpcyBub3QgYSByZWFsIGtleSwganVzdCAzMmI=
        allowed_ips: [198.51.100.2/32]
    pki:
      backend: wireguard
      interface: wg0
    manage:
      ca: true
    obsolete: disable
"""

RETURN = r"""
entry_point_kind:
  description: The kind of entry point, for the ledger.
  returned: always
  type: str
  sample: vpn_certificates
plan_id:
  description: Hash of the list and the server's state, for O(expect_plan).
  returned: success
  type: str
  sample: 88d12e0360e2fe0999f3c2e99ffe53fd449be14043a986e4ec5903a1d7278632
plan:
  description: The ordered actions, each with a reason and its undo. The same in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - action: disable
      kind: vpn_certificate
      entry: carol:0D
      reason: not declared
      undo: "restore: [carol:0D], or declare it again"
obsolete:
  description: Managed certificates that the list doesn't have.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: vpn_certificate
      entry: carol:0D
      reason: not declared
      managed: true
missing:
  description: Declared certificates that the authority doesn't have, with the reason.
  returned: success
  type: list
  elements: dict
protected:
  description: Undeclared certificates that stay, with the reason.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: vpn_certificate
      entry: vpn.example.org:0A
      reason: is the certificate of the server /etc/openvpn/server/server.conf
unmanaged:
  description: Undeclared certificates that are not ours to take.
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
  sample: {declared: 3, observed: 5, obsolete: 1, missing: 0, protected: 1, unmanaged: 0, planned: 1, applied: 1}
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
      below it. C(certificate_expires) is the day on which a certificate ends by itself.
    - The ledger keeps these rows, for the report.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: vpn_certificate
      entry: carol:0D
      person:
      standing: obsolete
      expires:
      reason: not declared
      certificate_expires: "2027-11-23"
alarms:
  description: What locks clients out or lets revoked ones in, now or soon.
  returned: success
  type: list
  elements: str
  sample:
    - "revocation list expired: expired on 2020-02-01T00:00:00Z (OpenVPN refuses every client)"
notes:
  description: What was done beside the plan.
  returned: success
  type: list
  elements: str
ca:
  description:
    - The authority. C(key) is V(usable), V(locked) (no password given) or V(offline) (not on this server).
  returned: with a certificate authority
  type: dict
  sample: {backend: openssl_ca, common_name: Example VPN CA, expires: "2036-11-20T20:39:07Z", key: usable}
crl:
  description:
    - The revocation list. C(expires_in) is in days; C(read_at) has the state of each copy that a server reads.
    - A state is V(current), V(expiring), V(missing), V(empty), V(damaged), V(expired), V(not yet valid), V(foreign)
      (of another authority), V(closed) (the daemon can't read it), V(incomplete) or V(stale).
  returned: with a certificate authority
  type: dict
  sample:
    path: /etc/pki/vpn/crl.pem
    state: current
    number: 2
    expires: "2027-02-21T20:39:20Z"
    expires_in: 89
    revoked: 1
    read_at: {/etc/pki/vpn/crl.pem: current}
index:
  description: Numbers of certificates in the index.
  returned: with a certificate authority
  type: dict
  sample: {lines: 4, live: 3, revoked: 1, expired: 0}
expired:
  description: Certificates that ran out by themselves, the newest 50. They are not revoked.
  returned: with a certificate authority
  type: list
  elements: dict
sessions_cut:
  description: Live sessions that were ended.
  returned: success
  type: int
  sample: 1
issued:
  description: Certificates made from requests.
  returned: when certificates were issued
  type: list
  elements: dict
  contains:
    cn:
      description: Common name.
      type: str
      returned: always
    serial:
      description: Serial in hexadecimal.
      type: str
      returned: always
    certificate:
      description: The certificate in PEM.
      type: str
      returned: always
commands:
  description: What to type where the CA's key is.
  returned: when the CA's key is not on this server
  type: list
  elements: str
  sample:
    - openssl ca -config /etc/pki/vpn/openssl.cnf -revoke /etc/pki/vpn/newcerts/0D.pem -crl_reason cessationOfOperation
unproved:
  description: What was applied and could not be proved. The module fails.
  returned: when a proof fails
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import run
from ansible_collections.infogerance.perimeter.plugins.module_utils.vpn_arguments import arguments, make, which_entry


class CertificatesModule(AnsibleModule):
    """Names the entry where Ansible's own check names only the option."""

    def fail_json(self, msg, **kwargs):
        super().fail_json(which_entry(self.params) + msg, **kwargs)


def main():
    run(CertificatesModule(argument_spec=arguments(), supports_check_mode=True), make)


if __name__ == "__main__":
    main()
