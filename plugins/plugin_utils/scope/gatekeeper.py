# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate with its files: reads the terms and the ledger, and decides. The callback asks; gate.py judges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.reading import read_used
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import (
    gate,
    refusal,
    terms_checks,
    terms_files,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.gate import Decision, Target
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Catalogue
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import Resolution
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Terms


class Gatekeeper:
    """Decides for one run.

    mode: `off`, `warn` or `block`. agreements: path of the clients' terms, None for none. emergency, third_party:
    values of the variables of that name.
    """

    def __init__(
        self,
        mode: str,
        agreements: str | None,
        catalogue: Catalogue,
        ledger: Ledger,
        *,
        emergency: Any = None,
        third_party: Any = None,
    ) -> None:
        self.mode = mode
        self._agreements = agreements
        self.catalogue = catalogue
        self._ledger = ledger
        self._emergency = gate.reason(emergency)
        self._third_party = third_party if isinstance(third_party, str) else None
        self._pointless = emergency is not None and self._emergency is None

    @property
    def wanted(self) -> bool:
        """Whether anybody asked for a judgement: by the mode, by declaring agreements, or by an emergency."""
        return self.mode != "off" or bool(self._agreements) or self._emergency is not None

    def decide(self, resolved: Resolution, targets: Sequence[Target], now: datetime) -> Decision:
        """The decision for these hosts. What cannot be read never opens the gate for work that is out of contract."""
        warnings: list[str] = []
        if self._pointless:
            warnings.append(f"{gate.EMERGENCY_VARIABLE} gives no reason in words, so it counts for nothing")
        try:
            terms = terms_files.load(self._agreements)
            terms_checks.check_categories(terms, self.catalogue)
        except TermsError as error:
            if resolved.category.contract == "out":
                return Decision(self.mode, emergency=self._emergency, trouble=str(error), warnings=tuple(warnings))
            # Work in contract needs no agreement: a slip in a quote must not hold up a security update.
            warnings.append(str(error))
            terms = Terms()
        used: dict[tuple[str, str], int | None] = {}
        for client in sorted({name for target in targets for name in target.clients}):
            its = terms.of(client)
            if resolved.category.contract == "out" or any(item.contract == "out" for item in its.exceptions):
                used |= self._used(client, terms, warnings)
        decision = gate.decide(
            resolved.category,
            targets,
            terms,
            used,
            mode=self.mode,
            today=terms.today(now),
            emergency=self._emergency,
            third_party=self._third_party,
        )
        return Decision(decision.mode, decision.verdicts, decision.emergency, None, (*warnings, *decision.warnings))

    def refusal(self, decision: Decision, resolved: Resolution | None) -> str:
        """What to tell the operator."""
        return refusal.text(decision, resolved, self._agreements)

    def _used(self, client: str, terms: Terms, warnings: list[str]) -> dict[tuple[str, str], int | None]:
        counted = [item for item in terms.of(client).agreements if item.seconds is not None]
        if not counted or not self._ledger.path.exists():
            return {}
        try:
            with self._ledger.reading() as connection:
                used = read_used(connection, client, terms, self.catalogue.categories)
        except Exception as error:  # noqa: BLE001 - a spoilt row may break anything, and must not keep the run unrecorded
            said = error if isinstance(error, LedgerError) else f"A row is spoilt ({type(error).__name__})."
            warnings.append(f"client {client}: what its agreements have used cannot be read. {said}")
            return {(client, item.id): None for item in counted}
        return {(client, item.id): used.get(item.id, 0) for item in counted}
