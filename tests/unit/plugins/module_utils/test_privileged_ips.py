# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From list to sinks, on sinks in memory: what any list and any drift must lead to, and whom no plan may lock out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import privileged_ips as p
from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Coverage, parse
from ansible_collections.infogerance.perimeter.plugins.module_utils.connection import Connection
from ansible_collections.infogerance.perimeter.plugins.module_utils.entry_point_module import policy_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.protocol import (
    READY,
    Change,
    Sink,
    SinkState,
    Undo,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import plan
from ansible_collections.infogerance.perimeter.plugins.module_utils.state_directory import StateDirectory

ME = "192.0.2.1"
POOL = ["198.51.100.%d" % n for n in range(6)] + ["198.51.100.0/29", "198.51.100.0/30", "2001:db8::1", "2001:db8::/64"]


class Memory(Sink):
    """A sink that forgets nothing but what it is told to."""

    backend = "memory"
    gates = True

    def __init__(self, name: str, flat: bool, overlaps: bool, shared: bool, file: Any, live: Any) -> None:
        super().__init__({"name": name}, {})
        self.flat = flat
        self.overlaps = overlaps
        self.shared = shared
        slot = self.slots[0]
        self.file = {s: frozenset(file if s == slot else ()) for s in self.slots}
        self.live = {s: frozenset(live if s == slot else ()) for s in self.slots}

    @property
    def exclusive(self) -> bool:
        return not self.shared

    def observe(self) -> SinkState:
        return SinkState(file=dict(self.file), live=dict(self.live), shape={"file": READY, "live": READY})

    def apply(self, state: SinkState, change: Change) -> Undo:  # noqa: ARG002
        self.file = change.applied_to(self.file)
        self.live = change.applied_to(self.live)
        if not self.overlaps:
            for side in (self.file, self.live):
                for texts in side.values():
                    index = Coverage(parse(t) for t in texts)
                    assert all(index.widest(parse(t), strictly=True) is None for t in texts), "overlap"
        return lambda: None


def kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sinks: list[Sink], rows: list[Any], **more: Any
) -> p.PrivilegedIps:
    params: dict[str, Any] = {
        "addresses": rows,
        "sinks": [],
        "allow": [],
        "min_prefix_ipv4": 16,
        "min_prefix_ipv6": 32,
        "max_addresses": 100,
        "must_reach": [],
        "controller": "require",
        "cut_flows": False,
        "obsolete": "remove",
        "grace": 0,
        "adopt": False,
        "protect": [],
        "max_obsolete": "100%",
        "allow_empty": False,
        "expect_plan": None,
        "restore": [],
        "departed": [],
        "persons": [],
        **more,
    }
    monkeypatch.setattr(p.catalogue, "build", lambda *_words: sinks)
    monkeypatch.setattr(p, "current", lambda: Connection(address=more.get("me", ME)))
    state = tmp_path / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    return p.PrivilegedIps(params, StateDirectory(str(state)), policy_of)


def run(made: p.PrivilegedIps) -> Any:
    declared = list(made.declare())
    found = plan(declared, list(made.observe()), policy_of(made.params), made.guards())
    if not found.refused and found.actions:
        made.apply(found, lambda _action: None)
    return found


texts = st.lists(st.sampled_from(POOL), max_size=6, unique=True)
rows = st.lists(
    st.fixed_dictionaries(
        {"address": st.sampled_from(POOL)}, optional={"list": st.sampled_from(("privileged", "trusted"))}
    ),
    max_size=6,
)


def disjoint(names: list[str]) -> list[str]:
    index = Coverage(parse(t) for t in names)
    return [t for t in names if index.widest(parse(t), strictly=True) is None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(rows, texts, texts, st.booleans(), st.booleans(), st.sampled_from(("report", "remove")))
@example(
    [{"address": "198.51.100.0", "list": "trusted"}, {"address": "198.51.100.0/29"}],
    ["198.51.100.0/30"],
    [],
    False,
    False,
    "report",
)
def test_any_list_leads_to_itself_and_stays_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: list[Any],
    file: list[str],
    live: list[str],
    flat: bool,
    overlaps: bool,
    obsolete: str,
) -> None:
    if not overlaps:
        file = live = disjoint(file)
    sink = Memory("one", flat, overlaps, False, file, live)
    wanted = [{"address": ME}, *listed]
    made = kind(tmp_path, monkeypatch, [sink], wanted, obsolete=obsolete)
    first = run(made)
    assert not first.refused
    inside = Coverage(parse(t) for texts in sink.live.values() for t in texts)
    for row in wanted:
        assert parse(row["address"]) in inside
    if obsolete == "remove":
        assert sink.file == sink.live
        allowed = Coverage(parse(row["address"]) for row in wanted)
        assert all(parse(t) in allowed for texts in sink.live.values() for t in texts)
    else:
        # Nothing loses access: what was inside is still covered.
        assert all(parse(t) in inside for t in live)
    again = run(kind(tmp_path, monkeypatch, [sink], wanted, obsolete=obsolete))
    assert not again.actions, [(a.action, a.entry, a.changes) for a in again.actions]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(rows, texts)
