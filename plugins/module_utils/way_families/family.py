# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every family of ways in speaks: a finding, and what closes it. Pure values, no I/O.

A family is a file with one function ``look(ctx)`` that yields findings; ``survey.FAMILIES`` names it. Nothing else
changes when a family is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from .context import Context

__all__ = ["SSH_ACCOUNTS", "Closing", "Finding", "Look", "manage_account", "shown"]

COLLECTION = "infogerance.perimeter."
SSH_ACCOUNTS = COLLECTION + "ssh_accounts"
PRIVILEGED_IPS = COLLECTION + "privileged_ips"
VPN_CERTIFICATES = COLLECTION + "vpn_certificates"


@dataclass(frozen=True)
class Closing:
    """What closes a way in: ``command`` by hand, as root; ``module`` where one of ours can, with these arguments.

    The arguments go beside the whole declared list, which is the user's.
    """

    command: str
    module: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One way in.

    ``entry`` tells one of several in a file from the others: a fingerprint, an address, a user, a line number.
    ``declared`` is true where the declared lists cover it.
    """

    kind: str
    path: str
    why: str
    closes_with: Closing
    account: str | None = None
    entry: str = ""
    person: str | None = None
    attributed_by: str | None = None
    since: str | None = None
    declared: bool = False

    def as_result(self, family: str) -> dict[str, Any]:
        """The row of the module's result."""
        return {
            "family": family, "kind": self.kind, "path": shown(self.path), "account": _shown(self.account),
            "entry": shown(self.entry), "person": _shown(self.person), "attributed_by": self.attributed_by,
            "why": shown(self.why), "since": self.since, "declared": self.declared,
            "closes_with": {
                "module": self.closes_with.module, "arguments": dict(self.closes_with.arguments),
                "command": self.closes_with.command,
            },
        }  # fmt: skip


Look = Callable[["Context"], Iterable[Finding]]


def shown(text: str) -> str:
    """A text from the server for a terminal: what can't be printed shows as ``\\xNN``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else "".join("\\x%02x" % b for b in _bytes(c)) for c in text)


def _shown(text: str | None) -> str | None:
    return None if text is None else shown(text)


def _bytes(character: str) -> bytes:
    try:
        return character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a character: no file's bytes become that, but JSON may spell it.
        return character.encode("utf-8", "surrogatepass")


def manage_account(name: str, command: str) -> Closing:
    """Closed by ``ssh_accounts`` when the list doesn't hold it and ``manage`` names the account; or by hand."""
    return Closing(command, SSH_ACCOUNTS, {"manage": {"names": [name]}, "obsolete": "remove"})
