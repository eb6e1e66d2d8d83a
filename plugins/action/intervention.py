# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record work done by hand, say more about a run, or correct one. Runs on the controller and connects to no server."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    by_hand,
    correcting,
    inventory,
    reading,
    running,
    spent_time,
    who,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import canonical
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, named_zone
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import gate, terms_files
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError

_OPTIONS = {
    "action": {"type": "str", "choices": ["record", "annotate", "correct"], "required": True},
    "client": {"type": "str"},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "category": {"type": "str"},
    "start": {"type": "str"},
    "end": {"type": "str"},
    "duration": {"type": "str"},
    "timezone": {"type": "str", "default": "UTC"},
    "operator": {"type": "str"},
    "ticket": {"type": "str"},
    "quote": {"type": "str"},
    "note": {"type": "str"},
    "time": {"type": "str"},
    "run_id": {"type": "str"},
    "reason": {"type": "str"},
    "key": {"type": "str", "no_log": False},
    "new_client": {"type": "bool", "default": False},
    "catalogue": {"type": "path"},
    "ledger": {"type": "path"},
}
# What each action understands. Anything else is refused: a field that is passed over in silence is a lost fact.
_FIELDS = {
    "record": {
        *("client", "hosts", "category", "start", "end", "duration", "timezone", "operator"),
        *("ticket", "quote", "note", "key", "new_client", "catalogue", "ledger"),
    },
    "annotate": {"ticket", "quote", "note", "time", "client", "run_id", "operator", "ledger"},
    "correct": {"run_id", "category", "duration", "note", "operator", "reason", "catalogue", "ledger"},
}


