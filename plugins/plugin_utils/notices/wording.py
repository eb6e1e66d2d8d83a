# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A notice in words, French or English, and as plain values for a program. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.events import Notice
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker

_SHOWN = 20
WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "blocked": "Intervention bloquée : aucun accord",
        "failed_reconcile": "La mise à jour des accès a échoué",
        "removed": "Accès fermés",
        "emergency": "Intervention en urgence",
        "clients": "Client",
        "hosts": "Serveurs",
        "label": "Nature",
        "playbook": "Playbook",
        "operator": "Par",
        "started": "Début",
        "ended": "Fin",
        "outcome": "Résultat",
        "reason": "Raison",
        "again": "Le même avis a été retenu {count} fois depuis le précédent.",
        "reference": "Intervention",
        "times": "Les heures sont en UTC.",
    },
    "en": {
        "blocked": "Intervention blocked: nobody has agreed",
        "failed_reconcile": "Access could not be reconciled",
        "removed": "Ways in closed",
        "emergency": "Emergency intervention",
        "clients": "Client",
        "hosts": "Servers",
        "label": "Kind of work",
        "playbook": "Playbook",
        "operator": "By",
        "started": "Start",
        "ended": "End",
        "outcome": "Outcome",
        "reason": "Reason",
        "again": "The same notice was held back {count} times since the one before.",
        "reference": "Intervention",
        "times": "Times are in UTC.",
    },
}


@dataclass(frozen=True)
class Message:
    """key: the same whenever this notice is sent through this channel, so that a receiver can tell a repetition."""

    key: str
    subject: str
    text: str
    data: Mapping[str, Any]


def message(notice: Notice, language: str, key: str, held_back: int) -> Message:
    """held_back: how often the same was not sent since the last one."""
    words, speaker = WORDS[language], Speaker(language, UTC)
    about = ", ".join(notice.clients)
    subject = f"[infogerance] {words[notice.event]}" + (f" – {about}" if about else "")
    facts = [
        ("clients", about),
        ("hosts", _some(notice.hosts, speaker)),
        ("label", notice.label.get(language, "")),
        ("outcome", speaker.known("outcome", notice.outcome)),
        ("reason", notice.emergency or ""),
        ("playbook", notice.playbook),
        ("operator", notice.operator),
        ("started", speaker.moment(notice.started_at)),
        ("ended", speaker.moment(notice.ended_at)),
        ("reference", notice.run_id),
    ]
    lines = [words[notice.event], ""]
    lines += [f"{words[name]}{speaker.colon} {value}" for name, value in facts if value]
    if notice.removed:
        lines.append("")
        lines += [
            f"- {each['host']}{speaker.colon} {speaker.known('kind', each['kind'])} {each['entry']} – "
            f"{speaker.known('action', each['action'])} ({speaker.reason(each['reason'])})"
            for each in notice.removed[:_SHOWN]
        ]
        if len(notice.removed) > _SHOWN:
            lines.append(f"- {_more(len(notice.removed) - _SHOWN, speaker)}")
    if held_back:
        lines += ["", words["again"].format(count=held_back)]
    lines += ["", words["times"]]
    text = "\n".join(lines) + "\n"
    data = {
        "id": key,
        "event": notice.event,
        "run_id": notice.run_id,
        "clients": list(notice.clients),
        "hosts": list(notice.hosts),
        "outcome": notice.outcome,
        "playbook": notice.playbook,
        "operator": notice.operator,
        "started_at": notice.started_at,
        "ended_at": notice.ended_at,
        "emergency": notice.emergency,
        "removed": [dict(each) for each in notice.removed],
        "held_back": held_back,
        "subject": subject,
        "text": text,
    }
    return Message(key, " ".join(subject.split())[:200], text, data)


def _some(names: Sequence[str], speaker: Speaker) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} {_more(len(names) - _SHOWN, speaker)}"


def _more(count: int, speaker: Speaker) -> str:
    return speaker.counted("and_more", count, count=count)
