# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol between the list of privileged IPs and one place on the server that holds it: a sink.

A sink keeps addresses in one or two *slots*. A flat sink (an allow file) has one, ``listed``. A sink that tells
lists apart (a firewall) has ``privileged`` and ``trusted``; whoever is trusted is privileged, too.
Each slot is seen twice: in the file that is read at boot or reload, and in what is live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Network

__all__ = [
    "ABSENT",
    "LISTED",
    "LISTS",
    "PRIVILEGED",
    "READY",
    "TRUSTED",
    "Change",
    "Command",
    "Outside",
    "Sink",
    "SinkError",
    "SinkState",
    "Slots",
    "Undo",
]

PRIVILEGED, TRUSTED, LISTED = "privileged", "trusted", "listed"
LISTS = (PRIVILEGED, TRUSTED)
ABSENT = "absent"
#: The shape of a sink (table, block, include line, running configuration) is as it should be.
READY = "ready"

Slots = dict[str, frozenset[str]]
#: ``argv`` and, if it reads any, ``input``.
Command = dict[str, Any]
#: Puts back what an applied change replaced, file and live.
Undo = Callable[[], None]


class SinkError(Exception):
    """This sink can't be read or changed. Says why; what was changed in it has been put back."""


class Outside(NamedTuple):
    """An address that gets in by something that is not ours."""

    address: str
    where: str


class SinkState:
    """What one sink holds.

    ``file`` is None where the sink has no file, ``live`` is None where nothing runs.
    ``shape`` names what carries the addresses and whether it is ``ready``.
    """

    def __init__(
        self,
        file: Slots | None = None,
        live: Slots | None = None,
        shape: Mapping[str, str] | None = None,
        outside: Sequence[Outside] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.file = file
        self.live = live
        self.shape = dict(shape or {})
        self.outside = list(outside)
        self.notes = list(notes)
        self._inside: dict[str, frozenset[str]] = {}

    def inside(self, slot: str) -> frozenset[str]:
        """Everything in a slot, in the file or live. Asked for each address: the union is made once."""
        if slot not in self._inside:
            sides = [side.get(slot, frozenset()) for side in (self.file, self.live) if side is not None]
            self._inside[slot] = frozenset().union(*sides)
        return self._inside[slot]


class Change:
    """What is to happen to one sink: texts to add and to take by slot, and whether its shape must be mended."""

    def __init__(self, slots: Sequence[str]) -> None:
        self.add: dict[str, list[str]] = {slot: [] for slot in slots}
        self.take: dict[str, list[str]] = {slot: [] for slot in slots}
        self.mend = False

    def __bool__(self) -> bool:
        return self.mend or any(self.add.values()) or any(self.take.values())

    def after(self, slot: str, before: frozenset[str]) -> frozenset[str]:
        """What a slot holds after the change."""
        return (before - frozenset(self.take[slot])) | frozenset(self.add[slot])

    def applied_to(self, before: Slots) -> Slots:
        """All slots after the change."""
        return {slot: self.after(slot, before.get(slot, frozenset())) for slot in self.add}


class Sink:
    """One place that holds the list. Subclass it once per backend."""

    #: Name in the option ``sinks``.
    backend = ""
    #: One slot for all lists.
    flat = True
    #: A connection can be refused by it: the controller and ``must_reach`` must be covered.
    gates = False
    #: It can hold a network and an address in it side by side.
    overlaps = True
    #: Lists that go here unless the settings say otherwise.
    default_lists: tuple[str, ...] = LISTS
    #: The sides whose shape is looked after.
    sides: tuple[str, ...] = ("file", "live")
    #: TCP ports whose sessions end with the entry; None is all.
    flow_ports: frozenset[int] | None = None

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        """``settings`` is one item of ``sinks``; ``memory`` is what the last run noted about this sink."""
        self.settings = settings
        self.name = str(settings.get("name") or self.backend)
        self.lists: tuple[str, ...] = tuple(settings.get("lists") or self.default_lists)
        self.memory: dict[str, Any] = dict(memory)

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots this sink keeps."""
        if self.flat:
            return (LISTED,)
        return tuple(name for name in LISTS if name in self.lists)

    def slot_of(self, lists: frozenset[str]) -> str | None:
        """The slot for an address that is on ``lists``, or None if it doesn't belong here."""
        here = [name for name in self.lists if name in lists]
        if not here:
            return None
        if self.flat:
            return LISTED
        return TRUSTED if TRUSTED in here else PRIVILEGED

    @property
    def exclusive(self) -> bool:
        """True where all that is inside is ours: our own table, set or block, or one that the user names as ours."""
        return bool(self.settings.get("manage") == "all")

    def refuses(self, network: Network) -> str | None:
        """Why this sink can't hold the network, or None."""
        return None

    def observe(self) -> SinkState:
        """Read file and live state afresh. Raises SinkError."""
        raise NotImplementedError

    def check(self, state: SinkState, change: Change) -> None:
        """Raise SinkError where the change is known to fail. Changes nothing."""

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        """The files that the change may touch, and commands that make their old content live once they are back.

        For the server's own roll-back, which runs without this code: the commands must be right whether or not
        the change was made, or was taken back already.
        """
        raise NotImplementedError

    def apply(self, state: SinkState, change: Change) -> Undo:
        """Carry out the change, file and live. On failure put everything back and raise SinkError."""
        raise NotImplementedError