class ActionModule(ActionBase):
    """Options in, rows out. What a task says of its own run goes through the result: see docs/ledger.md."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        variables = task_vars or {}
        action = options["action"]
        given = {name for name in self._task.args if name != "action"}
        if unknown := sorted(given - _FIELDS[action]):
            raise AnsibleActionFail(f"action {action!r} has no use for: {', '.join(unknown)}")
        now = datetime.now(UTC)
        operator = who.operator(variables)
        if (options["operator"] or "").strip():
            operator = {**operator, "name": options["operator"].strip(), "name_source": "stated"}
        try:
            done = getattr(self, f"_{action}")(options, variables, operator, now)
        except (LedgerError, CatalogueError, PeriodError, ValueError) as error:
            raise AnsibleActionFail(f"intervention: {error}") from None
        result.update(done)
        return result

    def _record(self, options, variables, operator, now):
        client = self._needed(options, "client")
        category = self._category(options, self._needed(options, "category"))
        clock = named_zone(options["timezone"])
        times = {key: spent_time.moment(key, options[key], clock) if options[key] else None for key in ("start", "end")}
        length = spent_time.duration("duration", options["duration"]) if options["duration"] else None
        begin, end = spent_time.span(times["start"], times["end"], length, now)
        hosts = [name.strip() for name in options["hosts"]]
        if "" in hosts:
            raise ValueError("hosts: a host's name is empty")
        for host in hosts:
            owners = inventory.host_clients(variables, host)
            if owners and client not in owners:
                raise ValueError(f"hosts: {host!r} is not a host of {client!r} but of {', '.join(owners)}")
        ledger = Ledger(configured_path(options["ledger"]))
        if not options["new_client"]:
            self._check_client(client, variables, ledger)
        said = {}
        if any(options[key] for key in ("ticket", "quote", "note")):
            said = self._annotation(options)
        exception = self._exception(client, hosts, category, begin, variables)
        facts = [client, sorted(hosts), category.name, begin.isoformat(), end.isoformat(), operator["name"], said]
        work = by_hand.ByHand(
            key=(options["key"] or "").strip() or canonical(facts),
            started=begin,
            ended=end,
            duration_seconds=(end - begin).total_seconds(),
            clients=[client],
            operator=operator,
            category=category,
            hosts={host: [client] for host in hosts},
            said=said,
            exception=exception,
        )
        answer = {
            "run_id": work.run_id,
            "started_at": begin.isoformat(),
            "ended_at": end.isoformat(),
            "category": category.name,
            "contract": work.contract,
        }
        if self._task.check_mode:
            return {**answer, "changed": not self._is_there(ledger, work.run_id)}
        ledger.create()
        with ledger.transaction() as transaction:
            return {**answer, "changed": by_hand.store(transaction, work, now)}

    def _annotate(self, options, variables, operator, now):
        said = self._annotation(options, time=options["time"])
        if options["run_id"]:
            if not self._task.check_mode:
                by_hand.annotate(
                    Ledger(configured_path(options["ledger"])), options["run_id"], said, by=operator["name"], now=now
                )
            return {"changed": False, "run_id": options["run_id"]}
        run = running.current()
        if run is None:
            raise ValueError(
                "nobody records this run, so there is nothing to add to: enable the callback "
                "infogerance.perimeter.intervention, or give the run_id of an earlier run"
            )
        if options["ledger"]:
            raise ValueError("ledger: the running intervention is in the callback's ledger; leave this out")
        if self._task.no_log:
            raise ValueError("no_log hides a task's result from the callback, so nothing would be added")
        client = said.get("client")
        known = inventory.known_clients(variables)
        # Another play of this run may be on that client's hosts: only a name that is no client's is wrong for sure.
        if client is not None and client not in known:
            raise ValueError(
                f"client: {client!r} is not in the inventory (known: {', '.join(sorted(known)) or 'none'}), so what is "
                "said would reach nobody"
            )
        # Not "changed": nothing on the task's host is, and its verdict is what a client reads.
        answer = {"changed": False, "run_id": run.run_id}
        if not self._task.check_mode:
            # The worker cannot write to the run that its parent records: the callback finds this in the result.
            answer[running.RESULT_KEY] = run.signed({**said, "by": operator["name"]}, str(self._task._uuid))
        return answer

    def _correct(self, options, variables, operator, now):
        run_id = self._needed(options, "run_id")
        reason = self._needed(options, "reason")
        ledger = Ledger(configured_path(options["ledger"]))
        length = spent_time.duration("duration", options["duration"], zero=True) if options["duration"] else None
        category = self._category(options, options["category"]) if options["category"] else None
        if not self._is_there(ledger, run_id):
            raise ValueError(f"run_id: {ledger.path} has no intervention {run_id}")
        if not self._task.check_mode:
            correcting.correct(
                ledger,
                run_id,
                by=operator["name"],
                reason=reason,
                now=now,
                category=category,
                note=options["note"] or "",
                duration_seconds=None if length is None else length.total_seconds(),
            )
        return {"changed": True, "run_id": run_id}

    def _annotation(self, options, time=None):
        return by_hand.annotation(
            ticket=options["ticket"],
            quote=options["quote"],
            note=options["note"],
            added_seconds=spent_time.duration("time", time).total_seconds() if time else None,
            client=options["client"] if options["action"] == "annotate" else None,
        )

    def _exception(self, client, hosts, category, begin, variables):
        """Where this client's contract differs from the catalogue: as the gate finds it for a playbook's run."""
        terms = terms_files.load(configured_setting("agreements"))
        third_party = variables.get(gate.THIRD_PARTY_VARIABLE)
        found, _checks = gate.excepted(
            category.name,
            {host: frozenset(inventory.host_groups(variables, host)) for host in hosts},
            terms.of(client),
            terms.today(begin),
            self._templar.template(third_party) if isinstance(third_party, str) else None,
        )
        return found

    def _category(self, options, name):
        catalogue = load(options["catalogue"] or configured_setting("catalogue"))
        if name not in catalogue.categories:
            known = ", ".join(sorted(catalogue.categories))
            raise ValueError(f"category: {name!r} is not in the catalogue. Known categories: {known}")
        return catalogue.categories[name]

    def _check_client(self, client, variables, ledger):
        known = inventory.known_clients(variables)
        if client not in known and ledger.path.exists():
            with ledger.reading() as connection:
                known |= set(reading.clients(connection))
        if client not in known:
            raise ValueError(
                f"client: {client!r} is neither in the inventory nor in the ledger (known: "
                f"{', '.join(sorted(known)) or 'none'}); set new_client if it is right"
            )

    def _needed(self, options, name):
        value = (options[name] or "").strip()
        if not value:
            raise ValueError(f"{name}: is needed to {options['action']}")
        return value

    def _is_there(self, ledger, run_id):
        if not ledger.path.exists():
            return False
        with ledger.reading() as connection:
            return bool(reading.wanted(connection, reading.Wanted(run_id=run_id)))
