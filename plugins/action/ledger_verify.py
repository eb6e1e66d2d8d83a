# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_verify`: walk every chain, compare with what is known elsewhere, look at signatures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import outbox, signing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_store,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

_OPTIONS = {
    "ledger": {"type": "path"},
    "shared": {"type": "str", "no_log": True},
    "allowed_signers": {"type": "path"},
    "all_signatures": {"type": "bool", "default": False},
    "max_unsigned": {"type": "int"},
}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec=_OPTIONS, required_by={"max_unsigned": ["allowed_signers"]}
        )
        most, allowed = options["max_unsigned"], options["allowed_signers"]
        if most is not None and most < 0:
            raise AnsibleActionFail("max_unsigned: must be 0 or more")
        try:
            # Beside a shared ledger, the local file only tells what that one has acknowledged.
            store = configured_store(None if options["shared"] else options["ledger"], options["shared"])
            checked = store.verify(self._known(options, store))
            with store.reading() as connection:
                heads, unsigned = signing.signed_heads(
                    connection, Path(allowed) if allowed else None, everything=options["all_signatures"]
                )
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        faults = [*checked.faults, *(head.sentence for head in heads if head.fault)]
        result.update(
            changed=False,
            source=store.shown,
            rows=checked.rows,
            heads=checked.heads,
            first=[{"writer": fault.writer, "row": fault.row, "what": fault.what} for fault in checked.first],
            signatures=[asdict(head) for head in heads],
            unsigned=unsigned,
        )
        said = f"the ledger {store.shown} was tampered with or is damaged"
        if most is not None:
            late = list(signing.too_long_unsigned(unsigned, most))
            said = said if faults else f"the ledger {store.shown} is not signed as it should be"
            faults += late
        result["faults"] = faults
        if faults:
            result.update(failed=True, msg=f"{said}: {faults[0]}")
        return result

    def _known(self, options, store):
        """What this ledger must have: that of the local file which a shared ledger has acknowledged."""
        local = Ledger(configured_path(options["ledger"]))
        if not local.path.exists():
            if options["ledger"]:
                raise LedgerError(f"there is no ledger at {local.path}")
            return []
        with local.reading() as connection:
            return outbox.heads(connection, store.shown if options["shared"] else None)
