# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of a foreign declaration as a filter of Ansible's: plain results, and errors that Ansible shows.

Where any filter of the collection is used, Ansible executes the files of all of them, in each process of each task, and
compiles all that they import. So a reader is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError

if TYPE_CHECKING:
    from .carried import Carried

__all__ = ["declared_by"]


def declared_by(format_of: str, reader: str) -> Callable[..., dict[str, Any]]:
    """The filter's function.

    :param format_of: the file beside this one that reads the format.
    :param reader: the function there: the foreign declaration -> Carried.
    """

    def function(source: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

        read: Callable[..., Carried] = getattr(import_module(f"{__package__}.{format_of}"), reader)
        try:
            return read(source, *arguments, **options).result()
        except InvalidEntry as error:
            raise AnsibleFilterError(str(error)) from None
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise AnsibleFilterError(str(error)) from None

    return function
