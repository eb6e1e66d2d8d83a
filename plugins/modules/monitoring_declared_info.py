#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring_declared_info
short_description: What listens and runs on a server, against what was declared for monitoring
version_added: 0.1.0
description:
  - What a client adds or changes must be told, so that it is watched, and so that nothing raises an alert for no
    reason. This compares what was told with what is there.
  - Looks at listening sockets with their program, user and unit, at systemd's services and timers, at users' own units,
    at running containers, and at the virtual hosts of nginx and Apache.
  - Reads only, with low priority. Of command lines only the program's name is taken.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  entries:
    description:
      - What is declared. Each entry has C(kind) and what tells it from others; a field that is not set does not matter.
      - C(port) - C(port) (required), C(protocol) (V(tcp) or V(udp); default V(tcp)), C(address), C(user), C(program),
        C(unit).
      - C(unit) - C(name) (required), C(user), C(program), C(state) (V(active), V(failed) or V(inactive); default
        V(active)). A C(.socket), C(.mount), C(.path) or C(.target) may be declared, too.
      - C(timer) - C(name) (required), C(unit), C(state).
      - C(container) - C(name) (required), C(image), C(user), C(state) (V(running) or V(stopped)).
      - C(vhost) - C(name) (required), C(server) (V(nginx) or V(apache)), C(ports), C(tls).
      - Each may have C(note), and C(check) for the drafts - a mapping of C(type) (V(tcp), V(udp), V(http), V(https) or
        V(none)), C(host), C(path) and C(status). Only a port is checked by V(tcp) or V(udp); for a unit, timer or
        container V(http) and V(https) need C(host).
      - An entry that is wrong, or declared twice, is an error that names it, before anything is looked at.
    type: list
    elements: dict
    default: []
  baseline:
    description:
      - What need not be declared, beside the system's own services - rules of C(kind) and at least one of C(name),
        C(program), C(user) and C(unit), each a pattern of file names. A C(reason) may say why.
    type: list
    elements: dict
    default: []
  system_baseline:
    description: Whether the system's own services (sshd, systemd, cron, ...) need not be declared.
    type: bool
    default: true
  loopback:
    description: Whether what listens on loopback alone must be declared, too.
    type: bool
    default: false
  max_seconds:
    description: Seconds that the look may take. What was not looked at by then is told.
    type: int
    default: 60
seealso:
  - plugin: infogerance.perimeter.monitoring_drafts
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Compare what is there with what was declared
  infogerance.perimeter.monitoring_declared_info:
    entries:
      - {kind: vhost, name: shop.example.org, server: nginx, ports: [443], tls: true, check: {path: /health}}
      - {kind: port, port: 5432, address: 192.0.2.10, program: postgres}
      - {kind: timer, name: invoices.timer}
    baseline:
      - {kind: unit, name: "exim4.service", reason: local mail only}
  register: monitoring
"""

RETURN = r"""
undeclared:
  description: What is there, and neither declared nor in the baseline.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: port, name: tcp/7005, protocol: tcp, port: 7005, addresses: [0.0.0.0], user: root, program: systemd,
       unit: shop.socket, image: null, server: null, tls: null, ports: [], state: null, path: null, manager: null,
       check: null}
gone:
  description: What is declared and not there.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: port, name: tcp/5432, protocol: tcp, port: 5432, addresses: [], user: null, program: postgres, unit: null,
       image: null, server: null, tls: null, ports: [], state: null, path: null, manager: null, check: null}
differing:
  description: What is there otherwise than declared - C(declared), C(observed), and C(changed) in words.
  returned: success
  type: list
  elements: dict
  sample:
    - changed: ["user: alice, declared www-data"]
      declared: {kind: unit, name: app.service, protocol: null, port: null, addresses: [], user: www-data, program: nc,
                 unit: null, image: null, server: null, tls: null, ports: [], state: active, path: null, manager: null,
                 check: null}
      observed: {kind: unit, name: app.service, protocol: null, port: null, addresses: [], user: alice, program: nc,
                 unit: null, image: null, server: null, tls: null, ports: [], state: active, path: null,
                 manager: system, check: null}
matched:
  description: What is there as declared, as it was seen, with the C(check) that was declared.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: vhost, name: shop.example.org, protocol: null, port: null, addresses: [], user: null, program: null,
       unit: null, image: null, server: nginx, tls: false, ports: [80, 443], state: active,
       path: /etc/nginx/sites-enabled/shop.conf, manager: null, check: {path: /up}}
