#!/bin/bash -p
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Notes the sessions of root's shells in a spool that root alone can read. It must never keep a shell from starting or
# ending: whatever goes wrong, it says nothing and ends.
#
#   session-note begin PID   prints the session's name, or nothing
#   session-note end NAME    asks what was done, where somebody is there to answer, and closes the note

set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
umask 077
spool=/var/spool/infogerance-perimeter/sessions
seconds=60
most=5000
[ "${EUID:-1}" -eq 0 ] && [ -d "$spool" ] && [ ! -L "$spool" ] && [ -O "$spool" ] || exit 0
# A hangup ends the shell, not its note; and a terminal that is another's now answers with an error, not by stopping us.
trap '' HUP TERM PIPE QUIT TSTP TTIN TTOU

# One line without control characters, of at most $2 characters, into `text`. Builtins alone: a busy server is slow to
# start programs, and somebody waits for a shell.
plain() {
    text=${1//[[:cntrl:]]/ }
    text=${text:0:${2:-200}}
}

# The fields of /proc/PID/stat after the program's name, which may hold blanks and parentheses.
facts_of() {
    local text
    { text=$(< "/proc/$1/stat"); } 2> /dev/null || return 1
    text=${text##*) }
    # shellcheck disable=SC2086
    set -- $text
    parent=$2
    started=${20}
    group=$3
    in_front=$6
}

# Who is behind the shell: the login's uid, which root alone can set; else the nearest process above it that is not
# root's. Variables such as SUDO_USER are not asked: whoever started the shell may have set them.
person_of() {
    local pid=$1 uid step key rest
    person=
    uid=$(< "/proc/$pid/loginuid") 2> /dev/null || uid=
    if [ -z "$uid" ] || [ "$uid" = 4294967295 ]; then
        uid=0
        for ((step = 0; step < 20; step++)); do
            facts_of "$pid" || break
            while read -r key uid rest; do
                [ "$key" = Uid: ] && break
            done < "/proc/$pid/status"
            [ "$uid" != 0 ] && break
            pid=$parent
            [ "$pid" -gt 1 ] || break
        done
    fi
    # Whoever serves the accounts may not answer.
    IFS=: read -r person rest < <(timeout -s KILL 3 getent passwd "$uid")
    : "${person:=$uid}"
}

# True for a shell that somebody types into, or that reads its commands from a pipe; not for one that runs a command or a
# script. By its own words: a shell that reads its start-up files does not know yet where its commands come from.
reads_commands() {
    local words word skip=
    mapfile -d '' -t words < "/proc/$1/cmdline" || return 1
    for word in "${words[@]:1}"; do
        if [ -n "$skip" ]; then
            skip=
            continue
        fi
        case $word in
            --rcfile | --init-file | -o | -O) skip=1 ;;
            --*) ;;
            -*c*) return 1 ;;
            -* | +*) ;;
            *) return 1 ;;
        esac
    done
}

begin() {
    local pid=$1 name tty address notes now line text person parent started group in_front
    [[ $pid =~ ^[0-9]+$ ]] && reads_commands "$pid" && facts_of "$pid" || exit 0
    notes=("$spool"/*)
    [ "${#notes[@]}" -lt "$most" ] || exit 0
    name=$(< /proc/sys/kernel/random/uuid)
    tty=$(readlink "/proc/$pid/fd/0") || tty=
    case $tty in /dev/pts/* | /dev/tty* | /dev/console) tty=${tty#/dev/} ;; *) tty= ;; esac
    address=${SSH_CONNECTION:-}
    if [ -z "$address" ] && [ -n "$tty" ]; then
        # sudo takes the variable away; the login's own line still has it.
        while read -r line; do
            case $line in *" $tty "*"("*")") address=${line##*\(} && address=${address%)} ;; esac
        done < <(who 2> /dev/null)
    fi
    printf -v now '%(%s)T' -1
    printf -v line 'begin %s\nshell %s %s\nboot %s\n' "$now" "$pid" "$started" "$(< /proc/sys/kernel/random/boot_id)"
    person_of "$pid"
    plain "$person" && line+="user $text"$'\n'
    plain "$tty" && line+="tty $text"$'\n'
    plain "${address%% *}" && line+="address $text"$'\n'
    printf '%s' "$line" > "$spool/.$name" && mv -f "$spool/.$name" "$spool/$name.open" && printf '%s\n' "$name" && exit 0
    rm -f "$spool/.$name"
}

end() {
    local name=$1 message=${INFOGERANCE_PERIMETER_MESSAGE:-} now text parent started group in_front
    [[ $name =~ ^[0-9a-f-]{36}$ ]] && [ -f "$spool/$name.open" ] || exit 0
    # In the background nobody is asked: whoever is at the terminal types for something else.
    if [ -z "$message" ] && facts_of $$ && [ "$group" = "$in_front" ] && { exec 3<> /dev/tty; } 2> /dev/null; then
        # Interrupting the question leaves it without an answer.
        trap 'exec 3>&-' INT
        printf '\nWhat was done on this server? (one line, Enter for none) / Qu'"'"'avez-vous fait sur ce serveur ?\n> ' >&3
        # Without a bound of its own: with one, bash takes the terminal's line editing away. A line there is bounded.
        IFS= read -r -t "$seconds" -u 3 message || :
        { exec 3>&-; } 2> /dev/null
    fi
    trap '' INT
    printf -v now '%(%s)T' -1
    plain "$message" 2000
    if { cat "$spool/$name.open" && printf 'end %s\nmessage %s\n' "$now" "$text"; } > "$spool/.$name"; then
        timeout -s KILL 5 sync "$spool/.$name"
        mv -f "$spool/.$name" "$spool/$name.done" && rm -f "$spool/$name.open"
    else
        rm -f "$spool/.$name"
    fi
}

case ${1:-} in
    begin) begin "${2:-}" 2> /dev/null ;;
    end) end "${2:-}" 2> /dev/null ;;
esac
exit 0
