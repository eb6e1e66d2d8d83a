# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of a foreign declaration as a filter of Ansible's: plain results, and errors that Ansible shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .carried import Carried

__all__ = ["declared_by"]


def declared_by(reader: Callable[..., Carried]) -> Callable[..., dict[str, Any]]:
    """The filter's function."""

    def function(source: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        try:
            return reader(source, *arguments, **options).result()
        except InvalidEntry as error:
            raise AnsibleFilterError(str(error)) from None
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise AnsibleFilterError(str(error)) from None

    return function