unchecked:
  description: What is declared and was not seen, where not everything of its kind could be looked at.
  returned: success
  type: list
  elements: dict
  sample: []
differences:
  description: What is gone, differing and undeclared as one list with C(state), as the ledger keeps it.
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: port, name: tcp/7000, protocol: tcp, port: 7000, addresses: [0.0.0.0], user: alice, program: nc.openbsd,
       unit: app.service, image: null, server: null, tls: null, ports: [], state: changed, path: null, manager: null,
       check: null, changed: "port: 7000, declared 6999", address: 0.0.0.0}
limits:
  description: What could not be looked at.
  returned: success
  type: list
  elements: str
  sample: []
counts:
  description: Numbers. C(left_out) counts what the baseline and loopback keep from the noise.
  returned: success
  type: dict
  sample: {undeclared: 9, gone: 2, differing: 4, matched: 8, unchecked: 0, left_out: 10, limits: 0}
observation_kind:
  description: Always V(monitoring). By it the callback knows what to keep.
  returned: success
  type: str
  sample: monitoring
"""

import os
import time
from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.baseline import SYSTEM
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.comparing import compare
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.declarations import declared, rules
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.running import observe
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Bounds, Reader

#: Anybody may listen at any number of ports: of one kind this many are told, and the rest is counted.
MOST_OF_A_KIND = 2000


def told(items, limits):
    """The rows of these items, so many of each kind."""
    many: Counter = Counter()
    rows = []
    for item in items:
        many[item.kind] += 1
        if many[item.kind] <= MOST_OF_A_KIND:
            rows.append(item.as_result())
    for kind, count in sorted(many.items()):
        if count > MOST_OF_A_KIND:
            more = count - MOST_OF_A_KIND
            limits.append("undeclared of kind %s: %d more than the %d told" % (kind, more, MOST_OF_A_KIND))
    return rows


def result_of(made, limits):
    undeclared = told(made.undeclared, limits)
    gone = [item.as_result() for item in made.gone]
    unchecked = [item.as_result() for item in made.unchecked]
    if unchecked:
        limits.append("%d declared were not seen, and not everything of their kind could be looked at" % len(unchecked))
    differing = [
        {"declared": wanted.as_result(), "observed": item.as_result(), "changed": words}
        for wanted, item, words in made.changed
    ]
    # What was declared comes first: a list that is cut, is cut where a server's users may make it long.
    differences = [dict(row, state="gone") for row in gone]
    differences += [dict(row["observed"], state="changed", changed="; ".join(row["changed"])) for row in differing]
    differences += [dict(row, state="undeclared") for row in undeclared]
    for row in differences:
        row["address"] = ", ".join(row["addresses"])
    return {
        "undeclared": undeclared,
        "gone": gone,
        "differing": differing,
        "matched": [dict(item.as_result(), check=wanted.about or None) for wanted, item in made.matched],
        "unchecked": unchecked,
        "differences": differences,
        "limits": limits,
        "counts": {
            "undeclared": len(made.undeclared),
            "gone": len(gone),
            "differing": len(differing),
            "matched": len(made.matched),
            "unchecked": len(unchecked),
            "left_out": made.left_out,
            "limits": len(limits),
        },
        "observation_kind": "monitoring",
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "entries": {"type": "list", "elements": "dict", "default": []},
            "baseline": {"type": "list", "elements": "dict", "default": []},
            "system_baseline": {"type": "bool", "default": True},
            "loopback": {"type": "bool", "default": False},
            "max_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["max_seconds"] < 1:
        module.fail_json(msg="max_seconds: %d is less than 1" % params["max_seconds"])
    try:
        wanted = declared(params["entries"])
        kept = [*rules(params["baseline"]), *(SYSTEM if params["system_baseline"] else ())]
    except InvalidEntry as error:
        module.fail_json(msg=str(error))
    # Others come first on this server.
    os.nice(10)
    try:
        reader = Reader(Bounds(time.monotonic() + params["max_seconds"]))
    except OSError as error:
        module.fail_json(msg="the account files can't be read: %s" % error)
    found, limits, blind = observe(reader)
    made = compare(wanted, found, kept, loopback=params["loopback"], blind=blind)
    module.exit_json(**result_of(made, limits))


if __name__ == "__main__":
    main()
