# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What really listens and runs against what was declared; drafts that the real tools take."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lab import Host

MODULE = "infogerance.perimeter.monitoring_declared_info"
#: A web server, a database of a sort, a unit and a timer of the client's, and one that has failed.
LIFE = r"""
set -eu
useradd -m -s /bin/bash alice
printf 'server { listen 80; listen 443; server_name shop.example.org www.example.org; root /srv; }\n' \
    > /etc/nginx/sites-enabled/shop.conf
printf 'server { listen 8080 default_server; server_name _; }\n# server { server_name no.example.org; }\n' \
    > /etc/nginx/conf.d/other.conf
mkdir -p /etc/apache2/sites-enabled
printf '<VirtualHost *:8443>\nServerName old.example.org\nSSLEngine on\n</VirtualHost>\n' \
    > /etc/apache2/sites-enabled/old.conf
unit() { printf '[Service]\n%b\n' "$2" > /etc/systemd/system/$1; }
unit app.service 'User=alice\nExecStart=/bin/nc -lk 0.0.0.0 7000'
unit local.service 'ExecStart=/bin/nc -lk 127.0.0.1 7001'
unit broken.service 'ExecStart=/bin/false'
unit invoices.service 'Type=oneshot\nExecStart=/bin/true --password=planted-secret'
unit query.service 'ExecStart=/bin/nc -u -lk 0.0.0.0 7002'
cp /bin/nc /home/alice/sshd
unit mine.service 'User=alice\nExecStart=/home/alice/sshd -lk 0.0.0.0 7004'
unit vpn.service 'ExecStart=/bin/nc -u -lk 0.0.0.0 51820'
unit wall.service 'Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true'
unit shop.service 'ExecStart=/bin/true'
printf '[Socket]\nListenStream=0.0.0.0:7005\n' > /etc/systemd/system/shop.socket
printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' > /etc/systemd/system/invoices.timer
systemctl daemon-reload
systemctl restart nginx
systemctl start app local query invoices.timer mine vpn wall shop.socket
systemctl start broken || true
"""
DECLARED = [
    {"kind": "vhost", "name": "shop.example.org", "server": "nginx", "ports": [80, 443], "check": {"path": "/up"}},
    {"kind": "vhost", "name": "gone.example.org"},
    {"kind": "vhost", "name": "old.example.org"},
    {"kind": "port", "port": 51820, "protocol": "udp"},
    {"kind": "unit", "name": "vpn.service"},
    {"kind": "unit", "name": "wall.service"},
    {"kind": "unit", "name": "shop.socket"},
    {"kind": "port", "port": 80, "program": "nginx"},
    {"kind": "port", "port": 443, "address": "192.0.2.7", "program": "nginx"},
    {"kind": "port", "port": 6999, "program": "nc.openbsd", "user": "alice"},
    {"kind": "port", "port": 5432, "program": "postgres"},
    {"kind": "unit", "name": "app.service", "user": "www-data", "program": "nc"},
    {"kind": "unit", "name": "nginx.service"},
    {"kind": "timer", "name": "invoices.timer", "unit": "invoices.service"},
]


@pytest.fixture(scope="module")
def served(module_hosts: Any) -> Host:
    host: Host = module_hosts("served", flavour="systemd", extra_packages=("nginx-light",))
    host.run(["sh", "-s"], input=LIFE)
    return host


def names(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["kind"], row["name"]) for row in rows}


def test_undeclared_gone_and_changed_are_told_apart_and_the_system_is_no_noise(served: Host, ansible: Any) -> None:
    code, result, output = ansible(served, MODULE, {"entries": DECLARED})
    assert code == 0, output
    assert names(result["undeclared"]) == {
        ("port", "tcp/7004"),
        ("port", "tcp/7005"),
        ("port", "tcp/8080"),
        ("port", "udp/7002"),
        ("unit", "broken.service"),
        ("unit", "local.service"),
        ("unit", "mine.service"),
        ("unit", "query.service"),
        ("vhost", "www.example.org"),
    }
    broken = next(row for row in result["undeclared"] if row["name"] == "broken.service")
    assert (broken["state"], broken["program"], broken["user"]) == ("failed", "false", "root")
    waiting = next(row for row in result["undeclared"] if row["name"] == "tcp/7005")
    assert (waiting["program"], waiting["unit"]) == ("systemd", "shop.socket")
    query = next(row for row in result["undeclared"] if row["name"] == "udp/7002")
    assert (query["unit"], query["user"], query["addresses"]) == ("query.service", "root", ["0.0.0.0"])
    assert names(result["gone"]) == {("vhost", "gone.example.org"), ("port", "tcp/5432")}
    changed = {row["declared"]["name"]: row["changed"] for row in result["differing"]}
    assert changed == {
        "old.example.org": ["state: stopped, declared active"],
        "tcp/443": ["address: every one, declared 192.0.2.7 alone"],
        "tcp/6999": ["port: 7000, declared 6999"],
        "app.service": ["user: alice, declared www-data"],
    }
    assert names(result["matched"]) == {
        ("vhost", "shop.example.org"),
        ("port", "tcp/80"),
        ("unit", "nginx.service"),
        ("timer", "invoices.timer"),
        ("port", "udp/51820"),
        ("unit", "vpn.service"),
        ("unit", "wall.service"),
        ("unit", "shop.socket"),
    }
    assert result["unchecked"] == []
    assert result["limits"] == []
    assert "planted-secret" not in output

    code, result, output = ansible(
        served,
        MODULE,
        {
            "entries": [],
            "loopback": True,
            "baseline": [
                {"kind": "unit", "user": "root", "reason": "a test"},
                {"kind": "vhost", "name": "*.org"},
            ],
        },
    )
    assert code == 0, output
    assert ("port", "tcp/7001") in names(result["undeclared"])
    assert names(result["undeclared"]) & {("unit", "local.service"), ("vhost", "www.example.org")} == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"entries": [{"kind": "port", "port": 70000}]}, "entries[0]: port: 70000"),
        ({"entries": [{"kind": "port", "port": 1, "address": "192.0.2.300"}]}, "entries[0]: address"),
        ({"entries": [{"kind": "unit", "name": "x.service; reboot"}]}, "entries[0]: name"),
        (
            {"entries": [{"kind": "unit", "name": "a.service"}, {"kind": "unit", "name": "a.service"}]},
            "entries[1]: name",
        ),
        ({"entries": [{"kind": "vhost", "name": "a.example.org", "tsl": True}]}, "entries[0]: tsl"),
        ({"entries": [{"kind": "vhost", "name": "a.example.org", "check": {"path": "x"}}]}, "entries[0]: check: path"),
        ({"entries": [{"kind": "door", "name": "a"}]}, "entries[0]: kind"),
        ({"baseline": [{"kind": "unit"}]}, "baseline[0]: name"),
        ({"baseline": [{"kind": "unit", "name": "*"}]}, "baseline[0]: name"),
    ],
)
@pytest.mark.sample(4)
def test_bad_input_names_the_entry_and_the_field(
    served: Host, ansible: Any, arguments: dict[str, Any], said: str
) -> None:
    code, result, _output = ansible(served, MODULE, arguments)
    assert code != 0
    assert said in result["msg"]


