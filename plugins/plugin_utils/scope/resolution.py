# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which category is this run? The first source that answers decides; every rule looked at is kept. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Catalogue, Category, Rule

VARIABLE = "infogerance_scope"
# Names the cause of an alert that the run works on: `disk:/var`.
ALERT_VARIABLE = "infogerance_alert"
INACTION = "inaction_despite_reminders"
TAG_PREFIX = "scope:"


class ScopeError(ValueError):
    """What should decide names a category that the catalogue does not have."""


@dataclass(frozen=True)
class AlertSeen:
    """What the ledger knows of an alert that the run works on. overdue: whether it is inaction despite reminders."""

    rule: str
    overdue: bool
    detail: str


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before its first task. Names only, never values of other variables."""

    extra_var: Any = None
    play_vars: tuple[Any, ...] = ()
    tags: frozenset[str] = frozenset()
    playbook: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    host_groups: frozenset[str] = frozenset()
    alerts: tuple[AlertSeen, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """One rule looked at: what it was, whether it passed, and why."""

    source: str
    rule: str
    passed: bool
    category: str | None
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return {
            "source": self.source,
            "rule": self.rule,
            "passed": self.passed,
            "category": self.category,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Resolution:
    """The verdict and all that led to it."""

    category: Category
    source: str
    evaluations: tuple[Evaluation, ...] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """What the record of the run keeps of it."""
        return {
            "category": self.category.name,
            "label": dict(self.category.label),
            "contract": self.category.contract,
            "agreement_needed": list(self.category.agreement),
            "billing": self.category.billing.rule,
            "source": self.source,
            "evaluations": [evaluation.as_dict() for evaluation in self.evaluations],
        }


def resolve(catalogue: Catalogue, facts: RunFacts) -> Resolution:
    """Resolve in this order: extra var, play var, tag, an overdue alert, rules of the catalogue, default.

    A source that would decide and names an unknown category raises ScopeError: a typing mistake must not fall through
    to a category that happens to be in contract.
    """
    evaluations: list[Evaluation] = []
    verdict: tuple[str, str] | None = None
    extra = [] if facts.extra_var is None else [facts.extra_var]
    tagged = sorted(tag[len(TAG_PREFIX) :] for tag in facts.tags if tag.startswith(TAG_PREFIX))
    for source, rule, candidates in (
        ("extra_var", VARIABLE, extra),
        ("play_var", VARIABLE, [value for value in facts.play_vars if value is not None]),
        ("tag", f"{TAG_PREFIX}<category>", tagged),
    ):
        evaluation, unknown = _stated(catalogue, source, rule, candidates)
        if unknown and verdict is None:
            raise ScopeError(
                f"{source.replace('_', ' ')} '{rule}' names a category that the catalogue does not have: {unknown}. "
                f"Known categories: {', '.join(sorted(catalogue.categories))}"
            )
        evaluations.append(evaluation)
        if evaluation.passed and evaluation.category and verdict is None:
            verdict = (evaluation.category, source)
    for alert in facts.alerts:
        evaluation = _of_alert(catalogue, alert)
        evaluations.append(evaluation)
        if evaluation.passed and verdict is None:
            verdict = (INACTION, "alert")
    for item in catalogue.rules:
        evaluation = _matched(item, facts)
        evaluations.append(evaluation)
        if evaluation.passed and verdict is None:
            verdict = (item.category, "rule")
    evaluations.append(Evaluation("default", "default", True, catalogue.default, "used when nothing else answers"))
    name, source = verdict or (catalogue.default, "default")
    return Resolution(catalogue.categories[name], source, tuple(evaluations))


def _stated(catalogue: Catalogue, source: str, rule: str, candidates: list[Any]) -> tuple[Evaluation, str]:
    """Look at one source that names categories outright. Also returns what it names that nobody knows."""
    if not candidates:
        return Evaluation(source, rule, False, None, "not set"), ""
    known = sorted({value for value in candidates if isinstance(value, str) and value in catalogue.categories})
    unknown = sorted(
        {_shown(value) for value in candidates if not (isinstance(value, str) and value in catalogue.categories)}
    )
    if unknown:
        # The value itself is not kept: what an operator types into a variable may be anything.
        return Evaluation(source, rule, False, None, "names an unknown category"), ", ".join(unknown)
    chosen = min(known, key=lambda name: (catalogue.categories[name].contract == "in", name))
    detail = (
        "set"
        if len(known) == 1
        else f"several are set ({', '.join(known)}): out of contract goes first, then the alphabet"
    )
    return Evaluation(source, rule, True, chosen, detail), ""


def _of_alert(catalogue: Catalogue, alert: AlertSeen) -> Evaluation:
    """Work on an overdue alert is proposed as inaction; whoever states a category goes before it."""
    if alert.overdue and INACTION not in catalogue.categories:
        return Evaluation("alert", alert.rule, False, None, f"the catalogue has no category {INACTION}")
    return Evaluation("alert", alert.rule, alert.overdue, INACTION if alert.overdue else None, alert.detail)


def _shown(value: Any) -> str:
    return repr(value)[:80] if isinstance(value, str) else f"a {type(value).__name__} instead of a name"


def _matched(rule: Rule, facts: RunFacts) -> Evaluation:
    available = {
        "playbook": facts.playbook,
        "role": facts.roles,
        "module": facts.modules,
        "host_group": facts.host_groups,
    }
    found: list[str] = []
    for condition, patterns in rule.when.items():
        hit = _first_match(patterns, available[condition])
        if hit is None:
            return Evaluation("rule", rule.name, False, rule.category, f"no {condition} matches {', '.join(patterns)}")
        found.append(f"{condition} {hit}")
    return Evaluation("rule", rule.name, True, rule.category, ", ".join(found))


def _first_match(patterns: Iterable[str], names: Iterable[str]) -> str | None:
    for name in sorted(names):
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return name
    return None
