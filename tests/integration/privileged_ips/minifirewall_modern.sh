#!/bin/sh
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A stand-in for minifirewall, which no Debian package has, written from its observed behaviour alone:
# start and stop are systemd's; stop empties INPUT of everybody's rules, policy ACCEPT; start does not flush, so it
# fails on chains that are there already, and then empties them; a start that fails leaves the host open or its lists
# empty; what is in force is copied to a file that a check compares with the configuration.

VERSION="25.11"
CONFIG=/etc/default/minifirewall
INCLUDES=/etc/minifirewall.d
ACTIVE=/var/run/minifirewall_active_config
CHAINS="LOG_DROP ONLYTRUSTED ONLYPRIVILEGIED"

die() {
    for program in iptables ip6tables; do
        for chain in $CHAINS; do $program -F "$chain" 2> /dev/null; done
        for chain in $CHAINS; do $program -X "$chain" 2> /dev/null; done
    done
    echo "minifirewall failed: $*" >&2
    exit 2
}

both() {
    iptables "$@" && ip6tables "$@"
}

includes() {
    find "$INCLUDES" -type f -not -name '*.*' 2> /dev/null | sort
}

in_force() {
    for file in "$CONFIG" $(includes); do
        echo "# $file"
        grep -Ev '^(\s*#|\s*$)' "$file"
    done
}

stop() {
    for program in iptables ip6tables; do
        $program -P INPUT ACCEPT
        $program -F INPUT
        $program -F OUTPUT
        for chain in $CHAINS; do $program -F "$chain" 2> /dev/null; done
        for chain in $CHAINS; do $program -X "$chain" 2> /dev/null; done
    done
    rm -f "$ACTIVE"
}

load() {
    # shellcheck source=/dev/null
    . "$CONFIG"
    for file in $(includes); do
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
            *:*) [ "${IPV6:-on}" = off ] || ip6tables -I "$1" -s "$ip" -j ACCEPT || die "bad address $ip" ;;
            *) iptables -I "$1" -s "$ip" -j ACCEPT || die "bad address $ip" ;;
        esac
    done
}

start() {
    for chain in $CHAINS; do
        both -N "$chain" || die "chain $chain"
    done
    load
    both -A LOG_DROP -j DROP
    both -A ONLYTRUSTED -j LOG_DROP
    both -A ONLYPRIVILEGIED -j ONLYTRUSTED
    allow ONLYTRUSTED "$TRUSTEDIPS"
    allow ONLYPRIVILEGIED "$PRIVILEGIEDIPS"
    both -A INPUT -i lo -j ACCEPT
    for port in $SERVICESTCP1; do both -A INPUT -p tcp --dport "$port" -j ACCEPT; done
    for port in $SERVICESTCP2; do both -A INPUT -p tcp --dport "$port" -j ONLYPRIVILEGIED; done
    for port in $SERVICESTCP3; do both -A INPUT -p tcp --dport "$port" -j ONLYTRUSTED; done
    both -P INPUT DROP
    in_force > "$ACTIVE"
    return 0
}

case "$1" in
    start | stop | restart)
        if [ "$2" != --ignore-systemd ] && [ "$PPID" -ne 1 ]; then
            echo "Error: use systemctl $1 minifirewall.service" >&2
            exit 1
        fi
        ;;
esac

case "$1" in
    --version) echo "minifirewall version $VERSION" ;;
    start) start ;;
    stop) stop ;;
    restart)
        stop
        start
        ;;
    check-active-config)
        in_force | cmp -s - "$ACTIVE" || exit 2
        ;;
    *)
        echo "usage: minifirewall start|stop|restart|check-active-config|--version" >&2
        exit 1
        ;;
esac
