# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the file, or the directory of files, that declares what was agreed with each client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import terms_checks
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import UniqueKeyLoader
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Terms


def load(path: str | Path | None) -> Terms:
    """The terms of that file, or of all `*.yml` and `*.yaml` files of that directory; none at all without a path.

    Raises TermsError naming file, client, entry and field.
    """
    if path is None or str(path) == "":
        return Terms()
    start = Path(path).expanduser()
    if start.is_dir():
        files = sorted(item for item in start.iterdir() if item.suffix in {".yml", ".yaml"})
        if not files:
            raise TermsError(f"{start}: there is no *.yml file in this directory")
    else:
        files = [start]
    try:
        return terms_checks.parse(terms_checks.merge((item.name, _read(item)) for item in files))
    except TermsError as error:
        raise TermsError(f"{start}: {error}") from None


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 - a SafeLoader subclass
    except (OSError, UnicodeDecodeError) as error:
        raise TermsError(f"{path.name} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise TermsError(f"{path.name} is not valid YAML: {error}") from None
    except CatalogueError as error:
        raise TermsError(f"{path.name}: {error}") from None
    except ValueError as error:
        # PyYAML builds a date out of 2026-02-30, and fails.
        raise TermsError(f"{path.name} holds a value that cannot be: {error}") from None
