# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spine that every entry-point module runs: observe -> plan -> guard -> apply -> verify.

A kind of entry point supplies what it declares, what it observes and how one plan is applied (class Kind).
The order, the lock, check mode, the diff and the result are here, once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import gc
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional

from .journal import Journal, Touched
from .reconcile import (
    Action,
    Declared,
    Guard,
    InvalidEntry,
    Observed,
    Plan,
    Policy,
    parse_date,
    parse_limit,
    plan,
    result,
)
from .state_directory import DEFAULT_ROOT, Busy, StateDirectory, StateError
from .ways_in import ways_in, what_is_left

if TYPE_CHECKING:
    from .rollback import Armed

__all__ = [
    "Kind",
    "ServerProblem",
    "confirm_arguments",
    "policy_arguments",
    "policy_of",
    "reconciled",
    "run",
    "today",
]


class ServerProblem(Exception):
    """The server is in a state in which acting would be unsafe, or a step failed. Says what and where."""


class Kind:
    """What one kind of entry point brings to the spine. Subclass it once per module."""

    #: Module name, used as ``entry_point_kind`` and as the name of the state file.
    name = ""
    #: Kinds of entries that are watched and let nobody in by themselves.
    plumbing: Sequence[str] = ()
    #: Notes moves while a change is armed; see journal.Journal.
    journal = Journal()

    def declare(self) -> Sequence[Declared]:
        """The client's list, validated whole. Raises InvalidEntry. Must not read the server."""
        raise NotImplementedError

    def observe(self) -> Sequence[Observed]:
        """What the server has now. Called before planning and again after applying: it must read afresh."""
        raise NotImplementedError

    def resolve(
        self, declared: Sequence[Declared], observed: Sequence[Observed], policy: Policy
    ) -> tuple[Sequence[Declared], Policy]:
        """Name declared entries and the policy's names as the server names its own (a person's certificate by
        its serial). Sees every observation anew; must not change anything."""
        del observed
        return declared, policy

    def guards(self) -> Sequence[Guard]:
        """Guards of this kind, beside the common ones."""
        return ()

    def check(self, made: Plan) -> None:
        """Raise ServerProblem or InvalidEntry if the plan can't be carried out here. Runs in check mode, too."""

    def touched(self, made: Plan) -> Touched:  # noqa: ARG002 - for subclasses
        """What applying the plan may change, so that it can be put back. For kinds with ``confirm``."""
        return Touched()

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        """Carry the plan out in its order and call ``done`` after each action that took effect."""
        raise NotImplementedError

    def verify(self, made: Plan) -> Sequence[str]:  # noqa: ARG002 - for subclasses
        """What is still open although the plan was applied (live sessions, flows, ...). Empty is good."""
        return ()

    def opens(self, entry: Observed) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """More columns for an entry's row in ``ways_in``: what it opens, until when. Names and dates only."""
        return {}

    def details(self) -> dict[str, Any]:
        """More for the result: warnings, alarms, access. Read after the last observation."""
        return {}


def policy_arguments() -> dict[str, Any]:
    """Argument spec of the options that all entry-point modules share (doc fragment ``reconcile``)."""
    return {
        "obsolete": {"type": "str", "choices": ["report", "disable", "remove"], "default": "report"},
        "grace": {"type": "int", "default": 30},
        "adopt": {"type": "bool", "default": False},
        "protect": {"type": "list", "elements": "str", "default": []},
        "max_obsolete": {"type": "str", "default": "20%"},
        "allow_empty": {"type": "bool", "default": False},
        "expect_plan": {"type": "str"},
        "restore": {"type": "list", "elements": "str", "default": []},
        "departed": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"person": {"type": "str", "required": True}, "since": {"type": "str", "required": True}},
        },
        "persons": {"type": "list", "elements": "str", "default": []},
        "lock_wait": {"type": "int", "default": 30},
        "state_directory": {"type": "path", "default": DEFAULT_ROOT},
    }


def confirm_arguments() -> dict[str, Any]:
    """Argument spec of confirm-or-roll-back (doc fragment ``confirm``). The nonce comes from the action plugin."""
    return {
        "confirm": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
        "confirm_timeout": {"type": "int", "default": 60},
        "_confirm_nonce": {"type": "str", "no_log": False},
    }


