# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What on_host.py keeps and looks at where vpn_certificates is killed. See tests/soak/vpn_killing.py for the host.

alice stays, carol goes, dave's hold is taken back, frank is disabled while he is connected, erin comes with a request.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import socket
import ssl
import subprocess
import time

HERE = "/root/soak"
EASY, CRL = "/etc/easy", "/etc/pki/vpn/crl.pem"
DIRECTORY = "/etc/openvpn/second/revoked"
KEPT = [EASY, "/etc/pki/vpn", "/etc/openvpn/server/ccd", DIRECTORY]
STATE = "/var/lib/infogerance-perimeter"
ARCHIVE = STATE + "/archive"
SERVERS = {"server": 2194, "second": 2195}
NOBODY = 65534


def run(*argv, **options):
    return subprocess.run(argv, check=False, capture_output=True, text=True, **options)


def before():
    """frank is connected when the module starts."""
    if "frank" in connected("server"):
        return
    try:
        with open("/tmp/client-frank.pid") as stream:
            os.kill(int(stream.read()), 9)
    except (OSError, ValueError):
        pass
    subprocess.Popen(["sh", HERE + "/stay-frank"], start_new_session=True, stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    until = time.monotonic() + 20
    while "frank" not in connected("server"):
        if time.monotonic() > until:
            raise SystemExit("frank does not get in")
        time.sleep(0.1)


def connected(server):
    """Who is connected, asked by our own words."""
    with socket.create_connection(("127.0.0.1", SERVERS[server]), timeout=10) as link:
        link.sendall(b"s3cret-management\nstatus 2\n")
        answer = b""
        while b"\nEND" not in answer:
            part = link.recv(65536)
            if not part:
                break
            answer += part
    rows = [line.split(",") for line in answer.decode().splitlines() if line.startswith("CLIENT_LIST,")]
    return [row[1] for row in rows if row[3]]


def gets_in(server, name):
    said = run("bash", "%s/connect-%s-%s" % (HERE, server, name)).stdout
    if not said.endswith(("YES\n", "NO\n")):
        raise SystemExit("%s at %s neither got in nor was refused: %s" % (name, server, said[-500:]))
    return said.endswith("YES\n")


def revocations():
    """What openssl reads in the list: serials, number, dates, and whether the authority signed it."""
    done = run("openssl", "crl", "-in", CRL, "-noout", "-text", "-CAfile", EASY + "/ca.crt")
    text = done.stdout
    times = [ssl.cert_time_to_seconds(re.search(word + r" Update: (.*)", text).group(1)) for word in ("Last", "Next")]
    number = re.search(r"CRL Number:\s*(\d+)", text)
    return {
        "serials": sorted(re.findall(r"Serial Number: ([0-9A-F]+)", text)),
        "number": int(number.group(1)) if number else 0,
        "times": times,
        "signed": "verify OK" in text + done.stderr,
    }


def index():
    """name -> [(status, serial)], every line read strictly."""
    found = {}
    with open(EASY + "/index.txt", newline="") as stream:
        text = stream.read()
    if not text.endswith("\n"):
        raise ValueError("the index ends within a line")
    for line in text.splitlines():
        status, _expires, revoked, serial, _file, subject = line.split("\t")
        if status not in ("V", "R", "E") or (status == "R") != bool(revoked):
            raise ValueError("the index has the line %r" % line)
        found.setdefault(subject.rpartition("CN=")[2], []).append((status, serial))
    return found


def keys():
    """The digest of each private key on the server: in its place, or put away."""
    found = set()
    for name in [*glob.glob(EASY + "/private/*.key"), *glob.glob(ARCHIVE + "/**/*.key", recursive=True)]:
        with open(name, "rb") as stream:
            found.add(hashlib.sha256(stream.read()).hexdigest())
    return sorted(found)


def state():
    """The facts that a later state is compared with."""
    return {"list": revocations(), "index": index(), "keys": keys()}


def problems_now(base):
    """Right after the kill: a list in force that is no worse than before, an index that can be read, no key lost."""
    try:
        now = state()
    except (ValueError, AttributeError, OSError) as error:
        return ["index or list can't be read after the kill: %r" % error]
    found = []
    crl, old, lines = now["list"], base["list"], base["index"]
    gone, back = {lines["carol"][0][1]}, {lines["dave"][0][1]}
    if not crl["signed"]:
        found.append("the list is not signed by the authority")
    if not crl["times"][0] <= time.time() + 1 < crl["times"][1]:
        found.append("the list is not in force: %s" % crl["times"])
    if crl["number"] < old["number"]:
        found.append("the list's number went back from %d to %d" % (old["number"], crl["number"]))
    if not set(old["serials"]) - back <= set(crl["serials"]) <= set(old["serials"]) | gone:
        found.append("the list revokes %s; before it was %s" % (crl["serials"], old["serials"]))
    read = subprocess.run(["cat", CRL], check=False, capture_output=True, user=NOBODY, group=NOBODY, extra_groups=[])
    if read.returncode != 0:
        found.append("the daemon's user can't read the list")
    if not set(base["keys"]) <= set(now["keys"]):
        found.append("a private key is neither in its place nor in the archive")
    asked = run("openssl", "ca", "-config", HERE + "/ca.cnf", "-status", lines["alice"][0][1])
    if "Valid (V)" not in asked.stdout + asked.stderr:
        found.append("openssl does not read the index: %s" % (asked.stdout + asked.stderr))
    for server in SERVERS:
        if not gets_in(server, "alice"):
            found.append("alice, who stays, does not get in at %s" % server)
    return found


def problems_at_the_end(new):
    """After the next run: everything is as after a run that nobody killed."""
    now = state()
    found = []
    lines = now["index"]
    for server in SERVERS:
        doors = {name: gets_in(server, name) for name in ("alice", "carol", "dave", "frank")}
        if doors != {"alice": True, "carol": False, "dave": True, "frank": False}:
            found.append("at the end the doors of %s are %s" % (server, doors))
        if connected(server):
            found.append("at the end %s are still connected to %s" % (connected(server), server))
    if now["list"]["serials"] != new["list"]["serials"]:
        found.append("at the end the list revokes %s" % now["list"]["serials"])
    statuses = {name: [row[0] for row in rows] for name, rows in lines.items()}
    if statuses != {name: [row[0] for row in rows] for name, rows in new["index"].items()}:
        found.append("at the end the index says %s" % statuses)
    for name, rows in lines.items():
        for _status, serial in rows:
            if not os.path.exists("%s/certs_by_serial/%s.pem" % (EASY, serial)):
                found.append("at the end %s has no certificate file" % name)
    with open(STATE + "/vpn_certificates.json") as stream:
        text = stream.read()
    if '"%s"' % lines["erin"][0][1] not in text:
        found.append("at the end nobody knows that erin's certificate is ours")
    places = {name for folder in ("issued", "private", "reqs") for name in glob.glob("%s/%s/*" % (EASY, folder))}
    if sorted(places) != new["places"]:
        found.append("at the end other files lie in the authority: %s" % sorted(places ^ set(new["places"])))
    if not any(name.endswith("carol.key") for name in glob.glob(ARCHIVE + "/**/*.key", recursive=True)):
        found.append("carol's key was not archived")
    return found


def after_the_reference():
    """What an undisturbed run leaves."""
    folders = ("issued", "private", "reqs")
    return {**state(), "places": sorted(name for f in folders for name in glob.glob("%s/%s/*" % (EASY, f)))}
