# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The samples as OpenTelemetry gauges, sent once over OTLP/HTTP. The library is imported only here."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics.measuring import PREFIX, Sample

PACKAGES = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"


class OtlpError(RuntimeError):
    """The samples could not be handed over."""


def _told(values: list[Any], _options: object) -> list[Any]:
    """What a gauge's reader asks for: the values that were measured before."""
    return values


def send(samples: Iterable[Sample], endpoint: str, headers: Mapping[str, str], timeout: float) -> int:
    """Send all samples and wait for the receiver's word. Returns how many there were. Raises OtlpError.

    endpoint: the whole URL, such as http://127.0.0.1:4318/v1/metrics.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.metrics import Observation
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
        from opentelemetry.sdk.resources import Resource
    except ImportError as error:
        raise OtlpError(f"sending by OTLP needs the Python packages {PACKAGES} ({error.name} is missing)") from None

    # Gathered once and exported by hand: a periodic reader would export again at its end, and hide a refusal.
    reader = InMemoryMetricReader()
    resource = Resource.create({"service.name": "infogerance.perimeter"})
    provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter("infogerance.perimeter")
    count = 0
    for gauge, group in groupby(samples, key=lambda sample: sample.gauge):
        values = [Observation(sample.value, sample.labels) for sample in group]
        count += len(values)
        watch = [functools.partial(_told, values)]
        meter.create_observable_gauge(PREFIX + gauge.name, callbacks=watch, unit=gauge.unit, description=gauge.help)
    gathered: Any = reader.get_metrics_data()
    exporter = OTLPMetricExporter(endpoint=endpoint, headers=dict(headers), timeout=timeout)
    try:
        outcome = exporter.export(gathered, timeout_millis=timeout * 1000) if gathered is not None else None
    except Exception as error:  # noqa: BLE001 - whatever the library's transport raises means: not handed over
        raise OtlpError(f"{endpoint}: {type(error).__name__}") from None
    finally:
        exporter.shutdown()
        provider.shutdown()
    if outcome not in (None, MetricExportResult.SUCCESS):
        raise OtlpError(f"{endpoint}: the receiver did not take the metrics within {timeout:g} s")
    return count
