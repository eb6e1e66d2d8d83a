# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a server's mess to an alert: a real audit, the ledger, node_exporter and OTLP, and Debian's Prometheus."""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SHIPPED = Path(__file__).resolve().parents[3] / "docs" / "monitoring"
TEXTFILES = "/var/lib/prometheus/node-exporter"
SETTINGS = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [/etc/perimeter/rules.yml]
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["127.0.0.1:9100"]}]
"""
LEAVER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5iLF/rHoW+jagO3PyKbxWfRoRIqWSPFcoLYyXWA4Jx bob@desk"


@dataclass
class Watched:
    """The monitoring host, a ledger with one audit in it, and what the module said."""

    host: Any
    metrics: dict[str, Any]
    text: str
    received: dict[tuple[str, str], float]
    """What came over OTLP: name and state -> value."""

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask Prometheus. Raises where it refuses the expression."""
        url = f"http://{self.host.address}:9090/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def until(self, expression: str, timeout: float = 300) -> list[dict[str, Any]]:
        """Wait until it has a result."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                found = self.query(expression)
            except OSError:
                found = []
            if found:
                return found
            time.sleep(0.3)
        log = self.host.run("tail -5 /tmp/prometheus.log", check=False).stdout
        raise AssertionError(f"{expression}: nothing after {timeout} s\n{log}")


@contextmanager
def receiver() -> Iterator[tuple[str, dict[tuple[str, str], float]]]:
    """An OTLP/HTTP receiver on loopback that reads what the protocol says; it wants a token."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
    )

    received: dict[tuple[str, str], float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            allowed = self.path == "/v1/metrics" and self.headers.get("X-Token") == "let-me-in"
            if allowed:
                sent = ExportMetricsServiceRequest.FromString(body)
                for resource in sent.resource_metrics:
                    for metric in (m for scope in resource.scope_metrics for m in scope.metrics):
                        for point in metric.gauge.data_points:
                            labels = {label.key: label.value.string_value for label in point.attributes}
                            value = point.as_int if point.HasField("as_int") else point.as_double
                            received[metric.name, labels.get("state", "")] = value
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/metrics", received
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def watched(module_hosts: Callable[..., Any], runner: Any, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Prometheus, an audit of a mess, and its gauges in a file and sent to a receiver. (Debian's has no OTLP.)"""
    folder = tmp_path_factory.mktemp("ledger")
    host = module_hosts("prom", release="trixie", extra_packages=["prometheus", "prometheus-node-exporter"])
    host.run("useradd -m bob && install -d -o bob -m 700 /home/bob/.ssh")
    host.write("/home/bob/.ssh/authorized_keys", LEAVER + "\n", 0o600, "bob")
    host.copy_in(SHIPPED / "rules.yml", "/etc/perimeter/rules.yml")
    host.write("/etc/perimeter/prometheus.yml", SETTINGS)
    # The collector's directory is the package's own.
    host.run(f"test -d {TEXTFILES}")
    host.spawn(f"exec prometheus-node-exporter --collector.textfile.directory={TEXTFILES} > /tmp/node.log 2>&1")
    host.spawn(
        "cd /tmp && exec prometheus --config.file=/etc/perimeter/prometheus.yml --storage.tsdb.path=/tmp/tsdb"
        " > /tmp/prometheus.log 2>&1"
    )
    environment = {
        "ANSIBLE_CALLBACKS_ENABLED": "record_results,infogerance.perimeter.intervention",
        "INFOGERANCE_PERIMETER_LEDGER": str(folder / "ledger.sqlite3"),
    }
    lists = {
        "infogerance_client": "acme",
        "access_ssh_accounts": [{"name": "alice", "person": "alice.martin", "keys": [LEAVER.replace("bob", "al")]}],
        "access_manage": {"local_people": True},
        "audit_ways": False,
    }
    audit = runner.playbook([host], "infogerance.perimeter.audit", inventory_vars=lists, extra_env=environment)
    assert audit.rc == 0, audit.stdout + audit.stderr
    told = Watched(host, {}, "", {})
    told.until("up")
    with receiver() as (endpoint, received):
        written = runner.playbook(
            [],
            "infogerance.perimeter.metrics",
            extra_env=environment,
            extra_vars={
                "metrics_textfile": str(folder / "infogerance_perimeter.prom"),
                "metrics_otlp_endpoint": endpoint,
                "metrics_otlp_headers": {"X-Token": "let-me-in"},
            },
        )
    assert written.rc == 0, written.stdout + written.stderr
    assert "let-me-in" not in written.stdout
    told.received = received
    told.metrics = written.one(action="infogerance.perimeter.metrics").result
    told.text = (folder / "infogerance_perimeter.prom").read_text(encoding="utf-8")
    assert (folder / "infogerance_perimeter.prom").stat().st_mode & 0o777 == 0o644
    host.write(f"{TEXTFILES}/infogerance_perimeter.prom", told.text)
    return told


def test_promtool_finds_no_fault_in_the_rules_their_tests_and_the_file(watched: Watched) -> None:
    watched.host.copy_in(SHIPPED / "rules_test.yml", "/etc/perimeter/rules_test.yml")
    checked = watched.host.run(
        "cd /etc/perimeter && promtool check rules rules.yml && promtool test rules rules_test.yml"
    )
    assert "SUCCESS" in checked.stdout
    linted = watched.host.run("promtool check metrics", input=watched.text, check=False)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")


def test_prometheus_scrapes_what_the_audit_found_and_the_alert_is_on_its_way(watched: Watched) -> None:
    where = f'client="acme",host="{watched.host.name}",kind="ssh_accounts"'
    found = watched.until(f'infogerance_perimeter_entries{{{where},state="obsolete",job="node"}}')
    assert float(found[0]["value"][1]) >= 1
    assert float(watched.until(f'infogerance_perimeter_entries{{{where},state="missing"}}')[0]["value"][1]) >= 1
    ago = watched.until('time() - infogerance_perimeter_last_success_timestamp_seconds{client="acme"}')
    assert 0 < float(ago[0]["value"][1]) < 600
    alert = watched.until(f'ALERTS{{alertname="PerimeterObsoleteEntries",{where}}}')
    assert alert[0]["metric"]["alertstate"] == "pending"


def test_the_same_values_arrive_over_otlp(watched: Watched) -> None:
    assert watched.metrics["sent"] == watched.metrics["count"] > 4
    told = {(row["name"], row["labels"].get("state", "")): row["value"] for row in watched.metrics["metrics"]}
    assert watched.received == told


def test_every_panel_of_the_dashboard_asks_what_prometheus_can_answer(watched: Watched) -> None:
    watched.until('infogerance_perimeter_entries{job="node"}')
    dashboard = json.loads((SHIPPED / "dashboard.json").read_text(encoding="utf-8"))
    empty = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$client", ".*")
            if not watched.query(expression):
                empty.append(panel["title"])
    # This server keeps no authority.
    assert empty == ["Least days left of a revocation list"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_each_gauge_that_rules_and_dashboard_name_is_one_that_is_written() -> None:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics.measuring import GAUGES, PREFIX

    shipped = "".join(path.read_text(encoding="utf-8") for path in SHIPPED.iterdir())
    named = set(re.findall(r"\binfogerance_perimeter_[a-z_]+(?=[{\s)\[])", shipped))
    assert named <= {PREFIX + gauge.name for gauge in GAUGES}


def test_a_receiver_that_refuses_or_is_away_is_an_error_that_names_it() -> None:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics import otlp
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics.measuring import OUTBOX, Sample

    samples = [Sample(OUTBOX, 3, {"target": "here"})]
    with receiver() as (endpoint, received):
        for refused in (endpoint, "http://127.0.0.1:9/v1/metrics"):
            with pytest.raises(otlp.OtlpError, match="did not take the metrics"):
                otlp.send(samples, refused, {"X-Token": "wrong"}, 2)
        assert received == {}
