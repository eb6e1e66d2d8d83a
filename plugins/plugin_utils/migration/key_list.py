# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that GitHub and GitLab publish of a user: https://github.com/USER.keys, https://gitlab.example.org/USER.keys.

One public key a line; GitHub's lines have no comment, GitLab's have one. No options: a line that had some would come
from somewhere else. Source: docs.github.com, REST API, "List public keys for a user", and the text that is served.
Pure.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.authorized_keys import BadKey, parse_declared
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .carried import Carried

__all__ = ["user_keys"]


def user_keys(text: Any, name: str, person: str | None = None, groups: Any = None) -> Carried:
    """One account with the keys of the text. No key at all is an error: such an account would be locked out."""
    made = Carried()
    if not isinstance(text, str):
        raise InvalidEntry(name, "keys", "%r is no text" % (text,))
    keys: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        where = "line %d" % number
        try:
            found = parse_declared(stripped)
        except BadKey as error:
            raise InvalidEntry(name, where, str(error)) from None
        if found.options:
            raise InvalidEntry(name, where, "has options: no published list of keys has any")
        if stripped in keys:
            made.leave(name, where, "is the same key as an earlier line", stripped)
            continue
        keys.append(stripped)
    if not keys:
        raise InvalidEntry(name, "keys", "the text has no key")
    made.account({"name": name, "person": person or name, "groups": list(groups or []), "keys": keys})
    return made
