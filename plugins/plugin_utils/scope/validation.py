# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the plain content of catalogue files to a Catalogue. No I/O: files are read in loading.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import (
    AGREEMENTS,
    BILLING_RULES,
    CONDITIONS,
    CONTRACTS,
    LANGUAGES,
    Billing,
    Catalogue,
    CatalogueError,
    Category,
    Contract,
    Rule,
)

FORMAT_VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_TOP = ("version", "extends", "default", "categories", "rules")
_CATEGORY = ("label", "description", "contract", "agreement", "billing")
_BILLING = ("rule", "step_minutes", "minimum_minutes")
_RULE = ("name", "category", "when")


def merge(base: Mapping[str, Any], extension: Mapping[str, Any]) -> dict[str, Any]:
    """Put an extension over a base, both plain.

    Categories merge field by field, and `null` removes one. The extension's rules come first; one of the same name
    takes the place of the base's.
    """
    _check_top(base)
    _check_top(extension)
    categories: dict[str, Any] = {}
    for name, fields in base.get("categories", {}).items():
        _expect_mapping(fields, f"category '{name}'")
        categories[name] = dict(fields)
    for name, fields in extension.get("categories", {}).items():
        if fields is None:
            if name not in categories:
                raise CatalogueError(
                    f"category '{name}': cannot be removed, the extended catalogue has none of this name"
                )
            del categories[name]
        else:
            _expect_mapping(fields, f"category '{name}'")
            categories[name] = {**categories.get(name, {}), **fields}
    new_rules = list(extension.get("rules", []))
    replaced = [rule.get("name") for rule in new_rules if isinstance(rule, Mapping)]
    old_rules = [
        rule for rule in base.get("rules", []) if not isinstance(rule, Mapping) or rule.get("name") not in replaced
    ]
    merged: dict[str, Any] = {"version": FORMAT_VERSION, "categories": categories, "rules": new_rules + old_rules}
    default = extension.get("default", base.get("default"))
    if default is not None:
        merged["default"] = default
    return merged


def parse(content: Any) -> Catalogue:
    """Check a plain catalogue (after merging) and build it. Raises CatalogueError at the first fault."""
    _check_top(content)
    if content.get("version") != FORMAT_VERSION:
        raise CatalogueError(f"catalogue: field 'version' must be {FORMAT_VERSION}, not {content.get('version')!r}")
    categories = {name: _category(name, fields) for name, fields in content.get("categories", {}).items()}
    if not categories:
        raise CatalogueError("catalogue: field 'categories' is empty")
    default = content.get("default")
    if not isinstance(default, str) or default not in categories:
        raise CatalogueError(f"catalogue: field 'default' must name one of the categories, not {default!r}")
    rules: list[Rule] = []
    for position, fields in enumerate(content.get("rules", []), start=1):
        rule = _rule(position, fields, categories)
        if any(rule.name == other.name for other in rules):
            raise CatalogueError(f"rule '{rule.name}': field 'name' is used twice")
        rules.append(rule)
    return Catalogue(categories=categories, default=default, rules=tuple(rules))


def _check_top(content: Any) -> None:
    _expect_mapping(content, "catalogue")
    _refuse_unknown(content, _TOP, "catalogue")
    _expect_mapping(content.get("categories", {}), "catalogue: field 'categories'")
    for name in content.get("categories", {}):
        if not isinstance(name, str) or not _NAME.match(name):
            raise CatalogueError(
                f"category {name!r}: a name is lower-case letters, digits and underscores, and starts with a letter"
            )
    if not _is_list(content.get("rules", [])):
        raise CatalogueError("catalogue: field 'rules' must be a list")


