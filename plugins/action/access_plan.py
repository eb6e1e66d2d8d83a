# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of ``access_plan``: hands the CA's password over where Ansible keeps it out of results and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Run the module."""

    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({"ssh_accounts", "privileged_ips", "vpn_certificates", "audit"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments.pop("_ca_password", None)
        certificates = arguments.get("vpn_certificates")
        pki = certificates.get("pki") if isinstance(certificates, Mapping) else None
        if isinstance(certificates, Mapping) and isinstance(pki, Mapping) and pki.get("ca_password") is not None:
            rest = {name: value for name, value in pki.items() if name != "ca_password"}
            arguments["vpn_certificates"] = {**certificates, "pki": rest}
            arguments["_ca_password"] = pki["ca_password"]
        result.update(
            self._execute_module(
                module_name="infogerance.perimeter.access_plan", module_args=arguments, task_vars=task_vars
            )
        )
        return result
