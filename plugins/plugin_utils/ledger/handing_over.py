# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows a run's end, when it is recorded already: sign the head, push to the team. Nothing here can lose it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import last_resort
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger


class HandingOver:
    """For all playbooks of one command: what did not answer once is not asked again.

    sign_key: path of an SSH key; None to sign nothing. shared: the shared ledger's URL; None to push nothing. wait:
    seconds for the push.
    """

    def __init__(self, sign_key: str | None, shared: str | None, wait: float) -> None:
        self._sign_key = sign_key
        self._shared = shared
        self._wait = wait

    def after(self, ledger: Ledger) -> list[str]:
        """Do both. Returns what somebody should know."""
        return [*self._signed(ledger), *self._pushed(ledger)]

    def _signed(self, ledger: Ledger) -> list[str]:
        if not self._sign_key:
            return []
        try:
            from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import signing

            signing.sign(ledger, Path(self._sign_key), datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - the run is recorded; what is left is to say that it is not signed
            self._sign_key = None
            return [f"recorded, not signed. {last_resort.reason(error)}"]
        return []

    def _pushed(self, ledger: Ledger) -> list[str]:
        if not self._shared:
            return []
        try:
            from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import pushing

            pushed = pushing.push(ledger, self._shared, self._wait)
        except Exception as error:  # noqa: BLE001 - the run is recorded; what is left is to say that it is not shared
            return [f"recorded here, not pushed. {last_resort.reason(error)}"]
        said = [f"shared ledger: {sentence}" for sentence in (*pushed.refused, *pushed.notices)]
        if pushed.problem:
            # Another playbook of this command would only wait again.
            self._shared = None
        if not pushed.complete:
            said.append(f"recorded here; {pushed.remaining} rows wait for the shared ledger. {pushed.problem}")
        return said
