# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that fill up, certificates that end, plugins: from the measurement to inaction, and what it proposes."""

from __future__ import annotations

import email
import email.policy
import json
import os
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from lab import Host

PLAYBOOK = "infogerance.perimeter.resource_alerts"
MODULE = "infogerance.perimeter.resources_info"
# Seconds instead of days.
SOON = {"deadline_hours": 0.0005, "reminder_hours": 0.0003}


@pytest.fixture(scope="module")
def server(module_hosts) -> Host:
    host = module_hosts("alerts")
    host.run("mkdir -p /srv/data /srv/many && useradd -m -s /bin/bash mallory")
    host.mount_tmpfs("/srv/data", "8m")
    host._nsenter("mount -t tmpfs -o size=1m,nr_inodes=20 lab /srv/many")
    return host


@pytest.fixture(autouse=True)
def calm(server: Host) -> None:
    server.run("rm -rf /srv/data/* /srv/many/* /etc/ssl/*.pem /etc/ssl/*.crt")


def certificate(host: Host, path: str, days: int, *, chain: str = "") -> None:
    host.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/k -out /tmp/c -days {days} "
        f"-subj '/CN=shop.example.org' 2>/dev/null && cat /tmp/k /tmp/c {chain} > {path} && chmod 600 {path}"
    )


def readings(result: dict[str, Any], kind: str) -> dict[str, Any]:
    return {row["name"]: row for row in result["readings"] if row["kind"] == kind}


@pytest.fixture
def measure(ansible, server):
    def call(**options: Any) -> dict[str, Any]:
        rc, result, output = ansible(server, MODULE, options)
        assert rc == 0, output
        return result

    return call


def test_disks_and_inodes_are_what_df_says(measure, server):
    server.run("head -c 7000000 /dev/zero > /srv/data/full; touch /srv/many/{1..15}", check=False)
    result = measure(measure=["disk", "inodes"])
    for kind, column in (("disk", "pcent"), ("inodes", "ipcent")):
        found = readings(result, kind)
        points = ("/", "/srv/data", "/srv/many")
        lines = server.run(f"df --output={column} {' '.join(points)} | tail -n +2 | tr -d ' %'").stdout.split()
        for point, said in zip(points, lines, strict=True):
            # df rounds up.
            assert abs(found[point]["value"] - int(said)) <= 1.01, (kind, point, found[point])
    assert not [name for name in readings(result, "disk") if name.startswith(("/proc", "/sys", "/etc"))]


def test_memory_and_load_are_the_kernels(measure, server):
    result = measure(measure=["memory", "load"])
    total = int(server.run("awk '/^MemTotal/ {print $2}' /proc/meminfo").stdout)
    memory = readings(result, "memory")["available"]
    assert memory["size_bytes"] == total * 1024
    assert 0 < memory["value"] < 100
    assert readings(result, "load")["5min"]["cores"] == os.cpu_count()


def test_the_certificate_of_a_file_that_ends_first_counts_and_keys_stay_where_they_are(measure, server):
    certificate(server, "/etc/ssl/late.crt", 300)
    server.run("cp /tmp/c /tmp/late")
    certificate(server, "/etc/ssl/shop.pem", 6, chain="/tmp/late")
    server.run("ln -sf /etc/ssl/shop.pem /etc/ssl/again.pem; mkfifo /etc/ssl/pipe.pem; echo junk > /etc/ssl/junk.pem")
    result = measure(measure=["certificate"], certificates=["/etc/ssl/gone.pem", "/etc/ssl/junk.pem"])
    found = readings(result, "certificate")
    (name,) = [name for name in found if name != "/etc/ssl/late.crt"]
    assert os.path.basename(name) in {"again.pem", "shop.pem"}
    assert 5.9 < found[name]["value"] <= 6
    assert (found[name]["certificates"], found[name]["subject"]) == (2, "CN=shop.example.org")
    assert {row["name"]: row["why"] for row in result["unread"]} == {
        "/etc/ssl/gone.pem": "No such file or directory",
        "/etc/ssl/junk.pem": "holds no certificate",
        "/etc/ssl/pipe.pem": "is no regular file",
    }
    assert "PRIVATE" not in json.dumps(result)


