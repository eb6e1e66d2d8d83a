# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drafts of checks, as text for a person to look over: Icinga 2, Prometheus with the blackbox exporter. Pure.

Everything that is put in is quoted for the language that it goes into: names come from servers.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.item import AT_REST

TARGETS = ("icinga2", "prometheus", "prometheus_rules")
_HEAD = (
    "Draft: look it over before you use it. Ports, units, timers and hosts that nobody declared, or as they are now."
)


def icinga2(host: str, address: str, items: Iterable[Mapping[str, Any]]) -> str:
    """Objects of Icinga 2: the host, and a service for each item that can be checked."""
    name = _icinga(host)
    lines = [
        f"// {_HEAD}",
        "",
        f"object Host {name} {{",
        '  check_command = "hostalive"',
        f"  address = {_icinga(address)}",
        "}",
    ]
    for item in items:
        command = _command(item)
        if command is None:
            continue
        check, variables = command
        lines += [
            "",
            f"object Service {_icinga(_title(item))} {{",
            f"  host_name = {name}",
            f"  check_command = {_icinga(check)}",
        ]
        lines += [f"  vars.{key} = {_value(value)}" for key, value in variables.items()]
        lines += [f"  notes = {_icinga(_note(item))}"] * bool(_note(item)) + ["}"]
    return "\n".join(lines) + "\n"


