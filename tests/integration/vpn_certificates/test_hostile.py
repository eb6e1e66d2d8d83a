# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile user on the VPN server: what he runs and reads must not lead root's hand, nor show the CA's password."""

from __future__ import annotations

from typing import Any

PRECIOUS = "/etc/precious"
#: A process that says it is the server's daemon, with words of its own.
FALSE_DAEMON = "#!/bin/sh\nsleep 600\n"


def test_a_users_process_that_poses_as_the_daemon_is_not_believed(make_vpn: Any) -> None:
    vpn = make_vpn("alice", "carol", start=False, options={"crl-verify": None, "client-config-dir": None})
    host = vpn.host
    host.run("useradd -m mallory && install -d -m 777 /home/mallory/ccd")
    host.write(PRECIOUS, "keep me\n", 0o644)
    host.write("/home/mallory/openvpn", FALSE_DAEMON, 0o755)
    words = f"--config {vpn.server.config} --crl-verify {PRECIOUS} --client-config-dir /home/mallory/ccd"
    host.spawn(f"exec /home/mallory/openvpn {words}", user="mallory")
    vpn.server.start()
    told = vpn.run(["alice"], obsolete="report").done()
    assert host.read(PRECIOUS) == b"keep me\n"
    assert any("has no crl-verify" in alarm for alarm in told.result["alarms"]), told.result["alarms"]
    # Without crl-verify or a directory of clients only a hold could close carol, and no list is read: refused.
    vpn.run(["alice"]).refused("has no crl-verify")
    assert host.run("ls /home/mallory/ccd").stdout == ""
    assert vpn.server.can_connect("carol")


#: Runs as root beside the module and reads every command line and environment, over and over; and the system log.
WATCHER = r"""
import glob, os, socket, sys, threading
secret, seen, words = sys.argv[1].encode()[::-1], set(), set()
def look():
    while True:
        for name in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
            if name.split("/")[2] == str(os.getpid()):
                continue
            try:
                with open(name, "rb") as stream:
                    data = stream.read()
            except OSError:
                continue
            if secret in data:
                print("SECRET", name, data, flush=True)
            if b"-gencrl" in data and name not in seen:
                seen.add(name)
                print("WATCHED", name, flush=True)
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.bind("/dev/log")
os.chmod("/dev/log", 0o666)
threading.Thread(target=look, daemon=True).start()
print("READY", flush=True)
while True:
    data = link.recv(1 << 20)
    print("SECRET in the log" if secret in data else "LOGGED", data[:200], flush=True)
"""


def test_the_cas_password_is_on_no_command_line_in_no_environment_and_in_no_log(make_vpn: Any) -> None:
    secret = "correct-horse-battery"
    vpn = make_vpn("alice", "carol", password=secret)
    host = vpn.host
    # Slow enough to be looked at.
    host.run("mv /usr/bin/openssl /usr/bin/openssl.real")
    host.write("/usr/bin/openssl", '#!/bin/sh\n/usr/bin/openssl.real "$@"; code=$?; sleep 0.2; exit $code\n', 0o755)
    host.write("/root/watcher.py", WATCHER)
    host.spawn(f"python3 /root/watcher.py {secret[::-1]} > /root/watched 2>&1")
    for _try in range(100):
        if b"READY" in host.run("cat /root/watched; sleep 0.1", check=False).stdout.encode():
            break
    # Without pipelining the module is a file and a command of its own, with -vvv all is told that Ansible tells.
    loud = {"arguments": ["-vvv"], "inventory_vars": {"ansible_pipelining": False}}
    done = vpn.run(["alice"], run=loud).done()
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]
    watched = host.read("/root/watched").decode()
    assert "WATCHED" in watched
    assert "LOGGED" in watched
    assert "SECRET" not in watched
    assert secret not in done.output
    left = host.run(["grep", "-rlF", secret, "/var/lib/infogerance-perimeter", "/etc", "/tmp"], check=False).stdout
    assert left == ""