def test_plugins_run_unprivileged_bounded_and_are_parsed(measure, server):
    server.write(
        "/etc/nagios-local.cfg",
        'command[swap]=echo "SWAP WARNING - $(id -un) | swap=12%;20;10"; exit 1\n'
        "command[ask]=/usr/lib/nagios/plugins/check_disk -w $ARG1$\ncommand[dead]=/no/such/plugin\n",
    )
    server.write("/etc/nagios-loose.cfg", "command[root]=id\n", 0o666)
    result = measure(
        measure=["load"],
        checks=[
            {"name": "slow", "command": ["/bin/sleep", "60"]},
            {"name": "flood", "command": ["/bin/sh", "-c", "yes 'FLOOD OK' & yes '|=;'; exit 0"]},
        ],
        nrpe_files=["/etc/nagios-local.cfg", "/etc/nagios-loose.cfg", "/etc/none.cfg"],
        check_results=[{"name": "sent", "output": "PING CRITICAL - lost | loss=100%;20;60", "exit_code": 2}],
        check_user="nobody",
        check_timeout=2,
    )
    found = readings(result, "check")
    assert (found["swap"]["state"], found["swap"]["text"]) == ("warning", "SWAP WARNING - nobody")
    assert found["swap"]["perfdata"][0]["value"] == 12
    assert found["dead"]["state"] == "unknown"
    assert found["sent"]["state"] == "critical"
    why = {row["name"]: row["why"] for row in result["unread"]}
    assert why["slow"] == why["flood"] == "did not end within 2 s"
    assert "takes arguments" in why["ask"]
    assert "only root may write" in why["/etc/nagios-loose.cfg"]
    assert "/etc/none.cfg" in why
    assert server.run("pgrep -c -u nobody", check=False).stdout.strip() == "0"


def test_wrong_input_is_refused_with_entry_and_field(ansible, server):
    for options, said in (
        ({"checks": [{"name": "x", "command": ["echo"]}]}, "checks: entry 1 (x): field 'command' must begin"),
        ({"check_results": [{"name": " ", "output": "x"}]}, "check_results: entry 1 ( ): field 'name' is empty"),
        ({"check_timeout": 0}, "check_timeout: 0 is less than 1"),
    ):
        rc, result, output = ansible(server, MODULE, options)
        assert rc != 0, output
        assert said in result["msg"]


class Watch:
    """The playbook again and again, with a schedule of seconds."""

    def __init__(self, playbook: Any, server: Host, folder: Path) -> None:
        self.playbook, self.server = playbook, server
        self.ledger, self.notices = folder / "ledger.sqlite3", folder / "notices"
        self.variables: dict[str, Any] = {
            "infogerance_client": "acme",
            "resource_alerts_measure": ["disk", "certificate"],
            "resource_alerts_thresholds": [{"kind": "disk", "name": "/", "ignore": True}],
            "resource_alerts_schedule": {"warning": SOON, "critical": SOON},
            "resource_alerts_recipients": [
                {"name": "Jeanne Martin", "address": "jm@example.org"},
                {"name": "Night desk", "language": "en"},
            ],
            "resource_alerts_directory": str(self.notices),
        }
        self.inventory: dict[str, Any] = {}
        self.environment = {
            "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention,record_results",
            "INFOGERANCE_PERIMETER_LEDGER": str(self.ledger),
        }

    def run(self, playbook: Any = PLAYBOOK, *, arguments: tuple[str, ...] = (), **more: Any) -> Any:
        return self.playbook(
            [self.server],
            playbook,
            extra_vars={**self.variables, **more},
            extra_env=self.environment,
            arguments=arguments,
            inventory_vars=self.inventory,
        )

    def round(self) -> dict[str, Any]:
        run = self.run()
        assert run.rc == 0, run.stdout + run.stderr
        return run.one(action="infogerance.perimeter.resource_alerts").result

    def task(self, name: str, options: dict[str, Any], **more: Any) -> Any:
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{name: options}]}
        return self.run([play], **more)


