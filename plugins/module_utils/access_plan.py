# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plans of several kinds of entry point, made in one turn on a server. Changes nothing.

A kind's code is imported where it is asked for: all code is compiled on the server at every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .entry_point_module import reconciled
from .reconcile import TAKES

__all__ = ["KINDS", "arguments_of", "plan_all"]

#: In the order in which they are planned and applied.
KINDS = ("ssh_accounts", "privileged_ips", "vpn_certificates")

#: What a person should look at, where a result has some of it.
_TELLING = ("plan", "obsolete", "missing", "unmanaged", "refused", "problems", "alarms", "rolled_back")

#: Checks a kind's options: name, options -> the options with their defaults, and what is wrong with them.
Check = Callable[[str, dict[str, Any]], tuple[dict[str, Any], Sequence[str]]]


def arguments_of(name: str) -> dict[str, Any]:
    """Argument spec of the module of that kind."""
    spec: dict[str, Any] = _kind(name).arguments()
    return spec


def plan_all(asked: Mapping[str, dict[str, Any]], check: Check, audit: bool, diff: bool) -> dict[str, Any]:
    """The result of the module ``access_plan``. ``asked``: kind -> its module's options, as the user wrote them."""
    results = [_planned(name, asked[name], check, diff) for name in KINDS if name in asked]
    if audit:
        for result in results:
            # An audit tells what a guard would refuse; it is no failure of the audit.
            if result.get("refused"):
                result["failed"] = False
    failed = [result for result in results if result.get("failed")]
    shape: dict[str, Any] = {
        "results": results,
        "plans": {r["entry_point_kind"]: _in_short(r, not audit and not failed) for r in results if "plan_id" in r},
        "as_declared": not any(r.get("failed") or r.get(word) for r in results for word in _TELLING),
        # A plan that is about to be carried out has changed nothing yet.
        "changed": audit and any(result["changed"] for result in results),
        "failed": bool(failed),
    }
    if failed:
        shape["msg"] = "; ".join("%s: %s" % (result["entry_point_kind"], result["msg"]) for result in failed)
        shape.update((word, failed[0][word]) for word in ("entry", "field") if word in failed[0])
    diffs = [result["diff"] for result in results if "diff" in result]
    if diffs:
        shape["diff"] = diffs
    return shape


def _planned(name: str, options: dict[str, Any], check: Check, diff: bool) -> dict[str, Any]:
    params, wrong = check(name, options)
    if wrong:
        said = _kind(name).which_entry(options) + "; ".join(wrong)
        return {"entry_point_kind": name, "changed": False, "failed": True, "msg": said}
    return {"entry_point_kind": name, **reconciled(params, _kind(name).make, True, diff)}


def _kind(name: str) -> Any:
    """The file with a kind's ``arguments``, ``make`` and ``which_entry``."""
    if name == "ssh_accounts":
        from . import ssh_accounts

        return ssh_accounts
    if name == "privileged_ips":
        from . import privileged_ips

        return privileged_ips
    from . import vpn_arguments

    return vpn_arguments


def _in_short(result: Mapping[str, Any], meant: bool) -> dict[str, Any]:
    plan = result["plan"]
    takes = {(row["kind"], row["entry"]) for row in plan if row["action"] in TAKES}
    return {"plan_id": result["plan_id"], "actions": len(plan), "takes": len(takes), "applies": meant and bool(plan)}
