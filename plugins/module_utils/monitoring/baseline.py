# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the system and is watched by the provider anyway: left out of the noise. Pure; extended by rules."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from .declarations import Rule
from .item import Item

__all__ = ["SYSTEM", "left_out"]

_PORTS = {
    "sshd": "tcp/*", "systemd-resolve*": "*/53*", "systemd-network*": "udp/*", "chronyd": "udp/*",
    "ntpd": "udp/123", "dhclient": "udp/68", "dhcpcd": "udp/*", "nrpe": "tcp/5666", "icinga2": "tcp/5665",
    "prometheus-node*": "tcp/9100", "node_exporter": "tcp/9100", "munin-node": "tcp/4949", "zabbix_agent*": "tcp/10050",
    "avahi-daemon": "udp/*", "rpcbind": "*/111",
}  # fmt: skip
_UNITS = (
    "systemd-*.service", "user@*.service", "user-runtime-dir@*.service", "getty@*.service",
    "serial-getty@*.service", "console-getty.service", "container-getty@*.service", "dbus.service",
    "dbus-*.service", "ssh.service", "sshd.service", "ssh@*.service", "cron.service", "atd.service",
    "anacron.service", "rsyslog.service", "syslog.service", "polkit.service", "accounts-daemon.service",
    "apparmor.service", "auditd.service", "chrony.service", "ntp.service", "ntpsec.service", "networking.service",
    "NetworkManager*.service", "ifup@*.service", "ifupdown-*.service", "wpa_supplicant.service",
    "unattended-upgrades.service", "apt-*.service", "packagekit.service", "acpid.service", "irqbalance.service",
    "haveged.service", "rngd.service", "multipathd.service", "lvm2-*.service", "mdmonitor.service",
    "smartmontools.service", "smartd.service", "qemu-guest-agent.service", "open-vm-tools.service",
    "vgauth.service", "rpcbind.service", "lldpd.service", "nagios-nrpe-server.service",
    "prometheus-node-exporter*.service", "munin-node.service", "zabbix-agent*.service", "mcelog.service",
    "rasdaemon.service", "udisks2.service", "e2scrub*.service", "emergency.service", "rescue.service",
    "plymouth*.service", "infogerance-perimeter-*.service",
)  # fmt: skip
_TIMERS = (
    "apt-*.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "logrotate.timer", "man-db.timer",
    "systemd-*.timer", "anacron.timer", "exim4-base.timer", "mdadm-*.timer", "mdcheck_*.timer", "mdmonitor-*.timer",
    "motd-news.timer", "ua-timer.timer", "update-notifier-*.timer", "chkrootkit.timer", "debsecan.timer",
    "prometheus-node-exporter-*.timer", "sysstat-*.timer", "phpsessionclean.timer", "infogerance-perimeter-*.timer",
)  # fmt: skip
#: Sockets that systemd itself holds until somebody asks.
_SOCKETS = ("ssh.socket", "sshd.socket", "sshd-*.socket", "rpcbind.socket", "systemd-*.socket")
#: The rules that ship with the collection. They fit nothing that a person runs: anybody may call a program sshd.
SYSTEM = (
    *(Rule({"kind": "port", "program": program, "name": name}, system=True) for program, name in _PORTS.items()),
    *(Rule({"kind": "port", "program": "systemd", "unit": unit}, system=True) for unit in _SOCKETS),
    *(Rule({"kind": "unit", "name": name}, system=True) for name in _UNITS),
    *(Rule({"kind": "timer", "name": name}, system=True) for name in _TIMERS),
    # Each person who logs in has one.
    Rule({"kind": "unit", "name": "dbus*.service", "program": "dbus-*"}),
)


def left_out(item: Item, rules: Iterable[Rule]) -> bool:
    """Whether a rule fits: the same kind, and a pattern of file names for each of its other fields."""
    return any(
        rule.fields["kind"] == item.kind
        and not (rule.system and item.person)
        and all(
            fnmatch.fnmatchcase(getattr(item, key) or "", pattern)
            for key, pattern in rule.fields.items()
            if key != "kind"
        )
        for rule in rules
    )
