# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of scope_assert: is the callback here, and does it say what this play needs?"""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import presence
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.gate import MODES

_OPTIONS = {
    "gate": {"type": "str", "choices": list(MODES), "default": "off"},
    "recorded": {"type": "bool", "default": True},
    "categories": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):
    """Looks at the mark that the callback has set in this very process before it was forked."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        found = presence.current()
        if found is None:
            raise AnsibleActionFail(
                "the callback infogerance.perimeter.intervention does not watch over this run: enable it in "
                "callbacks_enabled, or nothing is recorded and no gate is kept"
            )
        if options["recorded"] and not found.recorded:
            raise AnsibleActionFail("this run is not in the ledger: its start could not be written")
        if MODES.index(found.gate) < MODES.index(options["gate"]):
            raise AnsibleActionFail(f"the gate is '{found.gate}', and this play needs at least '{options['gate']}'")
        if options["categories"] and found.category not in options["categories"]:
            raise AnsibleActionFail(
                f"this run's category is {found.category or 'unknown'}, and this play is for "
                f"{', '.join(options['categories'])}"
            )
        result.update(
            changed=False,
            run_id=found.run_id,
            gate=found.gate,
            category=found.category,
            contract=found.contract,
        )
        return result
