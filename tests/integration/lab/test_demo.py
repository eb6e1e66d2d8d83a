# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's mess is real: who left can still get in, and the story is the same each time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import Host, Lab
from lab.demo import bring_up, seed
from lab.demo_keys import key_pair
from lab.inventory import to_yaml

SEEDED = ["/home", "/root/.ssh", "/etc/sudoers.d", "/var/backups/pull", "/etc/ssh/sshd_config.d"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, dict[str, Host]]]:
    """A seeded demo in a checkout of its own: the developer's own demo hosts are left alone."""
    lab = Lab(tmp_path_factory.mktemp("checkout"))
    hosts = {host.name: host for host in seed(lab)}
    yield lab, hosts
    lab.down()


def _key(lab: Lab, comment: str) -> Path:
    return lab.state / "people" / comment.replace("@", "_at_")


def _without_login_key(files: dict[str, Any]) -> dict[str, Any]:
    return {path: state for path, state in files.items() if not path.startswith("/home/deploy")}


def test_who_left_can_still_log_in_and_become_root(demo: tuple[Lab, dict[str, Host]]) -> None:
    lab, hosts = demo
    for host in hosts.values():
        done = host.ssh("hgirard", "sudo -n id -u", _key(lab, "hgirard@admin"))
        assert done.stdout == "0\n", (host.name, done.stderr)
    assert hosts["acme-web1"].can_log_in("broux", _key(lab, "broux@home"))
    assert not hosts["acme-db1"].can_log_in("broux", _key(lab, "broux@home"))


def test_a_leaver_has_a_crontab_an_at_job_and_a_live_process(demo: tuple[Lab, dict[str, Host]]) -> None:
    web = demo[1]["acme-web1"]
    assert "export-orders" in web.run("crontab -l -u broux").stdout
    assert web.run("atq").stdout.split()[-1] == "broux"
    assert "http.server" in web.run("ps -o args= -u broux").stdout


def test_keys_that_nobody_declared_open_accounts(demo: tuple[Lab, dict[str, Host]]) -> None:
    lab, hosts = demo
    assert hosts["acme-web1"].can_log_in("mlambert", _key(lab, "unknown@nowhere"))
    assert hosts["acme-web1"].can_log_in("root", _key(lab, "rescue@former-host"))
    assert hosts["acme-db1"].can_log_in("adurand", _key(lab, "adurand@old-desktop"))
    assert "sudo" in hosts["acme-web1"].run("id -nG tleroy").stdout.split()


def test_the_backup_key_is_bound_to_its_address_and_command(demo: tuple[Lab, dict[str, Host]]) -> None:
    lab, hosts = demo
    for host in hosts.values():
        assert not host.can_log_in("backup-pull", _key(lab, "backup-pull@vault"))
        assert "send-backup  --read-only /srv" in host.read("/var/backups/pull/.ssh/authorized_keys").decode()


def test_one_host_lets_in_only_the_accounts_of_its_allow_line(demo: tuple[Lab, dict[str, Host]]) -> None:
    lab, hosts = demo
    app = hosts["zenith-app1"]
    app.run("useradd -m -s /bin/bash extra; usermod -p '*' extra; cp -a /home/nbenali/.ssh /home/extra/")
    app.run("chown -R extra: /home/extra/.ssh")
    assert app.can_log_in("nbenali", _key(lab, "nbenali@laptop"))
    assert not app.can_log_in("extra", _key(lab, "nbenali@laptop"))
    app.run("userdel -r extra", check=False)


def test_the_declared_lists_leave_out_who_left(demo: tuple[Lab, dict[str, Host]]) -> None:
    lab, hosts = demo
    inventory = yaml.safe_load((lab.state / "inventory.yml").read_text())
    groups = inventory["all"]["children"]
    assert {name: sorted(group["hosts"]) for name, group in groups.items()} == {
        "client_acme": ["acme-db1", "acme-web1"],
        "client_zenith": ["zenith-app1"],
    }
    assert groups["client_zenith"]["hosts"]["zenith-app1"]["ansible_port"] == hosts["zenith-app1"].port
    acme = yaml.safe_load((lab.state / "group_vars" / "client_acme.yml").read_text())
    declared = {entry["name"]: entry for entry in acme["access_ssh_accounts"]}
    assert acme["infogerance_client"] == "acme"
    assert {"hgirard", "broux", "backup-pull"}.isdisjoint(declared)
    assert declared["kfaure"]["expires"] == "2025-12-31"
    assert declared["cmoreau"]["sudo"] == {"commands": ["ALL"], "nopasswd": False}
    addresses = {row["address"]: row for row in acme["access_privileged_ips"]}
    assert addresses["203.0.113.77"]["expires"] == "2025-12-31"
    assert "203.0.113.140" not in addresses
    assert "203.0.113.140" in hosts["acme-web1"].run("nft list ruleset").stdout
    assert declared["mlambert"]["keys"] == [key_pair("mlambert@laptop").line]


def test_starting_again_changes_nothing_and_seeding_again_gives_the_same_files(
    demo: tuple[Lab, dict[str, Host]],
) -> None:
    lab, hosts = demo
    assert {host.name: host for host in bring_up(lab)} == hosts
    before = {name: _without_login_key(host.snapshot(SEEDED)) for name, host in hosts.items()}
    hosts["acme-web1"].run("rm -rf /home/adurand; userdel -f hgirard")
    again = {host.name: _without_login_key(host.snapshot(SEEDED)) for host in seed(lab)}
    assert again == before
    assert len(before["acme-web1"]) > 20


def test_a_demo_key_is_valid_and_always_the_same(tmp_path: Path) -> None:
    pair = key_pair("someone@somewhere")
    path = pair.save(tmp_path / "key")
    done = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == pair.line
    assert pair == key_pair("someone@somewhere")
    # Fixed once and for all: fingerprints stand in the documentation.
    assert pair.line.split()[1] == "AAAAC3NzaC1lZDI1NTE5AAAAIHpU1VmVyiULxmbu+NKYgHfTJqAWDCnjDIcATdZdGsn3"
    assert key_pair("someone@elsewhere").public != pair.public


@pytest.mark.parametrize(
    "value",
    [
        {"a": [], "b": {}, "c": [[], {}, ["x", ["y"]]]},
        {"odd": ["yes", "no", "on", "~", "", " ", "1", "1.5", "2025-12-31", "a: b", "- a", "#c", "é", "x\ny", "a #b"]},
        {"k 1": {"deep": [{"a": 1, "b": [True, False, {"c": "d"}]}, {"e": 'say "hi" \\ there'}]}},
        {"yes": "Null", "n": "TRUE", "a-b": "a-b", "-a": "a-", "%": "@x", "0x1": "0o7", "a b": "* x"},
    ],
)
def test_yaml_that_the_lab_writes_is_read_back_equal(value: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(value)) == value
