#!/bin/sh
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A stand-in for minifirewall, which no Debian package has, written from the documented behaviour alone:
# restart is stop (flush, ACCEPT) and then start; a start that fails leaves the host open.

VERSION="25.11"
CONFIG=/etc/default/minifirewall
INCLUDES=/etc/minifirewall.d

die() {
    echo "minifirewall failed: $*" >&2
    exit 2
}

both() {
    iptables "$@" && ip6tables "$@"
}

stop() {
    for program in iptables ip6tables; do
        $program -P INPUT ACCEPT
        $program -F
        $program -X
    done
    rm -f /var/run/minifirewall_active_config
}

load() {
    # shellcheck source=/dev/null
    . "$CONFIG"
    for file in "$INCLUDES"/*; do
        case "$file" in *.*) case "${file##*/}" in *.*) continue ;; esac ;; esac
        [ -f "$file" ] || continue
        # shellcheck source=/dev/null
        said=$(. "$file" 2>&1)
        [ -z "$said" ] || die "$file printed something"
        # shellcheck source=/dev/null
        . "$file"
    done
}

allow() {
    for ip in $2; do
        case "$ip" in
            *:*) [ "${IPV6:-on}" = off ] || ip6tables -A "$1" -s "$ip" -j ACCEPT || die "bad address $ip" ;;
            *) iptables -A "$1" -s "$ip" -j ACCEPT || die "bad address $ip" ;;
        esac
    done
}

start() {
    load
    for chain in LOG_DROP ONLYTRUSTED ONLYPRIVILEGIED; do
        both -N $chain || die "chain $chain"
    done
    both -A LOG_DROP -j DROP
    allow ONLYTRUSTED "$TRUSTEDIPS"
    both -A ONLYTRUSTED -j LOG_DROP
    allow ONLYPRIVILEGIED "$PRIVILEGIEDIPS"
    both -A ONLYPRIVILEGIED -j ONLYTRUSTED
    both -A INPUT -i lo -j ACCEPT
    for port in $SERVICESTCP1; do both -A INPUT -p tcp --dport "$port" -j ACCEPT; done
    for port in $SERVICESTCP2; do both -A INPUT -p tcp --dport "$port" -j ONLYPRIVILEGIED; done
    for port in $SERVICESTCP3; do both -A INPUT -p tcp --dport "$port" -j ONLYTRUSTED; done
    both -P INPUT DROP
    cat "$CONFIG" "$INCLUDES"/* > /var/run/minifirewall_active_config 2> /dev/null
    return 0
}

case "$1" in
    --version) echo "minifirewall version $VERSION" ;;
    start) start ;;
    stop) stop ;;
    restart)
        if [ "$2" != --ignore-systemd ] && [ -z "$INVOCATION_ID" ]; then
            echo "use systemctl restart minifirewall" >&2
            exit 1
        fi
        stop
        start
        ;;
    *)
        echo "usage: minifirewall start|stop|restart|--version" >&2
        exit 1
        ;;
esac
