# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab keeps what its interface says: two flavours, isolation, snapshots, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import Host, Lab, LabError
from lab.checkout import Checkout
from lab.errors import CommandError
from lab.image import host_tag
from lab.podman import inspect_container

ROOT = Path(__file__).resolve().parents[3]
HostFactory = Callable[..., Host]


@pytest.fixture(scope="module")
def shared(module_hosts: HostFactory) -> Host:
    return module_hosts("shared")


@pytest.fixture
def other_checkout(tmp_path: Path, lab: Lab) -> Iterator[Lab]:
    """A second checkout on the same machine."""
    other = Lab(tmp_path)
    yield other
    other.down()


def _new_key(directory: Path, name: str = "key") -> Path:
    path = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.mark.parametrize("flavour", ["plain", "systemd"])
def test_each_flavour_takes_logins_and_gives_root_by_sudo(make_host: HostFactory, flavour: str) -> None:
    host = make_host(flavour=flavour)
    done = host.ssh(command="id -un; sudo -n id -u; hostname", check=True)
    assert done.stdout.split() == ["deploy", "0", host.name]
    assert (host.run("ps -o comm= -p 1").stdout.strip() == "systemd") is (flavour == "systemd")
    # A real login has a login uid, which tells who is behind sudo.
    assert host.ssh(command="sudo cat /proc/self/loginuid").stdout == "1000"


def test_a_host_whose_port_leads_nowhere_is_started_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []
    start = lab._start

    def refusing_once(container: str, arguments: list[str]) -> None:
        start(container, arguments)
        started.append(container)
        if len(started) == 1:
            state = inspect_container(container)
            assert state is not None
            refuse = ["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT"]
            refuse += ["--reject-with", "tcp-reset"]
            subprocess.run(["nsenter", "--target", str(state["State"]["Pid"]), "--net", "--", *refuse], check=True)

    monkeypatch.setattr(lab, "_start", refusing_once)
    host = lab.host(f"nowhere-{os.getpid()}")
    try:
        assert host.ssh(check=True).returncode == 0
    finally:
        host.destroy()
    assert len(started) == 2
    assert "does not lead to its sshd; starting it again" in "".join(capsys.readouterr())


def test_a_plain_host_starts_within_two_seconds_on_a_busy_machine(make_host: HostFactory) -> None:
    make_host()
    best = min(_timed(make_host) for _attempt in range(3))
    assert best < 2.0


def _timed(make_host: HostFactory) -> float:
    begin = time.monotonic()
    make_host()
    return time.monotonic() - begin


def test_hosts_have_their_own_files_firewall_and_host_key(make_host: HostFactory) -> None:
    one, two = make_host(), make_host()
    one.run("useradd -m onlyhere; nft add table inet onlyhere")
    assert two.run("id onlyhere", check=False).returncode != 0
    assert "onlyhere" in one.run("nft list tables").stdout
    assert "onlyhere" not in two.run("nft list tables").stdout
    key = "/etc/ssh/ssh_host_ed25519_key.pub"
    assert one.read(key).split()[1] != two.read(key).split()[1]
    assert one.run(f"nc -z -w 2 {two.address} 22", check=False).returncode == 0


def test_a_host_with_another_host_key_is_refused(make_host: HostFactory) -> None:
    host = make_host()
    host.run("rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key")
    host.restart_sshd()
    with pytest.raises(LabError, match="no answer from sshd"):
        host.can_log_in("deploy")


def test_only_a_known_key_opens_an_account(shared: Host, tmp_path: Path) -> None:
    key = _new_key(tmp_path)
    shared.run("useradd -m -s /bin/bash carole; usermod -p '*' carole")
    assert not shared.can_log_in("carole", key)
    shared.write("/home/carole/.ssh/authorized_keys", key.with_suffix(".pub").read_bytes(), 0o600, "carole")
    shared.run("chown -R carole: /home/carole/.ssh")
    assert shared.can_log_in("carole", key)
    assert not shared.can_log_in("root", key)
    assert "carole" in shared.sshd_log()