def _category(name: str, fields: Any) -> Category:
    where = f"category '{name}'"
    _expect_mapping(fields, where)
    _refuse_unknown(fields, _CATEGORY, where)
    contract = fields.get("contract")
    if contract not in CONTRACTS:
        raise CatalogueError(f"{where}: field 'contract' must be 'in' or 'out', not {contract!r}")
    agreement = fields.get("agreement", [])
    if not _is_list(agreement):
        raise CatalogueError(f"{where}: field 'agreement' must be a list of {', '.join(AGREEMENTS)}")
    for item in agreement:
        if item not in AGREEMENTS:
            raise CatalogueError(f"{where}: field 'agreement' holds {item!r}; it may hold {', '.join(AGREEMENTS)}")
    billing = _billing(where, fields.get("billing", {"rule": "included"} if contract == "in" else None))
    if contract == "in" and agreement:
        raise CatalogueError(f"{where}: field 'agreement' must be empty for work that is in contract")
    if contract == "in" and billing.rule != "included":
        raise CatalogueError(f"{where}: field 'billing.rule' must be 'included' for work that is in contract")
    if contract == "out" and not agreement:
        raise CatalogueError(
            f"{where}: field 'agreement' must name at least one of {', '.join(AGREEMENTS)}: the work is out of contract"
        )
    if contract == "out" and billing.rule == "included":
        raise CatalogueError(f"{where}: field 'billing.rule' cannot be 'included' for work that is out of contract")
    return Category(
        name=name,
        label=_texts(where, "label", fields.get("label"), required=True),
        description=_texts(where, "description", fields.get("description", {}), required=False),
        contract=cast(Contract, contract),
        agreement=tuple(dict.fromkeys(agreement)),
        billing=billing,
    )


def _billing(where: str, fields: Any) -> Billing:
    if not isinstance(fields, Mapping):
        raise CatalogueError(f"{where}: field 'billing' must be a mapping with 'rule'")
    _refuse_unknown(fields, _BILLING, f"{where}: field 'billing'")
    if fields.get("rule") not in BILLING_RULES:
        raise CatalogueError(
            f"{where}: field 'billing.rule' must be one of {', '.join(BILLING_RULES)}, not {fields.get('rule')!r}"
        )
    minutes: dict[str, int] = {}
    for field_name, least, default in (("step_minutes", 1, 15), ("minimum_minutes", 0, 0)):
        value = fields.get(field_name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 1440:
            raise CatalogueError(
                f"{where}: field 'billing.{field_name}' must be whole minutes from {least} to 1440, not {value!r}"
            )
        minutes[field_name] = value
    return Billing(rule=fields["rule"], **minutes)


def _texts(where: str, field_name: str, value: Any, *, required: bool) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise CatalogueError(f"{where}: field '{field_name}' must map languages ({', '.join(LANGUAGES)}) to text")
    _refuse_unknown(value, LANGUAGES, f"{where}: field '{field_name}'")
    for language in LANGUAGES:
        text = value.get(language)
        if text is None and not required:
            continue
        if not isinstance(text, str) or not text.strip():
            raise CatalogueError(f"{where}: field '{field_name}.{language}' is missing or empty")
    return {language: str(text).strip() for language, text in value.items()}


def _rule(position: int, fields: Any, categories: Mapping[str, Category]) -> Rule:
    where = f"rule {position}"
    _expect_mapping(fields, where)
    name = fields.get("name")
    if not isinstance(name, str) or not name.strip():
        raise CatalogueError(f"{where}: field 'name' is missing or empty")
    where = f"rule '{name}'"
    _refuse_unknown(fields, _RULE, where)
    category = fields.get("category")
    if not isinstance(category, str) or category not in categories:
        raise CatalogueError(f"{where}: field 'category' names an unknown category, {category!r}")
    when = fields.get("when")
    if not isinstance(when, Mapping) or not when:
        raise CatalogueError(f"{where}: field 'when' must hold at least one of {', '.join(CONDITIONS)}")
    _refuse_unknown(when, CONDITIONS, f"{where}: field 'when'")
    conditions: dict[str, tuple[str, ...]] = {}
    for condition, globs in when.items():
        patterns = [globs] if isinstance(globs, str) else globs
        if not _is_list(patterns) or not patterns or not all(isinstance(item, str) and item for item in patterns):
            raise CatalogueError(f"{where}: field 'when.{condition}' must be a pattern or a list of patterns")
        conditions[condition] = tuple(patterns)
    return Rule(name=name, category=category, when=conditions)


def _expect_mapping(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise CatalogueError(f"{where} must be a mapping, not {type(value).__name__}")


def _refuse_unknown(value: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    for key in value:
        if key not in known:
            raise CatalogueError(f"{where}: unknown field {key!r}; it may hold {', '.join(known)}")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
