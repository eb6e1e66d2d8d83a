# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: drafts of checks for what is not declared yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: monitoring_drafts
short_description: Drafts of checks for what runs on a server
version_added: 0.1.0
description:
  - Makes text for Icinga 2, or for Prometheus with its blackbox exporter, of what
    M(infogerance.perimeter.monitoring_declared_info) found undeclared, changed or as declared. Drafts are for a person
    to look over.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The registered result of M(infogerance.perimeter.monitoring_declared_info).
    type: dict
    required: true
  target:
    description: V(icinga2) for objects, V(prometheus) for scrape jobs, V(prometheus_rules) for alert rules.
    type: str
    choices: [icinga2, prometheus, prometheus_rules]
    required: true
  host:
    description: The server's name there.
    type: str
    required: true
  address:
    description: The server's address as monitoring reaches it.
    type: str
    required: true
  exporter:
    description: Where the blackbox exporter listens, host and port.
    type: str
    default: 127.0.0.1:9115
"""

EXAMPLES = r"""
- name: Write a draft
  ansible.builtin.copy:
    content: "{{ monitoring | infogerance.perimeter.monitoring_drafts('icinga2', inventory_hostname, ansible_host) }}"
    dest: "drafts/{{ inventory_hostname }}.conf"
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def monitoring_drafts(
    result: Mapping[str, Any], target: str, host: str, address: str, exporter: str = "127.0.0.1:9115"
) -> str:
    """The draft. Raises AnsibleFilterError for another target, or for what is no result of the module."""
    # Not above: Ansible executes this file wherever any filter of the collection is used.
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.monitoring import drafts

    if not isinstance(result, Mapping) or result.get("observation_kind") != "monitoring":
        raise AnsibleFilterError("monitoring_drafts wants the result of monitoring_declared_info")
    items = [*result["undeclared"], *map(_as_it_is, result["differing"]), *result["matched"]]
    if target == "icinga2":
        return drafts.icinga2(str(host), str(address), items)
    if target == "prometheus":
        return drafts.prometheus(str(host), str(address), items, str(exporter))
    if target == "prometheus_rules":
        return drafts.prometheus_rules(str(host), str(address), items)
    raise AnsibleFilterError(f"monitoring_drafts: {target!r} is not one of {', '.join(drafts.TARGETS)}")


def _as_it_is(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is there, checked as it was declared. What is declared to be down stays without a check."""
    # Not above: Ansible executes this file wherever any filter of the collection is used.
    from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.item import AT_REST

    at_rest = {"state": row["declared"]["state"]} if row["declared"].get("state") in AT_REST else {}
    return {**row["observed"], "check": row["declared"].get("check"), **at_rest}


class FilterModule:
    """Filters of the collection for monitoring."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"monitoring_drafts": monitoring_drafts}
