# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of scope categories, as values. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LANGUAGES = ("fr", "en")
CONTRACTS = ("in", "out")
AGREEMENTS = ("quote", "time_count", "emergency")
BILLING_RULES = ("included", "as_agreed", "time_spent")
CONDITIONS = ("playbook", "role", "module", "host_group")

Contract = Literal["in", "out"]


class CatalogueError(ValueError):
    """A catalogue that cannot be used; the message names the category (or rule) and the field."""


@dataclass(frozen=True)
class Billing:
    """How the work is billed.

    rule: included (nothing more to pay), as_agreed (what the agreement says), time_spent (by the clock).
    step_minutes: time is rounded up to a multiple of this. minimum_minutes: the least that is billed.
    """

    rule: str = "included"
    step_minutes: int = 15
    minimum_minutes: int = 0


@dataclass(frozen=True)
class Category:
    """One kind of work. `agreement` holds what may let it start; empty means that nothing is needed."""

    name: str
    label: Mapping[str, str]
    contract: Contract
    agreement: tuple[str, ...] = ()
    billing: Billing = field(default_factory=Billing)
    description: Mapping[str, str] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """The label in that language, or in English."""
        return self.label.get(language) or self.label["en"]


@dataclass(frozen=True)
class Rule:
    """Points to a category when every condition holds; one condition holds when one of its globs matches."""

    name: str
    category: str
    when: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Catalogue:
    """Categories by name, rules in order of evaluation, and the category used when nothing answers."""

    categories: Mapping[str, Category]
    default: str
    rules: tuple[Rule, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """A plain copy, for results and JSON."""
        return {
            "default": self.default,
            "categories": {
                name: {
                    "label": dict(category.label),
                    "description": dict(category.description),
                    "contract": category.contract,
                    "agreement": list(category.agreement),
                    "billing": {
                        "rule": category.billing.rule,
                        "step_minutes": category.billing.step_minutes,
                        "minimum_minutes": category.billing.minimum_minutes,
                    },
                }
                for name, category in self.categories.items()
            },
            "rules": [
                {
                    "name": rule.name,
                    "category": rule.category,
                    "when": {key: list(value) for key, value in rule.when.items()},
                }
                for rule in self.rules
            ],
        }
