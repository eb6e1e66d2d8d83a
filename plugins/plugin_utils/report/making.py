# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the ledger and make the report's value and its files' texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review import standing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import rows as alert_rows
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.reading import read_statement
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    announcements,
    contact_reviews,
    reading,
    record,
    spot_check,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.observations import last_observations
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Store
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.ways_in import last_looks
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    contents,
    exports,
    fleet,
    html,
    model,
    observed,
    pdf,
    terminal,
    writing,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.branding import Brand
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import Period
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Terms

FORMATS = ("html", "csv", "json", "pdf")
# A PDF needs a library that not everybody has.
DEFAULT_FORMATS = ("html", "csv", "json")


@dataclass(frozen=True)
class Made:
    """report: the plain value. text: for a terminal. files: name to content. known_clients: what the ledger has.

    warnings: what could not be shown for want of a library.
    """

    report: dict[str, Any]
    text: str
    files: dict[str, str | bytes]
    known_clients: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def make(
    store: Store,
    period: Period,
    client: str | None,
    language: str,
    formats: Sequence[str],
    *,
    brand: Brand | None = None,
    whole_fleet: bool = False,
    terms: Terms | None = None,
    categories: Mapping[str, Category] | None = None,
    now: datetime | None = None,
) -> Made:
    """Make a report of one client, or of all when client is None.

    whole_fleet: an overview page that leads to a report of each client. terms, categories: the clients' terms, when
    they are known, and the catalogue. now: whether the period is over. Raises LedgerError, PdfMissing.
    """
    start, end = record.stamp(period.start), record.stamp(period.end)
    speaker = Speaker(language, period.zone)
    brand = brand or Brand()
    catalogue: Mapping[str, Category] = categories or {}
    with store.reading() as connection:
        known = tuple(reading.clients(connection))
        found = reading.interventions(connection, start, end, client)
        alerts = alert_rows.read(connection, end)
        told_of = [run["run_id"] for run in found] + [one.id for one in alert_rows.of_client(alerts, client)]
        faults = spot_check.faults(connection, start, end, told_of)
        looks = last_looks(connection, end, client)
        seen = last_observations(connection, end, client)

        def report_of(name: str | None) -> dict[str, Any]:
            mine = found if name == client else reading.interventions(connection, start, end, name)
            shown = [look for look in looks if name is None or name in look["clients"]]
            told = [run["run_id"] for run in mine if run["playbook"] not in model.OWN_PLAYBOOKS]
            state = reading.state(connection, told)
            moment = _moment(state["last_at"], shown, period, now or datetime.now(UTC))
            today = moment.astimezone(period.zone).date()
            billed = None
            if terms is not None:
                statement = read_statement(
                    connection,
                    client=name,
                    terms=terms,
                    categories=catalogue,
                    start=period.start,
                    end=period.end,
                    now=moment,
                    until=period.end,
                ).as_dict()
                for balance in statement["agreements"]:
                    names = balance["categories"]
                    labels = [dict(catalogue[each].label) for each in names if each in catalogue]
                    balance["labels"] = labels if names else None
                billed = statement
            return model.build(
                mine,
                client=name,
                period={
                    "text": period.text,
                    "first": period.first.isoformat(),
                    "last": period.last.isoformat(),
                    "zone": period.zone_name,
                    "spoken": speaker.span(period.first, period.last),
                },
                # No time of making, and nothing of rows that are not reported: the same interventions, the same bytes.
                ledger={**state, "faults": faults},
                today=today,
                looks=shown,
                alerts=[alert.as_dict() for alert in alert_rows.of_client(alerts, name)],
                announced=announcements.read(connection, end, name),
                start=start,
                statement=billed,
                reviews=standing.standings(connection, end, name, today),
                contact_reviews=contact_reviews.read(connection, end, name, today),
                observations=[look for look in seen if name is None or name in look["clients"]],
            )

        report = report_of(client)
        others = [report_of(name) for name in known] if whole_fleet else []
    files: dict[str, str | bytes] = {}
    warnings: dict[str, None] = {}
    overview = f"{writing.base_name('fleet', period.text, language, kind='overview')}.html" if whole_fleet else None
    pages: list[tuple[dict[str, Any], str]] = []
    for each in others or [report]:
        name = writing.base_name(each["client"], period.text, language)
        pages.append((each, f"{name}.html"))
        _files_of(each, name, period, language, formats, brand, overview, files, warnings)
    if overview is not None and "html" in formats:
        shown = fleet.of_fleet(report, pages, period.zone)
        files[overview] = html.to_html("fleet.html.j2", report, shown, language, period.zone, brand)
        warnings.update(dict.fromkeys(shown.faults))
    return Made(report, terminal.to_text(report, speaker), files, known, tuple(warnings))


def _moment(last_at: str | None, looks: Sequence[Mapping[str, Any]], period: Period, now: datetime) -> datetime:
    """From when dates are judged: the period's end, or its newest record while it lasts.

    Not the moment of making: the same records must give the same report.
    """
    if now >= period.end:
        return period.end - timedelta(microseconds=1)
    newest = [last_at or "", *(look["at"] for look in looks)]
    return datetime.fromisoformat(max(*newest, record.stamp(period.start)))


def _files_of(
    report: dict[str, Any],
    name: str,
    period: Period,
    language: str,
    formats: Sequence[str],
    brand: Brand,
    overview: str | None,
    files: dict[str, str | bytes],
    warnings: dict[str, None],
) -> None:
    if "html" in formats or "pdf" in formats:
        shown = contents.of_client(report, period.zone)
        warnings.update(dict.fromkeys(shown.faults))
        page = ("client.html.j2", report, shown, language, period.zone, brand)
        if "html" in formats:
            files[f"{name}.html"] = html.to_html(*page, up=overview)
        if "pdf" in formats:
            files[f"{name}.pdf"] = pdf.to_pdf(html.to_html(*page, still=True))
    if "csv" in formats:
        files[f"{name}-interventions.csv"] = exports.interventions_csv(report, language)
        files[f"{name}-entry-points.csv"] = exports.entry_points_csv(report, language)
        if any(report["alerts"].values()):
            files[f"{name}-alerts.csv"] = exports.alerts_csv(report, language)
        if report["access_reviews"]:
            files[f"{name}-access-reviews.csv"] = exports.access_reviews_csv(report, language)
        for part in observed.PARTS.values():
            if report[part]:
                files[f"{name}-{part}.csv"] = exports.observed_csv(part, report[part], language)
    if "json" in formats:
        files[f"{name}.json"] = exports.to_json(report)