def test_the_playbook_records_it_writes_drafts_and_the_report_asks(
    served: Host, ansible_playbook: Any, tmp_path: Path
) -> None:
    environment = {
        "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention,record_results",
        "INFOGERANCE_PERIMETER_LEDGER": str(tmp_path / "ledger.sqlite3"),
    }
    variables = {"monitoring_declared_entries": DECLARED, "monitoring_declared_directory": str(tmp_path / "drafts")}
    run = ansible_playbook(
        [served],
        "infogerance.perimeter.monitoring_declared",
        groups={"client_acme": [served.name]},
        extra_vars=variables,
        extra_env=environment,
    )
    assert run.rc == 0, run.stdout + run.stderr
    assert "changed: unit app.service" in run.stdout
    drafts = sorted(path.name.removeprefix(served.name) for path in (tmp_path / "drafts").iterdir())
    assert drafts == [".icinga2.conf", ".prometheus-rules.yml", ".prometheus.yml"]
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        (body,) = connection.execute("SELECT body FROM records WHERE kind = 'observation'").fetchone()
    kept = json.loads(body)
    assert (kept["observation_kind"], kept["clients"], len(kept["rows"])) == ("monitoring", ["acme"], 15)
    year = served.run("date +%Y").stdout.strip()
    report = {"report_period": year, "report_client": "acme", "report_directory": str(tmp_path / "out")}
    made = ansible_playbook([], "infogerance.perimeter.report", extra_vars=report, extra_env=environment)
    assert made.rc == 0, made.stdout
    page = next((tmp_path / "out").glob("*.html")).read_text()
    assert "Supervision" in page
    assert "www.example.org" in page


def test_each_server_may_have_a_directory_of_its_own_and_check_mode_writes_none(
    served: Host, make_host: Any, ansible_playbook: Any, tmp_path: Path
) -> None:
    hosts = [served, make_host("other")]
    variables = {"monitoring_declared_directory": str(tmp_path) + "/drafts/{{ inventory_hostname }}"}
    run = ansible_playbook(hosts, "infogerance.perimeter.monitoring_declared", extra_vars=variables, check=True)
    assert run.rc == 0, run.stdout + run.stderr
    assert not (tmp_path / "drafts").exists()
    run = ansible_playbook(hosts, "infogerance.perimeter.monitoring_declared", extra_vars=variables)
    assert run.rc == 0, run.stdout + run.stderr
    assert {path.name: len(list(path.iterdir())) for path in (tmp_path / "drafts").iterdir()} == {
        host.name: 3 for host in hosts
    }


@pytest.mark.soak
def test_the_drafts_pass_the_real_tools_own_checks(served: Host, make_host: Any, ansible: Any) -> None:
    from ansible_collections.infogerance.perimeter.plugins.filter.monitoring_drafts import monitoring_drafts

    _code, result, _output = ansible(served, MODULE, {"entries": DECLARED, "loopback": True})
    odd = {**result["undeclared"][0], "name": 'a"b\\\\c$d$ {{ x }} \\n # é', "check": {"note": 'say "$address$" \\\\'}}
    result = {**result, "undeclared": [*result["undeclared"], odd]}
    tools: Host = make_host("tools", extra_packages=("icinga2-bin", "prometheus"))
    tools.write("/tmp/drafts.conf", monitoring_drafts(result, "icinga2", "web 1", "192.0.2.7"))
    tools.write(
        "/tmp/icinga2.conf",
        'include <itl>\ninclude <plugins>\nconst PluginDir = "/usr/lib/nagios/plugins"\ninclude "drafts.conf"\n',
    )
    checked = tools.run("icinga2 daemon -C -c /tmp/icinga2.conf 2>&1", check=False)
    assert checked.returncode == 0, checked.stdout
    assert (
        f"Instantiated {monitoring_drafts(result, 'icinga2', 'w', 'a').count('object Service')} Services"
        in checked.stdout
    )
    tools.write("/tmp/prometheus.yml", monitoring_drafts(result, "prometheus", "web 1", "2001:db8::7"))
    tools.write("/tmp/rules.yml", monitoring_drafts(result, "prometheus_rules", "web 1", "2001:db8::7"))
    checked = tools.run("promtool check config /tmp/prometheus.yml && promtool check rules /tmp/rules.yml", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
