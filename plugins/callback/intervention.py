# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record every playbook run as an intervention. Thin: Ansible's events in, calls to the recorder out."""

from __future__ import annotations

DOCUMENTATION = r"""
name: intervention
type: aggregate
short_description: Record every playbook run in the ledger
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Records each playbook run as one intervention in a local SQLite ledger - who ran what, when, on which client's
    hosts, whether it was in contract, what changed or failed, and which entry points were removed, planned or found
    obsolete.
  - The intent is committed before the first task. A run that is killed is marked as interrupted when the next one
    starts.
  - It stores no result bodies and no values of extra variables. The name of a task that is C(no_log) or templated is
    replaced by its file, line and action.
  - It changes nothing on the hosts. Runs in check mode are recorded as such.
requirements:
  - This callback must be enabled by its full name in C(callbacks_enabled).
notes:
  - Who can override the configuration can disable any callback.
  - The ledger's views are described in the collection's C(docs/ledger.md).
options:
  ledger:
    description:
      - Path of the ledger, an SQLite file. Created with mode C(0600), and missing directories with C(0700).
      - The default is C(/var/lib/infogerance-perimeter/ledger.sqlite3) for root,
        else C(infogerance-perimeter/ledger.sqlite3) below E(XDG_STATE_HOME) or C(~/.local/state).
    type: path
    ini:
      - {section: callback_intervention, key: ledger}
    env:
      - {name: INFOGERANCE_PERIMETER_LEDGER}
  catalogue:
    description:
      - Path of a catalogue of scope categories. The default is the catalogue that ships with the collection.
    type: path
    ini:
      - {section: callback_intervention, key: catalogue}
    env:
      - {name: INFOGERANCE_PERIMETER_CATALOGUE}
  agreements:
    description:
      - Path of the file, or of the directory of C(*.yml) files, that declares what was agreed with each client -
        quotes, time-count contracts, exceptions from the catalogue, and how time is billed.
      - With it, each run records the agreement that it rests on, whatever O(gate) says.
    type: path
    ini:
      - {section: callback_intervention, key: agreements}
    env:
      - {name: INFOGERANCE_PERIMETER_AGREEMENTS}
  gate:
    description:
      - What to do with a run that is out of contract for one of its clients and rests on no agreement.
      - V(off) lets it run. V(warn) says so and lets it run.
      - V(block) ends it with exit code 77 before its first task, facts included. Tags, C(--start-at-task) and
        C(--check) do not change that. The blocked run is recorded, too.
      - An agreement is an accepted quote or a time-count contract in O(agreements), or the extra variable
        C(infogerance_emergency) with a reason in words, where the category allows it.
    type: str
    choices: ["off", warn, block]
    default: "off"
    ini:
      - {section: callback_intervention, key: gate}
    env:
      - {name: INFOGERANCE_PERIMETER_GATE}
  ledger_error:
    description:
      - What to do when the run cannot be recorded, or its scope category cannot be resolved.
      - V(warn) says so, sends one line to the system log, and lets the run go on.
      - V(block) ends the run with exit code 78 before its first task.
    type: str
    choices: [warn, block]
    default: warn
    ini:
      - {section: callback_intervention, key: ledger_error}
    env:
      - {name: INFOGERANCE_PERIMETER_LEDGER_ERROR}
  shared:
    description:
      - SQLAlchemy URL of a ledger that a team shares, a PostgreSQL database, as in
        V(postgresql+psycopg://ctl1@db.example.org/perimeter_ledger). The local ledger is pushed there after each run.
      - When it cannot be reached, the run's record waits in the local ledger, and the callback says how many rows wait.
      - Over a network C(sslmode) is C(verify-full) unless the URL says otherwise. Let the password come from a passfile
        (C(?passfile=/path) or E(PGPASSFILE)). It is never recorded nor shown.
      - Needs SQLAlchemy 2, psycopg 3 and tenacity on the controller.
    type: str
    ini:
      - {section: callback_intervention, key: shared}
    env:
      - {name: INFOGERANCE_PERIMETER_SHARED}
  sign_key:
    description:
      - Path of an SSH key that signs the chain of this ledger after each run - a private key without a passphrase, or a
        public key whose private one an agent holds (E(SSH_AUTH_SOCK)).
      - Nobody is ever asked for anything. A key that is missing or locked, or an agent that does not answer within five
        seconds, makes a warning; the run is recorded all the same.
      - The module M(infogerance.perimeter.ledger_verify) says who signed what.
    type: path
    ini:
      - {section: callback_intervention, key: sign_key}
    env:
      - {name: INFOGERANCE_PERIMETER_SIGN_KEY}
  shared_wait:
    description:
      - How many seconds a run's end may wait for the shared ledger. After one time-out no further push is tried in the
        same command.
    type: float
    default: 2.0
    ini:
      - {section: callback_intervention, key: shared_wait}
    env:
      - {name: INFOGERANCE_PERIMETER_SHARED_WAIT}
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# callbacks_enabled = infogerance.perimeter.intervention
#
# [callback_intervention]
# ledger = /srv/ansible/ledger.sqlite3
# ledger_error = block
# shared = postgresql+psycopg://ctl1@db.example.org/perimeter_ledger?passfile=/etc/infogerance-perimeter/pgpass
"""

