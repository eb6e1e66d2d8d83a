# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one algorithm behind every kind of entry point: declared, observed, policy -> plan.

Pure: no file, no command, no clock. Callers hand over what they read and today's date.
A plan is a value. Nothing here changes a server.

Words:

* an entry is named by its kind and its id, and an id is unique within its kind;
* a *parent* entry covers its children: an account that is disabled takes its keys with it,
  so its keys are not planned one by one;
* a *staged* entry is disabled first and removed after a grace; other entries have one stage,
  because putting them back is as quick as taking them away (a key line, an address in a set);
* a *managed* entry is one that may be taken away: created or adopted by this collection, or named
  by the user. Everything else that is undeclared is only reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from operator import itemgetter
from typing import Any, Callable, Optional

__all__ = [
    "Action",
    "Declared",
    "Finding",
    "InvalidEntry",
    "Limit",
    "Observed",
    "Plan",
    "Policy",
    "parse_date",
    "parse_limit",
    "plan",
    "plan_id",
    "result",
    "simulate",
]

Key = tuple[str, str]

REPORT, DISABLE, REMOVE = "report", "disable", "remove"
#: Adds come before takes, so that a replaced key never leaves a gap.
ORDER = ("adopt", "restore", "create", "enable", "update", "disable", "remove", "purge")
TAKES = ("disable", "remove")
#: With a percentage, this many entries may always go: 20 % of four accounts is no useful limit.
SMALLEST_LIMIT = 3


class InvalidEntry(ValueError):
    """Bad input. Names the entry and the field, so that the user finds the line to mend."""

    def __init__(self, entry: str, field_name: str, message: str) -> None:
        super().__init__("%s: %s: %s" % (entry, field_name, message))
        self.entry = entry
        self.field = field_name
        self.message = message


@dataclass(frozen=True)
class Declared:
    """One entry of the client's list.

    ``attributes`` holds only what the list speaks about; values are JSON-able and canonical.
    ``expires`` is the first day without access (ISO date).
    ``uncreatable`` says why the server can't make the entry where it is missing: then it is reported, not created.
    """

    kind: str
    entry: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    expires: str | None = None
    person: str | None = None
    parent: Key | None = None
    staged: bool = False
    uncreatable: str | None = None

    @property
    def key(self) -> Key:
        return (self.kind, self.entry)


@dataclass(frozen=True)
class Observed:
    """One entry that the server really has.

    ``protected`` is the reason why it must stay, or None. ``disabled_since`` is the ISO date of stage one.
    ``fault`` says what is wrong with an entry that is about to be updated, better than the attributes' names do.
    ``final`` says why nothing brings the entry back once it is removed: the removal's undo.
    """

    kind: str
    entry: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    managed: bool = False
    protected: str | None = None
    disabled_since: str | None = None
    parent: Key | None = None
    person: str | None = None
    staged: bool = False
    fault: str | None = None
    final: str | None = None

    @property
    def key(self) -> Key:
        return (self.kind, self.entry)


