# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the callback's settings put the ledger, for the plugins that read it."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import shared_url
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.location import chosen_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Store

_CALLBACK = "infogerance.perimeter.intervention"
# Seconds to wait for a shared ledger that does not answer, unless its URL says otherwise. A report is in no hurry.
_PATIENCE = 10


def configured_path(given: str | None = None) -> Path:
    """The path given, else the one in the callback's settings (ansible.cfg or environment), else the default."""
    if given:
        return chosen_path(given)
    return chosen_path(configured_setting("ledger"))


def configured_store(ledger: str | None = None, shared: str | None = None) -> Store:
    """The ledger to read: the shared one at that URL, else the local file given, else that of the callback's settings.

    Raises LedgerError when both are given, or when there is no such file.
    """
    if not shared:
        if ledger and shared_url.is_url(ledger):
            raise LedgerError("ledger: this is a URL, and 'ledger' is a file; a shared ledger is given as 'shared'")
        local = Ledger(configured_path(ledger))
        if not local.path.exists():
            raise LedgerError(f"there is no ledger at {local.path}: has the callback recorded a run yet?")
        return local
    if ledger:
        raise LedgerError("give 'ledger' to read a local file or 'shared' to read a shared ledger, not both")
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared import SharedLedger

    return SharedLedger(shared_url.parse(shared, connect_timeout=_PATIENCE))


def configured_shared() -> str | None:
    """The shared ledger's URL in the callback's settings; None when there is none."""
    return configured_setting("shared")


def configured_setting(name: str) -> str | None:
    """What ansible.cfg or the environment says for the callback; None when neither says anything."""
    from ansible import constants
    from ansible.plugins.loader import callback_loader

    # Its documentation defines the settings; they are known only once it is loaded, under the name it was loaded by.
    plugin = callback_loader.get(_CALLBACK, class_only=True)
    value = constants.config.get_config_value(name, plugin_type="callback", plugin_name=plugin._load_name)
    return str(value) if value else None
