#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: resources_info
short_description: How full a server is, how busy, and when its certificates end
version_added: 0.1.0
description:
  - Measures disk space, inodes, memory, load and the end of certificates, and takes what monitoring plugins say.
  - Reads only, with low priority. It judges nothing - M(infogerance.perimeter.resource_alerts) does.
  - File systems that somebody else serves (network, FUSE) are left out and told.
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
  measure:
    description: What to measure. Plugins are run, and texts taken, whenever they are given.
    type: list
    elements: str
    choices: [disk, inodes, memory, load, certificate]
    default: [disk, inodes, memory, load, certificate]
  certificates:
    description: Paths of certificates (PEM or DER) that must be there. One that is missing is told in RV(unread).
    type: list
    elements: path
    default: []
  certificate_places:
    description:
      - Patterns of files that may hold certificates. Files without any are passed over.
      - The default is where Debian's packages and their users keep what a service shows - below
        C(/etc/letsencrypt/live), C(/etc/ssl) (not C(/etc/ssl/certs)), Apache's, nginx', HAProxy's, Dovecot's, Postfix'
        and OpenVPN's directories.
    type: list
    elements: str
  checks:
    description: Monitoring plugins to run, by the Monitoring Plugins guidelines (Nagios, Icinga).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Under which name the result goes.
        type: str
        required: true
      command:
        description: The program and its arguments. No shell is between.
        type: list
        elements: str
        required: true
  nrpe_files:
    description:
      - NRPE configuration files whose C(command[name]=) lines to run, through a shell as NRPE does.
      - A file that others than root may write is refused. A command that takes arguments (C($ARG1$)) is told in
        RV(unread).
    type: list
    elements: path
    default: []
  check_results:
    description: What monitoring plugins said already, as text.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Under which name the result goes.
        type: str
        required: true
      output:
        description: The output - status line, performance data, long text.
        type: str
        required: true
      exit_code:
        description:
          - The exit code. V(0) is OK, V(1) WARNING, V(2) CRITICAL, and everything else UNKNOWN.
          - Without it the first such word in the status line counts.
        type: int
  check_user:
    description: The account that runs plugins when the module runs as root.
    type: str
    default: nagios
  check_timeout:
    description: Seconds that one plugin may take.
    type: int
    default: 10
notes:
  - Certificates are read by the server's C(openssl). Only certificates are handed to it, never a key beside them.
seealso:
  - module: infogerance.perimeter.resource_alerts
"""

EXAMPLES = r"""
- name: Measure
  infogerance.perimeter.resources_info:
    certificates: [/etc/ssl/shop.pem]
    nrpe_files: [/etc/nagios/nrpe_local.cfg]
  become: true
  register: measured

- name: Only how full the disks are
  infogerance.perimeter.resources_info:
    measure: [disk, inodes]
"""

RETURN = r"""
readings:
  description: One row a measured thing.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: C(disk), C(inodes), C(memory), C(load), C(certificate) or C(check).
      type: str
    name:
      description: The mount point, the file, the check; V(available) for memory and V(5min) for load.
      type: str
    value:
      description:
        - Percent used of a disk and its inodes, percent available of memory, load for each processor, days that the
          certificate still holds. Null for a check.
      type: float
    unit:
      description: The value's unit.
      type: str
    state:
      description: Of a check - V(ok), V(warning), V(critical) or V(unknown).
      type: str
    perfdata:
      description: Of a check - its performance data, each with label, value, unit, warning, critical, min and max.
      type: list
      elements: dict
  sample:
    - available_bytes: 1048576
      filesystem: tmpfs
      kind: disk
      name: /srv/data
      size_bytes: 8388608
      unit: "%"
      value: 87.5
unread:
  description: What should have been measured and could not be - C(kind), C(name), C(why).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: certificate, name: /etc/ssl/gone.pem, why: No such file or directory}
left_out:
  description: What is not looked at, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: disk, name: /mnt/archive, why: another one serves it (nfs4)}
measured:
  description: The kinds that were looked at.
  returned: success
  type: list
  elements: str
  sample: [disk, inodes, memory, load, certificate]
at:
  description: When, by the server's clock (UTC).
  returned: success
  type: str
  sample: "2026-11-25T22:43:15Z"
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils import nagios_checks, resources
from ansible_collections.infogerance.perimeter.plugins.module_utils.certificate_dates import COMMON_PLACES, certificates

KINDS = ("disk", "inodes", "memory", "load", "certificate")


def argument_spec():
    name = {"type": "str", "required": True}
    return {
        "measure": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(KINDS)},
        "certificates": {"type": "list", "elements": "path", "default": []},
        "certificate_places": {"type": "list", "elements": "str"},
        "checks": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"name": name, "command": {"type": "list", "elements": "str", "required": True}},
        },
        "nrpe_files": {"type": "list", "elements": "path", "default": []},
        "check_results": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"name": name, "output": {"type": "str", "required": True}, "exit_code": {"type": "int"}},
        },
        "check_user": {"type": "str", "default": "nagios"},
        "check_timeout": {"type": "int", "default": 10},
    }


def check_input(module):
    """Refuse what cannot be meant, naming entry and field, before anything is run."""
    params = module.params
    if params["check_timeout"] < 1:
        module.fail_json(msg="check_timeout: %d is less than 1" % params["check_timeout"])
    seen = set()
    for field in ("checks", "check_results"):
        for number, item in enumerate(params[field], 1):
            where = "%s: entry %d (%s)" % (field, number, item["name"])
            if not item["name"].strip() or not item["name"].isprintable():
                module.fail_json(msg="%s: field 'name' is empty or cannot be printed" % where)
            if item["name"] in seen:
                module.fail_json(msg="%s: field 'name' is used twice" % where)
            seen.add(item["name"])
            if field == "checks" and not (item["command"] and item["command"][0].startswith("/")):
                module.fail_json(msg="%s: field 'command' must begin with the program's whole path" % where)


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    check_input(module)
    params = module.params
    # Others come first on this server.
    os.nice(10)
    now = datetime.datetime.now(datetime.timezone.utc)
    into = resources.Readings()
    measure = params["measure"]
    if "load" in measure:
        # First: what follows is load, too.
        resources.load(into)
    if "memory" in measure:
        resources.memory(into)
    if "disk" in measure or "inodes" in measure:
        resources.file_systems(into)
    if "certificate" in measure:
        places = COMMON_PLACES if params["certificate_places"] is None else params["certificate_places"]
        certificates(into, params["certificates"], list(places), now)
    nagios_checks.checks(into, params["checks"], params["nrpe_files"], params["check_user"], params["check_timeout"])
    into.found += [
        nagios_checks.from_text(item["name"], item["exit_code"], item["output"]) for item in params["check_results"]
    ]
    wanted = {*measure, "check"}
    module.exit_json(
        readings=[dict(reading) for reading in into.found if reading["kind"] in wanted],
        unread=[row for row in into.unread if row["kind"] in wanted],
        left_out=into.left_out,
        measured=[*measure, "check"],
        at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


if __name__ == "__main__":
    main()