def policy_of(params: dict[str, Any]) -> Policy:
    """The shared options as a Policy. Raises InvalidEntry."""
    if params["grace"] < 0:
        raise InvalidEntry("policy", "grace", "%d: days can't be negative" % params["grace"])
    departed: dict[str, str] = {}
    for row in params["departed"]:
        since = parse_date(row["since"], row["person"], "departed.since")
        if departed.setdefault(row["person"], since) != since:
            raise InvalidEntry(row["person"], "departed", "has two dates: %s and %s" % (departed[row["person"]], since))
    return Policy(
        today=today(),
        obsolete=params["obsolete"],
        grace=params["grace"],
        adopt=params["adopt"],
        protect=frozenset(params["protect"]),
        max_obsolete=parse_limit(params["max_obsolete"]),
        allow_empty=params["allow_empty"],
        expect_plan=params["expect_plan"],
        restore=frozenset(params["restore"]),
        departed=departed,
        persons=frozenset(params["persons"]),
    )


#: Makes a kind out of a module's parameters. May raise InvalidEntry, and must not read the server.
Make = Callable[[dict[str, Any]], "tuple[Kind, StateDirectory]"]


def run(module: Any, make: Make) -> None:
    """Run the spine for one kind and leave by exit_json or fail_json. ``module`` is an AnsibleModule."""
    outcome = reconciled(module.params, make, module.check_mode, module._diff)
    if outcome.pop("failed", False):
        module.fail_json(**outcome)
    module.exit_json(**outcome)


def reconciled(params: dict[str, Any], make: Make, check_mode: bool, diff: bool) -> dict[str, Any]:
    """Run the spine for one kind: a module's result, with ``failed`` and ``msg`` where it is a failure."""
    told: list[dict[str, Any]] = []
    # A run is short and keeps what it reads: looking for cycles in it was a tenth of the time of a long list.
    gc.disable()
    try:
        kind, state = make(params)
        policy = policy_of(params)
        declared = list(kind.declare())
        if has_pending(state):
            from .rollback import left_behind, settle_pending, take_reports

            if not check_mode and left_behind(state):
                with contextlib.suppress(Busy), state.lock(params["lock_wait"]):
                    settle_pending(state)
            told += take_reports(state, mark=not check_mode)
        # A converged server is found without the lock and without a trace; only a change needs it.
        outcome = _reconcile(kind, declared, policy, None)
        if outcome["_plan"].actions and not outcome["refused"] and not check_mode:
            from .rollback import settle_pending, take_reports

            with state.lock(params["lock_wait"]):
                settle_pending(state)
                told += take_reports(state, mark=True)
                outcome = _reconcile(kind, declared, policy, _arming(params, state, kind))
    except InvalidEntry as error:
        return _failure(str(error), told, entry=error.entry, field=error.field, changed=False)
    except _Failed as failure:
        shape = failure.outcome
        shape.pop("_plan")
        return _failure(failure.message, told, **shape)
    except (ServerProblem, StateError) as error:
        return _failure(str(error), told, changed=False)
    made: Plan = outcome.pop("_plan")
    outcome.update(_told(told))
    if made.refused:
        return _failure("refused, nothing was changed: " + "; ".join(made.refused), told, **outcome)
    if diff:
        outcome["diff"] = _diff(kind.name, made)
    return outcome


def has_pending(state: StateDirectory) -> bool:
    """True where an armed, confirmed or rolled back change has a folder. Most runs find none, and go without the
    code that looks after them: all code is compiled on the server at every run."""
    try:
        return bool(os.listdir(os.path.join(state.root, "pending")))
    except FileNotFoundError:
        return False


