# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts in words: for a notice, for a page, for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.life import Alert, ToTell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.policy import Recipient
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker

# In this order in a notice: what is worst comes first.
OCCASIONS = ("overdue", "raised", "opened", "reopened", "reminder", "closed")


@dataclass(frozen=True)
class Message:
    """One notice to one recipient, of all that there is to tell now. about: each alert with its occasion."""

    recipient: Recipient
    subject: str
    text: str
    about: tuple[tuple[Alert, str], ...]


def messages(tellings: Sequence[ToTell], speakers: Mapping[str, Speaker], provider: str) -> list[Message]:
    """One message a recipient, however many alerts there are. speakers: by language."""
    by_recipient: dict[Recipient, list[tuple[Alert, str]]] = {}
    for telling in tellings:
        for recipient in telling.recipients:
            by_recipient.setdefault(recipient, []).append((telling.alert, telling.occasion))
    made = []
    for recipient, about in by_recipient.items():
        speaker = speakers[recipient.language]
        subject = speaker.counted("notice_subject", len(about), count=speaker.number(len(about)))
        made.append(Message(recipient, subject, _text(speaker, about, provider), tuple(about)))
    return made


def _text(speaker: Speaker, about: Sequence[tuple[Alert, str]], provider: str) -> str:
    lines = [speaker.word("notice_greeting"), ""]
    for kind in OCCASIONS:
        those = [alert for alert, occasion in about if _kind(occasion) == kind]
        if not those:
            continue
        lines.append(speaker.word(f"notice_{kind}"))
        for alert in sorted(those, key=lambda one: (one.host, one.cause)):
            lines.append("- " + line(speaker, alert.as_dict(), with_deadline=kind != "closed"))
        lines.append("")
    if any(_kind(occasion) != "closed" for _alert, occasion in about):
        lines += [speaker.word("notice_ask"), ""]
    return "\n".join([*lines, provider or speaker.word("notice_sign"), ""])


def line(speaker: Speaker, alert: Mapping[str, Any], *, with_deadline: bool) -> str:
    """One alert as one line."""
    said = speaker.word(
        "notice_line",
        host=alert["host"],
        what=what(speaker, alert),
        value=value(speaker, alert),
        criticality=speaker.known("alert_criticality", alert["criticality"]).lower(),
        since=speaker.moment(alert["opened_at"]),
    )
    if not with_deadline:
        return said
    joint = " ; " if speaker.language == "fr" else "; "
    return said + joint + speaker.word("notice_line_deadline", deadline=speaker.moment(alert["deadline"]))


def what(speaker: Speaker, alert: Mapping[str, Any]) -> str:
    """What is short."""
    # A name may hold anything, so it is put in last.
    return speaker.template(f"alert_kind_{alert['kind']}").replace("{name}", alert["name"])


def value(speaker: Speaker, alert: Mapping[str, Any], number: float | None = None) -> str:
    """The value, or what a check says. number: another value than the alert's own, such as its limit."""
    if alert["kind"] == "check":
        return str((alert["detail"] or {}).get("text") or speaker.known("alert_criticality", alert["criticality"]))
    shown = alert["value"] if number is None else number
    if shown is None:
        return "–"
    key = {"memory": "available", "load": "load", "certificate": "days" if shown >= 0 else "ended"}.get(
        alert["kind"], "used"
    )
    text = f"{abs(shown):.1f}".removesuffix(".0")
    said = text.replace(".", ",") if speaker.language == "fr" else text
    if key in ("days", "ended"):
        return speaker.counted(f"alert_value_{key}", float(text), value=said)
    return speaker.word(f"alert_value_{key}", value=said)


def occasion_of(speaker: Speaker, occasion: str) -> str:
    """An occasion in words."""
    return speaker.word(f"alert_occasion_{_kind(occasion)}", number=occasion.partition("-")[2])


def _kind(occasion: str) -> str:
    return occasion.partition("-")[0]
