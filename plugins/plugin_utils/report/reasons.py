# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' reasons, which the ledger keeps in English, in French. What is not known stays as it was recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence

_KNOWN: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern + r"\Z"), french)
    for pattern, french in (
        (r"not declared", "absent de la liste déclarée"),
        (r"expired on (\d{4}-\d\d-\d\d)", "accès arrivé à échéance le {0}"),
        (r"(.+) left on (\d{4}-\d\d-\d\d)", "départ de {0} le {1}"),
        (r"declared, not on the server", "déclaré, absent du serveur"),
        (r"declared, was here before, adopt is set", "déclaré, déjà présent, repris en gestion"),
        (r"declared, disabled since (\d{4}-\d\d-\d\d)", "déclaré, désactivé depuis le {0}"),
        (r"asked for by restore", "rétabli à la demande"),
        (r"differs from the list: (.+)", "diffère de la liste déclarée ({0})"),
        (r"(?:\S+ )?carries this connection", "sert à notre connexion"),
        (r"system account \(uid (\d+)\)", "compte système (uid {0})"),
        (r"named by protect", "protégé à la demande"),
        (r"named by keep_groups", "groupe conservé à la demande"),
        (r"belongs to (\S+): (.+)", "dépend de {0}"),
    )
]
#: What differs from a declaration for monitoring: its fields, and values that are words.
_DIFFERS = re.compile(r"([a-z]+): (.*), declared (.*?)( alone)?\Z", re.DOTALL)
_FIELDS = {
    "port": "port", "ports": "ports", "address": "adresse", "user": "utilisateur", "program": "programme",
    "unit": "unité systemd", "image": "image", "server": "serveur web", "tls": "TLS", "state": "état",
}  # fmt: skip
_VALUES = {
    "none": "aucun(e)", "unknown": "inconnu", "every one": "toutes", "true": "oui", "false": "non", "active": "actif",
    "failed": "en échec", "inactive": "inactif", "running": "en cours d'exécution", "stopped": "arrêté",
}  # fmt: skip
_SINCE = re.compile(r"(.+), disabled since (\d{4}-\d\d-\d\d)\Z")


def in_french(text: str) -> str:
    """The reason in French, or as it is."""
    if not text.startswith("declared") and (match := _SINCE.match(text)):
        return f"{in_french(match[1])}, désactivé depuis le {_day(match[2])}"
    for pattern, french in _KNOWN:
        if match := pattern.match(text):
            return french.format(*(_day(group) for group in match.groups()))
    return text


def differences_in_french(text: str) -> str:
    """What differs from a declaration, in French; what is not known stays as it was recorded."""
    return " ; ".join(_difference(part) for part in text.split("; "))


def _difference(text: str) -> str:
    match = _DIFFERS.match(text)
    if not match or match[1] not in _FIELDS:
        return text
    now, before = _VALUES.get(match[2], match[2]), _VALUES.get(match[3], match[3])
    only = " seulement" if match[4] else ""
    return f"{_FIELDS[match[1]]}\u00a0: {now} (déclaré\u00a0: {before}{only})"


def _day(text: str) -> str:
    parts = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text)
    return f"{parts[3]}/{parts[2]}/{parts[1]}" if parts else text