def _command(item: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    check = item.get("check") or {}
    kind = _way(item)
    if kind in ("http", "https"):
        variables: dict[str, Any] = {
            "http_vhost": check.get("host") or item["name"],
            "http_uri": check.get("path") or "/",
        }
        if item["kind"] == "port":
            variables = {"http_uri": check.get("path") or "/", "http_port": item["port"]}
            if check.get("host"):
                variables["http_vhost"] = check["host"]
        elif item.get("ports"):
            variables["http_port"] = max(item["ports"]) if kind == "https" else min(item["ports"])
        if kind == "https":
            variables.update(http_ssl=True, http_sni=True)
        if check.get("status"):
            variables["http_expect"] = str(check["status"])
        return "http", variables
    if kind == "tcp":
        return "tcp", {"tcp_port": item["port"]}
    if kind == "unit":
        return "nrpe", {"nrpe_command": "check_systemd_unit", "nrpe_arguments": [item["name"]]}
    return None


def _way(item: Mapping[str, Any]) -> str:
    """How it can be checked from elsewhere, or by the server's agent; none where nothing right can be guessed."""
    check = item.get("check") or {}
    if item.get("state") in AT_REST:
        # A check of what is declared to be down would cry as long as all is well.
        return "none"
    kind = str(check.get("type") or _kind(item))
    if not check.get("type") and item["kind"] == "port" and _only_here(item.get("addresses") or ()):
        return "none"
    if kind in ("http", "https") and item["kind"] == "vhost" and not check.get("host") and "*" in item["name"]:
        # No client asks for a name with a star.
        return "none"
    return kind


def _only_here(addresses: Iterable[str]) -> bool:
    given = [ipaddress.ip_address(address) for address in addresses]
    return bool(given) and all(address.is_loopback for address in given)


def _kind(item: Mapping[str, Any]) -> str:
    if item["kind"] == "port":
        return str(item["protocol"])
    if item["kind"] == "vhost":
        return "https" if item.get("tls") else "http"
    return "unit" if item["kind"] in ("unit", "timer") and not _of_a_user(item) else "none"


def _of_a_user(item: Mapping[str, Any]) -> bool:
    # Only the system's manager tells of its units.
    return item.get("manager") == "user"


def _title(item: Mapping[str, Any]) -> str:
    return re.sub(r"[^A-Za-z0-9_.@-]", "-", f"{item['kind']}-{item['name']}")


def _note(item: Mapping[str, Any]) -> str:
    return str((item.get("check") or {}).get("note") or "")


def _icinga(text: str) -> str:
    """A string of Icinga's language. A dollar begins a macro and is doubled; control characters go."""
    plain = "".join(char if char.isprintable() else " " for char in str(text))
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[ " + ", ".join(_icinga(each) for each in value) + " ]"
    return _icinga(value)


def prometheus(host: str, address: str, items: Iterable[Mapping[str, Any]], exporter: str = "127.0.0.1:9115") -> str:
    """Scrape jobs that ask the blackbox exporter. JSON's strings are YAML's, and quote what must be quoted."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        found = _target(item, address)
        if found is not None:
            module, target = found
            labels = {"host": _label(host), "item": _label(f"{item['kind']} {item['name']}")}
            jobs.setdefault(module, []).append({"targets": [target], "labels": labels})
    lines = [f"# {_HEAD}", "scrape_configs:" + ("" if jobs else " []")]
    for module, targets in sorted(jobs.items()):
        lines += [f"  - job_name: {_yaml('blackbox ' + module + ' ' + host)}", "    metrics_path: /probe"]
        lines += [f"    params: {_yaml({'module': [module]})}", "    static_configs:"]
        lines += [f"      - {_yaml(target)}" for target in targets]
        lines += [
            "    relabel_configs:",
            "      - source_labels: [__address__]",
            "        target_label: __param_target",
        ]
        lines += ["      - source_labels: [__param_target]", "        target_label: instance"]
        lines += ["      - target_label: __address__", f"        replacement: {_yaml(exporter)}"]
    return "\n".join(lines) + "\n"


def _target(item: Mapping[str, Any], address: str) -> tuple[str, str] | None:
    check = item.get("check") or {}
    kind = _way(item)
    host = f"[{address}]" if ":" in address else address
    if kind in ("http", "https"):
        name = check.get("host") or (item["name"] if item["kind"] == "vhost" else host)
        ports = [item["port"]] if item["kind"] == "port" else list(item.get("ports") or [])
        port = (max(ports) if kind == "https" else min(ports)) if ports else {"http": 80, "https": 443}[kind]
        shown = "" if port == {"http": 80, "https": 443}[kind] else f":{port}"
        return "http_2xx", f"{kind}://{name}{shown}{check.get('path') or '/'}"
    if kind == "tcp" and item.get("port"):
        return "tcp_connect", f"{host}:{item['port']}"
    return None


def prometheus_rules(host: str, address: str, items: Iterable[Mapping[str, Any]]) -> str:
    """Alert rules: what the probes and the node exporter's systemd collector tell.

    A unit of the same name runs on other servers, too: the exporter's instance, by the server's name or address, tells
    them apart.
    """
    names = "|".join(re.escape(f"[{name}]" if ":" in name else name) for name in dict.fromkeys((host, address)))
    instance = f"(?:{names})(?::[0-9]+)?"
    rules = [
        {
            "alert": "ProbeFailed",
            "expr": f"probe_success{{host={_promql(host)}}} == 0",
            "for": "5m",
            "annotations": {"summary": "{{ $labels.item }} on {{ $labels.host }} does not answer"},
        }
    ]
    for item in items:
        if _way(item) == "unit":
            labels = f'name={_promql(item["name"])},state="active",instance=~{_promql(instance)}'
            rules.append(
                {
                    "alert": "UnitNotActive",
                    "expr": f"node_systemd_unit_state{{{labels}}} != 1",
                    "for": "5m",
                    "labels": {"host": _label(host)},
                    "annotations": {"summary": "{{ $labels.name }} is not active"},
                }
            )
    lines = [f"# {_HEAD}", "groups:", f"  - name: {_yaml('declared ' + host)}", "    rules:"]
    return "\n".join([*lines, *(f"      - {_yaml(rule)}" for rule in rules)]) + "\n"


def _promql(text: str) -> str:
    return json.dumps("".join(char if char.isprintable() else " " for char in str(text)), ensure_ascii=False)


def _label(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in str(text))


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
