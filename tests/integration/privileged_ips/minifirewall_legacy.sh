#!/bin/sh
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A stand-in for the first generation of minifirewall: an init script without a version, whose lists are IPv4 only.
# With DOCKER='on' they also become rules for each port, in chains of their own.

CONFIG=/etc/default/minifirewall
CHAINS="LOG_DROP ONLYTRUSTED ONLYPRIVILEGIED MINIFW-DOCKER-PRIVILEGED"

stop() {
    iptables -P INPUT ACCEPT
    iptables -F INPUT
    for chain in $CHAINS; do iptables -F "$chain" 2> /dev/null; done
    for chain in $CHAINS; do iptables -X "$chain" 2> /dev/null; done
    true
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
    if [ "$DOCKER" = on ]; then
        iptables -N MINIFW-DOCKER-PRIVILEGED
        for port in $SERVICESTCP2; do
            for ip in $PRIVILEGIEDIPS $TRUSTEDIPS; do
                iptables -I MINIFW-DOCKER-PRIVILEGED -p tcp -s "$ip" --dport "$port" -j RETURN || exit 2
            done
        done
        iptables -A MINIFW-DOCKER-PRIVILEGED -j DROP
    fi
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