def test_a_file_is_written_with_mode_and_owner_and_read_back(shared: Host) -> None:
    shared.write("/srv/a b/café.bin", b"\x00\xff\n", 0o640, "deploy:adm")
    assert shared.read("/srv/a b/café.bin") == b"\x00\xff\n"
    assert shared.run(["stat", "-c", "%a %U %G", "/srv/a b/café.bin"]).stdout == "640 deploy adm\n"
    shared.run("ln -sfn /etc/passwd /srv/link")
    shared.write("/srv/link", "mine\n")
    assert shared.read("/srv/link") == b"mine\n"
    assert b"root:" in shared.read("/etc/passwd")


def test_an_owner_alone_brings_its_own_group(shared: Host) -> None:
    shared.write("/srv/owned", "x", 0o600, "deploy")
    assert shared.run(["stat", "-c", "%U:%G", "/srv/owned"]).stdout == "deploy:deploy\n"


def test_a_failing_command_raises_with_its_output(shared: Host) -> None:
    with pytest.raises(CommandError, match="woe") as caught:
        shared.run("echo woe >&2; exit 3")
    assert caught.value.returncode == 3
    assert shared.run("exit 3", check=False).returncode == 3


def test_a_snapshot_tells_content_mode_owner_and_links(shared: Host) -> None:
    shared.run("mkdir -p /srv/snap; echo one > /srv/snap/file; ln -sfn file /srv/snap/link")
    before = shared.snapshot(["/srv/snap", "/srv/absent"])
    assert set(before) == {"/srv/snap", "/srv/snap/file", "/srv/snap/link"}
    assert before["/srv/snap/link"][3] == "link:file"
    assert shared.snapshot(["/srv/snap", "/srv/absent"]) == before
    stamps = shared.stamps(["/srv/snap"])
    shared.run("cp -p /srv/snap/file /srv/snap/new; mv /srv/snap/new /srv/snap/file")
    assert shared.snapshot(["/srv/snap", "/srv/absent"]) == before
    assert shared.stamps(["/srv/snap"]) != stamps
    shared.run("chmod 600 /srv/snap/file")
    assert shared.snapshot(["/srv/snap"]) != before


def test_a_small_file_system_fills_up(make_host: HostFactory) -> None:
    host = make_host(tmpfs={"/srv/tiny": "64k"})
    done = host.run("head -c 100000 /dev/zero > /srv/tiny/file", check=False)
    assert done.returncode != 0
    assert "No space left" in done.stderr
    host.run("install -d -m 0700 -o deploy /srv/late")
    host.mount_tmpfs("/srv/late", "32k")
    assert host.run("stat -c '%a %U' /srv/late").stdout == "700 deploy\n"
    assert host.run("head -c 100000 /dev/zero > /srv/late/file", check=False).returncode != 0
    host.unmount("/srv/late")
    host.run("head -c 100000 /dev/zero > /srv/late/file")


def test_a_read_only_mount_refuses_root_and_a_read_only_host_still_takes_logins(make_host: HostFactory) -> None:
    host = make_host(readonly=["/etc/sudoers.d"])
    assert "Read-only" in host.run("touch /etc/sudoers.d/x", check=False).stderr
    host.unmount("/etc/sudoers.d")
    host.run("touch /etc/sudoers.d/x")
    whole = make_host(readonly=True)
    assert "Read-only" in whole.run("touch /etc/x", check=False).stderr
    assert whole.can_log_in("deploy")


