# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tools call a client and its kinds of work: their numbers, as declared in the clients' terms. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

_TOOLS = ("kimai", "dolibarr", "glpi")
_KIMAI = ("project", "activity", "activities", "customer_name", "project_name")
_DOLIBARR = ("thirdparty", "project")
_GLPI = ("ticket",)


def parse(content: Any, where: str) -> dict[str, dict[str, Any]]:
    """Check the field `exports` of a client. Raises TermsError."""
    fields = plain.mapping({} if content is None else content, where, _TOOLS)
    found: dict[str, dict[str, Any]] = {}
    if "kimai" in fields:
        found["kimai"] = _kimai(fields["kimai"], f"{where}: kimai")
    if "dolibarr" in fields:
        its = plain.mapping(fields["dolibarr"], f"{where}: dolibarr", _DOLIBARR)
        found["dolibarr"] = {
            "thirdparty": _number(its, "thirdparty", f"{where}: dolibarr"),
            "project": plain.whole(its, "project", f"{where}: dolibarr", 0, 2**31 - 1) or 0,
        }
    if "glpi" in fields:
        its = plain.mapping(fields["glpi"], f"{where}: glpi", _GLPI)
        found["glpi"] = {"ticket": _number(its, "ticket", f"{where}: glpi")}
    return found


def _kimai(content: Any, where: str) -> dict[str, Any]:
    its = plain.mapping(content, where, _KIMAI)
    activities = plain.mapping(its.get("activities") or {}, f"{where}: field 'activities'")
    return {
        "project": _number(its, "project", where),
        "activity": _number(its, "activity", where),
        "activities": {name: _number(activities, name, f"{where}: field 'activities'") for name in activities},
        "customer_name": plain.text(its, "customer_name", where),
        "project_name": plain.text(its, "project_name", where),
    }


def _number(fields: Mapping[str, Any], name: str, where: str) -> int:
    value = plain.whole(fields, name, where, 1, 2**31 - 1)
    if value is None:
        raise TermsError(f"{where}: field '{name}' is missing")
    return value
