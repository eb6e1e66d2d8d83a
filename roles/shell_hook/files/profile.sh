# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Read by login shells (sh and bash), and by root's other bash: notes the session and asks at its end what was done.
# Every failure here leaves the shell as it would have been. The program ignores what `timeout` sends first.

if [ "$(id -u 2> /dev/null)" = 0 ] && [ -x /usr/local/lib/infogerance-perimeter/session-note ]; then
    if [ ! -e "/var/spool/infogerance-perimeter/sessions/${INFOGERANCE_PERIMETER_SESSION:-none}.open" ]; then
        INFOGERANCE_PERIMETER_SESSION=$(timeout -k 1 10 /usr/local/lib/infogerance-perimeter/session-note begin $$ < /dev/null 2> /dev/null) || :
        if [ -n "${INFOGERANCE_PERIMETER_SESSION:-}" ]; then
            export INFOGERANCE_PERIMETER_SESSION
            infogerance_perimeter_shell=$$
        fi
    fi
    # A login bash comes here twice, and between the two another tool may have set what is to be done at the end. It is
    # done after ours. Only bash tells what it is.
    infogerance_perimeter_at_end() {
        case $1 in *infogerance-perimeter/session-note*) return ;; esac
        eval "set -- $1"
        # A hangup comes more than once: to sudo's shell, then to all that the terminal has. The program must not be hit
        # before it can ignore it itself.
        # shellcheck disable=SC2064
        trap "trap '' HUP
/usr/local/lib/infogerance-perimeter/session-note end \"\${INFOGERANCE_PERIMETER_SESSION:-}\" || :
trap - HUP${3:+
$3}" 0
        # bash leaves by its trap when the terminal goes; other shells must be told to.
        [ -n "${BASH_VERSION:-}" ] || trap 'exit 129' HUP
    }
    if [ "${infogerance_perimeter_shell:-}" = $$ ]; then
        # shellcheck disable=SC3045
        infogerance_perimeter_at_end "$([ -z "${BASH_VERSION:-}" ] || trap -p EXIT)"
    fi
    unset -f infogerance_perimeter_at_end
fi
