#!/bin/sh
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A stand-in for the first generation of minifirewall: an init script without a version, whose lists are IPv4 only.

CONFIG=/etc/default/minifirewall

stop() {
    iptables -P INPUT ACCEPT
    iptables -F
    iptables -X
}

start() {
    # shellcheck source=/dev/null
    . "$CONFIG"
    iptables -N LOG_DROP
    iptables -A LOG_DROP -j DROP
    iptables -N ONLYTRUSTED
    for ip in $TRUSTEDIPS; do
        case "$ip" in *:*) continue ;; esac
        iptables -A ONLYTRUSTED -s "$ip" -j ACCEPT || exit 2
    done
    iptables -A ONLYTRUSTED -j LOG_DROP
    iptables -N ONLYPRIVILEGIED
    for ip in $PRIVILEGIEDIPS; do
        case "$ip" in *:*) continue ;; esac
        iptables -A ONLYPRIVILEGIED -s "$ip" -j ACCEPT || exit 2
    done
    iptables -A ONLYPRIVILEGIED -j ONLYTRUSTED
    iptables -A INPUT -i lo -j ACCEPT
    for port in $SERVICESTCP1; do iptables -A INPUT -p tcp --dport "$port" -j ACCEPT; done
    for port in $SERVICESTCP2; do iptables -A INPUT -p tcp --dport "$port" -j ONLYPRIVILEGIED; done
    for port in $SERVICESTCP3; do iptables -A INPUT -p tcp --dport "$port" -j ONLYTRUSTED; done
    iptables -P INPUT DROP
}

case "$1" in
    start) start ;;
    stop) stop ;;
    restart)
        stop
        start
        ;;
    *)
        echo "usage: minifirewall start|stop|restart" >&2
        exit 1
        ;;
esac
