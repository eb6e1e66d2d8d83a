# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read catalogue files and follow `extends`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

try:
    # libyaml's parser is ten times as fast, and a run waits for it.
    from yaml import CSafeLoader as _SafeLoader
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Catalogue, CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.validation import merge, parse

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)\Z")
BUILTIN = Path(__file__).with_name("catalogue.yml")


class UniqueKeyLoader(_SafeLoader):
    """PyYAML keeps the last of two equal keys: a category written twice would lose one silently.

    YAML 1.1 reads `1:30` as 90, and `010` as 8: ninety hours instead of one and a half. Such a number stays the text
    that was written.
    """

    def number(self, node: Any) -> Any:
        """A number in decimals, else its text."""
        text = str(self.construct_scalar(node))
        if node.tag.endswith(":int"):
            return self.construct_yaml_int(node) if _DECIMAL.match(text) else text
        return text if ":" in text else self.construct_yaml_float(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _unused in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise CatalogueError(f"field {key!r} is written twice (line {key_node.start_mark.line + 1})")
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


UniqueKeyLoader.add_constructor("tag:yaml.org,2002:int", UniqueKeyLoader.number)
UniqueKeyLoader.add_constructor("tag:yaml.org,2002:float", UniqueKeyLoader.number)


def load(path: str | Path | None = None) -> Catalogue:
    """The catalogue of that file, or the built-in one. Raises CatalogueError naming file, category and field."""
    start = BUILTIN if path is None or str(path) == "" else Path(path).expanduser()
    try:
        return parse(_gather(start, ()))
    except CatalogueError as error:
        raise CatalogueError(f"{start}: {error}") from None


def _gather(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in above:
        raise CatalogueError(f"field 'extends' goes round in a circle through {path}")
    content = _read(path)
    if not isinstance(content, dict):
        raise CatalogueError(f"{path.name} must hold a mapping, not {type(content).__name__}")
    extends = content.get("extends")
    if extends is None:
        return content
    if not isinstance(extends, str) or not extends:
        raise CatalogueError("field 'extends' must be 'builtin' or the path of a catalogue")
    parent = BUILTIN if extends == "builtin" else path.parent / Path(extends).expanduser()
    if content.get("version") != 1:
        raise CatalogueError(f"catalogue: field 'version' must be 1, not {content.get('version')!r}")
    return merge(_gather(parent, (*above, path)), content)


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"catalogue {path} cannot be read: {error}") from None
    try:
        return yaml.load(text, Loader=UniqueKeyLoader)  # noqa: S506 - a SafeLoader subclass
    except yaml.YAMLError as error:
        raise CatalogueError(f"catalogue {path} is not valid YAML: {error}") from None
