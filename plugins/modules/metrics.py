# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics
short_description: Write gauges out of the ledger for Prometheus or OpenTelemetry
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Tells for each server and kind what was obsolete, missing and protected when it was last looked at; for each client
    and playbook the last run and the last success; when revocation lists expire; and how many rows wait for the shared
    ledger.
  - Runs on the controller as an action plugin and connects to no server. The ledger is the only source.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: full
    details:
      - Returns the same metrics, and neither writes nor sends them.
  diff_mode:
    support: none
  idempotent:
    support: N/A
    details:
      - What is told changes with time. The task never counts as changed.
options:
  textfile:
    description:
      - File to write for node_exporter's textfile collector. Its name ends in C(.prom); its directory is there already.
      - The file is replaced in one step.
    type: path
  mode:
    description: Mode of that file, octal and in quotes. The collector's user must be able to read it.
    type: str
    default: "0644"
  otlp_endpoint:
    description:
      - URL to send the same gauges to by OTLP over HTTP, with its path, such as C(http://127.0.0.1:4318/v1/metrics).
      - Needs the Python packages C(opentelemetry-sdk) and C(opentelemetry-exporter-otlp-proto-http) on the controller.
    type: str
  otlp_headers:
    description: HTTP headers to send along, such as a token.
    type: dict
    default: {}
  otlp_timeout:
    description: Seconds that the receiver may take.
    type: float
    default: 10.0
  days:
    description: Servers and runs that were last met more days ago are left out.
    type: int
    default: 90
  client:
    description: Only this client's servers and runs. One that the ledger does not know is refused.
    type: str
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
seealso:
  - module: infogerance.perimeter.interventions_info
"""

EXAMPLES = r"""
- name: Let node_exporter tell Prometheus
  infogerance.perimeter.metrics:
    textfile: /var/lib/prometheus/node-exporter/infogerance_perimeter.prom

- name: Tell an OpenTelemetry collector
  infogerance.perimeter.metrics:
    otlp_endpoint: https://otel.example.org:4318/v1/metrics
    otlp_headers:
      Authorization: "Bearer {{ vault_otel_token }}"
"""

RETURN = r"""
count:
  description: How many values there are.
  returned: success
  type: int
  sample: 1
metrics:
  description: Each value with its name and labels. Times are seconds since 1970.
  returned: success
  type: list
  elements: dict
  sample:
    - name: infogerance_perimeter_entries
      value: 2
      labels: {client: acme, host: web1, kind: ssh_accounts, state: obsolete}
sent:
  description: How many values the receiver took.
  returned: when O(otlp_endpoint) is set
  type: int
  sample: 1
"""
