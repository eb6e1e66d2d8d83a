# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `access_review`: the inventory's lists in, a review or a comparison in the ledger out."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review import lists, sheet, signing_off
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import inventory, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

_OPTIONS = {
    "action": {"type": "str", "choices": ["show", "note", "sign_off"], "default": "show"},
    "client": {"type": "str"},
    "reviewer": {"type": "str"},
    "digest": {"type": "str"},
    "decision": {"type": "str", "choices": list(signing_off.DECISIONS), "default": "confirmed"},
    "note": {"type": "str"},
    "every_days": {"type": "int", "default": 90},
    "language": {"type": "str", "choices": ["fr", "en"], "default": "fr"},
    "ledger": {"type": "path"},
}
_LONGEST = 1096


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs; one task looks at all hosts of its play."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        text = {name: (options[name] or "").strip() or None for name in ("client", "reviewer", "digest", "note")}
        if not 1 <= options["every_days"] <= _LONGEST:
            raise AnsibleActionFail(f"every_days: must be from 1 to {_LONGEST}, not {options['every_days']}")
        variables = task_vars or {}
        ledger = Ledger(configured_path(options["ledger"]))
        try:
            noting = options["action"] == "note"
            clients = self._declared(variables, text["client"], result.setdefault("warnings", []) if noting else None)
            if noting:
                result.update(self._note(ledger, clients, result["warnings"]))
            elif options["action"] == "sign_off":
                result.update(self._sign_off(ledger, clients, text, options, variables))
            else:
                result.update(changed=False)
        except (LedgerError, lists.ListError) as error:
            raise AnsibleActionFail(str(error)) from None
        result["clients"] = {
            client: {
                "digest": lists.overall(hosts),
                "hosts": {
                    host: {kind: its["count"] for kind, its in found.items()} for host, found in hosts.items() if found
                },
            }
            for client, hosts in clients.items()
            if any(hosts.values())
        }
        if options["action"] == "show":
            result["lines"] = sheet.lines(clients, options["language"])
        return result

    def _declared(self, variables, wanted, warnings):
        """Client -> host -> lists, of the play's hosts that declare any.

        warnings: takes what cannot be read, which is an error without it; and then hosts that declare none are there,
        too: all their lists may have been taken away.
        """
        hostvars = variables.get("hostvars") or {}
        found: dict[str, dict[str, lists.Lists]] = {}
        for host in variables.get("ansible_play_hosts_all") or []:
            owners = inventory.host_clients(variables, host) or []
            if wanted is not None and wanted not in owners:
                continue
            try:
                made = self._of_host(hostvars[host], host)
            except lists.ListError as error:
                if warnings is None:
                    raise
                # Noting must not hold up what it accompanies: the module that takes the list will say what is wrong.
                warnings.append(f"access review: {error}")
                continue
            for owner in owners if made or warnings is not None else ():
                found.setdefault(owner, {})[host] = made
        if wanted is not None and wanted not in found:
            raise AnsibleActionFail(f"client: no host of {wanted!r} in this play declares a list")
        return found

    def _of_host(self, variables, host):
        given = {}
        for kind, variable in lists.VARIABLES.items():
            try:
                value = variables.get(variable)
            except AnsibleError as error:
                raise lists.ListError(f"{host}: {variable} cannot be read: {error}") from None
            if value is not None:
                given[kind] = value
        return lists.of_host(host, given)

    def _note(self, ledger, clients, warnings):
        # A record, like the callback's own: in check mode, too. Where nothing is recorded, there is nothing to keep.
        if not ledger.path.exists():
            return {"changed": False, "differing": 0, "skipped": True, "skip_reason": "there is no ledger"}
        try:
            return {"changed": False, "differing": signing_off.note(ledger, clients, datetime.now(UTC))}
        except LedgerError as error:
            warnings.append(f"access review: the lists were not noted: {error}")
            return {"changed": False, "differing": 0}

    def _left_out(self, variables, client):
        """The client's hosts of the inventory that are not in this play, and declare a list, be it readable or not."""
        here = set(variables.get("ansible_play_hosts_all") or [])
        hostvars = variables.get("hostvars") or {}
        others = [host for host in (variables.get("groups") or {}).get("all") or [] if host not in here]
        its = [host for host in others if client in (inventory.host_clients(variables, host) or [])]
        return [host for host in its if self._declares(hostvars[host], host)]

    def _declares(self, variables, host):
        try:
            return bool(self._of_host(variables, host))
        except lists.ListError:
            return True

    def _sign_off(self, ledger, clients, text, options, variables):
        for name in ("client", "reviewer", "digest"):
            if text[name] is None:
                raise AnsibleActionFail(f"{name}: is needed to sign off")
        if options["decision"] == "objected" and text["note"] is None:
            raise AnsibleActionFail("note: say what the reviewer objects to")
        hosts = clients[text["client"]]
        found = lists.overall(hosts)
        if text["digest"] != found:
            raise AnsibleActionFail(
                f"digest: the lists of {text['client']!r} are no longer those that were reviewed, or other hosts are "
                f"in this play: their digest is {found}. Show them, review them, and sign that digest"
            )
        if self._task.check_mode:
            return {"changed": True, "review_id": None}
        signature = signing_off.Signature(
            reviewer=text["reviewer"],
            decision=options["decision"],
            by=who.operator(variables)["name"],
            note=text["note"],
            every_days=options["every_days"],
        )
        ledger.create()
        return {
            "changed": True,
            "review_id": signing_off.sign_off(
                ledger, text["client"], hosts, signature, datetime.now(UTC), self._left_out(variables, text["client"])
            ),
        }