def test_from_a_full_disk_to_inaction_and_the_gate_and_back(ansible_playbook, server, tmp_path):
    watch = Watch(ansible_playbook, server, tmp_path)
    server.run("head -c 8300000 /dev/zero > /srv/data/full")
    certificate(server, "/etc/ssl/shop.pem", 10)
    first = watch.round()
    assert {(row["cause"], row["event"]) for row in first["events"]} == {
        ("disk:/srv/data", "opened"),
        ("certificate:/etc/ssl/shop.pem", "opened"),
    }
    assert {alert["cause"]: alert["criticality"] for alert in first["alerts"]} == {
        "disk:/srv/data": "critical",
        "certificate:/etc/ssl/shop.pem": "warning",
    }
    assert {row["who"] for row in first["told"]} == {"Jeanne Martin", "Night desk"}
    notices = sorted(watch.notices.iterdir())
    assert [path.stat().st_mode & 0o777 for path in notices] == [0o600, 0o600]
    assert "espace disque de /srv/data" in notices[0].read_text()
    assert "Dear client," in notices[1].read_text()
    # A certificate that is renewed is no alert any more; the disk goes on.
    certificate(server, "/etc/ssl/shop.pem", 300)
    rounds = [watch.round() for _number in range(3)]
    events = [(row["cause"], row["event"]) for done in rounds for row in done["events"]]
    assert events == [("certificate:/etc/ssl/shop.pem", "closed"), ("disk:/srv/data", "overdue")]
    told = [row["occasion"] for done in rounds for row in done["told"] if row["cause"] == "disk:/srv/data"]
    assert told == [name for name in ("reminder-1", "reminder-2", "overdue-1") for _recipient in range(2)]
    info = watch.task("infogerance.perimeter.resource_alerts_info", {"client": "acme"})
    (proposed,) = info.one(action="infogerance.perimeter.resource_alerts_info").result["proposed"]
    assert (proposed["host"], proposed["cause"]) == (server.name, "disk:/srv/data")
    assert proposed["category"] == "inaction_despite_reminders"
    # Work on it is out of contract, so the gate stops it and says why; nobody agreed.
    work = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Clean", "ansible.builtin.command": "true"}]}]
    watch.environment["INFOGERANCE_PERIMETER_GATE"] = "block"
    blocked = watch.run(work, infogerance_alert="disk:/srv/data")
    assert blocked.rc == 77, blocked.stdout
    assert "by the alert" in blocked.stderr
    with sqlite3.connect(watch.ledger) as connection:
        started = json.loads(
            connection.execute("SELECT started FROM interventions WHERE outcome = 'blocked'").fetchone()[0]
        )
    (rule,) = [item for item in started["scope"]["evaluations"] if item["source"] == "alert"]
    assert rule["passed"] is True
    assert rule["rule"] == f"{server.name} disk:/srv/data"
    assert "reminders unanswered" in rule["detail"]
    assert (started["scope"]["category"], started["scope"]["source"]) == ("inaction_despite_reminders", "alert")
    # An answer takes it back; then the disk is emptied, and it is over.
    answer = {"host": server.name, "cause": "disk:/srv/data", "by": "Jeanne", "note": "deleting old exports"}
    watch.environment["INFOGERANCE_PERIMETER_GATE"] = "off"
    assert watch.task("infogerance.perimeter.alert_answer", answer).rc == 0
    passed = watch.run(work, infogerance_alert="disk:/srv/data")
    assert passed.rc == 0
    wrong = watch.task("infogerance.perimeter.alert_answer", {**answer, "cause": "disk:/nowhere"})
    assert "open there: disk:/srv/data" in wrong.one(action="infogerance.perimeter.alert_answer").result["msg"]
    server.run("rm /srv/data/full")
    last = watch.round()
    assert [row["event"] for row in last["events"]] == ["closed"]
    assert last["alerts"] == []
    verify = watch.task("infogerance.perimeter.ledger_verify", {})
    assert verify.rc == 0, verify.stdout


