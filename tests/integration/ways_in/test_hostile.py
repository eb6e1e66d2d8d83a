# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of the host can't stop the survey, make it crash, or lead it astray."""

from __future__ import annotations

from typing import Any

import pytest

from lab import Host
from tests.integration.ways_in import ways
from tests.integration.ways_in.conftest import Look

#: Run as the user, who may do all of this.
MALICE = r"""
import os
home = "/home/bob"
os.makedirs(home + "/.ssh", 0o700)
os.mkfifo(home + "/.ssh/authorized_keys")
os.mkfifo(home + "/.ssh/rc")
os.symlink("/dev/zero", home + "/.bash_profile")
os.symlink("/etc/shadow", home + "/.rhosts")
os.symlink(home + "/loop", home + "/loop")
os.symlink("/", home + "/root")
with open(home + "/.profile", "w") as stream:
    stream.truncate(1 << 40)
os.symlink("..", home + "/up")
os.makedirs(home + "/many")
for number in range(100000):
    os.close(os.open(home + "/many/%d" % number, os.O_CREAT | os.O_WRONLY, 0o755))
place = os.open(home, os.O_RDONLY)
for number in range(300):
    os.mkdir("deep", dir_fd=place)
    below = os.open("deep", os.O_RDONLY, dir_fd=place)
    os.close(place)
    place = below
name = os.fsencode(home) + b"/\xff\x1b[2J$(touch pwned)\n"
with open(name, "wb") as stream:
    stream.write(open("/bin/true", "rb").read())
os.chmod(name, 0o4755)
"""
#: A FUSE file system whose server never answers: what a dead NFS server looks like to who reads.
HANG = r"""
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
for point, uid in (("/home/carol", 0), ("/home/bob/.config", 1001)):
    handle = os.open("/dev/fuse", os.O_RDWR)
    os.set_inheritable(handle, True)
    options = "fd=%d,rootmode=40000,user_id=%d,group_id=0,allow_other" % (handle, uid)
    if libc.mount(b"hung", point.encode(), b"fuse.hung", 6, options.encode()):
        sys.exit(os.strerror(ctypes.get_errno()))
open("/run/hung", "w").close()
time.sleep(100000)
"""


@pytest.fixture(scope="module")
def hostile(module_hosts: Any) -> Host:
    host: Host = module_hosts("hostile", devices=("/dev/fuse",), capabilities=("SYS_ADMIN",))
    host.run(ways.PEOPLE + "mkdir -p /home/bob/.config; rm -f /home/bob/.profile; chown bob /home/bob/.config")
    host.run(["python3", "-"], input=MALICE, user="bob", timeout=600)
    host.write("/root/hang.py", HANG)
    host.spawn("python3 /root/hang.py 2>/run/hang.log")
    host.run("for i in $(seq 200); do [ -e /run/hung ] && exit 0; sleep 0.05; done; cat /run/hang.log; exit 1")
    # What is to be found in spite of it all.
    host.run(ways.put(ways.BOB_KEY, "/root/.ssh/authorized_keys", mode="600"))
    host.run("install -m 4755 /bin/true /home/alice/suid")
    return host


def test_a_hostile_user_neither_stops_nor_misleads_the_survey(hostile: Host, look: Look) -> None:
    result = look(hostile)

    rows = {(row["kind"], row["path"], row["account"]): row for row in result["findings"]}
    odd = ("setuid_file", "/home/bob/\\xff\\x1b[2J$(touch pwned)\\x0a", "bob")
    assert {
        ("ssh_key", "/root/.ssh/authorized_keys", "root"),
        ("setuid_file", "/home/alice/suid", "alice"),
        ("ssh_rc", "/home/bob/.ssh/rc", "bob"),
        ("rhosts", "/home/bob/.rhosts", "bob"),
        odd,
    } <= set(rows)
    # Nothing of what the links lead to.
    assert not any(path.startswith(("/etc/shadow", "/home/bob/root", "/dev")) for _kind, path, _account in rows)
    assert "root:" not in str(result["findings"])
    unread = {row["path"]: row["why"] for row in result["unread"]}
    assert unread["/home/bob/.ssh/rc"] == "is not a regular file"
    assert "not a regular file" in unread["/home/bob/.ssh/authorized_keys"]
    assert "symbolic link" in unread["/home/bob/.rhosts"]
    assert "larger than 1 MiB" in unread["/home/bob/.profile"]
    assert "did not answer" in unread["/home/carol"]
    assert any("uid 1001 serves it" in why for path, why in unread.items() if path.startswith("/home/bob/.config"))
    assert [text for text in result["limits"] if "max_depth" not in text] == []
    assert any("max_depth" in text for text in result["limits"])
    assert result["files_looked_at"] >= 100000

    hostile.run(rows[odd]["closes_with"]["command"])

    again = {(row["kind"], row["path"], row["account"]) for row in look(hostile)["findings"]}
    assert set(rows) - again == {odd}
    assert not hostile.exists("/home/bob/pwned") and not hostile.exists("/pwned") and not hostile.exists("/root/pwned")


def test_a_remedy_leaves_alone_what_a_user_put_in_the_files_place_meanwhile(hostile: Host, look: Look) -> None:
    hostile.run("install -d -o bob -g bob /home/bob/x; install -m 4755 /bin/true /home/bob/x/sudo")
    rows = look(hostile, families=["privilege"])["findings"]
    (row,) = [row for row in rows if row["path"] == "/home/bob/x/sudo"]
    hostile.run("mv /home/bob/x /home/bob/y; ln -s /usr/bin /home/bob/x", user="bob")

    assert hostile.run(row["closes_with"]["command"], check=False).returncode != 0

    assert hostile.run("stat -c %a /usr/bin/sudo").stdout.strip() == "4755"
    hostile.run("rm /home/bob/x; mv /home/bob/y /home/bob/x", user="bob")
    hostile.run(row["closes_with"]["command"])
    assert hostile.run("stat -c %a /home/bob/x/sudo").stdout.strip() == "755"


def test_a_bound_that_is_reached_is_told_and_what_was_found_before_stays(hostile: Host, look: Look) -> None:
    result = look(hostile, families=["privilege"], max_files=2000)
    assert any("max_files" in text for text in result["limits"])
    assert result["files_looked_at"] < 10000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_seconds": 0}, "max_seconds"),
        ({"accounts": [{"name": "alice", "keys": ["rubbish"]}]}, "alice: keys[0]"),
        ({"addresses": ["192.0.2.300"]}, "192.0.2.300: address"),
        ({"families": ["doors"]}, "families"),
    ],
)
def test_bad_input_names_the_entry_and_the_field(
    shared_plain: Host, ansible: Any, arguments: dict[str, Any], said: str
) -> None:
    code, result, _output = ansible(shared_plain, "infogerance.perimeter.ways_in_info", arguments)
    assert code != 0
    assert said in result["msg"]


@pytest.fixture(scope="module")
def shared_plain(module_hosts: Any) -> Host:
    host: Host = module_hosts("input")
    return host