def _failure(message: str, told: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {**more, **_told(told), "msg": message, "failed": True}


def _told(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Marked as told, they must come out whatever the rest of the run meets."""
    return {"rolled_back": told} if told else {}


Arming = Callable[[Plan], Optional["Armed"]]


def _arming(params: dict[str, Any], state: StateDirectory, kind: Kind) -> Arming:
    nonce = params.get("_confirm_nonce")

    def start(made: Plan) -> Armed | None:
        if not nonce:
            return None
        from .rollback import arm

        return arm(state, kind.name, nonce, params["confirm_timeout"], kind.touched(made), made.actions)

    return start


class _Failed(Exception):
    def __init__(self, message: str, outcome: dict[str, Any]) -> None:
        super().__init__(message)
        self.message = message
        self.outcome = outcome


def _reconcile(kind: Kind, declared: Sequence[Declared], policy: Policy, arming: Arming | None) -> dict[str, Any]:
    """Observe, plan, guard; with ``arming``, which starts the roll-back timer, also apply and verify."""
    observed = list(kind.observe())
    wanted, applied_policy = kind.resolve(declared, observed, policy)
    made = plan(wanted, observed, applied_policy, kind.guards())
    there = (wanted, observed, made)
    if not made.refused:
        kind.check(made)
    applied: list[Action] = []
    if arming is None or made.refused or not made.actions:
        return _outcome(kind, made, applied, there, changed=bool(made.actions) and not made.refused)
    armed = arming(made)
    kind.journal = Journal(armed.folder if armed else None)
    try:
        kind.apply(made, applied.append)
    except (ServerProblem, StateError, OSError) as error:
        message = "stopped after %d of %d actions: %s" % (len(applied), len(made.actions), error)
        if armed and armed.take_back(message):
            kind.observe()
            raise _Failed(message + "; rolled back", _outcome(kind, made, [], there, changed=False)) from error
        raise _Failed(message, _outcome(kind, made, applied, None, changed=True)) from error
    observed = list(kind.observe())
    wanted, applied_policy = kind.resolve(declared, observed, policy)
    again = plan(wanted, observed, _settled(applied_policy))
    left = ["%s %s: %s" % (a.action, a.entry, a.reason) for a in again.actions] + list(kind.verify(made))
    outcome = _outcome(kind, made, applied, (wanted, observed, again), changed=True)
    if armed:
        outcome["confirmation"] = armed.extend()
    if left:
        raise _Failed("applied, but not proved: " + "; ".join(left), dict(outcome, unproved=left))
    return outcome


def _settled(policy: Policy) -> Policy:
    """The policy for the proof: the plan id was checked, and the limit is for what is still to go."""
    return dataclasses.replace(policy, expect_plan=None, allow_empty=True)


#: What was declared and observed, and the plan of just that.
There = tuple[Sequence[Declared], Sequence[Observed], Plan]


def _outcome(kind: Kind, made: Plan, applied: Sequence[Action], there: There | None, changed: bool) -> dict[str, Any]:
    # A kind may batch its work; the result tells it in the plan's order.
    took = {(a.action, a.kind, a.entry) for a in applied}
    shape = result(kind.name, made, [a for a in made.actions if (a.action, a.kind, a.entry) in took])
    shape.update(kind.details())
    # After a step that failed half-way nobody has looked: no picture is better than a wrong one.
    if there is not None:
        shape["left"] = what_is_left(there[2])
        shape["ways_in"], left_out = ways_in(kind.plumbing, *there, kind.opens)
        if left_out:
            shape["ways_in_left_out"] = left_out
    shape["changed"] = changed
    shape["_plan"] = made
    return shape


def _diff(name: str, made: Plan) -> dict[str, Any]:
    """What would be or was done, readable by eye: one line an entry, before and after."""
    before, after = [], []
    for action in made.actions:
        label = "%s %s" % (action.kind, action.entry)
        if action.action in ("create", "adopt"):
            after.append("%s: %s (%s)" % (label, "managed" if action.action == "adopt" else "present", action.reason))
        elif action.action in ("enable", "restore"):
            before.append("%s: disabled" % label)
            after.append("%s: enabled (%s)" % (label, action.reason))
        elif action.action == "update":
            for attribute in sorted(action.changes):
                old, new = action.changes[attribute]
                before.append("%s: %s = %s" % (label, attribute, old))
                after.append("%s: %s = %s" % (label, attribute, new))
        elif action.action == "disable":
            before.append("%s: enabled" % label)
            after.append("%s: disabled (%s)" % (label, action.reason))
        else:
            before.append("%s: present (%s)" % (label, action.reason))
    return {
        "before_header": name,
        "after_header": name,
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
    }


def today() -> str:
    """The day in UTC, as in 2026-11-26."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def stamp() -> str:
    """Now, in UTC, to the second: the form of every time in state files and manifests."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
