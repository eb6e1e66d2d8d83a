# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server has today as declared lists: a file of variables that the role reads as it is. Pure.

Names and comments on a server are its users'. In the file they are text and nothing else: what Ansible would take for
a template is marked ``!unsafe``, and no comment of the file can end its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

__all__ = ["adopted"]


class _Dumper(yaml.SafeDumper):
    """Texts that hold a template's signs are not to be templated."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML names it so
        """No anchors: a person is to read and change each entry by itself."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    if re.search(r"\{[{%#]", value):
        return dumper.represent_scalar("!unsafe", value, style='"')
    return dumper.represent_scalar("tag:yaml.org,2002:str", value)


_Dumper.add_representer(str, _text)


def adopted(
    host: str, day: str, accounts: Mapping[str, Any], addresses: Mapping[str, Any], certificates: Mapping[str, Any]
) -> dict[str, Any]:
    """text of the file, and how many entries and reviews it has.

    The mappings are the results of the three modules that only read; empty where one was not asked.
    """
    made = _File(host, day)
    if "as_declared" in accounts:
        made.begin("access_ssh_accounts", "SSH accounts.")
        for row in accounts["as_declared"]:
            made.entry(row["entry"], row["account"], row["review"])
        made.remarks(accounts.get("access_not_controlled", ()), "lets in, and is in no list")
        made.remarks(accounts.get("problems", ()), "odd")
    if "sinks" in addresses:
        made.begin("access_privileged_ips", "Privileged IPs.")
        _addresses(made, addresses)
    if "certificates" in certificates:
        made.begin("access_vpn_certificates", "VPN certificates and peers.")
        _certificates(made, certificates)
    return {"text": made.text(), "entries": made.entries, "reviews": made.reviews}


class _File:
    """Lines of the file."""

    def __init__(self, host: str, day: str) -> None:
        self.entries = 0
        self.reviews = 0
        self._empty = False
        self._lines = [
            "---",
            _comment("What %s had on %s, as declared lists. Written by infogerance.perimeter.adopt." % (host, day)),
            '# Nothing reads this file until you put it into your inventory. Look at each line with "review:" first.',
        ]

    def begin(self, variable: str, title: str) -> None:
        """A new list."""
        self._close()
        self._lines += ["", "# %s" % title, "%s:" % variable]
        self._empty = True

    def entry(self, entry: Mapping[str, Any] | None, name: str, review: Iterable[str]) -> None:
        """One entry below its doubts; None for one that only has doubts."""
        for text in review:
            self.reviews += 1
            self._lines.append("  " + _comment("review: %s: %s" % (name, text)))
        if entry is not None:
            self.entries += 1
            self._empty = False
            kept = {_plain(key): _plain(value) for key, value in entry.items() if value not in (None, [], "")}
            text = yaml.dump([kept], Dumper=_Dumper, sort_keys=False, width=10_000, default_flow_style=False)
            self._lines += ["  " + line for line in text.splitlines()]

    def remarks(self, texts: Iterable[str], what: str) -> None:
        """Doubts that belong to no entry."""
        for text in texts:
            self.reviews += 1
            self._lines.append("  " + _comment("review: %s: %s" % (what, text)))

    def text(self) -> str:
        """The file."""
        self._close()
        return "\n".join(self._lines) + "\n"

    def _close(self) -> None:
        if self._empty:
            # A list without entries is still a list; a lone key would be null.
            self._lines.append("  []")
            self._empty = False


def _plain(value: Any) -> Any:
    """Texts, lists and mappings of Ansible's own kinds as Python's."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_plain(inner) for inner in value]
    return value


def _comment(text: str) -> str:
    # What can't be printed, a line break above all, shows as an escape.
    return "# " + json.dumps(text, ensure_ascii=True)[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def _addresses(made: _File, found: Mapping[str, Any]) -> None:
    holders: dict[tuple[str, str], set[str]] = {}
    sides: dict[str, Sequence[str]] = {}
    for sink in found["sinks"]:
        sides[sink["name"]] = sink.get("lists") or ()
        for side in ("file", "live"):
            for slot, texts in (sink.get(side) or {}).items():
                for text in texts:
                    list_ = "trusted" if slot == "trusted" else "privileged"
                    holders.setdefault((text, list_), set()).add(sink["name"])
    drift = {str(row.get("entry")) for row in found.get("drift", ())}
    for (text, list_), sinks in sorted(holders.items()):
        review = ["whose is it, and why? (%s)" % ", ".join(sorted(sinks))]
        without = sorted(name for name, lists in sides.items() if name not in sinks and (not lists or list_ in lists))
        if without:
            review.append("is not in %s: the next run would add it there" % ", ".join(without))
        if text in drift:
            review.append("file and live state differ")
        entry = {"address": text, **({"list": list_} if list_ != "privileged" else {})}
        made.entry(entry, text, review)
    outside = ["%s by %s" % (row["entry"], row["where"]) for row in found.get("elsewhere", ())]
    made.remarks(outside, "gets in outside the managed sets, and is in no list")
    made.remarks(found.get("notes", ()), "odd")


def _certificates(made: _File, found: Mapping[str, Any]) -> None:
    live = [row for row in found["certificates"] if row["state"] == "live"]
    names = [row["cn"] for row in live]
    for row in live:
        review = []
        if row.get("reason"):
            # Protected, such as a server's own certificate.
            made.entry(None, str(row["cn"]), ["is kept without being declared: %s" % row["reason"]])
            continue
        if names.count(row["cn"]) > 1:
            review.append("several live certificates of this name: which one is in use?")
        if not row.get("person"):
            review.append("whose is it?")
        entry = {"cn": row["cn"]}
        if names.count(row["cn"]) > 1 and row.get("serial"):
            entry["serial"] = row["serial"]
        if row.get("public_key"):
            entry["public_key"] = row["public_key"]
        made.entry(entry, str(row["cn"]), review)
    gone = ["%s: %s" % (row["cn"], row["state"]) for row in found["certificates"] if row["state"] == "disabled"]
    made.remarks(gone, "not declared")
    made.remarks(found.get("alarms", ()), "alarm")
