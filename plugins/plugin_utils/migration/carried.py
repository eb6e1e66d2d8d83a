# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came out of a foreign declaration: our declared lists, and what they can't hold. Pure.

Nothing is dropped without a word: a reader of a foreign format takes each field out of its entry, and what nobody took
is told at the end. A fault in the source is an error that names entry and field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_entries import declare
from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import is_hostname, parse, refusal
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_list import Rules
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

__all__ = ["Carried", "Fields", "mapping", "rows", "texts"]


class Carried:
    """Collects declared accounts and addresses; ``result`` checks them as the modules will."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, Any]] = {}
        self.addresses: dict[tuple[str, ...], dict[str, Any]] = {}
        self.left_out: list[dict[str, Any]] = []

    def leave(self, entry: str, field: str, why: str, value: Any = None) -> None:
        """Tell what was not carried over. A secret's value is not to be given."""
        self.left_out.append({"entry": entry, "field": field, "value": value, "why": why})

    def account(self, row: Mapping[str, Any]) -> None:
        """Add an account; fields without a value are left away. Raises InvalidEntry for a name that is there."""
        name = row["name"]
        if name in self.accounts:
            raise InvalidEntry(str(name), "name", "is there twice")
        self.accounts[name] = {key: value for key, value in row.items() if value not in (None, [], "")}

    def address(self, text: Any, entry: str, list_: str = "privileged", **more: Any) -> None:
        """Add an address or network. What the module refuses unless it is named is left out, and told."""
        if not isinstance(text, str):
            raise InvalidEntry(entry, "address", "%r is no text" % (text,))
        if is_hostname(text):
            self.leave(entry, "address", "a host name: write the addresses that it stands for", text)
            return
        try:
            network = parse(text)
        except ValueError as error:
            raise InvalidEntry(entry, "address", "%s %s" % (text, error)) from None
        why = refusal(network, Rules().min_prefix)
        if why is not None:
            self.leave(entry, "address", "%s: add it by hand, and name it in access_privileged_ips_allow" % why, text)
            return
        row = {"address": str(network), **({} if list_ == "privileged" else {"list": list_}), **more}
        # Access stands as long as one of several rows gives it: each owner's and each date's is a row of its own.
        known = (str(network), list_, str(more.get("owner") or ""), str(more.get("expires") or ""))
        self.addresses.setdefault(known, {k: v for k, v in row.items() if v})

    def result(self) -> dict[str, list[dict[str, Any]]]:
        """accounts, addresses, left_out. Raises InvalidEntry for what ssh_accounts would refuse."""
        accounts = list(self.accounts.values())
        declare([_whole(row) for row in accounts])
        return {"accounts": accounts, "addresses": list(self.addresses.values()), "left_out": self.left_out}


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the module's argument spec fills it up."""
    sudo = row.get("sudo")
    if not sudo:
        return dict(row)
    return {**row, "sudo": {"commands": ["ALL"], "nopasswd": False, "runas": "ALL", **sudo}}


class Fields:
    """The fields of one foreign entry. What is not taken is told by ``rest``."""

    def __init__(self, entry: str, values: Any, carried: Carried) -> None:
        self.entry = entry
        self._values = dict(mapping(values, entry))
        self._carried = carried

    def take(self, *names: str) -> Any:
        """The value of the first of these that is there; all of them count as taken."""
        found = [self._values.pop(name) for name in names if name in self._values]
        return next((value for value in found if value is not None), None)

    def text(self, *names: str) -> str | None:
        """A text, or a number as text; None where there is none."""
        value = self.take(*names)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise InvalidEntry(self.entry, names[0], "%r is no text" % (value,))
        return str(value)

    def number(self, *names: str) -> int | None:
        """A whole number."""
        text = self.text(*names)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise InvalidEntry(self.entry, names[0], "%r is no whole number" % text) from None

    def texts(self, *names: str, separators: str = "") -> list[str]:
        """A list of texts; a single text is a list of one, or is split at the separators."""
        return texts(self.take(*names), self.entry, names[0], separators)

    def flag(self, name: str) -> bool | None:
        """A truth as YAML and Ansible write it."""
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return value
        known = {
            "yes": True,
            "true": True,
            "on": True,
            "1": True,
            "no": False,
            "false": False,
            "off": False,
            "0": False,
        }
        if str(value).lower() in known:
            return known[str(value).lower()]
        raise InvalidEntry(self.entry, name, "%r is neither true nor false" % (value,))

    def leave(self, why: str, *names: str, secret: bool = False) -> None:
        """Tell that these were there and are not carried over."""
        for name in names:
            value = self.take(name)
            if value not in (None, "", [], {}):
                self._carried.leave(self.entry, name, why, None if secret else value)

    def rest(self, why: str = "the declared lists have no such field") -> None:
        """Tell all that nobody took."""
        self.leave(why, *list(self._values))


def mapping(value: Any, entry: str) -> Mapping[str, Any]:
    """Raises InvalidEntry for what is no mapping."""
    if not isinstance(value, Mapping):
        raise InvalidEntry(entry, "entry", "%r is no mapping" % (value,))
    return value


def rows(value: Any, entry: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """(label, row) of a list of mappings."""
    if value is None:
        return
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise InvalidEntry(entry, "list", "%r is no list" % (value,))
    for number, row in enumerate(value):
        label = "%s[%d]" % (entry, number)
        yield label, mapping(row, label)


def texts(value: Any, entry: str, field: str, separators: str = "") -> list[str]:
    """A list of texts, each once."""
    if value is None:
        return []
    found = [value] if isinstance(value, (str, int)) else value
    if isinstance(found, Mapping) or not isinstance(found, Iterable):
        raise InvalidEntry(entry, field, "%r is no list" % (value,))
    made: list[str] = []
    for item in found:
        if isinstance(item, bool) or not isinstance(item, (str, int)):
            raise InvalidEntry(entry, field, "%r is no text" % (item,))
        pieces = [str(item)]
        for separator in separators:
            pieces = [part for piece in pieces for part in piece.split(separator)]
        made += [piece.strip() for piece in pieces if piece.strip()]
    return list(dict.fromkeys(made))