@dataclass(frozen=True)
class Limit:
    """How many entries of a kind may lose access in one run: a count, or a percentage of the managed ones."""

    number: int
    percent: bool = False

    def of(self, population: int) -> int:
        """The largest number of entries that may go, out of ``population`` managed ones."""
        if not self.percent:
            return self.number
        if self.number >= 100:
            return population
        return max(SMALLEST_LIMIT, population * self.number // 100)

    def __str__(self) -> str:
        return "%d%%" % self.number if self.percent else str(self.number)


@dataclass(frozen=True)
class Policy:
    """What may be done with what is obsolete. ``today`` is an ISO date: the core has no clock.

    ``persons``: with any named, only what belongs to these people is changed; all else is only told.
    """

    today: str
    obsolete: str = REPORT
    grace: int = 0
    adopt: bool = False
    protect: frozenset[str] = frozenset()
    max_obsolete: Limit = Limit(20, True)
    allow_empty: bool = False
    expect_plan: str | None = None
    restore: frozenset[str] = frozenset()
    departed: Mapping[str, str] = field(default_factory=dict)
    persons: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Action:
    """One step, why it is taken, and how it is undone. ``changes`` maps an attribute to (before, after)."""

    action: str
    kind: str
    entry: str
    reason: str
    undo: str
    person: str | None = None
    parent: Key | None = None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return (self.kind, self.entry)


@dataclass(frozen=True)
class Finding:
    """Something seen that is not an action: an obsolete, missing, protected or unmanaged entry."""

    kind: str
    entry: str
    reason: str
    person: str | None = None
    managed: bool = False
    since: str | None = None


@dataclass(frozen=True)
class Plan:
    """The ordered actions, the findings, and the guards' refusals. A refused plan must not be applied."""

    id: str
    actions: tuple[Action, ...] = ()
    obsolete: tuple[Finding, ...] = ()
    missing: tuple[Finding, ...] = ()
    protected: tuple[Finding, ...] = ()
    unmanaged: tuple[Finding, ...] = ()
    refused: tuple[str, ...] = ()
    declared: int = 0
    observed: int = 0

    def __bool__(self) -> bool:
        return bool(self.actions)

    def of(self, action: str, kind: str | None = None) -> list[Action]:
        """The actions of one name, and of one kind if given."""
        return [a for a in self.actions if a.action == action and kind in (None, a.kind)]


#: A guard reads the plan and what the server would be after it, and returns a refusal or None.
Guard = Callable[[Plan, Mapping[Key, Observed]], Optional[str]]


def parse_date(value: str, entry: str, field_name: str) -> str:
    """Return the date as it is if it is written YYYY-MM-DD, or raise InvalidEntry."""
    try:
        # Newer Pythons take "20270101" too, which the server's tools would read as a number of days.
        if date.fromisoformat(value).isoformat() == value:
            return value
    except (TypeError, ValueError):
        pass
    raise InvalidEntry(entry, field_name, "%r is not a date of the form YYYY-MM-DD" % (value,))


def parse_limit(value: str) -> Limit:
    """Read ``max_obsolete``: a count (``5``) or a percentage (``20%``)."""
    text = str(value).strip()
    percent = text.endswith("%")
    digits = text[:-1].strip() if percent else text
    # isdecimal alone takes other scripts' digits, which nobody means here.
    if not (digits.isascii() and digits.isdecimal()) or (percent and int(digits) > 100):
        raise InvalidEntry("policy", "max_obsolete", "%r is neither a count nor a percentage (0%% - 100%%)" % (value,))
    return Limit(int(digits), percent)


def plan_id(declared: Iterable[Declared], observed: Iterable[Observed]) -> str:
    """Hash of the list and of the server's state (SHA-256, hex).

    What depends on who asks is left out (protection, scope), so that the id of an audit still holds
    when a colleague applies it.
    """
    # Kind and entry are unique, so that attributes are never compared.
    name = itemgetter(0, 1)
    wanted = sorted(([d.kind, d.entry, d.attributes, d.expires or "", d.parent or ()] for d in declared), key=name)
    found = sorted(
        ([o.kind, o.entry, o.attributes, o.disabled_since or "", o.parent or ()] for o in observed), key=name
    )
    text = json.dumps([wanted, found], sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=dict)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def plan(
    declared: Sequence[Declared],
    observed: Sequence[Observed],
    policy: Policy,
    guards: Sequence[Guard] = (),
) -> Plan:
    """Compare the list with the server and return what to do, with a reason for each action.

    Raises InvalidEntry for two entries with one name, a child without a parent, or a bad policy.
    """
    if policy.obsolete not in (REPORT, DISABLE, REMOVE):
        raise InvalidEntry("policy", "obsolete", "%r is none of report, disable, remove" % policy.obsolete)
    wanted = _index(declared, "declared")
    found = _index(observed, "observed")
    _check_parents(wanted, found)
    draft = _Draft(wanted, found, policy)
    for key in list(wanted) + [k for k in found if k not in wanted]:
        draft.consider(key)
    made = draft.finish(plan_id(declared, observed))
    refused = list(_common_guards(made, wanted, found, policy))
    if not refused:
        after = simulate(observed, made, declared, policy.today)
        refused += [text for text in (guard(made, after) for guard in guards) if text]
    return replace(made, refused=tuple(refused))


def simulate(
    observed: Iterable[Observed], made: Plan, declared: Iterable[Declared] = (), today: str = "1970-01-01"
) -> dict[Key, Observed]:
    """The server's entries after the plan, by key. A refused plan leaves them as they are."""
    state = {o.key: o for o in observed}
    if made.refused:
        return state
    wanted = {d.key: d for d in declared}
    # Known beforehand: looking through all entries for each one that goes would be the square of a long list.
    below: dict[Key, list[Key]] = {}
    for entry in state.values():
        if entry.parent is not None:
            below.setdefault(entry.parent, []).append(entry.key)
    for action in made.actions:
        key = action.key
        if action.action == "purge" or (action.action == "remove"):
            state.pop(key, None)
            _drop(state, below.get(key, ()))
        elif action.action == "disable":
            state[key] = replace(state[key], disabled_since=today)
            _drop(state, below.get(key, ()))
        elif action.action in ("create", "restore") and key not in state:
            want = wanted.get(key, Declared(*key))
            state[key] = Observed(
                kind=want.kind,
                entry=want.entry,
                attributes=dict(want.attributes),
                managed=True,
                parent=want.parent,
                person=want.person,
                staged=want.staged,
            )
            if want.parent is not None:
                below.setdefault(want.parent, []).append(key)
        elif action.action in ("enable", "restore"):
            merged = {**state[key].attributes, **(wanted[key].attributes if key in wanted else {})}
            state[key] = replace(state[key], disabled_since=None, attributes=merged)
        elif action.action == "adopt":
            state[key] = replace(state[key], managed=True)
            for child in below.get(key, ()):
                if child in state:
                    state[child] = replace(state[child], managed=True)
        elif action.action == "update":
            new = {name: pair[1] for name, pair in action.changes.items()}
            state[key] = replace(state[key], attributes={**state[key].attributes, **new})
    return state


def result(kind: str, made: Plan, applied: Sequence[Action] = ()) -> dict[str, Any]:
    """The one shape that every module of this collection returns and the ledger stores."""
    return {
        "entry_point_kind": kind,
        "plan_id": made.id,
        "plan": [_action_result(a) for a in made.actions],
        "obsolete": [_finding_result(f, managed=f.managed) for f in made.obsolete],
        "missing": [_finding_result(f) for f in made.missing],
        "protected": [_finding_result(f) for f in made.protected],
        "unmanaged": [_finding_result(f) for f in made.unmanaged],
        "applied": [_action_result(a) for a in applied],
        "refused": list(made.refused),
        "counts": {
            "declared": made.declared,
            "observed": made.observed,
            "obsolete": len(made.obsolete),
            "missing": len(made.missing),
            "protected": len(made.protected),
            "unmanaged": len(made.unmanaged),
            "planned": len(made.actions),
            "applied": len(applied),
        },
    }


class _Draft:
    """A plan in the making: looks at one entry after the other."""

    def __init__(self, wanted: Mapping[Key, Declared], found: Mapping[Key, Observed], policy: Policy) -> None:
        self.wanted = wanted
        self.found = found
        self.policy = policy
        self.actions: list[Action] = []
        self.obsolete: list[Finding] = []
        self.missing: list[Finding] = []
        self.protected: list[Finding] = []
        self.unmanaged: list[Finding] = []
        #: Why a declared entry no longer counts as declared, by key.
        self.lapsed = {key: why for key, why in ((k, self._lapse(d)) for k, d in wanted.items()) if why}

    def _lapse(self, want: Declared) -> str | None:
        # The day named is the first day without access: what expires today goes today.
        if want.expires and want.expires <= self.policy.today:
            return "expired on %s" % want.expires
        left = self.policy.departed.get(want.person or "")
        if left is not None and left <= self.policy.today:
            return "%s left on %s" % (want.person, left)
        if want.parent in self.wanted and want.parent is not None:
            return self._lapse(self.wanted[want.parent])
        return None

    def consider(self, key: Key) -> None:
        want, have = self.wanted.get(key), self.found.get(key)
        reason = self.lapsed.get(key)
        if want is not None and reason is None:
            self._keep(want, have)
        elif have is not None:
            self._let_go(have, reason or "not declared", want)

    def _keep(self, want: Declared, have: Observed | None) -> None:
        if have is None:
            reason = want.uncreatable or "declared, not on the server"
            self.missing.append(Finding(want.kind, want.entry, reason, want.person))
            if want.uncreatable is not None:
                return
            if want.entry in self.policy.restore and want.parent is None:
                self._add("restore", want, "asked for by restore")
            else:
                self._add("create", want, "declared, not on the server")
            return
        if self.policy.adopt and not have.managed and have.parent is None:
            self._add("adopt", want, "declared, was here before, adopt is set")
        if have.disabled_since is not None:
            if want.entry in self.policy.restore:
                self._add("restore", want, "asked for by restore")
            else:
                self._add("enable", want, "declared, disabled since %s" % have.disabled_since)
        changes = {
            name: (have.attributes.get(name), value)
            for name, value in want.attributes.items()
            if have.attributes.get(name) != value
        }
        if changes:
            reason = have.fault or "differs from the list: %s" % ", ".join(sorted(changes))
            self._add("update", want, reason, changes)

    def _let_go(self, have: Observed, reason: str, want: Declared | None) -> None:
        if have.parent is not None and self._covered(have.parent):
            return
        person = (want.person if want else None) or have.person
        if have.entry in self.policy.restore and have.parent is None:
            if have.disabled_since is not None:
                self._add("restore", have, "asked for by restore", person=person)
            return
        managed = _may_be_taken(have, self.wanted, self.policy)
        protected = self._protection(have, managed)
        if protected is not None:
            self.protected.append(Finding(have.kind, have.entry, protected, person))
            return
        if not managed:
            self.unmanaged.append(Finding(have.kind, have.entry, reason, person))
            return
        self.obsolete.append(Finding(have.kind, have.entry, reason, person, True, have.disabled_since))
        if self.policy.obsolete == REPORT:
            return
        if not have.staged:
            self._add("remove", have, reason, person=person)
            return
        if have.disabled_since is None:
            self._add("disable", have, reason, person=person)
            since = self.policy.today
        else:
            since = have.disabled_since
        if self.policy.obsolete == REMOVE and _days(since, self.policy.today) >= self.policy.grace:
            self._add("remove", have, "%s, disabled since %s" % (reason, since), person=person)

    def _protection(self, have: Observed, managed: bool) -> str | None:
        if have.protected is not None:
            return have.protected
        if have.entry in self.policy.protect or (have.parent is not None and have.parent[1] in self.policy.protect):
            return "named by protect"
        above = self.found.get(have.parent) if have.parent is not None else None
        if (
            above is not None
            and managed
            and above.protected
            and (above.key not in self.wanted or above.key in self.lapsed)
        ):
            # The account must stay although the list lets it go: then so must what makes it work.
            return "belongs to %s: %s" % (above.entry, above.protected)
        return None

    def _covered(self, parent: Key) -> bool:
        """True where the parent's own action takes its children along, or has done so."""
        if parent[1] in self.policy.restore:
            return True
        above = self.found.get(parent)
        if above is None or (parent in self.wanted and parent not in self.lapsed):
            return False
        if above.protected or above.entry in self.policy.protect or not _may_be_taken(above, self.wanted, self.policy):
            return False
        return self.policy.obsolete != REPORT or above.disabled_since is not None

    def _add(
        self,
        action: str,
        of: Any,
        reason: str,
        changes: Mapping[str, tuple[Any, Any]] | None = None,
        person: str | None = None,
    ) -> None:
        self.actions.append(
            Action(
                action=action,
                kind=of.kind,
                entry=of.entry,
                reason=reason,
                undo=(action == "remove" and getattr(of, "final", None))
                or _undo(action, of.entry, of.parent, changes or {}),
                person=person or of.person,
                parent=of.parent,
                changes=changes or {},
            )
        )

    def _concerns(self, action: Action) -> bool:
        """True where the policy lets this entry be changed: it is one of its persons', itself or by its parent."""
        above = self.wanted.get(action.parent) or self.found.get(action.parent) if action.parent is not None else None
        whose = {action.person, above.person if above is not None else None}
        return not self.policy.persons or not self.policy.persons.isdisjoint(whose)

    def finish(self, identity: str) -> Plan:
        # Stable sort: within a step the list's own order stays. Parents come before their children when
        # something is added, and after them when something is taken.
        ranked = sorted(
            filter(self._concerns, self.actions),
            key=lambda a: (ORDER.index(a.action), (a.parent is not None) ^ (a.action in TAKES)),
        )
        return Plan(
            id=identity,
            actions=tuple(ranked),
            obsolete=tuple(self.obsolete),
            missing=tuple(self.missing),
            protected=tuple(self.protected),
            unmanaged=tuple(self.unmanaged),
            declared=len(self.wanted),
            observed=len(self.found),
        )


def _common_guards(
    made: Plan, wanted: Mapping[Key, Declared], found: Mapping[Key, Observed], policy: Policy
) -> Iterable[str]:
    if not wanted and not policy.restore and not policy.allow_empty and not policy.persons:
        yield "the declared list is empty: nearly always an inventory mistake (allow_empty: true if it is meant)"
    if policy.expect_plan is not None and policy.expect_plan != made.id:
        yield "the plan is %s, not the reviewed %s: the list or the server changed since" % (
            made.id,
            policy.expect_plan,
        )
    for kind in sorted({a.kind for a in made.actions}):
        going = sorted({a.entry for a in made.actions if a.kind == kind and a.action in TAKES})
        population = sum(1 for o in found.values() if o.kind == kind and _may_be_taken(o, wanted, policy))
        allowed = policy.max_obsolete.of(population)
        if len(going) > allowed:
            yield "%d of %d managed entries of kind %s would lose access, max_obsolete (%s) allows %d: %s" % (
                len(going),
                population,
                kind,
                policy.max_obsolete,
                allowed,
                ", ".join(going[:10]) + (", ..." if len(going) > 10 else ""),
            )


def _may_be_taken(have: Observed, wanted: Mapping[Key, Declared], policy: Policy) -> bool:
    """True for a managed entry, and for one that this run adopts, itself or with its parent."""
    return have.managed or (policy.adopt and (have.parent or have.key) in wanted)


def _index(entries: Sequence[Any], side: str) -> dict[Key, Any]:
    indexed: dict[Key, Any] = {}
    for entry in entries:
        if entry.key in indexed:
            raise InvalidEntry(entry.entry, entry.kind, "%s twice" % side)
        indexed[entry.key] = entry
    return indexed


def _check_parents(wanted: Mapping[Key, Declared], found: Mapping[Key, Observed]) -> None:
    for entry in list(wanted.values()) + list(found.values()):
        if entry.parent is not None and entry.parent not in wanted and entry.parent not in found:
            raise InvalidEntry(entry.entry, entry.kind, "belongs to %s, which is nowhere" % entry.parent[1])


def _drop(state: dict[Key, Observed], children: Iterable[Key]) -> None:
    for child in children:
        state.pop(child, None)


def _days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)) // timedelta(days=1)


def _undo(action: str, entry: str, parent: Key | None, changes: Mapping[str, tuple[Any, Any]]) -> str:
    if action == "create":
        return "take %s off the list and run with obsolete=disable" % entry
    if action == "update":
        return "declare again: %s" % ", ".join("%s=%s" % (n, changes[n][0]) for n in sorted(changes))
    if action == "adopt":
        return "release %s from the state file on the server" % entry
    if action in ("enable", "restore"):
        return "take %s off the list and run with obsolete=disable" % entry
    if action == "purge":
        return "none: purged data is gone"
    if parent is not None:
        return "declare %s again; what was taken away is in the archive of %s" % (entry, parent[1])
    return "restore: [%s], or declare it again" % entry


def _action_result(action: Action) -> dict[str, Any]:
    shown = {
        "action": action.action,
        "kind": action.kind,
        "entry": action.entry,
        "reason": action.reason,
        "undo": action.undo,
    }
    if action.person:
        shown["person"] = action.person
    return shown


def _finding_result(finding: Finding, **more: Any) -> dict[str, Any]:
    shown = {k: v for k, v in asdict(finding).items() if k in ("kind", "entry", "reason") or (v and k != "managed")}
    shown.update(more)
    return shown