def test_a_limited_run_tells_and_a_host_that_is_away_does_not_silence_what_is_known(ansible_playbook, server, tmp_path):
    watch = Watch(ansible_playbook, server, tmp_path)
    server.run("head -c 8300000 /dev/zero > /srv/data/full")
    limited = watch.run(arguments=("--limit", server.name))
    assert limited.rc == 0, limited.stdout + limited.stderr
    told = limited.one(action=PLAYBOOK).result["told"]
    assert [row["occasion"] for row in told] == ["opened", "opened"]
    # A port where nothing listens: the only host, and so all of them, is away.
    watch.inventory = {"ansible_port": 1}
    away = watch.run()
    assert away.rc != 0
    round_ = away.one(action=PLAYBOOK).result
    assert round_["events"] == []
    assert f"not measured: {server.name}" in " ".join(away.stdout.split())
    watch.inventory = {}
    assert watch.round()["events"] == []


def test_check_mode_stores_nothing_and_tells_nobody_and_one_hosts_slip_is_named(ansible_playbook, server, tmp_path):
    watch = Watch(ansible_playbook, server, tmp_path)
    server.run("head -c 8300000 /dev/zero > /srv/data/full")
    dry = watch.playbook([server], PLAYBOOK, check=True, extra_vars={
        **watch.variables, "resource_alerts_ledger": str(watch.ledger)})  # fmt: skip
    assert dry.rc == 0, dry.stdout
    assert [row["event"] for row in dry.one(action="infogerance.perimeter.resource_alerts").result["events"]] == [
        "opened"
    ]
    assert not watch.ledger.exists()
    assert not watch.notices.exists()
    wrong = watch.run(resource_alerts_thresholds=[{"kind": "disk", "warning": 95, "critical": 90}])
    assert wrong.rc != 0
    said = wrong.one(action="infogerance.perimeter.resource_alerts").result["msg"]
    assert f"host {server.name}: thresholds: entry 1 (disk *): field 'critical' (90) would be reached before" in said


class Mailbox:
    """Takes what is sent to it."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"


def test_an_email_is_told_when_the_server_took_it_and_not_before(ansible_playbook, server, tmp_path):
    watch = Watch(ansible_playbook, server, tmp_path)
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mail = Controller(box, hostname="127.0.0.1", port=port)
    mail.start()
    options = {
        "observed": [
            {
                "host": server.name,
                "readings": [{"kind": "disk", "name": "/var", "value": 97.5, "unit": "%"}],
                "measured": ["disk"],
                "schedule": {"warning": SOON, "critical": SOON},
                "recipients": [{"name": "Jeanne", "address": "jm@example.org", "means": "email"}],
            }
        ],
        "smtp": {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "alerts@example.org"},
    }
    try:
        done = watch.task(PLAYBOOK, options).one(action=PLAYBOOK).result
    finally:
        mail.stop()
    (message,) = box.taken
    assert (message["To"], message["Subject"]) == ("jm@example.org", "Vos serveurs\u00a0: 1 alerte")
    assert "espace disque de /var, 97,5\u00a0% utilisés" in message.get_content().replace(" %", "\u00a0%")
    (told,) = done["told"]
    assert (told["means"], f"<{told['where']}@example.org>") == ("email", message["Message-ID"])
    # Now nobody listens: the reminder is not recorded as told.
    time.sleep(SOON["reminder_hours"] * 3600)
    later = watch.task(PLAYBOOK, options).one(action=PLAYBOOK).result
    assert later["told"] == []
    assert len(later["untold"]) == 1