def test_in_a_shared_place_nothing_of_others_is_ever_taken(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, listed: list[Any], theirs: list[str]
) -> None:
    sink = Memory("one", True, True, True, theirs, theirs)
    folder = tmp_path_factory.mktemp("shared")
    run(kind(folder, monkeypatch, [sink], [{"address": ME}, *listed]))
    done = run(kind(folder, monkeypatch, [sink], [{"address": ME}]))
    assert not done.refused
    assert sink.live["listed"] >= set(theirs)
    assert sink.live["listed"] == set(theirs) | {ME}


def test_what_others_put_on_the_other_list_of_a_shared_place_stays_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours on one list, somebody else's on the other: neither a demotion nor a removal may take the latter."""
    sink = Memory("m", flat=False, overlaps=True, shared=True, file=[ME], live=[ME])
    for side in (sink.file, sink.live):
        side["trusted"] = frozenset([POOL[0]])
    for _turn in range(2):
        found = run(kind(tmp_path, monkeypatch, [sink], [ME, POOL[0]]))
        assert not found.refused
    assert not found.actions
    assert sink.live == {"privileged": frozenset([ME, POOL[0]]), "trusted": frozenset([POOL[0]])}
    run(kind(tmp_path, monkeypatch, [sink], [ME]))
    assert sink.live == sink.file == {"privileged": frozenset([ME]), "trusted": frozenset([POOL[0]])}
    assert not run(kind(tmp_path, monkeypatch, [sink], [ME])).actions


@pytest.mark.parametrize(
    ("me", "rows", "refused"),
    [
        ("192.0.2.1", ["192.0.2.0/24"], False),
        ("192.0.2.1", ["192.0.2.2"], True),
        # The right list in the other family is no way in.
        ("2001:db8::5", ["192.0.2.0/24"], True),
        ("2001:db8::5", ["2001:db8::/64"], False),
        ("::ffff:192.0.2.1", ["192.0.2.1"], False),
        ("192.0.2.1", ["2001:db8::/64"], True),
    ],
)
def test_the_controller_stays_covered_in_the_family_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, me: str, rows: list[str], refused: bool
) -> None:
    sink = Memory("one", False, False, False, [], [])
    done = run(kind(tmp_path, monkeypatch, [sink], list(rows), me=me))
    assert bool(done.refused) is refused
    assert bool(sink.live["privileged"]) is not refused


def test_an_entry_that_carries_the_connection_is_protected_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Memory("one", False, False, False, [ME, "198.51.100.1"], [ME, "198.51.100.1"])
    done = run(kind(tmp_path, monkeypatch, [sink], ["198.51.100.2"]))
    assert [f.entry for f in done.protected] == [ME]
    assert sink.live["privileged"] == {ME, "198.51.100.2"}


def test_keep_asks_for_the_controller_only_where_it_was_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Memory("one", False, False, False, [], [])
    assert not run(kind(tmp_path, monkeypatch, [empty], ["198.51.100.2"], controller="keep")).refused
    assert run(kind(tmp_path, monkeypatch, [Memory("b", False, False, False, [], [])], ["198.51.100.2"])).refused


def test_moving_many_to_the_lesser_list_counts_as_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["198.51.100.%d" % n for n in range(10)]
    sink = Memory("one", False, True, False, [], [])
    trusted: Mapping[str, Any] = {"list": "trusted"}
    run(kind(tmp_path, monkeypatch, [sink], [ME, *({"address": n, **trusted} for n in names)]))
    assert sink.live["trusted"] == set(names)
    done = run(kind(tmp_path, monkeypatch, [sink], [ME, *names], max_obsolete="20%"))
    assert "would lose access in a sink" in done.refused[0]
    assert sink.live["trusted"] == set(names)
