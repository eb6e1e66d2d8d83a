# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind of entry point ``privileged_ip``: one declared list, and every sink on the server that holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .addresses import Coverage, Network, canonical, lenient, parse
from .atomic_files import fault_point
from .connection import current
from .entry_point_module import (
    Kind,
    ServerProblem,
    confirm_arguments,
    policy_arguments,
    policy_of,
    stamp,
)
from .firewalls import catalogue, flows
from .firewalls.protocol import ABSENT, LISTS, READY, Change, Sink, SinkError, SinkState, Undo
from .journal import Touched
from .privileged_guards import locked_out, too_many_losers
from .privileged_list import Entry, Rules, collapse, read_entries, settle
from .reconcile import REPORT, TAKES, Action, Declared, Guard, InvalidEntry, Observed, Plan, Policy
from .sink_ownership import Ownership
from .sink_states import describe, differences, networks_of, observe_sinks, placed, told_of
from .state_directory import StateDirectory

__all__ = ["PrivilegedIps", "arguments", "canonical_names", "make", "which_entry"]

IP, SINK = "privileged_ip", "privileged_ip_sink"
KIND = "privileged_ips"


def arguments() -> dict[str, Any]:
    """Argument spec of the module."""
    return {
        # Rows are validated by our own reader: it names the row and the field, takes a bare text, and is quick
        # enough for ten thousand of them.
        "addresses": {"type": "list", "elements": "raw", "required": True},
        "sinks": catalogue.argument(),
        "allow": {"type": "list", "elements": "str", "default": []},
        "min_prefix_ipv4": {"type": "int", "default": 16},
        "min_prefix_ipv6": {"type": "int", "default": 32},
        "max_addresses": {"type": "int", "default": 20000},
        "must_reach": {"type": "list", "elements": "str", "default": []},
        "controller": {"type": "str", "choices": ["require", "keep", "ignore"], "default": "require"},
        "cut_flows": {"type": "bool", "default": True},
        **policy_arguments(),
        **confirm_arguments(),
    }


def make(params: dict[str, Any]) -> tuple[PrivilegedIps, StateDirectory]:
    """The kind for the spine. Raises InvalidEntry."""
    canonical_names(params)
    state = StateDirectory(params["state_directory"])
    return PrivilegedIps(params, state, policy_of), state


def which_entry(params: Mapping[str, Any]) -> str:
    """The sink that Ansible itself refuses, for the beginning of an error message; else empty."""
    from .wrong_row import wrong_row

    known = catalogue.argument()["options"]

    def name(row: dict[str, Any]) -> str:
        called = row.get("name") or row.get("backend")
        return "sink %s" % called if called else ""

    return wrong_row(params.get("sinks"), known, name, "sink")