@pytest.mark.parametrize("flavour", ["plain", "systemd"])
def test_restarting_sshd_applies_its_configuration_and_spares_live_sessions(
    make_host: HostFactory, flavour: str
) -> None:
    host = make_host(flavour=flavour)
    live = subprocess.Popen(
        host.ssh_argv("deploy", "echo in; read line; echo got $line"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert live.stdin is not None
    assert live.stdout is not None
    assert live.stdout.readline() == "in\n"
    host.write("/etc/ssh/sshd_config.d/lab.conf", "AllowUsers somebody\n")
    assert host.can_log_in("deploy")
    host.restart_sshd()
    assert not host.can_log_in("deploy")
    out, _err = live.communicate("there\n", timeout=10)
    assert out == "got there\n"
    host.write("/etc/ssh/sshd_config.d/lab.conf", "NoSuchOption yes\n")
    with pytest.raises(CommandError, match="NoSuchOption"):
        host.restart_sshd()


def test_orphans_of_a_plain_host_are_reaped(make_host: HostFactory) -> None:
    host = make_host()
    host.run("(sleep 0.1 &)")
    host.spawn("sleep 300", user="deploy")
    time.sleep(0.5)
    states = host.run("ps -eo stat=,user=,args=").stdout
    assert "sleep 300" in states
    assert not [line for line in states.splitlines() if line.startswith("Z")]


def test_a_stopped_host_comes_back_with_its_files_on_the_same_port(make_host: HostFactory, lab: Lab) -> None:
    host = make_host()
    host.run("useradd -m stays")
    subprocess.run(["podman", "stop", "-t", "0", host.container], check=True, capture_output=True)
    again = lab.get(host.name)
    assert again is not None
    assert again.port == host.port
    assert again.run("id -un stays").stdout == "stays\n"
    assert again.can_log_in("deploy")


def test_a_name_is_given_once_and_bad_arguments_are_named(make_host: HostFactory, lab: Lab) -> None:
    host = make_host()
    with pytest.raises(LabError, match="is taken"):
        lab.host(host.name)
    assert lab.get(host.name) == host
    for options, field in (
        ({"name": "Bad_Name"}, "name"),
        ({"name": "x", "flavour": "windows"}, "flavour"),
        ({"name": "x", "release": "potato"}, "release"),
        ({"name": "x", "extra_packages": ["$(reboot)"]}, "extra_packages"),
    ):
        with pytest.raises(LabError, match=f"^{field}:"):
            lab.host(**options)  # type: ignore[arg-type]


def test_two_checkouts_do_not_see_each_other(other_checkout: Lab, make_host: HostFactory, lab: Lab) -> None:
    ours = make_host("twin")
    theirs = other_checkout.host(ours.name)
    assert theirs.container != ours.container
    assert other_checkout.names() == [ours.name]
    assert theirs.key != ours.key
    assert not theirs.can_log_in("deploy", ours.key)
    assert other_checkout.down() == [theirs.name]
    assert inspect_container(theirs.container) is None
    assert ours.can_log_in("deploy")


def test_down_removes_each_host_and_leaves_no_state_but_keys(other_checkout: Lab) -> None:
    other_checkout.host("one")
    other_checkout.host("two", flavour="systemd")
    assert other_checkout.down() == ["one", "two"]
    assert other_checkout.names() == []
    assert other_checkout.down() == []
    files = {path.relative_to(other_checkout.state).as_posix() for path in other_checkout.state.rglob("*")}
    assert {name for name in files if not name.startswith("keys")} <= {"lock", "hosts"}
    assert (other_checkout.state.stat().st_mode & 0o777) == 0o700


def test_a_killed_test_run_leaves_hosts_that_the_next_one_sweeps(other_checkout: Lab) -> None:
    kept = other_checkout.host("kept")
    script = (
        "import os, sys; from pathlib import Path; from lab import Lab;"
        " Lab(Path(sys.argv[1])).host('orphan'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(other_checkout.checkout.root)], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr
    assert other_checkout.names() == ["kept", "orphan"]
    assert other_checkout.sweep() == ["orphan"]
    assert kept.can_log_in("deploy")


def test_the_image_name_follows_the_recipe_and_not_the_order_of_packages() -> None:
    assert host_tag("bookworm", ["ufw", "ipset"]) == host_tag("bookworm", ["ipset", "ufw", "ipset"])
    assert len({host_tag("bookworm"), host_tag("trixie"), host_tag("bookworm", ["ufw"])}) == 3


def test_extra_packages_are_there_and_only_for_who_asked(make_host: HostFactory) -> None:
    assert make_host(extra_packages=["iptables"]).run("iptables --version").stdout.startswith("iptables v")
    assert make_host().run("command -v iptables", check=False).returncode != 0


def test_the_state_directory_is_private_even_when_it_was_not(tmp_path: Path) -> None:
    (tmp_path / ".lab").mkdir(mode=0o755)
    assert Checkout(tmp_path).state.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman")
def test_the_command_line_lists_and_reaches_a_host(make_host: HostFactory) -> None:
    host = make_host("cli")
    environment = {**os.environ, "PYTHONPATH": ""}
    status = subprocess.run(
        [sys.executable, "-m", "lab", "status"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert host.name in status.stdout
    done = subprocess.run(
        [sys.executable, "-m", "lab", "ssh", host.name, "--", "id", "-un"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "deploy\n", done.stderr
