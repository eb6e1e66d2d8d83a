# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of the host can't stop the look at user space, make it crash, or make it read what it should not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import Host

MODULE = "infogerance.perimeter.user_runtimes_info"
#: Run as the user, who may do all of this.
MALICE = r"""
import json, os
home = "/home/bob"
os.mkfifo(home + "/composer.lock")
os.symlink("/etc/shadow", home + "/requirements.txt")
os.symlink(home + "/loop", home + "/loop")
os.symlink("/", home + "/root")
os.symlink("/dev/zero", home + "/yarn.lock")
os.makedirs(home + "/endless")
with open(home + "/endless/composer.lock", "w") as stream:
    stream.truncate(1 << 40)
os.makedirs(home + "/deeper")
with open(home + "/deeper/Gemfile.lock", "w") as stream:
    stream.write("RUBY VERSION\n   ruby 3.1.2p20\n\n" + "x" * 5000000)
with open(home + "/deeper/composer.lock", "w") as stream:
    stream.write("[" * 5000000)
os.makedirs(home + "/.local/share/containers/storage/overlay-containers")
with open(home + "/.local/share/containers/storage/overlay-containers/containers.json", "w") as stream:
    stream.write("[" * 500000)
os.makedirs(home + "/.nvm/versions/node/v99.9.9\x1b[2J\n")
os.symlink("/root", home + "/.nvm/versions/node/v1.1.1")
with open(home + "/.nvm/package.json", "w") as stream:
    stream.write('{"version": "\\ud800"}')
os.makedirs(home + "/many")
for number in range(100000):
    os.close(os.open(home + "/many/requirements%d.txt" % number, os.O_CREAT | os.O_WRONLY, 0o644))
for number in range(500):
    os.makedirs(home + "/projects/%d" % number)
    with open(home + "/projects/%d/package.json" % number, "w") as stream:
        stream.write("{}")
place = os.open(home, os.O_RDONLY)
for number in range(300):
    os.mkdir("deep", dir_fd=place)
    below = os.open("deep", os.O_RDONLY, dir_fd=place)
    os.close(place)
    place = below
os.close(os.open("composer.json", os.O_CREAT | os.O_WRONLY, dir_fd=place))
name = os.fsencode(home) + b"/\xff\x1b[2J$(touch pwned)\n"
os.mkdir(name)
with open(name + b"/composer.json", "w") as stream:
    stream.write("{}")
os.mkdir(home + "/composer.phar")
"""


@pytest.fixture(scope="module")
def hostile(module_hosts: Any) -> Host:
    host: Host = module_hosts("hostile")
    host.run("useradd -m -s /bin/bash -u 1001 bob; useradd -m -s /bin/bash -u 1002 carol")
    host.run(["python3", "-"], input=MALICE, user="bob", timeout=300)
    # A secret of root's under the name of a lock file, as a user without protected hard links could make it.
    host.run(
        'echo \'"plugin-api-version": "9.9.9"\' > /root/secret; chmod 600 /root/secret;'
        "mkdir /home/bob/linked; chown bob /home/bob/linked;"
        "ln /root/secret /home/bob/linked/composer.lock"
    )
    host.run("echo 'flask==1.0' > /home/carol/requirements.txt; chown carol /home/carol/requirements.txt")
    return host


def test_a_hostile_user_neither_stops_nor_misleads_the_look(hostile: Host, ansible: Any) -> None:
    code, result, output = ansible(hostile, MODULE, {})
    assert code == 0, output

    rows = result["runtimes"]
    carol = [(row["kind"], row["path"], row["detail"]) for row in rows if row["account"] == "carol"]
    assert carol == [("python_project", "/home/carol", "pip, ==: 1/1")]
    assert not any(row["path"].startswith(("/home/bob/root", "/etc", "/root", "/dev")) for row in rows)
    odd = [row for row in rows if "pwned" in row["path"]]
    assert [row["path"] for row in odd] == ["/home/bob/\\xff\\x1b[2J$(touch pwned)\\x0a"]
    ruby = next(row for row in rows if row["kind"] == "ruby_project")
    assert ruby["version"] == "3.1.2p20"
    linked = next(row for row in rows if row["path"] == "/home/bob/linked")
    assert linked["detail"] == "", "another's file under a second name is not read"
    unread = {row["path"]: row["why"] for row in result["unread"]}
    assert "not a regular file" in unread["/home/bob/composer.lock"]
    assert "symbolic link" in unread["/home/bob/requirements.txt"]
    assert "second name" in unread["/home/bob/linked/composer.lock"]
    limits = " ".join(result["limits"])
    assert "max_depth" in limits
    assert "files called requirements of bob: 99900 more than the 100 told" in limits
    assert "broke off" not in limits
    assert result["files_passed"] >= 100000
    assert "\x1b" not in json.dumps(result, ensure_ascii=False)
    assert not hostile.exists("/home/bob/pwned")


def test_a_place_that_is_not_there_is_told_and_an_account_that_is_left_out_is_nowhere(
    hostile: Host, ansible: Any
) -> None:
    hostile.run("install -d -o carol /srv/site; install -o carol /home/carol/requirements.txt /srv/site/")
    code, result, output = ansible(
        hostile, MODULE, {"paths": ["/srv", "/data/aps"], "exclude": ["bob"], "ecosystems": ["python"]}
    )
    assert code == 0, output
    assert {row["path"] for row in result["runtimes"]} == {"/home/carol", "/srv/site"}
    assert [row["why"] for row in result["unread"] if row["path"] == "/data/aps"] == ["No such file or directory"]
    code, result, output = ansible(hostile, MODULE, {"paths": ["/srv"], "exclude": ["bob", "carol"]})
    assert code == 0, output
    assert result["runtimes"] == []


def test_a_user_of_very_many_files_leaves_a_share_of_the_look_to_the_others(hostile: Host, ansible: Any) -> None:
    hostile.run("id dave || useradd -m -d /home/d dave; install -o dave /home/carol/requirements.txt /home/d/")
    code, result, output = ansible(hostile, MODULE, {"max_files": 5000, "ecosystems": ["python"]})
    assert code == 0, output
    assert {"carol", "dave"} <= set(result["by_account"])
    assert any("max_files" in text for text in result["limits"])
    assert result["files_passed"] <= 5000


@pytest.mark.parametrize(("bound", "value"), [("max_files", 5000), ("max_depth", 1)])
def test_a_bound_that_is_reached_is_told(hostile: Host, ansible: Any, bound: str, value: int) -> None:
    code, result, output = ansible(hostile, MODULE, {bound: value})
    assert code == 0, output
    assert any(bound in text for text in result["limits"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_seconds": 0}, "max_seconds: 0"),
        ({"paths": ["/"]}, "paths: /"),
        ({"paths": ["//"]}, "paths: //"),
        ({"paths": ["/srv/../"]}, "paths: /srv/.."),
        ({"paths": ["/srv", "/proc/1"]}, "paths: /proc/1"),
        ({"ecosystems": ["cobol"]}, "ecosystems"),
    ],
)
def test_bad_input_names_the_field(hostile: Host, ansible: Any, arguments: dict[str, Any], said: str) -> None:
    code, result, _output = ansible(hostile, MODULE, arguments)
    assert code != 0
    assert said in result["msg"]