class PrivilegedIps(Kind):
    """Feeds the spine of ``entry_point_module`` with the sinks of one server."""

    name = KIND
    plumbing = (SINK,)

    def __init__(
        self, params: dict[str, Any], state: StateDirectory, policy_of: Callable[[dict[str, Any]], Policy]
    ) -> None:
        self.params = params
        self.directory = state
        self.policy_of = policy_of
        self.sinks: list[Sink] = []
        self.states: dict[str, SinkState] = {}
        self.active: Mapping[str, Entry] = {}
        self.lapsed: Mapping[str, Entry] = {}
        #: sink -> text -> slot: what the list wants there.
        self.desired: dict[str, dict[str, str]] = {}
        self.normalised: list[str] = []
        self.notes: list[str] = []
        self.drift: list[dict[str, str]] = []
        self.flows: list[dict[str, Any]] = []
        self.kept: Mapping[str, Coverage] = {}
        self.memory: dict[str, Any] = {}
        self.ours = Ownership({})
        self._changes: tuple[Sequence[Action], dict[str, Change]] | None = None
        self.restored: dict[str, dict[str, str]] = {}
        self.applied = False
        self.controller: str | None = None
        self.reach: dict[Network, str] = {}

    @property
    def keeps(self) -> bool:
        """True where nothing undeclared is taken: ``obsolete: report``."""
        return bool(self.params["obsolete"] == REPORT)

    # -- declared ---------------------------------------------------------------------------

    def declare(self) -> Sequence[Declared]:
        """The list, validated whole before the server is looked at."""
        params = self.params
        rules = Rules(
            allow=params["allow"],
            min_prefix={4: _bits("min_prefix_ipv4", params, 32), 6: _bits("min_prefix_ipv6", params, 128)},
            max_addresses=params["max_addresses"],
        )
        entries, notes = read_entries(params["addresses"], rules, flows.resolve)
        policy = self.policy_of(params)
        settled = settle(entries, policy.today, policy.departed)
        self.active, self.lapsed = settled.active, settled.lapsed
        self.normalised = notes + list(settled.notes)
        self.reach = {}
        for text in params["must_reach"]:
            try:
                self.reach[parse(text.strip())] = "must_reach"
            except ValueError as error:
                raise InvalidEntry(text, "must_reach", str(error)) from None
        self._find_controller()
        self.memory = self.directory.read(KIND)
        self.ours = Ownership(self.memory.get("sinks", {}))
        try:
            self.sinks = catalogue.build(params["sinks"], self.memory.get("sinks", {}))
        except SinkError as error:
            raise InvalidEntry("sinks", "backend", str(error)) from None
        self._desire()
        declared = [
            Declared(SINK, sink.name, {side: READY for side in catalogue.SIDES if side in sink.sides})
            for sink in self.sinks
        ]
        for text, entry in self.active.items():
            wants = {}
            for sink in self.sinks:
                slot = self.desired[sink.name].get(text)
                if slot is not None or not self.keeps:
                    wants[sink.name] = slot or ABSENT
            declared.append(Declared(IP, text, wants, expires=entry.expires, person=entry.owner))
        for text, entry in self.lapsed.items():
            declared.append(Declared(IP, text, {}, expires=entry.expires, person=entry.owner))
        return declared

    def _find_controller(self) -> None:
        self.controller = current().address
        if self.controller is None or self.params["controller"] == "ignore":
            return
        network = lenient(self.controller.partition("%")[0])
        if network is not None:
            self.reach.setdefault(network, "controller")

    def _desire(self) -> None:
        self.desired = {}
        for sink in self.sinks:
            slots: dict[str, dict[str, Network]] = {slot: {} for slot in sink.slots}
            for text, entry in self.active.items():
                slot = sink.slot_of(entry.lists)
                if slot is None:
                    continue
                why = sink.refuses(entry.network)
                if why is not None:
                    self.notes.append("%s is not in %s: %s" % (text, sink.name, why))
                    continue
                slots[slot][text] = entry.network
            wanted: dict[str, str] = {}
            # Whoever is trusted is privileged, too: a trusted network covers privileged addresses in it.
            above = Coverage(network for slot in sink.slots if slot == LISTS[1] for network in slots[slot].values())
            for slot, texts in slots.items():
                left, covered = collapse(texts)
                for text in texts:
                    wider = covered.get(text) or (slot == LISTS[0] and str(above.widest(texts[text]) or "")) or None
                    if wider:
                        self.normalised.append("%s is covered by %s in %s" % (text, wider, sink.name))
                    elif text in left:
                        wanted[text] = slot
            self.desired[sink.name] = wanted

    # -- observed ---------------------------------------------------------------------------

    def observe(self) -> Sequence[Observed]:
        """Every address inside a sink, and those that get in by something that is not ours."""
        self.states = observe_sinks(self.sinks)
        self._changes = None
        if not self.applied:
            self.drift = differences(self.sinks, self.states)
        found = [Observed(SINK, sink.name, dict(self.states[sink.name].shape), managed=True) for sink in self.sinks]
        texts: dict[str, None] = {}
        for sink in self.sinks:
            for slot in sink.slots:
                texts.update(dict.fromkeys(sorted(self.states[sink.name].inside(slot))))
        inside = set(texts)
        for state in self.states.values():
            texts.update(dict.fromkeys(o.address for o in state.outside if o.address not in self.active))
        self.kept = kept = self._kept_wider()
        for text, entry in self.active.items():
            # Nowhere to be put: covered by what is declared or stays. It is not missing.
            if text not in texts and all(
                text not in self.desired[sink.name] or entry.network in kept.get(sink.name, Coverage())
                for sink in self.sinks
            ):
                texts[text] = None
        # An index of ten thousand costs: only where something undeclared asks it.
        loose = inside.difference(self.active)
        above = Coverage(entry.network for entry in self.active.values()) if loose else Coverage()
        where = {
            sink.name: (
                placed(self.states[sink.name].file, sink.slots),
                placed(self.states[sink.name].live, sink.slots),
            )
            for sink in self.sinks
        }
        for text in texts:
            managed, attributes = self._place(text, where, kept)
            found.append(
                Observed(
                    IP,
                    text,
                    attributes,
                    managed=managed,
                    protected=self._protected(text, above) if text in loose else None,
                    person=self._owner(text),
                )
            )
        found += self._removed(set(texts))
        return found

    def _owner(self, text: str) -> str | None:
        entry = self.active.get(text) or self.lapsed.get(text)
        return entry.owner if entry else None

    def _kept_wider(self) -> dict[str, Coverage]:
        """What stays in sinks that can't hold an address beside a network that covers it."""
        kept = {}
        for sink in self.sinks:
            if sink.overlaps:
                continue
            wanted = self.desired[sink.name]
            texts = []
            for slot in sink.slots:
                loose = self.states[sink.name].inside(slot).difference(wanted)
                if not loose:
                    continue
                # What a declared network takes the place of goes, even where nothing else is taken.
                absorbing = Coverage(networks_of(text for text, place in wanted.items() if place == slot))
                for text in loose:
                    networks = networks_of([text])
                    if networks and all(network in absorbing for network in networks):
                        continue
                    if self.keeps or not self.ours.owned(sink, text, [slot]) or text in self.params["protect"]:
                        texts.append(text)
            kept[sink.name] = Coverage(networks_of(texts))
        return kept

    def _place(
        self,
        text: str,
        where: Mapping[str, tuple[Mapping[str, str] | None, Mapping[str, str] | None]],
        kept: Mapping[str, Coverage],
    ) -> tuple[bool, dict[str, str]]:
        """Whether the text is ours to take, and where it is."""
        owned, places = [], 0
        attributes: dict[str, str] = {}
        network = self.active[text].network if text in self.active else None
        for sink in self.sinks:
            in_file, in_live = where[sink.name]
            file = None if in_file is None else in_file.get(text, ABSENT)
            live = None if in_live is None else in_live.get(text, ABSENT)
            if file not in (None, ABSENT) or live not in (None, ABSENT):
                places += 1
                owned.append(self.ours.owned(sink, text, sink.slots))
            want = self.desired[sink.name].get(text)
            told = told_of(file, live)
            if network is not None and told != (want or ABSENT):
                told = self._as_wanted(sink, network, want, file, live, told, kept)
            attributes[sink.name] = told
        managed = bool(owned) and (all(owned) if text in self.active else any(owned))
        return managed or (not places and text in self.active), attributes

    def _as_wanted(
        self,
        sink: Sink,
        network: Network,
        want: str | None,
        file: str | None,
        live: str | None,
        told: str,
        kept: Mapping[str, Coverage],
    ) -> str:
        """Cases in which a place differs from the list and yet nothing is to be done there."""
        sides = [side for side in (file, live) if side not in (None, ABSENT)]
        more = {slot for side in sides for slot in str(side).split("+") if slot != want}
        may_take = not self.keeps and (
            self.ours.owned(sink, str(network), more) or (bool(self.params["adopt"] and more))
        )
        if want is None:
            return told if may_take else ABSENT
        if not may_take and all(side is None or want in side.split("+") for side in (file, live)):
            return want
        if sink.name in kept and network in kept[sink.name]:
            return want
        return told

    def _protected(self, text: str, above: Coverage) -> str | None:
        """An undeclared entry that lets in the controller or must_reach, and nothing declared does."""
        index = Coverage(networks_of([text]))
        for network, why in self.reach.items():
            if network in index and network not in above:
                told = "carries this connection (%s)" if why == "controller" else "%s must be reached"
                return told % str(network)
        return None

    def _removed(self, seen: set[str]) -> list[Observed]:
        """Entries to bring back that are in nobody's list: from the newest archive that has them."""
        self.restored = {}
        rows = []
        for text in self.params["restore"]:
            # Once applied, a restored entry is either there or the proof must fail.
            if text in self.active or text in seen or self.applied:
                continue
            for _path, manifest in self.directory.archives(KIND):
                if text in manifest.get("entries", {}):
                    self.restored[text] = dict(manifest["entries"][text])
                    rows.append(Observed(IP, text, {}, managed=True, disabled_since=str(manifest.get("at", ""))[:10]))
                    seen.add(text)
                    break
            else:
                raise InvalidEntry(text, "restore", "is neither declared nor in the archive")
        return rows

    # -- plan -> changes --------------------------------------------------------------------

    def changes(self, made: Plan) -> dict[str, Change]:
        """What the plan means for each sink. Guards, checks and steps ask for it: it is made once a plan."""
        if self._changes is None or self._changes[0] is not made.actions:
            self._changes = (made.actions, self._made_of(made))
        return self._changes[1]

    def _made_of(self, made: Plan) -> dict[str, Change]:
        changes = {sink.name: Change(sink.slots) for sink in self.sinks}
        for action in made.actions:
            if action.kind == SINK:
                changes[action.entry].mend = True
                continue
            for sink in self.sinks:
                self._change(sink, changes[sink.name], action)
        for change in changes.values():
            # Two actions may concern one address.
            change.take = {slot: list(dict.fromkeys(texts)) for slot, texts in change.take.items()}
        for sink in self.sinks:
            if not sink.overlaps:
                self._absorb(sink, changes[sink.name])
        return changes

    def _change(self, sink: Sink, change: Change, action: Action) -> None:
        text, state = action.entry, self.states[sink.name]
        want = self.desired[sink.name].get(text)
        if action.action == "restore" and want is None:
            want = self.restored.get(text, {}).get(sink.name)
            want = want if want in sink.slots else None
        if action.action in TAKES:
            want = None
        elif action.action == "adopt":
            return
        elif want is not None:
            sides = [side for side in (state.file, state.live) if side is not None]
            covered = sink.name in self.kept and parse(text) in self.kept[sink.name]
            if not covered and not all(text in side.get(want, ()) for side in sides):
                change.add[want].append(text)
        elif self.keeps:
            return
        for slot in sink.slots:
            if slot == want or text not in state.inside(slot):
                continue
            if self.params["adopt"] or self.ours.owned(sink, text, [slot]):
                change.take[slot].append(text)

    def _absorb(self, sink: Sink, change: Change) -> None:
        """A network takes the place of what it covers: this sink can't hold both."""
        for slot in sink.slots:
            if not change.add[slot]:
                continue
            index = Coverage(networks_of(change.add[slot]))
            going = set(change.take[slot]) | set(change.add[slot])
            for text in sorted(self.states[sink.name].inside(slot) - going):
                inner = networks_of([text])
                if inner and all(n in index for n in inner):
                    change.take[slot].append(text)
                    self.normalised.append("%s in %s is absorbed by a wider declared network" % (text, sink.name))

    # -- guards -----------------------------------------------------------------------------

    def guards(self) -> Sequence[Guard]:
        """Nobody who must get in is locked out, and an empty list is no list."""
        return (self._guard_empty, self._guard_reach, self._guard_shrink)

    def _guard_empty(self, _made: Plan, _after: Mapping[tuple[str, str], Observed]) -> str | None:
        if self.active or self.lapsed or self.params["allow_empty"] or self.params["restore"]:
            return None
        return "the declared list is empty: nearly always an inventory mistake (allow_empty: true if it is meant)"

    def _guard_reach(self, made: Plan, _after: Mapping[tuple[str, str], Observed]) -> str | None:
        if not made.actions:
            return None
        strict = self.params["controller"] == "require"
        return locked_out(self.sinks, self.states, self.changes(made), self.reach, strict)

    def _guard_shrink(self, made: Plan, _after: Mapping[tuple[str, str], Observed]) -> str | None:
        population = len({t for s in self.sinks for slot in s.slots for t in self.states[s.name].inside(slot)})
        return too_many_losers(made.actions, population, self.policy_of(self.params).max_obsolete)

    def check(self, made: Plan) -> None:
        """Ask every sink whether its change can work."""
        changes = self.changes(made)
        for sink in self.sinks:
            if changes[sink.name]:
                try:
                    sink.check(self.states[sink.name], changes[sink.name])
                except SinkError as error:
                    raise ServerProblem("sink %s can't be changed, nothing was: %s" % (sink.name, error)) from None

    def touched(self, made: Plan) -> Touched:
        """Files of the sinks that change, and what makes their old content live again."""
        found = Touched(files=[(os.path.join(self.directory.root, KIND + ".json"), 0)])
        changes = self.changes(made)
        for sink in self.sinks:
            if changes[sink.name]:
                try:
                    files, commands = sink.way_back(self.states[sink.name], changes[sink.name])
                except SinkError as error:
                    raise ServerProblem(
                        "sink %s can't be saved, nothing was changed: %s" % (sink.name, error)
                    ) from None
                found.files += [(path, 0) for path in files]
                found.commands += commands
        return found

    # -- apply ------------------------------------------------------------------------------

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        """Change one sink after the other. If one fails, those before it are put back, too."""
        changes = self.changes(made)
        self._archive(changes)
        self._remember(changes, made, before=True)
        undos: list[tuple[str, Undo]] = []
        for sink in self.sinks:
            if not changes[sink.name]:
                continue
            try:
                undos.append((sink.name, sink.apply(self.states[sink.name], changes[sink.name])))
            except SinkError as error:
                raise ServerProblem("sink %s: %s%s" % (sink.name, error, _put_back(undos))) from None
            fault_point("sink:applied")
        self._remember(changes, made, before=False)
        self.applied = True
        for action in made.actions:
            done(action)
        self._cut(changes)

    def _archive(self, changes: Mapping[str, Change]) -> None:
        entries: dict[str, dict[str, str]] = {}
        for name, change in changes.items():
            for slot, texts in change.take.items():
                for text in texts:
                    entries.setdefault(text, {})[name] = slot
        if entries:
            archive = self.directory.new_archive(KIND, "run")
            self.directory.save_manifest(archive, {"at": stamp(), "entries": entries})

    def _remember(self, changes: Mapping[str, Change], made: Plan, before: bool) -> None:
        """What is ours in sinks that others use, too. Noted before the change: a killed run must not orphan entries."""
        known: dict[str, Any] = {name: dict(row) for name, row in self.memory.get("sinks", {}).items()}
        adopted = {a.entry for a in made.actions if a.action == "adopt"}
        for sink in self.sinks:
            row = {**known.get(sink.name, {}), **sink.memory, "backend": sink.backend}
            if not sink.exclusive:
                change, state = changes[sink.name], self.states[sink.name]
                row["owned"] = self.ours.after(sink, state, change, adopted, before)
            known[sink.name] = row
        self.memory = {"sinks": known}
        self.ours = Ownership(known)
        self.directory.write(KIND, self.memory)

    def _cut(self, changes: Mapping[str, Change]) -> None:
        safe = Coverage(self.reach)
        for sink in self.sinks:
            change, state = changes[sink.name], self.states[sink.name]
            taken = networks_of(t for texts in change.take.values() for t in texts)
            if not taken:
                continue
            side = state.live if state.live is not None else (state.file or {})
            kept = Coverage(networks_of(t for texts in change.applied_to(side).values() for t in texts))
            for row in flows.cut(taken, kept, sink.flow_ports, safe, really=bool(self.params["cut_flows"])):
                self.flows.append(dict(row, sink=sink.name))

    # -- result -----------------------------------------------------------------------------

    def details(self) -> dict[str, Any]:
        """Each sink as it is now, and what the plan alone doesn't tell."""
        named = {sink.name for sink in self.sinks}
        notes = list(self.notes)
        for name, row in sorted(self.memory.get("sinks", {}).items()):
            if name not in named and row.get("backend"):
                notes.append("sink %s was fed before and is not named any more: what is in it stays there" % name)
        return {
            "sinks": [describe(sink, self.states[sink.name]) for sink in self.sinks if sink.name in self.states],
            "drift": self.drift,
            "normalised": list(dict.fromkeys(self.normalised)),
            "elsewhere": [
                {"sink": name, "entry": o.address, "where": o.where, "declared": o.address in self.active}
                for name, state in self.states.items()
                for o in state.outside
            ],
            "flows": self.flows,
            "controller_address": self.controller,
            "notes": list(dict.fromkeys(notes + ["%s: %s" % (n, t) for n, s in self.states.items() for t in s.notes])),
        }


def _put_back(undos: list[tuple[str, Undo]]) -> str:
    told = []
    for name, undo in reversed(undos):
        try:
            undo()
            told.append("%s was put back" % name)
        except SinkError as error:
            told.append("%s could NOT be put back: %s" % (name, error))
    return "; " + ", ".join(told) if told else ""


def _bits(option: str, params: Mapping[str, Any], most: int) -> int:
    if not 0 <= params[option] <= most:
        raise InvalidEntry("policy", option, "%d is not between 0 and %d" % (params[option], most))
    return int(params[option])


def canonical_names(params: dict[str, Any]) -> None:
    """``protect`` and ``restore`` name addresses: bring them into the notation of the entries. Raises InvalidEntry."""
    for option in ("protect", "restore"):
        names = []
        for text in params[option]:
            try:
                names.append(canonical(text.strip()))
            except ValueError as error:
                raise InvalidEntry(text, option, str(error)) from None
        params[option] = names