import atexit
import dataclasses
import os
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from ansible import context
from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase

# EX_CONFIG of sysexits.h: what is set up does not allow the run.
EXIT_BLOCKED = 78
# EX_NOPERM: nobody has agreed to the work.
EXIT_REFUSED = 77
_STATISTICS = {
    "ok": "ok",
    "changed": "changed",
    "failed": "failures",
    "unreachable": "dark",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}
# Ansible's words: an ignored failure is `ok`, and a change is `ok`, too.
_COUNTED = {"changed": ("ok", "changed"), "ignored": ("ok", "ignored")}


def utc_now():
    """The time, with its zone."""
    return datetime.now(UTC)


class CallbackModule(CallbackBase):
    """One instance serves all playbooks of a command; each becomes an intervention of its own."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "infogerance.perimeter.intervention"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._recorder = None
        self._labels = {}
        self._base = Path()
        self._playbook = ""
        self._running = None
        self._about = {}
        self._before = {}
        self._gatekeeper = None
        self._facts = None
        self._resolved = None
        self._decision = None
        self._targets = {}
        self._pid = os.getpid()
        self._handing_over = None
        atexit.register(self._at_exit)

    # The run's start and ends

    def v2_playbook_on_start(self, playbook):
        self._finish("aborted", None)
        self._gatekeeper = self._resolved = self._decision = None
        self._targets = {}
        try:
            from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
                inspection,
                location,
                recorder,
                running,
                store,
            )

            self._inspection = inspection
            path = str(playbook._file_name)
            self._base = Path(os.path.realpath(path)).parent
            self._playbook = inspection.playbook_name(path)
            self._labels = {}
            self._about = {}
            ledger = store.Ledger(location.chosen_path(self.get_option("ledger")))
            self._recorder = recorder.Recorder(ledger)
            self._running = running.Running(self._recorder.run_id)
            running.begin(self._running)
            reaped = self._recorder.start(self._started(playbook, path))
        except Exception as error:  # noqa: BLE001 - whatever it was, the run is not recorded: that must be decided here
            if self._decision is None and self.get_option("gate") == "block":
                self._refuse_unjudged(error)
            self._cannot_record(error)
            reaped = []
        for run_id in reaped:
            self._display.vv(f"intervention {run_id} had been interrupted: marked so in the ledger")
        self._enforce()

    def _started(self, playbook, path):
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import revision, who
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import loading, model, resolution

        git = revision.Revision(self._base)
        options = context.CLIARGS
        plays = playbook.get_plays()
        extra_vars = plays[0].get_variable_manager().extra_vars if plays else {}
        body = self._about = {
            "playbook": self._playbook,
            "playbook_path": os.path.realpath(path),
            "check_mode": bool(options.get("check")),
            "limit": options.get("subset"),
            "tags": [tag for tag in options.get("tags") or [] if tag != "all"],
            "skip_tags": list(options.get("skip_tags") or []),
            # A task's name may be anything, so only that it was given.
            "start_at_task": bool(options.get("start_at_task")),
            "ansible_version": ansible_version,
            "operator": who.operator(extra_vars),
        }
        try:
            catalogue = loading.load(self.get_option("catalogue"))
            facts = self._inspection.run_facts(playbook, path, options)
            facts = self._facts = self._with_alerts(facts, playbook, extra_vars)
            resolved = resolution.resolve(catalogue, facts)
        except (model.CatalogueError, resolution.ScopeError) as error:
            if self.get_option("ledger_error") == "block":
                raise
            self._undecided(error, body)
            self._display.warning(f"intervention: {error}")
            # Recorded all the same, and visibly without a verdict. The message may quote what was typed: not kept.
            body["scope"] = {"category": None, "contract": None, "source": None, "error": type(error).__name__}
        else:
            body["scope"] = resolved.as_dict()
            self._judge(playbook, catalogue, resolved, extra_vars, body)
        body["revision"] = git.result()
        return body

    def _with_alerts(self, facts, playbook, extra_vars):
        """Asks the ledger only when the run says that it works on an alert."""
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import resolution

        cause = self._said(playbook, extra_vars, resolution.ALERT_VARIABLE)
        if cause is None:
            return facts
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import scope
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import location, store

        ledger = store.Ledger(location.chosen_path(self.get_option("ledger")))
        hosts = [target.host for target in self._inspection.targets(playbook)]
        return dataclasses.replace(facts, alerts=scope.seen(ledger, cause, hosts))

    def _said(self, playbook, extra_vars, name):
        """An extra variable, or the first play's."""
        value = extra_vars.get(name)
        return self._inspection.play_variable(playbook, name) if value is None else value

    # The gate

    def _judge(self, playbook, catalogue, resolved, extra_vars, body):
        """Decide before the start is recorded, so that the record begins with the decision."""
        self._resolved = resolved
        asked = self.get_option("gate") != "off" or self.get_option("agreements")
        if not asked and not any(name.startswith("infogerance_") for name in extra_vars):
            # As the gatekeeper would find; but to ask it costs every run a few hundredths of a second.
            return
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import location, store
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import gate, gatekeeper

        third_party = self._said(playbook, extra_vars, gate.THIRD_PARTY_VARIABLE)
        keeper = gatekeeper.Gatekeeper(
            self.get_option("gate"),
            self.get_option("agreements"),
            catalogue,
            store.Ledger(location.chosen_path(self.get_option("ledger"))),
            emergency=extra_vars.get(gate.EMERGENCY_VARIABLE),
            third_party=third_party,
        )
        if not keeper.wanted:
            return
        self._gatekeeper = keeper
        targets = {target.host: target for target in self._inspection.targets(playbook)}
        # Work on a host of somebody else's is that client's, too, whoever's play it is delegated from.
        targets.update((one.host, one) for one in self._inspection.delegates(playbook, context.CLIARGS, targets))
        self._targets = targets
        self._decision = keeper.decide(resolved, list(self._targets.values()), utc_now())
        body["gate"] = self._decision.as_dict()
        body["scope"]["contract"] = self._decision.contract(resolved.category.contract)

    def _undecided(self, error, body):
        """The category itself is unknown: what is not known to be in contract does not pass."""
        mode = self.get_option("gate")
        if mode != "off":
            from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import gate

            self._decision = gate.Decision(mode, trouble=str(error))
            body["gate"] = self._decision.as_dict()

    def _refuse_unjudged(self, error):
        """Something broke before the gate could decide: with `block`, that is no way through."""
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import gate

        self._decision = gate.Decision("block", trouble=str(error))
        if self._recorder is not None and not self._recorder.open:
            self._recorder = None
        self._enforce()

    def _enforce(self):
        """Say what the gate found, and end the run when it must not start. The one place that does."""
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import presence

        decision = self._decision
        for warning in decision.warnings if decision is not None else ():
            self._display.warning(f"intervention: {warning}")
        if decision is not None and not decision.passed and decision.mode != "off":
            from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import refusal

            text = refusal.text(decision, self._resolved, self.get_option("agreements"))
            if decision.blocked:
                self._blocked(text)
            self._display.warning(f"intervention: this would be blocked: {text}", formatted=True)
        recorder, resolved = self._recorder, self._resolved
        presence.mark(
            presence.Presence(
                run_id=recorder.run_id if recorder else "",
                recorded=recorder is not None and recorder.failure is None,
                gate=self.get_option("gate"),
                word=decision.word if decision is not None else None,
                category=resolved.category.name if resolved else None,
                contract=decision.contract(resolved.category.contract)
                if decision is not None and resolved
                else resolved.category.contract
                if resolved
                else None,
                clients=tuple(verdict.as_dict() for verdict in decision.verdicts) if decision is not None else (),
            )
        )

    def _blocked(self, text):
        """Commit first: after SystemExit no callback gets statistics any more."""
        recorder = self._recorder
        if recorder is not None:
            for target in self._targets.values():
                recorder.host(target.host, target.clients)
        self._finish("blocked", {} if recorder is None or not recorder.worked else None)
        self._display.error(f"intervention: blocked: {text}", wrap_text=False)
        raise SystemExit(EXIT_REFUSED)

    def _judge_later(self, hosts):
        """Hosts that nobody knew of before: before their play's first task, their clients are asked, too."""
        if self._gatekeeper is None or self._resolved is None or self._decision is None or not hosts:
            return
        self._targets.update({target.host: target for target in hosts})
        try:
            decision = self._decide_later(hosts)
        except Exception as error:
            if self.get_option("gate") != "block":
                raise
            self._refuse_unjudged(error)
        self._decision = decision
        if self._recorder is not None:
            category = self._resolved.category
            self._recorder.gate({**decision.as_dict(), "category": category.name, "label": dict(category.label)})
        self._enforce()

    def _decide_later(self, hosts):
        """For the clients of these hosts; what was decided for others stands.

        A client that is known is asked again: an exception may be for some of its hosts, or the catalogue for a group.
        """
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import resolution

        if self._facts is None or self._gatekeeper is None or self._resolved is None or self._decision is None:
            raise AssertionError
        groups = self._facts.host_groups.union(*(target.groups for target in hosts))
        self._facts = dataclasses.replace(self._facts, host_groups=groups)
        resolved = resolution.resolve(self._gatekeeper.catalogue, self._facts)
        asked = {client for target in hosts for client in target.clients or (None,)}
        if resolved.category.name != self._resolved.category.name and resolved.category.contract == "out":
            # What is recorded as the run's category was true of its beginning.
            self._resolved = resolved
            asked.update(verdict.client for verdict in self._decision.verdicts)
        decision = self._gatekeeper.decide(self._resolved, list(self._targets.values()), utc_now())
        return decision.after(self._decision, asked)

    def v2_playbook_on_stats(self, stats):
        recorder = self._recorder
        if recorder is None:
            return
        # Ansible adds up over all playbooks of a command: what was there before is not ours.
        totals = {
            host: {key: getattr(stats, name).get(host, 0) for key, name in _STATISTICS.items()}
            for host in stats.processed
        }
        counts = {
            host: {key: number - self._before.get(host, {}).get(key, 0) for key, number in numbers.items()}
            for host, numbers in totals.items()
        }
        self._before = totals
        counts = {
            host: numbers for host, numbers in counts.items() if any(numbers.values()) or host in recorder.clients
        }
        self._finish(None, counts)

    def _at_exit(self):
        # Reached without statistics after SIGINT or an error in a play. Forked workers leave by another door.
        if self._pid == os.getpid():
            self._finish("aborted", None)

    def _finish(self, outcome, counts):
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import presence

        presence.clear()
        recorder, self._recorder = self._recorder, None
        if recorder is None or not recorder.open:
            return
        self._forget_running()
        expected = None
        if counts is not None:
            sums: Counter[str] = Counter()
            for numbers in counts.values():
                sums.update(numbers)
            expected = sums["ok"] + sums["failed"] + sums["rescued"] + sums["unreachable"]
        try:
            decided = recorder.finish(outcome, counts, expected)
        except Exception as error:  # noqa: BLE001 - the run is over: what is left is to say it
            self._say_unrecorded(recorder, error, "end")
        else:
            self._display.vv(f"intervention {recorder.run_id} recorded: {decided}")
            self._hand_over(recorder)

    def _hand_over(self, recorder):
        """Sign and push, when asked to: by one object for all playbooks of this command."""
        key, url = self.get_option("sign_key"), self.get_option("shared")
        if not key and not url:
            return
        if self._handing_over is None:
            from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import handing_over

            self._handing_over = handing_over.HandingOver(key, url, self.get_option("shared_wait"))
        for sentence in self._handing_over.after(recorder.ledger):
            self._display.warning(f"intervention: {sentence}")

    def _forget_running(self):
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import running

        self._running = None
        running.end()

    def _cannot_record(self, error):
        recorder = self._recorder
        if recorder is None or not recorder.open:
            self._forget_running()
        if self.get_option("ledger_error") == "block":
            self._recorder = None
            self._say_unrecorded(recorder, error, "blocked")
            self._display.error(f"intervention: the run is blocked, because it cannot be recorded. {error}")
            raise SystemExit(EXIT_BLOCKED)
        self._display.warning(f"intervention: the run cannot be recorded and goes on all the same. {error}")
        self._say_unrecorded(recorder, error, "start")
        if recorder is not None and not recorder.open:
            self._recorder = None

    def _say_unrecorded(self, recorder, error, phase):
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import last_resort, record

        if phase == "end":
            self._display.warning(f"intervention: this run is missing from the ledger, or incomplete in it. {error}")
        now = record.stamp(datetime.now(UTC))
        left = {"run_id": uuid.uuid4().hex, "started_at": now, "at": now, **last_resort.facts(self._about, {})}
        if recorder is not None and recorder.begun:
            left = recorder.left()
        line = last_resort.send(
            {**left, "playbook": self._playbook, "phase": phase, "uid": os.getuid(), "error": last_resort.reason(error)}
        )
        # Whoever keeps the run's output can import it from there: a container may have no system log.
        self._display.display(line, stderr=True)

    # Hosts

    def v2_playbook_on_play_start(self, play):
        recorder = self._recorder
        if recorder is None and self._gatekeeper is None:
            return
        hosts = {host.get_name(): host for host in self._inspection.targeted_hosts(play)}
        fresh = []
        for name, host in hosts.items():
            if name not in (recorder.clients if recorder is not None else self._targets):
                target = self._targets.get(name)
                if target is None and self._gatekeeper is not None:
                    target = self._inspection.target(play, host, list(hosts))
                    fresh.append(target)
                owners = target.clients if target else self._inspection.host_clients(play, host, list(hosts))
                if recorder is not None:
                    recorder.host(name, owners)
        self._judge_later(fresh)
        self._boundary()

    # Tasks

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task_start(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._task_start(task)

    def _task_start(self, task):
        if self._recorder is None:
            return
        if task._uuid not in self._labels:
            self._labels[task._uuid] = self._inspection.label(task, self._base)
        self._boundary()

    def v2_playbook_on_include(self, included_file):
        if self._recorder is not None:
            self._recorder.included(len(included_file._hosts))

    # Results

    def v2_runner_on_start(self, host, task):
        if self._recorder is not None:
            self._recorder.began(host.get_name())

    def v2_runner_on_ok(self, result):
        changed = result.is_changed()
        self._result(result, "changed" if changed else "ok", stored=changed)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result(result, "failed", stored=True, ignored=bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable", stored=True)

    def v2_runner_on_skipped(self, result):
        if self._recorder is not None:
            label = self._labels.get(result.task._uuid)
            # Some modules skip what they would do in check mode: that was a dry run as well.
            pretended = label is not None and label.check_mode
            self._recorder.result(result.host.get_name(), "skipped", counted=False, pretended=pretended)

    def _result(self, result, status, *, stored, ignored=False):
        recorder = self._recorder
        if recorder is None or not recorder.mine:
            return
        host, task = result.host.get_name(), result.task
        label = self._labels.get(task._uuid) or self._inspection.unknown_label(task, self._base)
        # An include that worked is counted by v2_playbook_on_include.
        first, also = _COUNTED.get("ignored" if ignored else status, (status, None))
        recorder.result(
            host,
            first,
            counted=status in {"failed", "unreachable"} or not isinstance(task, TaskInclude),
            pretended=label.check_mode,
        )
        if also:
            recorder.result(host, also, counted=False)
        if stored:
            recorder.task(host, status, label.described(), ignored=ignored)
        if not label.core and status != "unreachable":
            recorder.entry_points(host, result.result)
            if self._running is not None:
                for mark, fields in self._running.recognised(result.result):
                    recorder.annotated(mark, fields)
            self._boundary()

    def _boundary(self):
        error = self._recorder.boundary() if self._recorder else None
        if error is not None:
            self._display.warning(f"intervention: the ledger cannot be written now, and will be tried again. {error}")
